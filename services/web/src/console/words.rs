//! Records and states in words.

use maud::{Markup, html};
use sallyport_model::Micros;
use sallyport_proto::{
    audit::v1::{Kind, Outcome, Phase, Record},
    types::v1::{Actor, actor},
};

use super::seat::Seat;
use crate::pages::{Tone, badge, said};

/// An instant in the tenant's zone, UTC on hover; nothing for none.
pub(super) fn moment(seat: &Seat, at: Micros) -> Markup {
    html! {
        @if at > 0 { time datetime=(seat.times.machine(at)) title=(seat.times.machine(at)) { (seat.times.seconds(at)) } }
        @else { span.absent { "Not known" } }
    }
}

/// An id as people copy it.
pub(super) fn id(bytes: &[u8]) -> String {
    uuid_text(bytes).unwrap_or_default()
}

fn uuid_text(bytes: &[u8]) -> Option<String> {
    let text = hex::encode(<[u8; 16]>::try_from(bytes).ok()?);
    let parts = [text.get(..8)?, text.get(8..12)?, text.get(12..16)?, text.get(16..20)?, text.get(20..)?];
    Some(parts.join("-"))
}

/// Reads an id as addresses and forms have it.
pub(super) fn id_bytes(text: &str) -> Option<Vec<u8>> {
    let bytes = hex::decode(text.replace('-', "")).ok()?;
    (bytes.len() == 16).then_some(bytes)
}

/// What happened.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Unspecified => "Unknown",
        Kind::Launch => "Launch",
        Kind::Callback => "Sign-in answer",
        Kind::TokenExchange => "Token exchange",
        Kind::TokenRefresh => "Token refresh",
        Kind::TokenRevoke => "Token revocation",
        Kind::SessionEnd => "Session end",
        Kind::FhirCall => "FHIR call",
        Kind::ClientCredentials => "Client credentials",
        Kind::AuditQuery => "Look into the log",
        Kind::Configuration => "Configuration",
        Kind::Operator => "Operator",
        Kind::Job => "Job",
        Kind::Proposal => "Proposal",
    }
}

/// Every kind that can be asked for.
pub(super) const KINDS: [Kind; 13] = [
    Kind::Launch,
    Kind::Callback,
    Kind::TokenExchange,
    Kind::TokenRefresh,
    Kind::TokenRevoke,
    Kind::SessionEnd,
    Kind::FhirCall,
    Kind::ClientCredentials,
    Kind::AuditQuery,
    Kind::Configuration,
    Kind::Operator,
    Kind::Job,
    Kind::Proposal,
];

/// How it ended.
pub(super) fn outcome(record: &Record) -> Markup {
    let (tone, word) = match (record.phase(), record.outcome()) {
        (Phase::Intent, _) => (Tone::Quiet, "Began"),
        (_, Outcome::Success) => (Tone::Good, "Done"),
        (_, Outcome::Refused) => (Tone::Warning, "Refused"),
        (_, Outcome::Failed) => (Tone::Critical, "Failed"),
        (_, Outcome::Pending | Outcome::Unspecified) => (Tone::Quiet, "Not known"),
    };
    html! { (badge(tone, word)) @if !record.code.is_empty() { " " code { (record.code) } } }
}

/// Outcomes that can be asked for.
pub(super) const OUTCOMES: [(Outcome, &str); 3] =
    [(Outcome::Success, "Done"), (Outcome::Refused, "Refused"), (Outcome::Failed, "Failed")];

/// Who did it.
pub(super) fn actor(actor: Option<&Actor>) -> Markup {
    match actor.and_then(|actor| actor.kind.as_ref()) {
        Some(actor::Kind::User(user)) => html! { span title=(user.issuer) { (said(&user.subject)) } },
        Some(actor::Kind::Service(name)) => html! { "service " (said(name)) },
        Some(actor::Kind::Anonymous(_)) | None => html! { span.absent { "Nobody known" } },
    }
}

/// Patients who are not shown: a sign for each.
pub(super) fn chips(masks: &[String]) -> Markup {
    html! {
        @for mask in masks { span.chip title="A patient, masked: the same sign is the same patient" { "•" (mask) } " " }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_as_it_is_written() {
        let bytes: Vec<u8> = (0..16).collect();
        let text = id(&bytes);
        assert_eq!(text, "00010203-0405-0607-0809-0a0b0c0d0e0f");
        assert_eq!(id_bytes(&text), Some(bytes));
        assert_eq!((id_bytes("x"), id(&[1])), (None, String::new()));
    }
}
