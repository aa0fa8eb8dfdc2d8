//! One incident: what was done, what is left, its report; one that is open is gone on with.

use axum::{
    extract::{Path, Request},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use sallyport_model::{Code, operator::Right};
use sallyport_proto::{
    audit::v1::SignReportRequest,
    convert,
    jobs::v1::KillRequest,
    launch::v1::{
        CloseIncidentRequest, Incident, ListIncidentsRequest, RunIncidentRequest,
        close_incident_request::Jobs,
    },
};

use super::{
    forms,
    forms::Filled,
    frame,
    frame::{Place, panel},
    incidents::targets,
    seat::Seat,
    words::{self, moment},
};
use crate::pages::said;

/// `GET /console/incidents/{id}`.
pub(super) async fn show(Path(id): Path<String>, seat: Seat) -> Response {
    let found = match found(&seat, &id).await {
        Ok(found) => found,
        Err(code) => return frame::refused(&seat, code),
    };
    let signed = match found.closed_at > 0 && seat.may(Right::Respond) {
        true => Some(signed(&seat, &found).await),
        false => None,
    };
    let content = html! {
        p { a href=(seat.href("/incidents")) { "Back to the incidents" } }
        dl.facts {
            dt { "Opened" } dd { (moment(&seat, found.opened_at)) " by " (said(&found.operator)) }
            dt { "Why" } dd { (said(&found.reason)) }
            dt { "Closed" } dd { @if found.closed_at > 0 { (moment(&seat, found.closed_at)) } @else { "not yet" } }
        }
        @if found.closed_at > 0 {
            (panel(&seat, "Report", Ok(report(&found))))
            @if let Some(signed) = signed { (panel(&seat, "The same, signed", signed.map(|note| note_of(&note)))) }
            @else { (frame::not_allowed(&seat, "have the report signed")) }
        } @else if seat.may(Right::Respond) {
            p { "It is open: something could not be done yet. Asked again, it goes on." }
            form method="post" action=(seat.href(&format!("/incidents/{id}"))) {
                (forms::token(&seat, "go-on"))
                p { button type="submit" { "Go on with it" } }
            }
        } @else { (frame::not_allowed(&seat, "go on with it")) }
    };
    frame::page(&seat, Place::Incidents, "Incident", &content)
}

async fn found(seat: &Seat, id: &str) -> Result<Incident, Code> {
    let id = words::id_bytes(id).ok_or(Code::NotFound)?;
    let mut client = seat.app.console.incidents.clone();
    let listed = seat.answered(client.list(seat.signed(ListIncidentsRequest {}))).await?.incidents;
    listed.into_iter().find(|one| one.incident_id == id).ok_or(Code::NotFound)
}

fn report(incident: &Incident) -> Markup {
    html! {
        @if !incident.targets.is_empty() { (targets(incident, true)) }
        pre tabindex="0" { (said(&incident.report)) }
    }
}

fn note_of(note: &str) -> Markup {
    html! {
        p { "Keep it: the signature says that nobody has changed it since. " code { "sallyport audit check FILE" } " checks it." }
        pre tabindex="0" { (said(note)) }
    }
}

async fn signed(seat: &Seat, incident: &Incident) -> Result<String, Code> {
    let message = SignReportRequest {
        body: incident.report.clone(),
        operator: String::new(),
        reason: format!("incident {}", words::id(&incident.incident_id)),
    };
    let mut audit = seat.app.console.audit.clone();
    seat.answered(audit.sign_report(seat.signed(message))).await.map(|answer| answer.note)
}

/// `POST /console/incidents/{id}`: goes on with one that is open.
pub(super) async fn go_on(Path(id): Path<String>, seat: Seat, request: Request) -> Response {
    if let Err(refused) = Filled::of(&seat, "go-on", request).await {
        return refused;
    }
    let asking = async {
        let incident_id = words::id_bytes(&id).ok_or(Code::NotFound)?;
        let mut client = seat.app.console.incidents.clone();
        let message = RunIncidentRequest { incident_id, ..RunIncidentRequest::default() };
        let opened = seat.answered(client.run(seat.signed(message))).await?;
        finish(&seat, opened).await
    };
    match asking.await {
        Ok(_closed) => Redirect::to(&seat.href(&format!("/incidents/{id}"))).into_response(),
        Err(code) => frame::refused(&seat, code),
    }
}

/// Stops the runs of jobs that it covers, then closes it.
///
/// # Errors
/// What could not be done yet: it stays open.
pub(super) async fn finish(seat: &Seat, opened: Incident) -> Result<Incident, Code> {
    let mut jobs = Vec::new();
    for part in &opened.targets {
        let Some(request) = convert::runs_of(part) else { continue };
        let reason = format!("incident {}", words::id(&opened.incident_id));
        let request = KillRequest { reason, since: opened.opened_at, ..request };
        let mut client = seat.app.console.jobs()?;
        let stopped = seat.answered(client.kill(seat.signed(request))).await?.stopped_since;
        jobs.push(Jobs { position: part.position, stopped });
    }
    let mut client = seat.app.console.incidents.clone();
    let message = CloseIncidentRequest { incident_id: opened.incident_id, jobs };
    seat.answered(client.close(seat.signed(message))).await
}
