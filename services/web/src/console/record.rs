//! One record: every field of it, what happened before and after it, its proof; and its patients, for a reason that is
//! recorded first.

use axum::{
    extract::{Path, Request},
    response::Response,
};
use http::StatusCode;
use maud::{Markup, html};
use sallyport_model::{Code, operator::Right};
use sallyport_proto::audit::v1::{
    Mask, Phase, QueryRequest, QueryResponse, Record, UnmaskRequest, UnmaskResponse,
};

use super::{
    forms,
    forms::Filled,
    frame,
    frame::{Place, panel},
    proof,
    seat::Seat,
    words::{self, moment},
};
use crate::pages::said;

/// What belongs together at most.
const TIMELINE: i32 = 200;

const REASON: &str = "console: a record's page";

/// `GET /console/audit/records/{id}`.
pub(super) async fn show(Path(id): Path<String>, seat: Seat) -> Response {
    Box::pin(page(&seat, &id, None)).await
}

/// `POST /console/audit/records/{id}/unmask`.
pub(super) async fn unmask(Path(id): Path<String>, seat: Seat, request: Request) -> Response {
    let filled = match Filled::of(&seat, "unmask", request).await {
        Ok(filled) => filled,
        Err(refused) => return refused,
    };
    let Some(record_id) = words::id_bytes(&id) else { return frame::refused(&seat, Code::NotFound) };
    if !forms::is_reason(filled.field("reason")) {
        return Box::pin(page(&seat, &id, Some(Err(Code::RequestInvalid)))).await;
    }
    let message = UnmaskRequest {
        tenant: seat.tenant.as_str().to_owned(),
        record_id,
        reason: filled.field("reason").to_owned(),
    };
    let mut audit = seat.app.console.audit.clone();
    let shown = seat.answered(audit.unmask(seat.signed(message))).await;
    Box::pin(page(&seat, &id, Some(shown))).await
}

async fn page(seat: &Seat, id: &str, shown: Option<Result<UnmaskResponse, Code>>) -> Response {
    let Some(record_id) = words::id_bytes(id) else { return frame::refused(seat, Code::NotFound) };
    let found = match query(seat, QueryRequest { record_id: record_id.clone(), ..asked(seat) }).await {
        Ok(found) => found,
        Err(code) => return frame::refused(seat, code),
    };
    let Some(last) = found.records.last() else { return frame::refused(seat, Code::NotFound) };
    let (timeline, proven) = tokio::join!(timeline(seat, last), proof::of(seat, last));
    let status = match &shown {
        Some(Err(code)) => frame::status_of(*code),
        _ => StatusCode::OK,
    };
    let content = html! {
        p { a href=(seat.href("/audit")) { "Back to the log" } }
        @for (at, record) in found.records.iter().enumerate() {
            (panel(seat, phase(record), Ok(fields(seat, record, found.masks.get(at)))))
        }
        (panel(seat, "Whose data", Ok(patients(seat, id, &found, shown.as_ref()))))
        (panel(seat, "Proof", proven))
        (panel(seat, "What belongs to it", timeline))
    };
    let title = format!("{} of {}", words::kind(last.kind()), seat.times.seconds(last.recorded_at));
    frame::with_status(seat, (Place::Audit, status), &title, &content)
}

fn asked(seat: &Seat) -> QueryRequest {
    QueryRequest {
        tenant: seat.tenant.as_str().to_owned(),
        limit: TIMELINE,
        reason: REASON.to_owned(),
        ..QueryRequest::default()
    }
}

async fn query(seat: &Seat, request: QueryRequest) -> Result<QueryResponse, Code> {
    let mut audit = seat.app.console.audit.clone();
    seat.answered(audit.query(seat.signed(request))).await
}

fn phase(record: &Record) -> &'static str {
    match record.phase() {
        Phase::Intent => "What was begun",
        Phase::Outcome => "How it ended",
        Phase::Event | Phase::Unspecified => "What happened",
    }
}

