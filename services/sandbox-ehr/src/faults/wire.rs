//! Faults of bytes and status codes: answers given instead of the handler's, and finished answers spoiled.

use std::io::{self, Write};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::response::{IntoResponse, Response};
use flate2::{Compression, write::GzEncoder};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
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
        Fault::Empty(status) => Some(StatusCode::from_u16(status).unwrap_or(StatusCode::OK).into_response()),
        Fault::Deep(levels) => {
            let levels = usize::try_from(levels).unwrap_or_default();
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            let body = format!("{{\"resourceType\":\"Bundle\",\"entry\":{open}{close}}}");
            Some((StatusCode::OK, [(CONTENT_TYPE, "application/fhir+json")], body).into_response())
        }
        Fault::Huge(entries) => Some(huge(entries)),
        Fault::GzipBomb(megabytes) => Some(gzip_bomb(megabytes)),
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
        Fault::ServerAfter(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            outcome(status, "transient", "the EHR is not available at the moment")
        }
        Fault::Truncated => truncated(response).await,
        Fault::ContentType(media_type) => {
            let mut response = response;
            let headers = response.headers_mut();
            headers.remove(CONTENT_TYPE);
            if !media_type.is_empty() {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
            }
            response
        }
        Fault::DuplicateKeys => rewritten(response, with_first_key_twice).await,
        Fault::LoneSurrogate => rewritten(response, with_lone_surrogate).await,
        _ => response,
    }
}

/// A searchset of this many entries, written as it is sent.
fn huge(entries: u32) -> Response {
    let head = Bytes::from_static(b"{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"entry\":[");
    let entry = |number: u32| {
        let comma = if number == 0 { "" } else { "," };
        let resource = format!("{{\"resourceType\":\"Basic\",\"id\":\"b{number}\"}}");
        Bytes::from(format!("{comma}{{\"resource\":{resource}}}"))
    };
    let chunks = std::iter::once(head)
        .chain((0..entries).map(entry))
        .chain(std::iter::once(Bytes::from_static(b"]}")))
        .map(Ok::<_, io::Error>);
    let body = Body::from_stream(futures_util::stream::iter(chunks));
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/fhir+json"));
    response
}

/// Blanks in a Bundle: a small answer that unpacks into a large one.
fn gzip_bomb(megabytes: u32) -> Response {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    let blanks = [b' '; 1024 * 1024];
    let mut write = |bytes: &[u8]| packed.write_all(bytes).is_ok();
    write(b"{\"resourceType\":\"Bundle\",");
    let whole = (0..megabytes).all(|_| write(&blanks)) && write(b"\"type\":\"searchset\"}");
    let body = packed.finish().ok().filter(|_| whole).unwrap_or_default();
    let headers = [(CONTENT_TYPE, "application/fhir+json"), (CONTENT_ENCODING, "gzip")];
    (StatusCode::OK, headers, body).into_response()
}

/// The answer with its text changed.
async fn rewritten(response: Response, change: fn(&str) -> Option<String>) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = to_bytes(body, MOST_BUFFERED).await.unwrap_or_default();
    let changed = std::str::from_utf8(&whole).ok().and_then(change);
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, changed.map_or_else(|| Body::from(whole), Body::from))
}

/// `{"a":1}` as `{"a":null,"a":1}`.
fn with_first_key_twice(text: &str) -> Option<String> {
    let rest = text.strip_prefix("{\"")?;
    let (key, _) = rest.split_once('"')?;
    Some(format!("{{\"{key}\":null,\"{rest}"))
}

fn with_lone_surrogate(text: &str) -> Option<String> {
    let rest = text.strip_prefix('{').filter(|rest| !rest.starts_with('}'))?;
    Some(format!("{{\"language\":\"half a pair: \\ud800\",{rest}"))
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
