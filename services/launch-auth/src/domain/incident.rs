//! Incidents: everything of a scope is revoked in one go. Laid down first, then done part by part, each of which can be
//! done again: a process that dies in the middle is gone on with by whoever asks next.

mod report;
mod scope;

use sallyport_model::{Code, RequestId, planted};
use sallyport_proto::{
    audit::v1::Kind,
    convert,
    launch::v1::{self as wire, IncidentScope, IncidentTarget},
    types::v1::Selector,
};
use uuid::Uuid;

use super::{App, record::Event};
use crate::{
    error::unavailable,
    store::{EndReason, Incident, Target},
};

/// What somebody asks for.
pub(crate) struct Asked {
    pub(crate) scope: IncidentScope,
    pub(crate) operator: String,
    pub(crate) reason: String,
}

/// What it would hit.
///
/// # Errors
/// `request.invalid` for a scope that names nothing; what kept the figures from being had.
pub(crate) async fn plan(app: &App, scope: &IncidentScope) -> Result<wire::Incident, Code> {
    let mut targets = Vec::new();
    for (position, target) in (0_i32..).zip(scope::targets(&app.registry, scope)?) {
        let open = app.store.selected(&target.tenant, &target.by).await.map_err(|e| unavailable(&e))?;
        let grants = app.vault.count(&target.tenant, target.by.clone(), app.clock.now()).await?;
        targets.push(IncidentTarget {
            sessions: number(open.len()),
            grants: Some(grants),
            ..told_target(position, &target)
        });
    }
    Ok(wire::Incident { scope: Some(scope.clone()), targets, ..wire::Incident::default() })
}

/// Opens an incident, or goes on with the open one of the same scope.
///
/// # Errors
/// `request.invalid`; the code of what could not be done yet, in which case all that could be done is done.
pub(crate) async fn run(app: &App, asked: Asked, request: Option<RequestId>) -> Result<wire::Incident, Code> {
    if !convert::is_reason(&asked.operator) || !convert::is_reason(&asked.reason) {
        return Err(Code::RequestInvalid);
    }
    let targets = scope::targets(&app.registry, &asked.scope)?;
    let now = app.clock.now();
    let new = Incident {
        id: sallyport_model::RecordId::new(app.clock.as_ref()).uuid(),
        scope: asked.scope,
        operator: asked.operator,
        reason: asked.reason,
        opened_at: now,
        closed_at: None,
        report: String::new(),
        targets,
    };
    let (incident, is_new) = app.store.open_incident(&new).await.map_err(|error| unavailable(&error))?;
    let step = if is_new { "incident-open" } else { "incident-resume" };
    record(app, &incident, (&new.operator, step), request).await;
    work(app, incident, &new.operator, request).await
}

/// Goes on with one that is there.
///
/// # Errors
/// As [`run`].
pub(crate) async fn resume(
    app: &App,
    id: Uuid,
    operator: &str,
    request: Option<RequestId>,
) -> Result<wire::Incident, Code> {
    let incident = found(app, id).await?;
    if !convert::is_reason(operator) {
        return Err(Code::RequestInvalid);
    }
    record(app, &incident, (operator, "incident-resume"), request).await;
    work(app, incident, operator, request).await
}

/// Does what is left, then writes the report. One that is closed is given as it is.
///
/// # Errors
/// As [`run`].
pub(crate) async fn close(
    app: &App,
    id: Uuid,
    jobs: &[(i64, i64)],
    request: Option<RequestId>,
) -> Result<wire::Incident, Code> {
    let incident = found(app, id).await?;
    if incident.closed_at.is_some() {
        return told(app, &incident).await;
    }
    for (position, stopped) in jobs {
        app.store.note_jobs(id, *position, *stopped).await.map_err(|error| unavailable(&error))?;
    }
    let operator = incident.operator.clone();
    let state = work(app, incident, &operator, request).await?;
    let incident = found(app, id).await?;
    let now = app.clock.now();
    let report = report::written(app, &incident, &state, now).await?;
    app.store.close_incident(id, &report, now).await.map_err(|error| unavailable(&error))?;
    record(app, &incident, (&operator, "incident-close"), request).await;
    // Somebody else may have been faster: what is stored counts.
    told(app, &found(app, id).await?).await
}

async fn found(app: &App, id: Uuid) -> Result<Incident, Code> {
    app.store.incident(id).await.map_err(|error| unavailable(&error))?.ok_or(Code::RequestInvalid)
}

