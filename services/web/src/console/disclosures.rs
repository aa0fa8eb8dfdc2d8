//! To whom a patient's data was disclosed: asked for by a form, so that no address and no history holds who it was.

use axum::{extract::Request, response::Response};
use maud::{Markup, html};
use sallyport_model::{Code, operator::Right};
use sallyport_proto::audit::v1::{DisclosuresRequest, DisclosuresResponse, disclosure::What};

use super::{
    forms,
    forms::Filled,
    frame,
    frame::Place,
    seat::Seat,
    words::{self, moment},
};
use crate::pages::{Tone, badge, said};

/// Rows of the page; the whole of it comes by the command that is told.
const PAGE: i32 = 500;

/// `GET /console/audit/disclosures`.
pub(super) async fn ask(seat: Seat) -> Response {
    frame::page(&seat, Place::Audit, "Disclosures of a patient", &form(&seat))
}

fn form(seat: &Seat) -> Markup {
    html! {
        p { a href=(seat.href("/audit")) { "Back to the log" } }
        @if seat.may(Right::Unmask) {
            form method="post" action=(seat.href("/audit/disclosures")) {
                (forms::token(seat, "disclosures"))
                p { "Every answer with data of the patient in six years, and every change of their record (45 CFR 164.528). It is recorded that you ask, and why." }
                p.field { label for="patient" { "Patient's id at the EHR" } input #patient name="patient" required maxlength="64" autocomplete="off"; }
                (forms::reason("Why you ask"))
                p { button type="submit" { "Show the disclosures" } }
            }
        } @else { (frame::not_allowed(seat, "see whose data was disclosed")) }
    }
}

/// `POST /console/audit/disclosures`.
pub(super) async fn tell(seat: Seat, request: Request) -> Response {
    let filled = match Filled::of(&seat, "disclosures", request).await {
        Ok(filled) => filled,
        Err(refused) => return refused,
    };
    let told = match forms::is_reason(filled.field("reason")) {
        true => found(&seat, &filled).await,
        false => Err(Code::RequestInvalid),
    };
    let content = html! {
        (form(&seat))
        @match told {
            Ok(answer) => (table(&seat, &answer)),
            Err(code) => (frame::problem(seat.request_id, code)),
        }
    };
    frame::page(&seat, Place::Audit, "Disclosures of a patient", &content)
}

async fn found(seat: &Seat, filled: &Filled) -> Result<DisclosuresResponse, Code> {
    let message = DisclosuresRequest {
        tenant: seat.tenant.as_str().to_owned(),
        patient: filled.field("patient").to_owned(),
        limit: PAGE,
        reason: filled.field("reason").to_owned(),
        ..DisclosuresRequest::default()
    };
    let mut audit = seat.app.console.audit.clone();
    seat.answered(audit.disclosures(seat.signed(message))).await
}

fn table(seat: &Seat, answer: &DisclosuresResponse) -> Markup {
    html! {
        section.panel {
            h2 { "From " (moment(seat, answer.from)) " to " (moment(seat, answer.until)) }
            @if !answer.is_known {
                p.state.empty { "The log knows nobody under that id: nothing was recorded about such a patient, or they were erased. The log cannot tell one from the other." }
            } @else if answer.disclosures.is_empty() {
                p.state.empty { "Nothing of this patient's data was disclosed in this time." }
            } @else {
                div.scroll tabindex="0" role="region" aria-label="Disclosures" {
                    table.records {
                        thead { tr { @for title in ["When", "What", "To whom", "For what", "Where", "Record"] { th scope="col" { (title) } } } }
                        tbody {
                            @for one in &answer.disclosures {
                                tr {
                                    td { (moment(seat, one.at)) }
                                    td {
                                        @match one.what() {
                                            What::Written => (badge(Tone::Information, "Written")),
                                            What::MaybeShown => (badge(Tone::Warning, "Maybe shown")),
                                            What::Shown | What::Unspecified => (badge(Tone::Quiet, "Shown")),
                                        }
                                        " " (said(&one.resource_types.join(", ")))
                                    }
                                    td { (words::actor(one.actor.as_ref())) }
                                    td { (said(&one.purpose)) " " span.quiet { (said(&one.feature)) } }
                                    td { (said(&one.endpoint)) }
                                    td { a href=(seat.href(&format!("/audit/records/{}", words::id(&one.record_id)))) { "Open" } }
                                }
                            }
                        }
                    }
                }
                @if answer.disclosures.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX) {
                    p { "Only the first " (PAGE) " are shown. All of them: " code { "sallyport audit disclosures" } }
                }
            }
        }
    }
}
