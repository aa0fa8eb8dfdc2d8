//! What stands around every page of the console: the rail, the tenant, the environment, who is signed in; and the pages that
//! say that something did not work.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use maud::{DOCTYPE, Markup, html};
use sallyport_model::{Code, RequestId};

use super::{forms, seat::Seat};
use crate::{
    http::{Framing, console_style_path, page_headers, style_path},
    pages::{Tone, badge, icon, said},
};

/// The places of the rail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Audit,
    Jobs,
    Tenants,
    Incidents,
    Sessions,
}

impl Place {
    const ALL: [Self; 6] =
        [Self::Overview, Self::Audit, Self::Jobs, Self::Tenants, Self::Incidents, Self::Sessions];

    fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Audit => "Audit",
            Self::Jobs => "Jobs",
            Self::Tenants => "Tenants",
            Self::Incidents => "Incidents",
            Self::Sessions => "Sessions",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Overview => "",
            Self::Audit => "/audit",
            Self::Jobs => "/jobs",
            Self::Tenants => "/tenants",
            Self::Incidents => "/incidents",
            Self::Sessions => "/sessions",
        }
    }
}

/// A whole page.
pub(super) fn page(seat: &Seat, place: Place, title: &str, content: &Markup) -> Response {
    with_status(seat, (place, StatusCode::OK), title, content)
}

/// The same with another status.
pub(super) fn with_status(
    seat: &Seat,
    (place, status): (Place, StatusCode),
    title: &str,
    content: &Markup,
) -> Response {
    let body = html! {
        a.skip href="#main" { "Skip to the page" }
        header.console-top {
            p.product { "Sallyport console" }
            (tenant(seat, place))
            (signed_in(seat))
        }
        div.console-body {
            nav.rail aria-label="Console" {
                ul {
                    @for other in Place::ALL {
                        li { a href=(seat.href(other.path())) aria-current=[(other == place).then_some("page")] { (other.title()) } }
                    }
                }
            }
            main #main tabindex="-1" {
                h1 { (title) }
                (content)
                p.quiet.foot-note {
                    "Times in " (seat.times.zone_name()) ", with UTC on hover. As of " (super::words::moment(seat, seat.times.now)) "."
                }
            }
        }
    };
    answer(status, title, &body)
}

fn tenant(seat: &Seat, place: Place) -> Markup {
    let environment = seat.chosen().map_or("", |choice| choice.environment);
    html! {
        form.tenant method="get" action={ "/console" (place.path()) } {
            label for="tenant" { "Tenant" }
            select #tenant name="tenant" {
                @for choice in &seat.choices {
                    option value=(choice.id.as_str()) selected[choice.id == seat.tenant] { (choice.name) " (" (choice.id.as_str()) ")" }
                }
            }
            button type="submit" { "Show" }
            @match environment {
                "production" => (badge(Tone::Critical, "Production")),
                "sandbox" => (badge(Tone::Information, "Sandbox")),
                _ => {},
            }
        }
    }
}

fn signed_in(seat: &Seat) -> Markup {
    html! {
        form.who method="post" action="/console/sign-out" {
            span { (said(&seat.who.name)) " · " (seat.who.role.as_str()) }
            (forms::token(seat, "sign-out"))
            button type="submit" { "Sign out" }
        }
    }
}

/// A document of the console.
pub(super) fn answer(status: StatusCode, title: &str, body: &Markup) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · Sallyport console" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href=(style_path());
                link rel="stylesheet" href=(console_style_path());
            }
            body.console { (body) }
        }
    };
    (status, page_headers(&Framing::Nobody, &[]), markup.into_string()).into_response()
}

/// A part of a page under its own heading, or why it is not there. One that fails takes no other with it.
pub(super) fn panel(seat: &Seat, title: &str, content: Result<Markup, Code>) -> Markup {
    html! {
        section.panel {
            h2 { (title) }
            @match content {
                Ok(content) => (content),
                Err(code) => (problem(seat.request_id, code)),
            }
        }
    }
}

/// What went wrong, in place of what was asked for.
pub(super) fn problem(id: RequestId, code: Code) -> Markup {
    html! {
        div.state.warning role="alert" {
            p { (icon(Tone::Warning)) (code.sentence()) " " (code.next_step()) }
            p.quiet { "Code " code { (code.as_str()) } ", reference " code { (id.to_string()) } }
        }
    }
}

/// What a role does not allow, said where it would stand.
pub(super) fn not_allowed(seat: &Seat, what: &str) -> Markup {
    html! {
        p.quiet { "Your role (" (seat.who.role.as_str()) ") does not allow to " (what) "." }
    }
}

/// A form or an address that does not count, for somebody who is signed in.
pub(super) fn refused(seat: &Seat, code: Code) -> Response {
    let content =
        html! { (problem(seat.request_id, code)) p { a href=(seat.href("")) { "Back to the overview" } } };
    let place = (Place::Overview, status_of(code));
    with_status(seat, place, "This did not work", &content)
}

/// The same where it is not known who asks.
pub(super) fn failed(code: Code, id: RequestId) -> Response {
    let body = html! { main.message { h1 { "This did not work" } (problem(id, code)) } };
    answer(status_of(code), "This did not work", &body)
}

pub(super) fn status_of(code: Code) -> StatusCode {
    StatusCode::from_u16(code.kind().http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
