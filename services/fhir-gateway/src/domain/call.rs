//! The one way to an EHR. Every read and search of every edge goes through [`run`], in this order:
//!
//! context → scopes, feature, patient, policy → limits → intent (written while the EHR is called, awaited before
//! release) → token → EHR → session still open → every resource checked → outcome → release.

use std::sync::Arc;

use http::HeaderValue;
use sallyport_audit_client::Pending;
use sallyport_egress::Instant;
use sallyport_fhir::{Interaction, Limits, ResourceType};
use sallyport_model::{AccessContext, Code, RequestId};
use sallyport_registry::Entry;
use tracing::{Instrument, Span};

use super::{
    admit::{Admitted, Expected, Gate},
    context,
    limits::Permit,
    metadata,
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
    pub(crate) session: &'a Arc<Session>,
    /// The feature it runs under; `None` for the app's default.
    pub(crate) feature: Option<&'a str>,
    pub(crate) interaction: Interaction,
    pub(crate) if_none_match: Option<HeaderValue>,
    pub(crate) request_id: RequestId,
    pub(crate) deadline: Instant,
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
    sallyport_telemetry::propagate::link(&span, &request.session.launch_traceparent);
    let made = async {
        let mut draft = Draft::new(request.session, request.request_id, gateway.clock.now());
        draft.interaction(&request.interaction);
        let entry = context::entry(&gateway.registry, request.session);
        let prepared = match &entry {
            Ok(entry) => prepare(gateway, &request, entry, &mut draft).await,
            Err(refusal) => Err(*refusal),
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
    session: &Session,
    request_id: RequestId,
    refusal: Refusal,
) -> Refusal {
    let draft = Draft::new(session, request_id, gateway.clock.now());
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
    let session = request.session;
    let feature = context::feature(entry, request.feature)?;
    Span::current().record("feature", feature.id.as_str());
    let access = context::build(session, feature)?;
    draft.access(&access);
    let place = gateway.places.of(&session.tenant, &session.endpoint).ok_or(Code::Internal)?;
    Span::current().record("vendor.id", place.vendor);
    let seen =
        gateway.seen.of(session.launch, session.absolute_expires_at, || launch_references(session, place));
    let gate = Gate {
        access: &access,
        launch: session.launch,
        policy: &entry.tenant.policy,
        place,
        seen: &seen,
        pages: &gateway.pages,
        now: gateway.clock.now(),
    };
    let admitted = gate.admit(&request.interaction)?;
    draft.decision(&admitted.decision);
    draft.resource_type(admitted.resource_type);
    if let Some(resource_type) = admitted.resource_type {
        Span::current().record("fhir.resource_type", resource_type.as_str());
    }
    let permit = gateway.enter(session, place, request.deadline).await?;
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
        Ok(((), answered)) => {
            answered.and_then(|answer| check_out(gateway, request, entry, prepared, &answer, &mut open))
        }
        Err(unavailable) => Err(unavailable),
    };
    match &result {
        Ok(released) => open.close(Ok(released.tally)),
        Err(refusal) => open.close(Err(refusal)),
    }
    result
}

/// Waits until the intent would survive a power cut.
async fn durable(pending: Option<Pending>) -> Result<(), Refusal> {
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
        deadline: request.deadline,
    };
    let Prepared { access, place, admitted, .. } = prepared;
    match admitted.expected {
        Expected::Capabilities => metadata::fetch(gateway, access, place, admitted, &sent).await,
        Expected::Resource { .. } | Expected::Searchset { .. } => {
            upstream::call(gateway, access, place, admitted, &sent).await
        }
    }
}

fn check_out(
    gateway: &Gateway,
    request: &Request<'_>,
    entry: &Entry<'_>,
    prepared: &Prepared,
    answer: &Answer,
    open: &mut Open<'_>,
) -> Result<Released, Refusal> {
    // The session may have ended while the EHR was being waited for.
    gateway.sessions.check(request.session)?;
    let exit = Exit {
        access: &prepared.access,
        launch: request.session.launch,
        policy: &entry.tenant.policy,
        place: &prepared.place,
        seen: &prepared.seen,
        pages: &gateway.pages,
        limits: Limits {
            max_bytes: gateway.config.max_answer_bytes,
            max_entries: gateway.config.max_entries,
            ..Limits::default()
        },
        own_base: gateway.own_base(request.session.launch),
        now: gateway.clock.now(),
    };
    let mut released = exit.release(&prepared.admitted, answer)?;
    if let Some(draft) = open.draft() {
        draft.labels(std::mem::take(&mut released.labels));
        if let Some(id) = upstream::vendor_request_id(&answer.headers) {
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
                tenant.id = request.session.tenant.as_str(),
                endpoint.id = request.session.endpoint.as_str(),
                vendor.id = tracing::field::Empty,
                fhir.resource_type = request.interaction.resource_type().map(ResourceType::as_str),
                fhir.interaction = request.interaction.name(),
                launch.id = %request.session.launch,
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
