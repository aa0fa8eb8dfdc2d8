//! The one way to an EHR. Every read and search of every edge goes through [`run`], in this order:
//!
//! context → scopes, feature, patient, policy → limits → intent (written while the EHR is called, awaited before
//! release) → token → EHR → session still open → every resource checked → outcome → release.

use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;
use sallyport_audit_client::Pending;
use sallyport_clinical::Mapping;
use sallyport_egress::Instant;
use sallyport_fhir::{Interaction, Limits, ResourceType};
use sallyport_model::{AccessContext, Code, Patients, RequestId, scope::Verb};
use sallyport_registry::Entry;
use sallyport_resilience::Priority;
use tracing::{Instrument, Span};

use super::{
    admit::{Admitted, Expected, Gate, covered},
    context,
    holder::Holder,
    launch_limits::Permit,
    metadata, normalise,
    paging::Pages,
    place::Place,
    recording::{Draft, Open},
    release::{Exit, Released},
    seen::SeenByLaunch,
    session::Session,
    upstream::{self, Answer, Sent},
};
use crate::{Gateway, error::Refusal};

/// A call as an edge asks for it.
pub(crate) struct Request<'a> {
    pub(crate) holder: Holder<'a>,
    /// The feature a person's call runs under; `None` for the app's default. A run has its own.
    pub(crate) feature: Option<&'a str>,
    pub(crate) interaction: Interaction,
    pub(crate) if_none_match: Option<HeaderValue>,
    pub(crate) request_id: RequestId,
    /// Who waits for the answer: a person before work that can be done later.
    pub(crate) priority: Priority,
    pub(crate) deadline: Instant,
    /// By which mapping the answer becomes part of a chart; `None` when it leaves as it is.
    pub(crate) mapping: Option<Mapping>,
}

/// A call that has been admitted and holds its permits.
struct Prepared {
    access: AccessContext,
    place: Arc<Place>,
    seen: Arc<SeenByLaunch>,
    admitted: Admitted,
    _permit: Permit,
}

/// Makes a call. Whatever comes out, `Ok` or `Err`, is recorded when this returns and may be released.
pub(crate) async fn run(gateway: &Gateway, request: Request<'_>) -> Result<Released, Refusal> {
    let span = span(&request);
    if let Holder::Session(session) = request.holder {
        sallyport_telemetry::propagate::link(&span, &session.launch_traceparent);
    }
    let made = async {
        let mut draft = Draft::of(request.holder, request.request_id, gateway.clock.now());
        draft.interaction(&request.interaction);
        if let Some(mapping) = request.mapping {
            draft.mapping(mapping);
        }
        let entry = match request.holder {
            Holder::Session(session) => context::entry(&gateway.registry, session),
            Holder::Run(run) => context::entry_of_run(&gateway.registry, run),
        };
        let prepared = match &entry {
            Ok(entry) => prepare(gateway, &request, entry, &mut draft).await,
            Err(refusal) => Err(refusal.clone()),
        };
        let result = match (prepared, entry) {
            (Ok(prepared), Ok(entry)) => Box::pin(perform(gateway, &request, &entry, &prepared, draft)).await,
            (Err(refusal), _) | (_, Err(refusal)) => {
                gateway.recorder.refused(draft, &refusal).await?;
                Err(refusal)
            }
        };
        let code = result.as_ref().err().map(|refusal| refusal.code);
        Span::current().record("outcome", code.map_or("success", Code::as_str));
        if let Some(code @ (Code::UpstreamForeignPatient | Code::UpstreamForeignLink)) = code {
            tracing::warn!(code = code.as_str(), request.id = %request.request_id, "an EHR's answer was withheld whole");
        }
        result
    };
    made.instrument(span).await
}

/// Records a refusal that was decided before an interaction could be made of the request.
pub(crate) async fn refuse(
    gateway: &Gateway,
    holder: Holder<'_>,
    request_id: RequestId,
    refusal: Refusal,
) -> Refusal {
    let draft = Draft::of(holder, request_id, gateway.clock.now());
    match gateway.recorder.refused(draft, &refusal).await {
        Ok(()) => refusal,
        Err(unavailable) => unavailable,
    }
}

