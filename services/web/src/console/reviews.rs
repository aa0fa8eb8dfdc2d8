//! Reviews that were saved: who has looked through what, and what they found.

use axum::{
    extract::Request,
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use sallyport_model::{Code, operator::Right};
use sallyport_proto::audit::v1::{ListReviewsRequest, SaveReviewRequest};

use super::{audit, forms::Filled, frame, frame::Place, seat::Seat, words::moment};
use crate::pages::said;

/// `GET /console/audit/reviews`.
pub(super) async fn show(seat: Seat) -> Response {
    let content = html! {
        p { a href=(seat.href("/audit")) { "Back to the log" } }
        @if seat.may(Right::ReadAudit) {
            @match list(&seat).await { Ok(list) => (list), Err(code) => (frame::problem(seat.request_id, code)) }
        } @else { (frame::not_allowed(&seat, "read the log")) }
    };
    frame::page(&seat, Place::Audit, "Saved reviews", &content)
}

async fn list(seat: &Seat) -> Result<Markup, Code> {
    let mut audit = seat.app.console.audit.clone();
    let message = ListReviewsRequest { tenant: seat.tenant.as_str().to_owned() };
    let reviews = seat.answered(audit.list_reviews(seat.signed(message))).await?.reviews;
    Ok(html! {
        @if reviews.is_empty() { p.state.empty { "No review was saved yet. Look at records in the log, then save below them what you found." } }
        @for review in &reviews {
            section.panel {
                h2 { (said(&review.reviewer)) ", " (moment(seat, review.reviewed_at)) }
                p { (said(&review.finding)) }
                p.quiet {
                    (review.records) " records from " (moment(seat, review.from)) " to " (moment(seat, review.until)) ". "
                    a href=(again(seat, &review.filter)) { "Look at the same filter" }
                }
            }
        }
    })
}

/// The address of a filter that was kept: only fields that we know are taken from it.
fn again(seat: &Seat, filter: &str) -> String {
    let mut encoded = url::form_urlencoded::Serializer::new(String::new());
    encoded.append_pair("tenant", seat.tenant.as_str());
    for (name, value) in url::form_urlencoded::parse(filter.as_bytes()) {
        if audit::FIELDS.contains(&&*name) {
            encoded.append_pair(&name, &value);
        }
    }
    format!("/console/audit?{}", encoded.finish())
}

/// `POST /console/audit/reviews`.
pub(super) async fn save(seat: Seat, request: Request) -> Response {
    let filled = match Filled::of(&seat, "review", request).await {
        Ok(filled) => filled,
        Err(refused) => return refused,
    };
    let number = |name: &str| filled.field(name).parse::<i64>().map_err(|_no_number| Code::RequestInvalid);
    let message = (|| {
        Ok(SaveReviewRequest {
            tenant: seat.tenant.as_str().to_owned(),
            filter: filled.field("filter").to_owned(),
            from: number("from")?,
            until: number("until")?,
            records: i32::try_from(number("records")?).map_err(|_size| Code::RequestInvalid)?,
            finding: filled.field("finding").to_owned(),
        })
    })();
    let mut audit = seat.app.console.audit.clone();
    let saved = match message {
        Ok(message) => seat.answered(audit.save_review(seat.signed(message))).await,
        Err(code) => Err(code),
    };
    match saved {
        Ok(_kept) => Redirect::to(&seat.href("/audit/reviews")).into_response(),
        Err(code) => frame::refused(&seat, code),
    }
}
