//! Something leaked or was stolen: what it covers, what that hits, do it, read the report.

use axum::{
    extract::Request,
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use sallyport_model::{Code, LaunchId, operator::Right};
use sallyport_proto::{
    convert,
    launch::v1::{
        Incident, IncidentScope, IncidentTarget, ListIncidentsRequest, PlanIncidentRequest,
        RunIncidentRequest, incident_scope::What,
    },
    types::v1::{GrantFigures, User, selector::By},
};

use super::{
    forms,
    forms::Filled,
    frame,
    frame::{Place, panel},
    incident,
    seat::Seat,
    words::{self, moment},
};
use crate::pages::{Tone, badge, said};

/// What an incident can cover: the form's value, and its words.
const SCOPES: [(&str, &str); 7] = [
    ("launch", "One launch, by its handle"),
    ("user", "A user, as issuer and subject with a space between"),
    ("all", "Everything of the tenant"),
    ("endpoint", "Everything at an endpoint"),
    ("vendor", "Everything at a vendor's endpoints of the tenant"),
    ("registration", "Everything of a registration"),
    ("app", "Everything of an app entry"),
];

/// `GET /console/incidents`.
pub(super) async fn show(seat: Seat) -> Response {
    let listed = list(&seat).await;
    let content = html! {
        (panel(&seat, "Something leaked or was stolen", Ok(form(&seat))))
        (panel(&seat, "Incidents, the newest first", listed))
    };
    frame::page(&seat, Place::Incidents, "Incidents", &content)
}

fn form(seat: &Seat) -> Markup {
    html! {
        p { "Choose what it covers. The next page says what that hits; nothing is changed before you say so there." }
        form method="post" action=(seat.href("/incidents/plan")) {
            (forms::token(seat, "plan"))
            p.field { label for="what" { "What it covers" } select #what name="what" { @for (value, words) in SCOPES { option value=(value) { (words) } } } }
            p.field { label for="value" { "Which (empty for everything)" } input #value name="value" maxlength="300" autocomplete="off"; }
            p { button type="submit" { "See what that hits" } }
        }
    }
}

async fn list(seat: &Seat) -> Result<Markup, Code> {
    let mut client = seat.app.console.incidents.clone();
    let incidents = seat.answered(client.list(seat.signed(ListIncidentsRequest {}))).await?.incidents;
    let own = |one: &&Incident| {
        one.scope.as_ref().is_some_and(|s| s.tenant.is_empty() || s.tenant == seat.tenant.as_str())
    };
    let incidents: Vec<_> = incidents.iter().filter(own).collect();
    Ok(html! {
        @if incidents.is_empty() { p.state.empty { "There was none." } } @else {
            table.records {
                thead { tr { @for title in ["Opened", "State", "By", "Why", "Incident"] { th scope="col" { (title) } } } }
                tbody { @for one in incidents { tr {
                    td { (moment(seat, one.opened_at)) }
                    td { @if one.closed_at > 0 { (badge(Tone::Good, "closed")) " " (moment(seat, one.closed_at)) } @else { (badge(Tone::Warning, "open")) } }
                    td { (said(&one.operator)) } td { (said(&one.reason)) }
                    td { a href=(seat.href(&format!("/incidents/{}", words::id(&one.incident_id)))) { "Open" span.visually-hidden { " the incident of " (seat.times.seconds(one.opened_at)) } } }
                } } }
            }
        }
    })
}

/// The scope that a form says.
fn scope(seat: &Seat, filled: &Filled) -> Result<IncidentScope, Code> {
    let value = filled.field("value");
    let name = || if value.is_empty() { Err(Code::RequestInvalid) } else { Ok(value.to_owned()) };
    let what = match filled.field("what") {
        "launch" => {
            let launch = LaunchId::parse(value).map_err(|_shape| Code::RequestInvalid)?;
            What::Launch(convert::id_bytes(launch.uuid()))
        }
        "user" => {
            let (issuer, subject) = value.split_once(' ').ok_or(Code::RequestInvalid)?;
            let (issuer, subject) = (issuer.to_owned(), subject.trim().to_owned());
            What::User(User { issuer, subject, fhir_user: String::new() })
        }
        "all" if value.is_empty() => What::All(true),
        "endpoint" => What::Endpoint(name()?),
        "vendor" => What::Vendor(name()?),
        "registration" => What::Registration(name()?),
        "app" => What::App(name()?),
        _ => return Err(Code::RequestInvalid),
    };
    Ok(IncidentScope { tenant: seat.tenant.as_str().to_owned(), what: Some(what) })
}

/// `POST /console/incidents/plan`.
pub(super) async fn plan(seat: Seat, request: Request) -> Response {
    let filled = match Filled::of(&seat, "plan", request).await {
        Ok(filled) => filled,
        Err(refused) => return refused,
    };
    match planned(&seat, &filled).await {
        Ok(plan) => frame::page(&seat, Place::Incidents, "What that hits", &plan),
        Err(code) => frame::refused(&seat, code),
    }
}

async fn planned(seat: &Seat, filled: &Filled) -> Result<Markup, Code> {
    let mut client = seat.app.console.incidents.clone();
    let message = PlanIncidentRequest { scope: Some(scope(seat, filled)?) };
    let plan = seat.answered(client.plan(seat.signed(message))).await?;
    Ok(html! {
        p { a href=(seat.href("/incidents")) { "Back to the incidents" } }
        (targets(&plan, false))
        p { "Sessions end within five seconds everywhere; grants are revoked here, and at the EHR where it offers that; runs of jobs stop within one batch and no new ones start. People have to launch again." }
        @if seat.may(Right::Respond) {
            form method="post" action=(seat.href("/incidents/run")) {
                (forms::token(seat, "run"))
                input type="hidden" name="what" value=(filled.field("what"));
                input type="hidden" name="value" value=(filled.field("value"));
                (forms::reason("Why (recorded, and in the report)"))
                p { button.danger type="submit" { "Revoke all of it now" } }
            }
        } @else { (frame::not_allowed(seat, "revoke")) }
    })
}

/// The parts of an incident, with what is there or what was ended.
pub(super) fn targets(incident: &Incident, is_done: bool) -> Markup {
    let figures = |part: &IncidentTarget| part.grants.clone().unwrap_or_default();
    html! {
        div.scroll tabindex="0" role="region" aria-label="What it covers" {
            table.records {
                thead { tr { @for title in ["Part", "Sessions", "Grants", "At the EHR", "Job runs stopped"] { th scope="col" { (title) } } } }
                tbody { @for part in &incident.targets {
                    @let grants = figures(part);
                    tr {
                        th scope="row" { (said(&part.tenant)) ": " (said(&part_name(part))) }
                        td { (part.sessions) }
                        td { @if is_done { (grants.revoked) } @else { (grants.alive) } }
                        td { (at_the_ehr(&grants, is_done)) }
                        td { @if is_done { (part.jobs_stopped) } @else { "those that are open" } }
                    }
                } }
            }
        }
    }
}

fn at_the_ehr(grants: &GrantFigures, is_done: bool) -> Markup {
    let left = grants.pending + grants.failed + grants.not_offered;
    html! {
        @if !is_done { (grants.alive_offered) " can be revoked there" }
        @else if left > 0 { (badge(Tone::Warning, "not all")) " " (grants.confirmed) " confirmed, " (left) " it may honour until they expire" }
        @else { (grants.confirmed) " confirmed" }
    }
}

fn part_name(part: &IncidentTarget) -> String {
    match part.selector.as_ref().and_then(|selector| selector.by.as_ref()) {
        Some(By::Launch(_)) => "the launch".to_owned(),
        Some(By::Grant(_)) => "the grant".to_owned(),
        Some(By::User(user)) => format!("user {}", user.subject),
        Some(By::Tenant(_)) => "everything".to_owned(),
        Some(By::Endpoint(name)) => format!("endpoint {name}"),
        Some(By::Registration(name)) => format!("registration {name}"),
        None => "something".to_owned(),
    }
}

/// `POST /console/incidents/run`.
pub(super) async fn run(seat: Seat, request: Request) -> Response {
    let filled = match Filled::of(&seat, "run", request).await {
        Ok(filled) => filled,
        Err(refused) => return refused,
    };
    let asking = async {
        if !forms::is_reason(filled.field("reason")) {
            return Err(Code::RequestInvalid);
        }
        let (scope, reason) = (Some(scope(&seat, &filled)?), filled.field("reason").to_owned());
        let message = RunIncidentRequest { scope, reason, ..RunIncidentRequest::default() };
        let mut client = seat.app.console.incidents.clone();
        let opened = seat.answered(client.run(seat.signed(message))).await?;
        incident::finish(&seat, opened).await
    };
    match asking.await {
        Ok(closed) => Redirect::to(&seat.href(&format!("/incidents/{}", words::id(&closed.incident_id))))
            .into_response(),
        // What is stored says how far it is: the list has it, and it can be gone on with there.
        Err(code) => frame::refused(&seat, code),
    }
}
