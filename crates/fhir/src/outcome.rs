//! OperationOutcome: ours, written from a stable code; theirs, read from whatever body came with an error status.
//!
//! What an EHR writes into an error is never shown or logged: it can hold patient data. Only its issue codes are kept.

use std::borrow::Cow;

use sallyport_model::{Code, code::Kind};
use serde::{Deserialize, Serialize};

use crate::types::ResourceType;

/// The code system of our stable codes.
pub const CODE_SYSTEM: &str = "urn:sallyport:code";

/// Where an EHR's own name of a request stands in our outcome.
pub const EHR_REFERENCE: &str = "urn:sallyport:ehr-reference";

/// Where the address stands at which an EHR explains an error.
pub const ERROR_URI: &str = "urn:sallyport:error-uri";

/// What an EHR's error may be told by: codes and addresses, never words. Whoever fills this has checked their alphabets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EhrSaid {
    /// The system of the EHR's own codes.
    pub system: Option<String>,
    /// Its code.
    pub code: Option<String>,
    /// Where it explains the error, without a query.
    pub error_uri: Option<String>,
    /// Its own id of the request.
    pub reference: Option<String>,
}

/// A refusal or failure, as it is told.
pub struct Told<'a> {
    /// Our stable code.
    pub code: Code,
    /// Text of ours about the request, never from it.
    pub what: Option<&'static str>,
    /// Sets of search parameters of which the EHR needs one as a whole.
    pub needed: &'a [Vec<&'static str>],
    /// The request's id.
    pub request_id: &'a str,
    /// What the EHR said.
    pub ehr: Option<&'a EhrSaid>,
}

#[derive(Serialize)]
struct Outcome<'a> {
    #[serde(rename = "resourceType")]
    resource_type: &'static str,
    issue: Vec<Issue<'a>>,
}

#[derive(Serialize)]
struct Issue<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extension: Vec<Extension<'a>>,
    severity: &'static str,
    code: &'static str,
    details: Details<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnostics: Option<String>,
}

#[derive(Serialize)]
struct Extension<'a> {
    url: &'static str,
    #[serde(rename = "valueString", skip_serializing_if = "Option::is_none")]
    string: Option<&'a str>,
    #[serde(rename = "valueUri", skip_serializing_if = "Option::is_none")]
    uri: Option<&'a str>,
}

#[derive(Serialize)]
struct Details<'a> {
    coding: Vec<ToldCoding<'a>>,
    text: String,
}

#[derive(Serialize)]
struct ToldCoding<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a str>,
    code: &'a str,
}

/// Our OperationOutcome for a refusal or failure.
pub fn write(told: &Told<'_>) -> Vec<u8> {
    let Told { code, what, needed, request_id, ehr } = *told;
    let mut words: Vec<String> = what.map(str::to_owned).into_iter().collect();
    if !needed.is_empty() {
        let sets: Vec<String> = needed.iter().map(|set| set.join(" with ")).collect();
        words.push(format!("one of these is needed: {}", sets.join(", ")));
    }
    words.push(format!("reference {request_id}"));
    let mut issue = Issue {
        diagnostics: Some(words.join("; ")),
        ..issue(
            if matches!(code.kind(), Kind::Internal) { "fatal" } else { "error" },
            issue_type(code.kind()),
            code,
        )
    };
    if let Some(ehr) = ehr {
        let own = ehr.code.as_deref();
        issue.details.coding.extend(own.map(|code| ToldCoding { system: ehr.system.as_deref(), code }));
        let reference = ehr.reference.as_deref();
        let reference = reference.map(|id| Extension { url: EHR_REFERENCE, string: Some(id), uri: None });
        let uri = ehr.error_uri.as_deref();
        let uri = uri.map(|uri| Extension { url: ERROR_URI, string: None, uri: Some(uri) });
        issue.extension.extend(reference.into_iter().chain(uri));
    }
    text_of(vec![issue])
}

/// Our OperationOutcome inside a searchset that is not everything: one warning for each reason.
pub fn incomplete(reasons: &[Code]) -> Vec<u8> {
    text_of(reasons.iter().map(|code| issue("warning", "incomplete", *code)).collect())
}

fn issue(severity: &'static str, kind: &'static str, code: Code) -> Issue<'static> {
    Issue {
        extension: Vec::new(),
        severity,
        code: kind,
        details: Details {
            coding: vec![ToldCoding { system: Some(CODE_SYSTEM), code: code.as_str() }],
            text: format!("{} {}", code.sentence(), code.next_step()),
        },
        diagnostics: None,
    }
}

