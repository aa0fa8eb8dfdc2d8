//! OperationOutcome: ours, written from a stable code; theirs, read from whatever body came with an error status.
//!
//! What an EHR writes into an error is never shown or logged: it can hold patient data. Only its issue codes are kept.

use std::borrow::Cow;

use sallyport_model::{Code, code::Kind};
use serde::{Deserialize, Serialize};

use crate::types::ResourceType;

/// The code system of our stable codes.
pub const CODE_SYSTEM: &str = "urn:sallyport:code";

#[derive(Serialize)]
struct Outcome<'a> {
    #[serde(rename = "resourceType")]
    resource_type: &'static str,
    issue: [Issue<'a>; 1],
}

#[derive(Serialize)]
struct Issue<'a> {
    severity: &'static str,
    code: &'static str,
    details: Details<'a>,
    diagnostics: String,
}

#[derive(Serialize)]
struct Details<'a> {
    coding: [OurCoding<'a>; 1],
    text: String,
}

#[derive(Serialize)]
struct OurCoding<'a> {
    system: &'static str,
    code: &'a str,
}

/// Our OperationOutcome for a refusal or failure. `what` is text of ours about the request, never from it.
pub fn write(code: Code, what: Option<&'static str>, request_id: &str) -> Vec<u8> {
    let diagnostics = match what {
        Some(what) => format!("{what}; reference {request_id}"),
        None => format!("reference {request_id}"),
    };
    let outcome = Outcome {
        resource_type: ResourceType::OperationOutcome.as_str(),
        issue: [Issue {
            severity: if matches!(code.kind(), Kind::Internal) { "fatal" } else { "error" },
            code: issue_type(code.kind()),
            details: Details {
                coding: [OurCoding { system: CODE_SYSTEM, code: code.as_str() }],
                text: format!("{} {}", code.sentence(), code.next_step()),
            },
            diagnostics,
        }],
    };
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
mod tests {
    use super::*;

    #[test]
    fn our_outcome_carries_the_stable_code_and_the_reference() {
        let text = String::from_utf8(write(Code::TypeDenied, Some("the type is denied"), "0192")).unwrap();
        insta::assert_snapshot!(text, @r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"forbidden","details":{"coding":[{"system":"urn:sallyport:code","code":"fhir.type_denied"}],"text":"This resource type is not available here. Use one of the types in /metadata."},"diagnostics":"the type is denied; reference 0192"}]}"#);
    }

    #[test]
    fn any_error_body_is_read_without_keeping_its_words() {
        let theirs = br#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"security","diagnostics":"Mary Miller"},{"code":"Mary Miller"}]}"#;
        for (status, body, code, shape) in [
            (401, &b"Unauthorized"[..], Code::UpstreamUnauthorized, Shape::Text),
            (403, theirs, Code::UpstreamForbidden, Shape::OperationOutcome),
            (502, b"<html><body>oops", Code::UpstreamError, Shape::Html),
            (500, b"", Code::UpstreamError, Shape::Empty),
            (500, b"{\"error\":1}", Code::UpstreamError, Shape::Json),
            (500, b"[", Code::UpstreamError, Shape::Json),
            (500, b"\xff\xfe", Code::UpstreamError, Shape::Text),
            (429, b"", Code::UpstreamBusy, Shape::Empty),
            (302, b"", Code::UpstreamRedirect, Shape::Empty),
            (410, b"", Code::UpstreamGone, Shape::Empty),
        ] {
            let problem = read(status, body);
            assert_eq!((problem.code, problem.shape), (code, shape), "{status}");
            assert!(!format!("{problem:?}").contains("Mary"));
        }
        assert_eq!(read(403, theirs).issues, ["security"]);
    }
}
