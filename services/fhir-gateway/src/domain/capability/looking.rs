//! Looking at real answers without a person: on a registration's own grant, at the endpoint's test patients and at nobody
//! else. The calls are a run's: scopes, policy, patient, limits and records are those of any other run (ADR 0047).

use std::sync::Arc;

use dashmap::DashMap;
use sallyport_clinical::{self as clinical, Section};
use sallyport_fhir::{Interaction, Method, RawRequest, ResourceType};
use sallyport_model::{
    Actor, Code, EndpointId, GrantId, LaunchId, Micros, PatientId, Patients, RecordId, RequestId, TenantId,
    scope::{ScopeSet, Verb},
};
use sallyport_proto::{
    convert,
    gateway::v1::{LookRequest, LookResponse},
};
use sallyport_registry::{Endpoint, Look, Tenant};
use sallyport_resilience::Priority;
use uuid::Uuid;

use super::asked::{is_reason, named};
use crate::{
    Gateway,
    domain::{
        admit::covered,
        call, chart, context,
        recording::Draft,
        release::Released,
        run::{self, Run, Whose},
    },
    error::Refusal,
};

/// A look's name among jobs, in records.
const JOB: &str = "look";
/// A call of a look is over by then at the latest.
const LASTS: Micros = 10 * 60 * 1_000_000;
/// What the nightly look says of itself in records.
const NIGHTLY: &str = "nightly look";

/// The grants that looks have opened in this process, by endpoint.
#[derive(Default)]
pub(crate) struct Grants(DashMap<(TenantId, EndpointId), (GrantId, String)>);

/// Answers one call of an operator's look. `Err` where it could not be made; what it came to is the answer.
pub(crate) async fn asked(
    gateway: &Gateway,
    request: &LookRequest,
    request_id: RequestId,
) -> Result<LookResponse, Refusal> {
    let (tenant, endpoint) = named(gateway, &request.tenant, &request.endpoint)?;
    let id = Uuid::from_slice(&request.run_id).ok().filter(|id| !id.is_nil());
    let patient = PatientId::parse(&request.patient).ok();
    let (Some(id), Some(patient), true) = (id, patient, is_reason(&request.reason)) else {
        return Err(Code::RequestInvalid.into());
    };
    let opened = open(gateway, tenant, endpoint, (&patient, id), &request.reason).await;
    let run = match opened {
        Ok(run) => run,
        Err(refusal) => {
            let draft = Draft::of_nobody(Some(&tenant.id), &request.run_id, request_id, gateway.clock.now());
            gateway.recorder.refused(draft, &refusal).await?;
            return Err(refusal);
        }
    };
    let query = Some(request.query.as_str()).filter(|query| !query.is_empty());
    let raw = RawRequest { method: Method::Get, path: &request.path, query, form: None };
    let longest = *endpoint.behaviour.known().data.max_id_length;
    let made = match Interaction::parse(&raw, longest) {
        Ok(interaction) => make(gateway, endpoint, &run, interaction, request_id).await,
        Err(rejection) => Err(call::refuse(gateway, (&run).into(), request_id, rejection.into()).await),
    };
    let (status, body) = match made {
        Ok(released) => (200, released.body.to_vec()),
        Err(refusal) => (refusal.code.kind().http(), refusal.outcome(request_id)),
    };
    Ok(LookResponse { status: status.into(), body, request_id: convert::id_bytes(request_id.uuid()) })
}

/// Asks for what a chart would, of each test patient, so that the shapes of answers are known although nobody has launched.
/// `None` where nobody said how; otherwise why nothing was read, if nothing was.
pub(crate) async fn sample(
    gateway: &Gateway,
    tenant: &Tenant,
    endpoint: &Endpoint,
) -> Option<Result<(), Code>> {
    let look = endpoint.look.as_ref()?;
    let (mut answered, mut last) = (0, Code::ScopeDenied);
    for patient in &look.patients {
        let id = RecordId::new(gateway.clock.as_ref()).uuid();
        let run = match open(gateway, tenant, endpoint, (patient, id), NIGHTLY).await {
            Ok(run) => run,
            Err(refusal) => return Some(Err(refusal.code)),
        };
        for interaction in wanted(gateway, tenant, endpoint, &run, patient) {
            let request_id = RequestId::new(gateway.clock.as_ref());
            match make(gateway, endpoint, &run, interaction, request_id).await {
                Ok(_released) => answered += 1,
                Err(refusal) => last = refusal.code,
            }
        }
    }
    Some(if answered == 0 { Err(last) } else { Ok(()) })
}

