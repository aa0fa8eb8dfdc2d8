//! The log: what, when, where, who, in the address; a table that shows no patient.

use axum::response::Response;
use maud::{Markup, html};
use sallyport_model::{Code, LaunchId, Micros, operator::Right};
use sallyport_proto::{
    audit::v1::{Kind, Mask, Outcome, QueryRequest, QueryResponse, Record},
    convert,
    types::v1::User,
};

use super::{
    forms, frame,
    frame::Place,
    seat::Seat,
    words::{self, moment},
};
use crate::pages::said;

/// Rows of a page.
const PAGE: i32 = 50;

/// The most rows of a file.
pub(super) const FILE: i32 = 1_000;

/// Quick choices of when: hours, and their words.
const LAST: [(&str, i64, &str); 5] = [
    ("1h", 1, "The last hour"),
    ("24h", 24, "The last 24 hours"),
    ("7d", 7 * 24, "The last 7 days"),
    ("31d", 31 * 24, "The last 31 days"),
    ("all", 0, "Any time"),
];

const HOUR: Micros = 3_600_000_000;

/// What is asked for when nobody says why: that somebody looked at this page, the record says anyway.
pub(super) const REASON: &str = "console: audit page";

/// `GET /console/audit`.
pub(super) async fn show(seat: Seat) -> Response {
    let content = html! {
        (filters(&seat))
        @if seat.may(Right::ReadAudit) {
            @match found(&seat, PAGE).await {
                Ok(answer) => (table(&seat, &answer)),
                Err(code) => (frame::problem(seat.request_id, code)),
            }
            p.ways {
                a href=(seat.href("/audit/reviews")) { "Saved reviews" } " · "
                @if seat.may(Right::Unmask) { a href=(seat.href("/audit/disclosures")) { "Disclosures of a patient" } }
                @else { (frame::not_allowed(&seat, "see whose data was disclosed")) }
            }
            (verifying(&seat))
        } @else {
            (frame::not_allowed(&seat, "read the log"))
        }
    };
    frame::page(&seat, Place::Audit, "Audit", &content)
}

/// The records that the address asks for.
///
/// # Errors
/// `request.invalid` for a field that does not read; the service's code.
pub(super) async fn found(seat: &Seat, limit: i32) -> Result<QueryResponse, Code> {
    let request = request(seat, limit)?;
    let mut audit = seat.app.console.audit.clone();
    seat.answered(audit.query(seat.signed(request))).await
}

fn request(seat: &Seat, limit: i32) -> Result<QueryRequest, Code> {
    let invalid = |_wrong| Code::RequestInvalid;
    let (from, until) = period(seat)?;
    let id = |name: &str| match seat.field(name) {
        "" => Ok(Vec::new()),
        text => words::id_bytes(text).ok_or(Code::RequestInvalid),
    };
    let launch_id = match seat.field("launch") {
        "" => Vec::new(),
        text => convert::id_bytes(LaunchId::parse(text).map_err(invalid)?.uuid()),
    };
    let run_id = id("run")?;
    let user = match (seat.field("issuer"), seat.field("subject")) {
        ("", "") => None,
        (issuer, subject) => {
            Some(User { issuer: issuer.to_owned(), subject: subject.to_owned(), fhir_user: String::new() })
        }
    };
    let reason = if seat.field("reason").is_empty() { REASON } else { seat.field("reason") };
    Ok(QueryRequest {
        tenant: seat.tenant.as_str().to_owned(),
        patient: seat.field("patient").to_owned(),
        user,
        launch_id,
        run_id,
        trace_id: seat.field("trace").to_owned(),
        from,
        until,
        limit,
        after_record: hex::decode(seat.field("after")).map_err(|_not_hex| Code::RequestInvalid)?,
        reason: reason.to_owned(),
        kind: Kind::from_str_name(seat.field("kind")).unwrap_or_default().into(),
        outcome: Outcome::from_str_name(seat.field("outcome")).unwrap_or_default().into(),
        endpoint: seat.field("endpoint").to_owned(),
        newest_first: true,
        ..QueryRequest::default()
    })
}

