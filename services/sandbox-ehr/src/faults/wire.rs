//! Faults of bytes and status codes: answers given instead of the handler's, and finished answers spoiled.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use super::Fault;

/// Larger answers than this are not spoiled but cut to nothing.
const MOST_BUFFERED: usize = 64 * 1024 * 1024;

/// Marks an answer that must not be sent: the server closes the connection instead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reset;

/// An answer that tells our own server to close the connection; under another server its body fails.
pub(crate) fn reset_response() -> Response {
    let broken = futures_util::stream::once(async { Err::<Bytes, _>(io::Error::other("reset on request")) });
    let mut response = Response::new(Body::from_stream(broken));
    response.extensions_mut().insert(Reset);
    response
}

/// The answer that replaces the handler's, if the fault is of that kind.
pub(super) fn instead(fault: Fault) -> Option<Response> {
    match fault {
        Fault::Reset => Some(reset_response()),
        Fault::Unauthorized => {
            let mut response = outcome(StatusCode::UNAUTHORIZED, "login", "the access token was refused");
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            Some(response)
        }
        Fault::UnauthorizedText => Some((StatusCode::UNAUTHORIZED, "Unauthorized").into_response()),
        Fault::Forbidden => Some(outcome(StatusCode::FORBIDDEN, "forbidden", "this is not allowed")),
        Fault::TooMany(seconds) => {
            let mut response = outcome(StatusCode::TOO_MANY_REQUESTS, "throttled", "too many requests");
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            Some(response)
        }
        Fault::Server(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Some(outcome(status, "transient", "the EHR is not available at the moment"))
        }
        Fault::Html(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            let page = "<!doctype html><html><head><title>Error</title></head><body><h1>Bad gateway</h1></body></html>";
            Some((status, [(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response())
        }
        Fault::Redirect => {
            let elsewhere = [(LOCATION, "http://elsewhere.example/trap")];
            Some((StatusCode::FOUND, elsewhere).into_response())
        }
        _ => None,
    }
}

/// Spoils a finished answer.
pub(super) async fn after(fault: Fault, response: Response) -> Response {
    match fault {
        Fault::Late(millis) => {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            response
        }
        Fault::ResetAfter => reset_response(),
        Fault::Truncated => truncated(response).await,
        _ => response,
    }
}

async fn truncated(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = to_bytes(body, MOST_BUFFERED).await.unwrap_or_default();
    let half = whole.slice(..whole.len() / 2);
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let chunks: [Result<Bytes, io::Error>; 2] = [Ok(half), Err(io::Error::other("truncated on request"))];
    Response::from_parts(parts, Body::from_stream(futures_util::stream::iter(chunks)))
}

fn outcome(status: StatusCode, code: &str, text: &str) -> Response {
    let body = json!({
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": code, "diagnostics": text}],
    });
    (status, [(CONTENT_TYPE, "application/fhir+json")], body.to_string()).into_response()
}