/// What a chart asks for, as far as the look's scopes go.
fn wanted(
    gateway: &Gateway,
    tenant: &Tenant,
    endpoint: &Endpoint,
    run: &Run,
    patient: &PatientId,
) -> Vec<Interaction> {
    let Some(place) = gateway.places.of(&tenant.id, &endpoint.id) else { return Vec::new() };
    let context = clinical::Context {
        patient,
        encounter: None,
        fhir_base: &place.fhir_base,
        fhir_version: gateway.capabilities.fhir_version(place),
        mapping: place.mapping,
    };
    let access =
        context::entry_of_run(&gateway.registry, run).and_then(|entry| context::build_for_run(&entry, run));
    let Ok(access) = access else { return Vec::new() };
    let queries = Section::ALL.iter().flat_map(|section| clinical::plan(*section, &context));
    let interactions = queries.filter_map(|query| chart::interaction(&query, place.max_id_length).ok());
    let may = |kind: ResourceType, verb| covered(&access, &access.granted, kind, verb).is_ok();
    let is_granted = |interaction: &Interaction| {
        let verb = if matches!(interaction, Interaction::Search(_)) { Verb::Search } else { Verb::Read };
        interaction.resource_type().is_some_and(|kind| may(kind, verb))
    };
    interactions.filter(is_granted).collect()
}

/// The run of a look at one patient.
async fn open(
    gateway: &Gateway,
    tenant: &Tenant,
    endpoint: &Endpoint,
    (patient, id): (&PatientId, Uuid),
    reason: &str,
) -> Result<Arc<Run>, Refusal> {
    let look = endpoint.look.as_ref().ok_or(Code::LookNotConfigured)?;
    if !look.patients.contains(patient) && !sallyport_model::planted!("look-at-anybody") {
        return Err(Code::LookDenied.into());
    }
    let entry = run::entry(&gateway.registry, &tenant.id, &endpoint.id, &look.registration)?;
    let feature = entry.service_feature(&look.feature).ok_or(Code::FeatureUnknown)?;
    let (grant, granted) = grant(gateway, tenant, endpoint, look).await?;
    let pinned = ScopeSet::parse(&granted);
    if !feature.is_on(&pinned) {
        return Err(Code::FeatureOff.into());
    }
    Ok(Arc::new(Run {
        tenant: tenant.id.clone(),
        endpoint: endpoint.id.clone(),
        registration: look.registration.clone(),
        job: JOB.to_owned(),
        id,
        feature: feature.id.clone(),
        purpose: feature.purpose,
        grant,
        actor: Actor::Service(look.registration.clone()),
        whose: Whose::Patients(Patients::One(patient.clone())),
        pinned,
        pinned_scope: granted,
        expires_at: gateway.clock.now().saturating_add(LASTS),
        look: Some(reason.to_owned()),
    }))
}

/// The grant of an endpoint's looks: the one that this process has, or a new one where that was revoked.
async fn grant(
    gateway: &Gateway,
    tenant: &Tenant,
    endpoint: &Endpoint,
    look: &Look,
) -> Result<(GrantId, String), Refusal> {
    let grants = &gateway.capabilities.grants.0;
    let place = (tenant.id.clone(), endpoint.id.clone());
    let known = grants.get(&place).map(|known| known.clone());
    if let Some((grant, granted)) = known {
        match gateway.sessions.check_grant(LaunchId::from_uuid(grant.uuid()), grant) {
            Ok(()) => return Ok((grant, granted)),
            Err(Code::GrantRevoked | Code::SessionRevoked) => {}
            Err(code) => return Err(code.into()),
        }
    }
    let opened = gateway.tokens.open_service(&tenant.id, &look.registration, &look.feature).await?;
    grants.insert(place, opened.clone());
    Ok(opened)
}

/// Makes one call. A grant that turns out to be of no use is not used again.
async fn make(
    gateway: &Gateway,
    endpoint: &Endpoint,
    run: &Arc<Run>,
    interaction: Interaction,
    request_id: RequestId,
) -> Result<Released, Refusal> {
    let request = call::Request {
        holder: run.into(),
        feature: None,
        interaction,
        if_none_match: None,
        request_id,
        priority: Priority::Background,
        deadline: gateway.deadline(),
        mapping: None,
    };
    let made = Box::pin(call::run(gateway, request)).await;
    let is_useless = |refusal: &Refusal| {
        matches!(
            refusal.code,
            Code::GrantDead
                | Code::GrantRevoked
                | Code::SessionRevoked
                | Code::GrantUnknown
                | Code::GrantUncertain
                | Code::GrantUnreadable
                | Code::JobScopeChanged
        )
    };
    if made.as_ref().is_err_and(is_useless) {
        gateway.capabilities.grants.0.remove(&(run.tenant.clone(), endpoint.id.clone()));
    }
    made
}