/// The period: from and until as somebody wrote them, in UTC; otherwise the last so many hours, 24 when nothing is said.
fn period(seat: &Seat) -> Result<(Micros, Micros), Code> {
    let instant = |name: &str| match seat.field(name) {
        "" => Ok(None),
        text => utc(text).map(Some).ok_or(Code::RequestInvalid),
    };
    let (from, until) = (instant("from")?, instant("until")?);
    if from.is_some() || until.is_some() {
        return Ok((from.unwrap_or(0), until.unwrap_or(0)));
    }
    let hours = LAST.iter().find(|(name, _, _)| *name == seat.field("last"));
    let now = seat.times.now;
    Ok(match hours {
        Some((_, 0, _)) => (1, 0),
        Some((_, hours, _)) => (now.saturating_sub(hours * HOUR), 0),
        None => (now.saturating_sub(24 * HOUR), 0),
    })
}

/// `2026-12-01T14:02` as an instant of UTC.
fn utc(text: &str) -> Option<Micros> {
    let text = text.trim_end_matches('Z');
    let at: jiff::civil::DateTime = text.parse().ok()?;
    Some(at.to_zoned_datetime(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_microsecond())
}

fn filters(seat: &Seat) -> Markup {
    let text = |label: &str, name: &'static str| {
        html! { p.field { label for=(name) { (label) } input id=(name) name=(name) value=(seat.field(name)) autocomplete="off"; } }
    };
    let tenant = seat.app.registry.tenant(&seat.tenant);
    let last = if seat.field("last").is_empty() { "24h" } else { seat.field("last") };
    html! {
        form.filters method="get" action="/console/audit" {
            input type="hidden" name="tenant" value=(seat.tenant.as_str());
            fieldset { legend { "What" }
                p.field { label for="kind" { "Kind" } select #kind name="kind" {
                    option value="" { "Anything" }
                    @for kind in words::KINDS { option value=(kind.as_str_name()) selected[kind.as_str_name() == seat.field("kind")] { (words::kind(kind)) } }
                } }
                p.field { label for="outcome" { "Outcome" } select #outcome name="outcome" {
                    option value="" { "Any" }
                    @for (outcome, word) in words::OUTCOMES { option value=(outcome.as_str_name()) selected[outcome.as_str_name() == seat.field("outcome")] { (word) } }
                } }
            }
            fieldset { legend { "When" }
                p.field { label for="last" { "Period" } select #last name="last" {
                    @for (name, _, word) in LAST { option value=(name) selected[name == last] { (word) } }
                } }
                @for (label, name) in [("or from (UTC)", "from"), ("until (UTC)", "until")] {
                    p.field { label for=(name) { (label) } input type="datetime-local" id=(name) name=(name) value=(seat.field(name)); }
                }
            }
            fieldset { legend { "Where" }
                p.field { label for="endpoint" { "Endpoint" } select #endpoint name="endpoint" {
                    option value="" { "Any" }
                    @for endpoint in tenant.iter().flat_map(|tenant| &tenant.endpoints) {
                        option value=(endpoint.id.as_str()) selected[endpoint.id.as_str() == seat.field("endpoint")] { (endpoint.name) }
                    }
                } }
            }
            fieldset { legend { "Who" }
                (text("Patient's id at the EHR", "patient"))
                (text("User's issuer", "issuer")) (text("and subject", "subject"))
                (text("Launch", "launch")) (text("Run", "run")) (text("Trace", "trace"))
            }
            p.field { label for="reason" { "Why (recorded)" } input #reason name="reason" value=(seat.field("reason")) placeholder=(REASON) maxlength="200" autocomplete="off"; }
            p { button type="submit" { "Show" } " " a href=(seat.href("/audit")) { "Clear" } }
        }
    }
}

fn table(seat: &Seat, answer: &QueryResponse) -> Markup {
    let masks = answer.masks.iter().map(Some).chain(std::iter::repeat(None));
    let rows: Vec<_> = answer.records.iter().zip(masks).collect();
    html! {
        @if rows.is_empty() {
            p.state.empty { "No record matches. Widen the period, or clear the filters." }
        } @else {
            div.panel.scroll tabindex="0" role="region" aria-label="Records" {
                table.records {
                    thead { tr { @for title in ["When", "What", "Where", "Who", "Patients", "How it ended", "Record"] { th scope="col" { (title) } } } }
                    tbody { @for (record, mask) in &rows { (row(seat, record, *mask)) } }
                }
            }
            p.ways {
                (rows.len()) " records, the newest first. "
                @if answer.records.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX) { a.button href=(older(seat, answer)) { "Older" } " " }
                a href=(with_query(seat, "/audit.csv", "")) { "As CSV" } " (at most " (FILE) ")"
            }
            (review_form(seat, answer))
        }
    }
}