fn text_of(issue: Vec<Issue<'_>>) -> Vec<u8> {
    let outcome = Outcome { resource_type: ResourceType::OperationOutcome.as_str(), issue };
    serde_json::to_vec(&outcome).unwrap_or_else(|_| br#"{"resourceType":"OperationOutcome"}"#.to_vec())
}

/// The issue type (FHIR R4 ValueSet issue-type).
fn issue_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Invalid => "invalid",
        Kind::Unauthenticated => "login",
        Kind::Denied => "forbidden",
        Kind::NotFound => "not-found",
        Kind::Conflict => "conflict",
        Kind::TooLarge => "too-long",
        Kind::TooMany => "throttled",
        Kind::Unavailable => "transient",
        Kind::Timeout => "timeout",
        Kind::Upstream | Kind::Internal => "exception",
    }
}

/// What kind of body came with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A FHIR OperationOutcome.
    OperationOutcome,
    /// JSON that is none.
    Json,
    /// An HTML page, as proxies send.
    Html,
    /// Other text or bytes.
    Text,
    /// Nothing.
    Empty,
}

/// An error answer, reduced to what may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Our code for it.
    pub code: Code,
    /// The body's shape.
    pub shape: Shape,
    /// The issue codes of an OperationOutcome, at most eight, only those of FHIR's issue-type alphabet.
    pub issues: Vec<String>,
}

#[derive(Deserialize)]
struct Theirs<'a> {
    #[serde(rename = "resourceType", borrow)]
    resource_type: Cow<'a, str>,
    #[serde(default, borrow)]
    issue: Vec<TheirIssue<'a>>,
}

#[derive(Deserialize)]
struct TheirIssue<'a> {
    #[serde(default, borrow)]
    code: Option<Cow<'a, str>>,
}

/// What an outcome inside a good answer says about its completeness.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remarks {
    /// Codes of its issues' codings.
    pub codes: Vec<String>,
    /// An issue is an error, or its type says that something is missing (`incomplete`, `suppressed`).
    pub is_gap: bool,
}

#[derive(Deserialize)]
struct TheirRemarks<'a> {
    #[serde(default, borrow)]
    issue: Vec<TheirRemark<'a>>,
}

#[derive(Deserialize)]
struct TheirRemark<'a> {
    #[serde(default, borrow)]
    severity: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    code: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    details: Option<TheirDetails<'a>>,
}

#[derive(Deserialize)]
struct TheirDetails<'a> {
    #[serde(default, borrow)]
    coding: Vec<TheirIssue<'a>>,
}

/// Reads an OperationOutcome that came as an entry of a searchset. One that cannot be read is a gap.
pub fn remarks(text: &str) -> Remarks {
    let Ok(theirs) = serde_json::from_str::<TheirRemarks<'_>>(text) else {
        return Remarks { codes: Vec::new(), is_gap: true };
    };
    let mut remarks = Remarks::default();
    for issue in theirs.issue {
        remarks.is_gap |= matches!(issue.severity.as_deref(), Some("error" | "fatal"))
            || matches!(issue.code.as_deref(), Some("incomplete" | "suppressed"));
        let codings = issue.details.into_iter().flat_map(|details| details.coding);
        remarks.codes.extend(codings.filter_map(|coding| coding.code).map(Cow::into_owned));
    }
    remarks
}

/// Reads an answer whose status is not a success, whatever its body is.
pub fn read(status: u16, body: &[u8]) -> Problem {
    let code = match status {
        401 => Code::UpstreamUnauthorized,
        403 => Code::UpstreamForbidden,
        404 => Code::UpstreamNotFound,
        410 => Code::UpstreamGone,
        429 | 503 => Code::UpstreamBusy,
        408 | 504 => Code::UpstreamTimeout,
        300..=399 => Code::UpstreamRedirect,
        413 => Code::UpstreamTooLarge,
        _ => Code::UpstreamError,
    };
    let trimmed = body.trim_ascii();
    let (shape, issues) = match trimmed.first() {
        None => (Shape::Empty, Vec::new()),
        Some(b'<') => (Shape::Html, Vec::new()),
        Some(b'{' | b'[') => match serde_json::from_slice::<Theirs<'_>>(trimmed) {
            Ok(outcome) if outcome.resource_type == "OperationOutcome" => {
                let is_code =
                    |c: &str| c.len() <= 32 && c.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
                let codes = outcome.issue.into_iter().filter_map(|i| i.code).filter(|c| is_code(c));
                (Shape::OperationOutcome, codes.take(8).map(Cow::into_owned).collect())
            }
            _ => (Shape::Json, Vec::new()),
        },
        Some(_) => (Shape::Text, Vec::new()),
    };
    Problem { code, shape, issues }
}

#[cfg(test)]
mod tests;