/// Ends the sessions of every part, then has the grants of all parts revoked at once: no part waits for the EHR of
/// another. What fails does not keep the rest from being done.
async fn work(
    app: &App,
    incident: Incident,
    operator: &str,
    request: Option<RequestId>,
) -> Result<wire::Incident, Code> {
    let parts = (0_i64..).zip(&incident.targets);
    let left: Vec<_> = parts.filter(|(at, part)| !part.is_done && !is_missed(*at)).collect();
    let mut failed = None;
    for (_, part) in &left {
        failed = end_sessions(app, part, request).await.err().or(failed);
    }
    let reason = format!("incident {}", incident.id);
    let revoked = left.iter().map(|(position, part)| {
        let reason = reason.as_str();
        async move { (*position, app.vault.revoke(&part.tenant, part.by.clone(), reason).await) }
    });
    for (position, outcome) in futures_util::future::join_all(revoked).await {
        match outcome {
            Ok(_counts) if failed.is_none() => {
                app.store.target_done(incident.id, position).await.map_err(|error| unavailable(&error))?;
                let place = incident.targets.get(usize::try_from(position).unwrap_or(usize::MAX));
                if let Some(part) = place {
                    let event = Event::new(Kind::Operator, request).tenant(&part.tenant);
                    let event = event.operator(operator, "incident-part").detail(&reason);
                    app.record_anyway(event).await;
                }
            }
            Ok(_counts) => {}
            Err(code) => failed = Some(code),
        }
    }
    match failed {
        Some(code) => Err(code),
        None => told(app, &found(app, incident.id).await?).await,
    }
}

fn is_missed(position: i64) -> bool {
    position > 0 && planted!("incident-parts-missed")
}

/// Ends what is open. Their grants come after all sessions; should this process die before, the sweep revokes them.
async fn end_sessions(app: &App, part: &Target, request: Option<RequestId>) -> Result<(), Code> {
    let open = app.store.selected(&part.tenant, &part.by).await.map_err(|error| unavailable(&error))?;
    for session in &open {
        let ended = app.store.end_session(session.launch, EndReason::Revoked, app.clock.now()).await;
        if ended.map_err(|error| unavailable(&error))? {
            app.numbers.sessions_ended.inc(&[EndReason::Revoked.as_str()]);
            let event = Event::new(Kind::SessionEnd, request).session(session);
            app.record_anyway(event.detail(EndReason::Revoked.as_str())).await;
        }
    }
    Ok(())
}

/// In the reserved tenant where it is about several.
async fn record(app: &App, incident: &Incident, (operator, what): (&str, &str), request: Option<RequestId>) {
    let event = Event::new(Kind::Operator, request).operator(operator, what);
    let event = match sallyport_model::TenantId::parse(&incident.scope.tenant) {
        Ok(tenant) => event.tenant(&tenant),
        Err(_several) => event,
    };
    // A full disk must not keep a stolen session alive.
    app.record_anyway(event.detail(&format!("incident {}: {}", incident.id, incident.reason))).await;
}

/// An incident as it stands.
async fn told(app: &App, incident: &Incident) -> Result<wire::Incident, Code> {
    let mut targets = Vec::new();
    for (position, target) in (0_i32..).zip(&incident.targets) {
        let since = incident.opened_at;
        let ended = app.store.revoked_since((&target.tenant, &target.by), since).await;
        let grants = app.vault.count(&target.tenant, target.by.clone(), since).await?;
        targets.push(IncidentTarget {
            sessions: number(ended.map_err(|error| unavailable(&error))?),
            grants: Some(grants),
            ..told_target(position, target)
        });
    }
    Ok(wire::Incident { targets, ..listed(incident) })
}

fn told_target(position: i32, target: &Target) -> IncidentTarget {
    IncidentTarget {
        position,
        tenant: target.tenant.as_str().to_owned(),
        selector: Some(Selector { by: Some(target.by.clone()) }),
        is_done: target.is_done,
        jobs_stopped: target.jobs_stopped,
        ..IncidentTarget::default()
    }
}

/// An incident without its figures.
pub(crate) fn listed(incident: &Incident) -> wire::Incident {
    wire::Incident {
        incident_id: convert::id_bytes(incident.id),
        scope: Some(incident.scope.clone()),
        operator: incident.operator.clone(),
        reason: incident.reason.clone(),
        opened_at: incident.opened_at,
        closed_at: incident.closed_at.unwrap_or(0),
        targets: Vec::new(),
        report: incident.report.clone(),
    }
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