fn row(seat: &Seat, record: &Record, mask: Option<&Mask>) -> Markup {
    html! {
        tr {
            td { (moment(seat, record.recorded_at)) }
            td { (words::kind(record.kind())) @if !record.interaction.is_empty() { " · " (said(&record.interaction)) } " " span.quiet { (said(&record.resource_types.join(", "))) } }
            td { (said(&record.endpoint)) }
            td { (words::actor(record.actor.as_ref())) }
            td { @if let Some(mask) = mask { (words::chips(&mask.patients)) } }
            td { (words::outcome(record)) }
            td { a href=(seat.href(&format!("/audit/records/{}", words::id(&record.record_id)))) { "Open" span.visually-hidden { " the record of " (seat.times.seconds(record.recorded_at)) } } }
        }
    }
}

fn older(seat: &Seat, answer: &QueryResponse) -> String {
    let place = answer.records.last().map(|last| {
        let phase = u8::try_from(last.phase).unwrap_or(0);
        hex::encode([last.record_id.as_slice(), &[phase]].concat())
    });
    with_query(seat, "/audit", &place.unwrap_or_default())
}

/// The fields of the address that say what is looked for.
pub(super) const FIELDS: [&str; 12] = [
    "kind", "outcome", "last", "from", "until", "endpoint", "patient", "issuer", "subject", "launch", "run",
    "trace",
];

/// An address with the same filters; `after` says where the page begins.
fn with_query(seat: &Seat, path: &str, after: &str) -> String {
    let mut encoded = url::form_urlencoded::Serializer::new(String::new());
    encoded.append_pair("tenant", seat.tenant.as_str());
    for name in FIELDS.iter().chain(&["reason"]) {
        if !seat.field(name).is_empty() {
            encoded.append_pair(name, seat.field(name));
        }
    }
    if !after.is_empty() {
        encoded.append_pair("after", after);
    }
    format!("/console{path}?{}", encoded.finish())
}

/// What a review keeps of the filters: everything but whom it was about.
fn kept_filter(seat: &Seat) -> String {
    let mut encoded = url::form_urlencoded::Serializer::new(String::new());
    for name in FIELDS.iter().filter(|name| **name != "patient") {
        if !seat.field(name).is_empty() {
            encoded.append_pair(name, seat.field(name));
        }
    }
    encoded.finish()
}

fn review_form(seat: &Seat, answer: &QueryResponse) -> Markup {
    let times = || answer.records.iter().map(|record| record.recorded_at);
    html! {
        @if seat.may(Right::Review) {
            details.review {
                summary { "Save that these records were reviewed" }
                form method="post" action=(seat.href("/audit/reviews")) {
                    (forms::token(seat, "review"))
                    input type="hidden" name="filter" value=(kept_filter(seat));
                    input type="hidden" name="from" value=(times().min().unwrap_or(0));
                    input type="hidden" name="until" value=(times().max().unwrap_or(0));
                    input type="hidden" name="records" value=(answer.records.len());
                    p.field { label for="finding" { "What you found" } textarea #finding name="finding" required minlength="3" maxlength="2000" rows="3" {} }
                    p { button type="submit" { "Save the review" } " " span.quiet { "Kept for good under your name; no patient is kept in it." } }
                }
            }
        }
    }
}

fn verifying(seat: &Seat) -> Markup {
    let tenant = seat.tenant.as_str();
    html! {
        details {
            summary { "For somebody who trusts none of us: the whole log, verified elsewhere" }
            p { "Export the log with its checkpoints, take it to another machine, and verify it there against the keys that you have from elsewhere:" }
            pre { "sallyport audit export --tenant " (tenant) " --reason \"quarterly review\" --out " (tenant) ".ndjson\nsallyport audit verify --export " (tenant) ".ndjson --key \"$LOG_KEY\" --checkpoint /mnt/elsewhere/checkpoints" }
            p.quiet { "The steps, and what a finding means, stand in docs/AUDIT.md." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_time_of_a_form_is_taken_as_utc() {
        assert_eq!(utc("2026-03-12T14:02"), Some(1_773_324_120_000_000));
        assert_eq!(utc("2026-03-12T14:02:00Z"), Some(1_773_324_120_000_000));
        assert_eq!(utc("yesterday"), None);
    }
}