async fn prepare(
    gateway: &Gateway,
    request: &Request<'_>,
    entry: &Entry<'_>,
    draft: &mut Draft,
) -> Result<Prepared, Refusal> {
    let holder = request.holder;
    let access = match holder {
        Holder::Session(session) => {
            let feature = context::feature(entry, request.feature)?;
            Span::current().record("feature", feature.id.as_str());
            context::build(session, feature)?
        }
        Holder::Run(run) => {
            gateway.sessions.check_run(run)?;
            Span::current().record("feature", run.feature.as_str());
            context::build_for_run(entry, run)?
        }
    };
    draft.access(&access);
    let place = gateway.places.of(holder.tenant(), holder.endpoint()).ok_or(Code::Internal)?;
    // An endpoint whose behaviour nobody stands for any more is not called.
    let profile = entry.endpoint.behaviour.now(gateway.clock.now())?;
    Span::current().record("vendor.id", place.vendor);
    let seen = gateway.seen.of(holder.authority(), holder.dies_at(), || match holder {
        Holder::Session(session) => launch_references(session, place),
        Holder::Run(_) => Vec::new(),
    });
    let rights = gateway.capabilities.rights(place);
    let gate = Gate {
        rights: &rights,
        access: &access,
        policy: &entry.tenant.policy,
        place,
        profile,
        seen: &seen,
        pages: &gateway.pages,
        now: gateway.clock.now(),
    };
    if let Interaction::Page { handle } = &request.interaction
        && let Some(key) = Pages::key_of(handle)
    {
        gateway.page_keys.learn(key).await;
    }
    let admitted = match gate.admit(&request.interaction) {
        Err(refusal) if refusal.code == Code::PatientDenied => {
            // Another replica may have met the reference that is missing here.
            let unseen = gate.unseen(&request.interaction);
            if !gateway.shared_seen.recall(holder, &seen, &unseen).await {
                return Err(refusal);
            }
            gate.admit(&request.interaction)?
        }
        outcome => outcome?,
    };
    draft.decision(&admitted.decision);
    draft.resource_type(admitted.resource_type);
    draft.added(&admitted.added);
    if let Some(resource_type) = admitted.resource_type {
        Span::current().record("fhir.resource_type", resource_type.as_str());
    }
    if let Interaction::Search(search) = &request.interaction
        && matches!(access.patients, Patients::Cohort(_))
    {
        draft.patients(gate.named(search));
    }
    let permit = gateway.enter(holder, place, request.priority, request.deadline).await?;
    Ok(Prepared { access, place: Arc::clone(place), seen, admitted, _permit: permit })
}

async fn perform(
    gateway: &Gateway,
    request: &Request<'_>,
    entry: &Entry<'_>,
    prepared: &Prepared,
    draft: Draft,
) -> Result<Released, Refusal> {
    let (mut open, pending) = gateway.recorder.begin(draft)?;
    // Not `Err` early: an EHR's refusal is an answer too and waits for the record like any other.
    let answered = async { Ok(Box::pin(answer(gateway, request, prepared)).await) };
    let result = match tokio::try_join!(durable(pending), answered) {
        Ok(((), Ok(answer))) => check_out(gateway, request, entry, prepared, &answer, &mut open).await,
        Ok(((), Err(refusal))) | Err(refusal) => Err(refusal),
    };
    let is_look = request.holder.run().is_some_and(|run| run.look.is_some());
    observe(gateway, prepared, &result, is_look);
    match &result {
        Ok(released) => open.close(Ok(released.tally)),
        Err(refusal) => open.close(Err(refusal)),
    }
    result
}

/// Looks at the shape of what leaves, where that is switched on or what the call is for.
fn observe(gateway: &Gateway, prepared: &Prepared, result: &Result<Released, Refusal>, is_look: bool) {
    let Prepared { place, admitted, .. } = prepared;
    let (observed, asked) = (&gateway.capabilities.observed, admitted.asked());
    if !observed.is_wanted(is_look, result.is_ok()) {
        return;
    }
    match result {
        Ok(released) => observed.released(&place.tenant, &place.endpoint, asked, &released.resources),
        Err(refusal) => observed.refused(&place.tenant, &place.endpoint, asked, refusal.code),
    }
}

/// Waits until the intent would survive a power cut.
pub(super) async fn durable(pending: Option<Pending>) -> Result<(), Refusal> {
    let Some(pending) = pending else { return Ok(()) };
    if sallyport_model::planted!("audit-after-release") {
        tokio::spawn(pending.durable());
        return Ok(());
    }
    pending.durable().await.map_err(|error| {
        let (code, reason) = (Code::AuditUnavailable.as_str(), error.label());
        tracing::error!(code, reason, "an answer was withheld because its intent is not durable");
        Refusal::new(Code::AuditUnavailable)
    })
}

