//! Sessions: whose charts are open at a tenant, and who is at the console; each can be ended.

use axum::{
    extract::Request,
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use sallyport_model::{Code, LaunchId, operator::Right};
use sallyport_proto::{
    convert,
    launch::v1::{EndOperatorRequest, ListOperatorsRequest, ListSessionsRequest, RevokeRequest},
    types::v1::{Selector, selector::By},
};

use super::{
    forms,
    forms::Filled,
    frame,
    frame::{Place, panel},
    seat::Seat,
    words::{self, moment},
};
use crate::pages::{Tone, badge, said};

/// `GET /console/sessions`.
pub(super) async fn show(seat: Seat) -> Response {
    let (launches, operators) = tokio::join!(launches(&seat), operators(&seat));
    let content = html! {
        (panel(&seat, "Open charts", launches))
        @if seat.may(Right::Respond) { (panel(&seat, "At the console", operators)) }
        @else { (frame::not_allowed(&seat, "see who is at the console, or end sessions")) }
    };
    frame::page(&seat, Place::Sessions, "Sessions and grants", &content)
}

async fn launches(seat: &Seat) -> Result<Markup, Code> {
    let mut client = seat.app.console.launches.clone();
    let message = ListSessionsRequest { tenant: seat.tenant.as_str().to_owned() };
    let sessions = match seat.answered(client.list_sessions(seat.signed(message))).await {
        // The house itself has no charts.
        Err(Code::RequestInvalid) => Vec::new(),
        answer => answer?.sessions,
    };
    Ok(html! {
        @if sessions.is_empty() { p.state.empty { "No chart is open. The first launch opens one." } } @else {
            p { (sessions.len()) " sessions." }
            div.scroll tabindex="0" role="region" aria-label="Open charts" {
                table.records {
                    thead { tr { @for title in ["Registration", "Since", "Last used", "State", "Launch", "End it"] { th scope="col" { (title) } } } }
                    tbody { @for session in &sessions {
                        @let launch = convert::launch_id(&session.launch_id).map(|id| id.to_string()).unwrap_or_default();
                        tr {
                            th scope="row" { (said(&session.registration)) }
                            td { (moment(seat, session.created_at)) } td { (moment(seat, session.last_active_at)) }
                            td { @if session.state == "open" { (badge(Tone::Good, "open")) } @else { (badge(Tone::Quiet, &session.state)) } }
                            td { code { (launch) } " " a href=(seat.href(&format!("/audit?last=all&launch={launch}"))) { "Records" } }
                            td { @if seat.may(Right::Respond) { (end_form(seat, "launch", &launch, "End it, and withdraw its grant")) } }
                        }
                    } }
                }
            }
        }
    })
}

async fn operators(seat: &Seat) -> Result<Markup, Code> {
    if !seat.may(Right::Respond) {
        return Ok(html! {});
    }
    let mut client = seat.app.console.operators.clone();
    let operators =
        seat.answered(client.list_operators(seat.signed(ListOperatorsRequest {}))).await?.operators;
    Ok(html! {
        div.scroll tabindex="0" role="region" aria-label="At the console" {
            table.records {
                thead { tr { @for title in ["Who", "As", "For", "Since", "Last used", "End it"] { th scope="col" { (title) } } } }
                tbody { @for one in &operators { tr {
                    th scope="row" { (said(&one.name)) }
                    td { (convert::role(one.role).map_or("", sallyport_model::operator::Role::as_str)) }
                    td { @if one.all_tenants { "all tenants" } @else { (said(&one.tenants.join(", "))) } }
                    td { (moment(seat, one.created_at)) } td { (moment(seat, one.last_active_at)) }
                    td { (end_form(seat, "operator", &words::id(&one.session_id), "End it")) }
                } } }
            }
        }
    })
}

fn end_form(seat: &Seat, what: &str, id: &str, title: &str) -> Markup {
    html! {
        details {
            summary { "End" span.visually-hidden { " " (what) " " (id) } }
            form method="post" action=(seat.href("/sessions")) {
                (forms::token(seat, "end"))
                input type="hidden" name=(what) value=(id);
                p.field {
                    label for={ "reason-" (id) } { "Why (recorded)" }
                    input id={ "reason-" (id) } name="reason" required minlength="3" maxlength="200" autocomplete="off";
                }
                p { button type="submit" { (title) } }
            }
        }
    }
}

/// `POST /console/sessions`.
pub(super) async fn end(seat: Seat, request: Request) -> Response {
    let filled = match Filled::of(&seat, "end", request).await {
        Ok(filled) => filled,
        Err(refused) => return refused,
    };
    match ended(&seat, &filled).await {
        Ok(()) => Redirect::to(&seat.href("/sessions")).into_response(),
        Err(code) => frame::refused(&seat, code),
    }
}

async fn ended(seat: &Seat, filled: &Filled) -> Result<(), Code> {
    let reason = filled.field("reason").to_owned();
    if !forms::is_reason(&reason) {
        return Err(Code::RequestInvalid);
    }
    match (filled.field("launch"), filled.field("operator")) {
        (launch, "") => {
            let launch = LaunchId::parse(launch).map_err(|_shape| Code::RequestInvalid)?;
            let selector = Some(Selector { by: Some(By::Launch(convert::id_bytes(launch.uuid()))) });
            let message = RevokeRequest { tenant: seat.tenant.as_str().to_owned(), selector, reason };
            let mut client = seat.app.console.launches.clone();
            seat.answered(client.revoke(seat.signed(message))).await.map(drop)
        }
        ("", session) => {
            let session_id = words::id_bytes(session).ok_or(Code::RequestInvalid)?;
            let message = EndOperatorRequest { session_id, reason, ..EndOperatorRequest::default() };
            let mut client = seat.app.console.operators.clone();
            seat.answered(client.end_operator(seat.signed(message))).await.map(drop)
        }
        _ => Err(Code::RequestInvalid),
    }
}
