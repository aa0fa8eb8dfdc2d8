//! An export, from kick-off to DELETE (FHIR Bulk Data Access): each step one call through the same gates as any other.
//!
//! context → lease and grant → types against scopes and policy → product's rules → limits → intent → token with the scopes
//! the run pinned → EHR → addresses pinned and sealed → outcome. What the EHR says about the export comes out typed.

mod answer;
pub(crate) mod file;
mod kick_off;
mod lines;
mod manifest;
mod pace;
mod passing;

use std::sync::Arc;

use sallyport_egress::{Instant, Url};
use sallyport_fhir::ResourceType;
use sallyport_model::{AccessContext, Code, PolicyDecision, RequestId, scope::Verb};
use sallyport_registry::Policy;
use sallyport_resilience::Priority;
use sallyport_vendors::Profile;
use serde::{Deserialize, Serialize};
use tracing::{Instrument, Span};

pub(crate) use answer::Outcome;
pub(crate) use kick_off::KickOff;
pub(crate) use manifest::{File, FileKind, Manifest};

use super::{
    admit::{Admitted, AnyOf, Control, Expected, covered},
    call::durable,
    context,
    handles::{Sealer, What},
    holder::Holder,
    launch_limits::Permit,
    place::Place,
    recording::{Draft, Tally},
    run::Run,
    upstream::{self, Sent},
};
use crate::{Gateway, error::Refusal};

/// What a run does with an export.
pub(crate) enum Action {
    /// Asks for one.
    KickOff(KickOff),
    /// Asks how far it is.
    Poll(String),
    /// Asks for a further part of its manifest.
    Part(String),
    /// Ends it.
    Delete(String),
}

impl Action {
    fn name(&self) -> &'static str {
        match self {
            Self::KickOff(_) => "export-kick-off",
            Self::Poll(_) | Self::Part(_) => "export-status",
            Self::Delete(_) => "export-delete",
        }
    }
}

/// Where an export's status or a part of its manifest is, and what was asked for.
#[derive(Serialize, Deserialize)]
pub(crate) struct Address {
    url: String,
    types: Vec<String>,
}

/// A step that has been admitted and holds its permit.
struct Prepared<'r> {
    access: AccessContext,
    place: Arc<Place>,
    profile: Arc<Profile>,
    admitted: Admitted,
    types: Vec<String>,
    sealer: Sealer<'r>,
    _permit: Permit,
}

/// Takes a step. Whatever comes out, `Ok` or `Err`, is recorded when this returns.
pub(crate) async fn run(
    gateway: &Gateway,
    run: &Arc<Run>,
    action: &Action,
    request_id: RequestId,
    deadline: Instant,
) -> Result<Outcome, Refusal> {
    let span = tracing::info_span!(
        "fhir-gateway.bulk.step",
        tenant.id = run.tenant.as_str(),
        endpoint.id = run.endpoint.as_str(),
        vendor.id = tracing::field::Empty,
        fhir.interaction = action.name(),
        run.id = %run.id,
        feature = run.feature.as_str(),
        request.id = %request_id,
        outcome = tracing::field::Empty,
    );
    let step = async {
        let mut draft = Draft::of_run(run, request_id, gateway.clock.now());
        draft.export(action.name(), []);
        let result = match prepare(gateway, run, action, &mut draft, deadline).await {
            Ok(prepared) => {
                let sent = Sent {
                    if_none_match: None,
                    request_id,
                    priority: Priority::Background,
                    deadline,
                    run: Some(run),
                };
                Box::pin(perform(gateway, run, action, &prepared, &sent, draft)).await
            }
            Err(refusal) => {
                gateway.recorder.refused(draft, &refusal).await?;
                Err(refusal)
            }
        };
        let code = result.as_ref().err().map(|refusal| refusal.code);
        Span::current().record("outcome", code.map_or("success", Code::as_str));
        if code == Some(Code::BulkForeignAddress) {
            let code = Code::BulkForeignAddress.as_str();
            tracing::warn!(code, request.id = %request_id, "an export pointed to a host that is not registered for it");
        }
        result
    };
    step.instrument(span).await
}

