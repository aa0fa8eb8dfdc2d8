//! Incidents as an operator reads them.

use std::fmt::Write as _;

use sallyport_model::moment;
use sallyport_proto::{
    launch::v1::{Incident, IncidentTarget},
    types::v1::{GrantFigures, selector::By},
};

use crate::audit::plain;

/// An incident's id.
pub(super) fn id(incident: &Incident) -> String {
    uuid::Uuid::from_slice(&incident.incident_id).map(|id| id.to_string()).unwrap_or_default()
}

/// What would be hit.
pub(super) fn plan(plan: &Incident, runs: &[i64]) -> String {
    let mut out = String::from("Nothing is changed. An incident of this scope would end:\n");
    for (part, runs) in plan.targets.iter().zip(runs) {
        let grants = grants(part);
        let silent = grants.alive - grants.alive_offered;
        let _written = writeln!(
            out,
            "  {:<40} {:>6} sessions {:>6} grants ({silent} where the EHR offers no revocation) {runs:>6} job runs",
            name(part),
            part.sessions,
            grants.alive,
        );
    }
    out
}

/// What came of it.
pub(super) fn outcome(incident: &Incident) -> String {
    let mut out = String::new();
    for part in &incident.targets {
        let grants = grants(part);
        let _written = writeln!(
            out,
            "  {:<40} {:>6} sessions {:>6} grants ({} confirmed by the EHR) {:>6} job runs",
            name(part),
            part.sessions,
            grants.revoked,
            grants.confirmed,
            part.jobs_stopped,
        );
        let left = grants.pending + grants.failed + grants.not_offered;
        if left > 0 {
            let _written = writeln!(
                out,
                "    {left} of them the EHR may honour until {}; whom to call is in the report",
                moment(grants.last_expires_at),
            );
        }
    }
    out
}

/// One line of a list.
pub(super) fn listed(incident: &Incident) -> String {
    let state = if incident.closed_at == 0 { "open".to_owned() } else { moment(incident.closed_at) };
    let line = format!(
        "{}  opened {}  closed {state}  by {}: {}",
        id(incident),
        moment(incident.opened_at),
        incident.operator,
        incident.reason
    );
    plain::text(&line)
}

fn grants(part: &IncidentTarget) -> GrantFigures {
    part.grants.clone().unwrap_or_default()
}

fn name(part: &IncidentTarget) -> String {
    let what = match part.selector.as_ref().and_then(|selector| selector.by.as_ref()) {
        Some(By::Launch(_)) => "the launch".to_owned(),
        Some(By::Grant(_)) => "the grant".to_owned(),
        Some(By::User(user)) => format!("user {}", user.subject),
        Some(By::Tenant(_)) => "everything".to_owned(),
        Some(By::Endpoint(name)) => format!("endpoint {name}"),
        Some(By::Registration(name)) => format!("registration {name}"),
        None => "something".to_owned(),
    };
    plain::text(&format!("{}: {what}", part.tenant))
}
