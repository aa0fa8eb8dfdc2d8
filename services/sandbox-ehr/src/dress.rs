//! The looks of refusals: an answer of ours that refuses something carries its cause, and here it is given
//! the status, body and headers that the product of its place would give it.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::digest::handle;
use crate::oauth::error::{OauthRefusal, shaped};
use crate::profile::{Cause, ErrorBody, ErrorRow, Profile};
use crate::request_log::Kind;

/// Media type of an OperationOutcome.
const FHIR_JSON: &str = "application/fhir+json";

/// The answer as the product gives it.
pub(crate) fn dressed(profile: &Profile, kind: Kind, answer: Response) -> Response {
    let cause = answer.extensions().get::<Cause>().copied();
    let refusal = answer.extensions().get::<OauthRefusal>().copied();
    let mut answer = if let Some(row) = cause.and_then(|cause| profile.error(cause)) {
        of_row(row)
    } else if let Some(body) = refusal.and_then(|refusal| shaped(profile.oauth_errors, refusal)) {
        let (mut parts, _) = answer.into_parts();
        parts.headers.remove(CONTENT_LENGTH);
        Response::from_parts(parts, Body::from(body.to_string()))
    } else {
        answer
    };
    if matches!(kind, Kind::Fhir | Kind::Oauth) {
        for name in profile.correlation_headers {
            let value = HeaderValue::from_str(&handle());
            if let (name, Ok(value)) = (HeaderName::from_static(name), value) {
                answer.headers_mut().entry(name).or_insert(value);
            }
        }
    }
    answer
}

/// The answer of a row.
pub(crate) fn of_row(row: &ErrorRow) -> Response {
    let status = StatusCode::from_u16(row.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = answer(status, &row.body);
    if let Some(challenge) = row.challenge {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}

/// An answer with a body of this kind.
pub(crate) fn answer(status: StatusCode, body: &ErrorBody) -> Response {
    let issue = |issue: Value| json!({"resourceType": "OperationOutcome", "issue": [issue]});
    match body {
        ErrorBody::Empty => with(status, None, String::new()),
        ErrorBody::EmptyString => with(status, Some("application/json"), "\"\"".to_owned()),
        ErrorBody::Html(page) => with(status, Some("text/html"), (*page).to_owned()),
        ErrorBody::ResourceDetail(detail) => {
            let body = json!({"resource": "fhir", "detail": detail});
            with(status, Some("application/json"), body.to_string())
        }
        ErrorBody::Coded(code, (system, own), text) => {
            let details = json!({"coding": [{"system": system, "code": own, "display": text}], "text": text});
            let body = issue(json!({"severity": "fatal", "code": code, "details": details}));
            with(status, Some(FHIR_JSON), body.to_string())
        }
        ErrorBody::Outcome(code, text) => outcome(status, code, text),
        ErrorBody::Codeless(text) => {
            let body = issue(json!({"severity": "error", "details": {"text": text}}));
            with(status, Some(FHIR_JSON), body.to_string())
        }
        ErrorBody::Narrative(code, text) => {
            let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><h1>{text}</h1></div>");
            let mut body = issue(json!({"severity": "error", "code": code, "diagnostics": text}));
            if let Some(members) = body.as_object_mut() {
                members.insert("text".to_owned(), json!({"status": "generated", "div": div}));
            }
            with(status, Some(FHIR_JSON), body.to_string())
        }
        ErrorBody::InformationFirst((system, own), information, text) => {
            let details = json!({"coding": [{"system": system, "code": own}], "text": information});
            let body = json!({"resourceType": "OperationOutcome", "issue": [
                {"severity": "information", "code": "informational", "details": details},
                {"severity": "fatal", "code": "invalid", "details": {"text": text}},
            ]});
            with(status, Some(FHIR_JSON), body.to_string())
        }
    }
}

/// An OperationOutcome of one issue.
pub(crate) fn outcome(status: StatusCode, code: &str, text: &str) -> Response {
    let body = json!({
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": code, "diagnostics": text}],
    });
    with(status, Some(FHIR_JSON), body.to_string())
}

fn with(status: StatusCode, media_type: Option<&'static str>, body: String) -> Response {
    let mut response = status.into_response();
    *response.body_mut() = Body::from(body);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(media_type) = media_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    response
}