fn fields(seat: &Seat, record: &Record, mask: Option<&Mask>) -> Markup {
    let plain = [
        ("Interaction", record.interaction.clone()),
        ("Resource types", record.resource_types.join(", ")),
        ("Search parameters", record.parameters.join(", ")),
        ("Endpoint", record.endpoint.clone()),
        ("Registration", record.registration.clone()),
        ("Purpose", record.purpose.clone()),
        ("Feature", record.feature.clone()),
        ("Policy", record.policy_decision.clone()),
        ("Security labels", record.security_labels.join(", ")),
        ("Requested scopes", record.requested_scope.clone()),
        ("Granted scopes", record.granted_scope.clone()),
        ("Job", record.job.clone()),
        ("Details", record.detail.clone()),
        ("Recorded by", record.service.clone()),
    ];
    let ids = [
        ("Record", words::id(&record.record_id)),
        ("Launch", hex::encode(&record.launch_id)),
        ("Grant", words::id(&record.grant_id)),
        ("Run", words::id(&record.run_id)),
        ("Request", words::id(&record.request_id)),
        ("The EHR's request", record.vendor_request_id.clone()),
    ];
    html! {
        dl.facts {
            dt { "When" } dd { (moment(seat, record.recorded_at)) @if record.duration_us > 0 { ", took " (milliseconds(record.duration_us)) " ms" } }
            dt { "What" } dd { (words::kind(record.kind())) }
            dt { "Outcome" } dd {
                (words::outcome(record))
                @if record.http_status > 0 { " told " (record.http_status) }
                @if record.upstream_status > 0 { ", the EHR said " (record.upstream_status) }
            }
            dt { "Who" } dd { (words::actor(record.actor.as_ref())) }
            @if let Some(mask) = mask.filter(|mask| !mask.patients.is_empty()) { dt { "Patients" } dd { (words::chips(&mask.patients)) } }
            @if mask.is_some_and(|mask| mask.has_detail) { dt { "Details" } dd { span.absent { "Masked with the patients" } } }
            @if record.released > 0 || record.withheld > 0 { dt { "Resources" } dd { (record.released) " released, " (record.withheld) " withheld, " (record.bytes) " bytes" } }
            @for (name, value) in plain.iter().filter(|(_, value)| !value.is_empty()) { dt { (name) } dd { (said(value)) } }
            @if !record.trace_id.is_empty() { dt { "Trace" } dd { (trace(seat, &record.trace_id)) } }
            @for (name, value) in ids.iter().filter(|(_, value)| !value.is_empty()) { dt { (name) } dd { code { (said(value)) } } }
        }
    }
}

fn milliseconds(micros: i64) -> String {
    format!("{}.{}", micros / 1_000, micros % 1_000 / 100)
}

/// A trace's id, and where it can be looked at.
fn trace(seat: &Seat, id: &str) -> Markup {
    let is_id = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    let viewer = seat.app.trace_url.as_deref().filter(|_| is_id);
    html! {
        code { (said(id)) }
        @if let Some(viewer) = viewer { " " a href=(viewer.replace("{trace_id}", id)) rel="noopener" { "Open the trace" } }
    }
}

fn patients(
    seat: &Seat,
    id: &str,
    found: &QueryResponse,
    shown: Option<&Result<UnmaskResponse, Code>>,
) -> Markup {
    let has_any =
        found.masks.iter().any(|mask| !mask.patients.is_empty() || mask.has_resource_id || mask.has_detail);
    html! {
        @match shown {
            Some(Ok(shown)) => {
                p.state.information { "Recorded: you have seen whose data this was." }
                dl.facts {
                    dt { "Patients" } dd { @if shown.patients.is_empty() { "none, or erased" } @else { @for patient in &shown.patients { code { (said(patient)) } " " } } }
                    @if !shown.detail.is_empty() { dt { "Details" } dd { (said(&shown.detail)) } }
                    @if !shown.resource_id.is_empty() { dt { "Resource" } dd { code { (said(&shown.resource_id)) } } }
                }
            },
            Some(Err(Code::RequestInvalid)) => { p.state.warning role="alert" { "Say why, in 3 to 200 characters. Nothing was shown." } },
            Some(Err(code)) => (frame::problem(seat.request_id, *code)),
            None => {},
        }
        @if !matches!(shown, Some(Ok(_))) {
            @if !has_any {
                p { "No patient is named in this record." }
            } @else if seat.may(Right::Unmask) {
                form method="post" action=(seat.href(&format!("/audit/records/{id}/unmask"))) {
                    (forms::token(seat, "unmask"))
                    p { "It is recorded that you look, and why, before you see it." }
                    (forms::reason("Why you need to know"))
                    p { button type="submit" { "Show whose data this was" } }
                }
            } @else {
                (frame::not_allowed(seat, "see whose data this was"))
            }
        }
    }
}

/// Everything of the same launch, run or trace, the oldest first.
async fn timeline(seat: &Seat, record: &Record) -> Result<Markup, Code> {
    let base = asked(seat);
    let request = match record {
        Record { launch_id, .. } if !launch_id.is_empty() => {
            QueryRequest { launch_id: launch_id.clone(), ..base }
        }
        Record { run_id, .. } if !run_id.is_empty() => QueryRequest { run_id: run_id.clone(), ..base },
        Record { trace_id, .. } if !trace_id.is_empty() => {
            QueryRequest { trace_id: trace_id.clone(), ..base }
        }
        _ => {
            return Ok(html! { p.state.empty { "It stands alone: it belongs to no launch, run or trace." } });
        }
    };
    let found = query(seat, request).await?;
    let began = found.records.first().map_or(0, |first| first.recorded_at);
    Ok(html! {
        ol.timeline {
            @for one in &found.records {
                li aria-current=[(one.record_id == record.record_id).then_some("true")] {
                    span.after { "+" (milliseconds(one.recorded_at.saturating_sub(began))) " ms" } " "
                    a href=(seat.href(&format!("/audit/records/{}", words::id(&one.record_id)))) { (words::kind(one.kind())) " " (said(&one.interaction)) }
                    " " (said(&one.resource_types.join(", "))) " " (words::outcome(one))
                    @if one.duration_us > 0 { " " span.quiet { (milliseconds(one.duration_us)) " ms" } }
                }
            }
        }
        @if found.records.len() >= usize::try_from(TIMELINE).unwrap_or(usize::MAX) { p.quiet { "There are more than " (TIMELINE) "." } }
    })
}
