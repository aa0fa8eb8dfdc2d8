//! The report of an incident: what was revoked, what could not be and when it ends by itself, whom to call, and who has
//! to consent again. Figures and names of this installation; no patient's data.

use sallyport_model::{Code, LaunchId, Micros, moment};
use sallyport_proto::{
    launch::v1::{self as wire, IncidentScope, incident_scope::What},
    types::v1::{GrantFigures, selector::By},
};
use sallyport_registry::{Endpoint, Tenant};
use serde_json::{Value, json};

use super::App;
use crate::{
    error::unavailable,
    store::{Incident, Target},
};

/// The report as JSON.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn written(
    app: &App,
    incident: &Incident,
    state: &wire::Incident,
    now: Micros,
) -> Result<String, Code> {
    let figures = |part: &wire::IncidentTarget| part.grants.clone().unwrap_or_default();
    let sum = |of: fn(&GrantFigures) -> i32| -> i64 {
        state.targets.iter().map(|part| i64::from(of(&figures(part)))).sum()
    };
    let (mut call, mut parts, mut left) = (Vec::new(), Vec::new(), Vec::new());
    for (part, told) in incident.targets.iter().zip(&state.targets) {
        let grants = figures(told);
        parts.push(json!({
            "tenant": part.tenant.as_str(),
            "what": words(&part.by),
            "sessions": told.sessions,
            "grants": grants.revoked,
            "confirmed_by_the_ehr": grants.confirmed,
            "job_runs_stopped": told.jobs_stopped,
        }));
        left.extend(left_over(part, &grants));
        for contact in contacts(app, part).await? {
            if !call.contains(&contact) {
                call.push(contact);
            }
        }
    }
    let services = sum(|g| g.revoked_of_services);
    let report = json!({
        "incident": incident.id.to_string(),
        "opened_at": moment(incident.opened_at),
        "closed_at": moment(now),
        "operator": incident.operator,
        "reason": incident.reason,
        "scope": scope(&incident.scope),
        "revoked": {
            "sessions": state.targets.iter().map(|part| i64::from(part.sessions)).sum::<i64>(),
            "grants": sum(|g| g.revoked),
            "confirmed_by_the_ehr": sum(|g| g.confirmed),
            "held_no_token_any_more": sum(|g| g.without_token),
            "job_runs_stopped": state.targets.iter().map(|part| part.jobs_stopped).sum::<i64>(),
        },
        "not_revoked_at_the_ehr": left,
        "parts": parts,
        "call": call,
        "consent": consent(sum(|g| g.revoked) - services, services, sum(|g| g.confirmed)),
    });
    serde_json::to_string_pretty(&report).map_err(|_never| Code::Internal)
}

/// What the EHR still honours, and until when.
fn left_over(part: &Target, grants: &GrantFigures) -> Vec<Value> {
    let why = [
        (grants.pending, "The EHR did not confirm yet; it is asked again in the background."),
        (grants.failed, "The EHR refused, or did not answer often enough; it is not asked again."),
        (
            grants.not_offered,
            "The EHR offers no revocation. Refresh tokens were destroyed here and end by the EHR's own rules.",
        ),
    ];
    let left = why.iter().filter(|(count, _)| *count > 0);
    left.map(|(count, why)| {
        json!({
            "tenant": part.tenant.as_str(),
            "what": words(&part.by),
            "grants": count,
            "why": why,
            "access_tokens_end_by_themselves_at": moment(grants.last_expires_at),
        })
    })
    .collect()
}

/// Whom to call: the EHRs concerned, as they are registered.
async fn contacts(app: &App, part: &Target) -> Result<Vec<Value>, Code> {
    let Some(tenant) = app.registry.tenant(&part.tenant) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for endpoint in &tenant.endpoints {
        if !is_concerned(app, tenant, endpoint, &part.by).await? {
            continue;
        }
        let profile = endpoint.behaviour.known();
        let registrations = tenant.registrations.iter().filter(|r| {
            r.endpoint == endpoint.id && !matches!(&part.by, By::Registration(name) if name != r.id.as_str())
        });
        let contact = endpoint.contact.as_deref();
        found.push(json!({
            "tenant": tenant.id.as_str(),
            "endpoint": endpoint.id.as_str(),
            "name": endpoint.name,
            "product": profile.name,
            "fhir_base": endpoint.fhir_base,
            "client_ids": registrations.map(|r| r.client_id.as_str()).collect::<Vec<_>>(),
            "contact": contact.unwrap_or("not in the tenant's file: set the endpoint's `contact`"),
            "approves_registrations": profile.registration.approval.value().as_ref(),
        }));
    }
    Ok(found)
}

async fn is_concerned(app: &App, tenant: &Tenant, endpoint: &Endpoint, by: &By) -> Result<bool, Code> {
    Ok(match by {
        By::Tenant(_) | By::Grant(_) => true,
        By::Endpoint(name) => endpoint.id.as_str() == name,
        By::Registration(name) => {
            tenant.registrations.iter().any(|r| r.id.as_str() == name && r.endpoint == endpoint.id)
        }
        // An EHR that is not this person's issuer cannot have given them anything.
        By::User(user) => endpoint.issuer.as_ref().is_none_or(|issuer| *issuer == user.issuer),
        By::Launch(id) => {
            let Ok(launch) = uuid::Uuid::from_slice(id).map(LaunchId::from_uuid) else { return Ok(true) };
            let session = app.store.session(launch).await.map_err(|error| unavailable(&error))?;
            session.is_none_or(|open| open.session.endpoint == endpoint.id)
        }
    })
}

fn consent(persons: i64, services: i64, confirmed: i64) -> Vec<String> {
    let mut told = Vec::new();
    if persons > 0 {
        let may_ask = match confirmed {
            0 => "No EHR has confirmed a revocation, so that none need ask them to consent again.",
            _ => "Where the EHR has confirmed the revocation it may ask them to consent again.",
        };
        told.push(format!("{persons} sign-ins of people were revoked: they launch again. {may_ask}"));
    }
    if services > 0 {
        told.push(format!(
            "{services} grants of registrations themselves were revoked: nobody consents to those; the next run asks for a \
             new one."
        ));
    }
    if told.is_empty() {
        told.push("Nobody: no grant was alive.".to_owned());
    }
    told
}

fn scope(scope: &IncidentScope) -> Value {
    let (what, name) = match scope.what.as_ref() {
        Some(What::Launch(id)) => ("launch", handle(id)),
        Some(What::User(user)) => ("user", format!("{} at {}", user.subject, user.issuer)),
        Some(What::All(_)) => ("all_of_tenant", scope.tenant.clone()),
        Some(What::Endpoint(name)) => ("endpoint", name.clone()),
        Some(What::Vendor(name)) => ("vendor", name.clone()),
        Some(What::Registration(name)) => ("registration", name.clone()),
        Some(What::App(name)) => ("app", name.clone()),
        None => ("nothing", String::new()),
    };
    json!({ "tenant": scope.tenant, what: name })
}

fn words(by: &By) -> String {
    match by {
        By::Launch(id) => format!("launch {}", handle(id)),
        By::Grant(_) => "grant".to_owned(),
        By::User(user) => format!("user {} at {}", user.subject, user.issuer),
        By::Tenant(_) => "everything".to_owned(),
        By::Endpoint(name) => format!("endpoint {name}"),
        By::Registration(name) => format!("registration {name}"),
    }
}

fn handle(id: &[u8]) -> String {
    uuid::Uuid::from_slice(id).map(|id| LaunchId::from_uuid(id).to_string()).unwrap_or_default()
}