async fn prepare<'r>(
    gateway: &Gateway,
    run: &'r Arc<Run>,
    action: &Action,
    draft: &mut Draft,
    deadline: Instant,
) -> Result<Prepared<'r>, Refusal> {
    let (access, place, profile, policy) = scene(gateway, run)?;
    Span::current().record("vendor.id", place.vendor);
    let (expected, url, types) = match action {
        Action::KickOff(kick_off) => {
            let asked = kick_off::ask(run, &place, &profile, kick_off)?;
            for resource_type in &asked.types {
                permitted(&access, policy, *resource_type)?;
            }
            pace::may_kick_off(gateway, run).await?;
            if let super::run::Whose::Patients(sallyport_model::Patients::Cohort(patients)) = &run.whose {
                draft.patients(patients.iter().map(|p| p.expose().to_owned()));
            }
            let types = asked.types.iter().map(|t| t.as_str().to_owned()).collect();
            (Expected::Export(Control::KickOff(asked.body)), asked.url, types)
        }
        Action::Poll(handle) => status(gateway, run, &place, What::Status, handle, Control::Status).await?,
        Action::Part(handle) => status(gateway, run, &place, What::Part, handle, Control::Status).await?,
        Action::Delete(handle) => status(gateway, run, &place, What::Status, handle, Control::Delete).await?,
    };
    draft.export(action.name(), types.iter().cloned());
    let decision = PolicyDecision::Permit("export".to_owned());
    let admitted = Admitted {
        url,
        form: None,
        resource_type: None,
        expected,
        constraints: Vec::new(),
        decision,
        profile: Arc::clone(&profile),
        added: Vec::new(),
    };
    let sealer = gateway.handles.sealer(run).await?;
    let holder = Holder::Run(run);
    let permit = gateway.enter(holder, &place, Priority::Background, deadline).await?;
    Ok(Prepared { access, place, profile, admitted, types, sealer, _permit: permit })
}

/// What every step and every file of an export starts from.
type Scene<'g> = (AccessContext, Arc<Place>, Arc<Profile>, &'g Policy);

fn scene<'g>(gateway: &'g Gateway, run: &Run) -> Result<Scene<'g>, Refusal> {
    gateway.sessions.check_run(run)?;
    let entry = context::entry_of_run(&gateway.registry, run)?;
    let access = context::build_for_run(&entry, run)?;
    let place = gateway.places.of(&run.tenant, &run.endpoint).ok_or(Code::Internal)?;
    let profile = entry.endpoint.behaviour.now(gateway.clock.now())?;
    Ok((access, Arc::clone(place), Arc::clone(profile), &entry.tenant.policy))
}

/// The constraints under which a type may be exported: scopes, feature and policy, as for any other call.
fn permitted(
    access: &AccessContext,
    policy: &Policy,
    resource_type: ResourceType,
) -> Result<Vec<AnyOf>, Refusal> {
    let constraints = covered(access, &access.granted, resource_type, Verb::Read)?;
    match policy.decide(access.purpose, resource_type.as_str(), &[]) {
        PolicyDecision::Permit(_) => Ok(constraints),
        PolicyDecision::Deny(_) => Err(Code::PolicyDenied.into()),
    }
}

async fn status(
    gateway: &Gateway,
    run: &Run,
    place: &Place,
    what: What,
    handle: &str,
    control: Control,
) -> Result<(Expected, Url, Vec<String>), Refusal> {
    let address: Address = gateway.handles.open(run, what, handle).await?;
    let url = Url::parse(&address.url).map_err(|_url| Code::BulkHandleInvalid)?;
    if !place.bulk_pins.admits(&url) {
        return Err(Code::BulkForeignAddress.into());
    }
    Ok((Expected::Export(control), url, address.types))
}

async fn perform(
    gateway: &Gateway,
    run: &Arc<Run>,
    action: &Action,
    prepared: &Prepared<'_>,
    sent: &Sent<'_>,
    draft: Draft,
) -> Result<Outcome, Refusal> {
    let (open, pending) = gateway.recorder.begin(draft)?;
    let Prepared { access, place, admitted, .. } = prepared;
    let result = async {
        // An export that was begun or ended is an effect: its intent comes before it (invariant 4).
        durable(pending).await?;
        let answered = upstream::call(gateway, access, place, admitted, sent).await;
        gateway.sessions.check_run(run)?;
        let outcome = answer::read(gateway, prepared, action, answered);
        pace::learn(gateway, run, &prepared.profile, action, &outcome).await;
        outcome
    };
    let result = result.await;
    match &result {
        Ok(outcome) => {
            open.close(Ok(Tally { status: 200, upstream_status: outcome.status(), ..Tally::default() }));
        }
        Err(refusal) => open.close(Err(refusal)),
    }
    result
}