async fn answer(gateway: &Gateway, request: &Request<'_>, prepared: &Prepared) -> Result<Answer, Refusal> {
    let is_read = matches!(prepared.admitted.expected, Expected::Resource { .. });
    let sent = Sent {
        if_none_match: request.if_none_match.as_ref().filter(|_| is_read),
        request_id: request.request_id,
        priority: request.priority,
        deadline: request.deadline,
        run: request.holder.run(),
    };
    let Prepared { access, place, admitted, .. } = prepared;
    match admitted.expected {
        Expected::Capabilities => metadata::fetch(gateway, access, place, admitted, &sent).await,
        Expected::Resource { .. } | Expected::Searchset { .. } | Expected::Export(_) => {
            upstream::call(gateway, access, place, admitted, &sent).await
        }
    }
}

async fn check_out(
    gateway: &Gateway,
    request: &Request<'_>,
    entry: &Entry<'_>,
    prepared: &Prepared,
    answer: &Answer,
    open: &mut Open<'_>,
) -> Result<Released, Refusal> {
    // The session may have ended while the EHR was being waited for.
    gateway.sessions.check_holder(request.holder)?;
    let rights = gateway.capabilities.rights(&prepared.place);
    let exit = Exit {
        rights: &rights,
        access: &prepared.access,
        policy: &entry.tenant.policy,
        place: &prepared.place,
        seen: &prepared.seen,
        pages: &gateway.pages,
        limits: Limits {
            max_bytes: gateway.config.max_answer_bytes,
            max_entries: gateway.config.max_entries,
            ..Limits::default()
        },
        own_base: match request.holder {
            Holder::Session(session) => gateway.own_base(session.launch),
            // A run gets its resources one by one and follows handles, not links.
            Holder::Run(_) => String::new(),
        },
        now: gateway.clock.now(),
        missed: Mutex::default(),
    };
    let mut outcome = exit.release(&prepared.admitted, answer);
    let missed = std::mem::take(&mut *exit.missed.lock().unwrap_or_else(PoisonError::into_inner));
    if gateway.shared_seen.recall(request.holder, &prepared.seen, &missed).await {
        outcome = exit.release(&prepared.admitted, answer);
    }
    let mut released = outcome?;
    // Before the page has the answer: its next call may come to another replica.
    let attached = covered(&prepared.access, &prepared.access.granted, ResourceType::Provenance, Verb::Read);
    gateway.shared_seen.publish(request.holder, &prepared.seen, attached.is_ok()).await;
    // It may have ended in that moment too.
    gateway.sessions.check_holder(request.holder)?;
    if let Some(draft) = open.draft() {
        draft.labels(std::mem::take(&mut released.labels));
        draft.partial(&released.partial);
        if let Some(id) = normalise::correlation_id(&prepared.admitted.profile, &answer.headers) {
            draft.vendor_request_id(id);
        }
    }
    Ok(released)
}

/// What the launch context itself refers to: the signed-in person, and what the EHR opened the app on.
fn launch_references(session: &Session, place: &Place) -> Vec<(ResourceType, String)> {
    let mut texts: Vec<String> = session.user.fhir_user.iter().cloned().collect();
    let context: Vec<ContextReference> = serde_json::from_str(&session.fhir_context_json).unwrap_or_default();
    texts.extend(context.into_iter().filter_map(|item| item.reference));
    let local = |text: &String| match sallyport_fhir::Reference::parse(text, &place.base) {
        sallyport_fhir::Reference::Local { resource_type, id } => Some((resource_type, id.to_owned())),
        _ => None,
    };
    texts.iter().filter_map(local).collect()
}

/// A member of `fhirContext` (SMART 2.2); only its reference matters here.
#[derive(serde::Deserialize)]
struct ContextReference {
    #[serde(default)]
    reference: Option<String>,
}

/// The call's span. Names are constants, so one per interaction.
fn span(request: &Request<'_>) -> Span {
    macro_rules! call_span {
        ($name:literal) => {
            tracing::info_span!(
                $name,
                tenant.id = request.holder.tenant().as_str(),
                endpoint.id = request.holder.endpoint().as_str(),
                vendor.id = tracing::field::Empty,
                fhir.resource_type = request.interaction.resource_type().map(ResourceType::as_str),
                fhir.interaction = request.interaction.name(),
                launch.id = request.holder.launch().map(tracing::field::display),
                run.id = request.holder.run().map(|run| tracing::field::display(run.id)),
                feature = tracing::field::Empty,
                request.id = %request.request_id,
                outcome = tracing::field::Empty,
            )
        };
    }
    match request.interaction {
        Interaction::Read { .. } => call_span!("fhir-gateway.call.read"),
        Interaction::VRead { .. } => call_span!("fhir-gateway.call.vread"),
        Interaction::Search(_) | Interaction::Page { .. } => call_span!("fhir-gateway.call.search"),
        Interaction::Capabilities => call_span!("fhir-gateway.call.capabilities"),
    }
}
