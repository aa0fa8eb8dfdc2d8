//! Read and version read, with conditional requests and the bytes of Binaries.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED},
};
use jiff::{Timestamp, fmt::rfc2822};
use serde_json::Value;

use super::{
    Context, access::Access, dialect, fault, negotiate, outcome::Failure, scope::Interaction,
    search::is_known,
};
use crate::data::is_id;

/// Answers a read of the current version, or of a named one.
pub(crate) fn answer(
    context: &Context,
    kind: &str,
    id: &str,
    version: Option<&str>,
    headers: &HeaderMap,
) -> Response {
    find(context, kind, id, version)
        .and_then(|body| write(context, kind, body, headers))
        .unwrap_or_else(IntoResponse::into_response)
}

fn find<'c>(context: &'c Context, kind: &str, id: &str, version: Option<&str>) -> Result<&'c Value, Failure> {
    if !is_known(&context.records, kind) {
        return Err(Failure::NO_SUCH_ADDRESS);
    }
    let stored = dialect::id_in(context.profile, kind, id);
    if stored.is_none() && !is_id(id) {
        return Err(Failure::BAD_ID);
    }
    let access =
        Access::of(&context.token, &context.base, kind, Interaction::Read).ok_or(Failure::NO_SCOPE)?;
    if context.profile.search.denied_types.contains(&kind) {
        return Err(Failure::DENIED_TYPE);
    }
    let id = stored.ok_or(Failure::UNKNOWN_RESOURCE)?;
    let record = context.records.record(kind, &id).ok_or(Failure::UNKNOWN_RESOURCE)?;
    let body = match version {
        None => record.current().ok_or(Failure::UNKNOWN_RESOURCE)?,
        Some(version) => record.version(version).ok_or(Failure::UNKNOWN_VERSION)?,
    };
    if !access.allows(record, body) {
        // Within the right patient it is the scope's constraint that keeps it back.
        let own =
            access.only_patient().is_none_or(|only| record.patients().iter().any(|patient| patient == only));
        return Err(if own { Failure::NO_SCOPE } else { Failure::OTHER_PATIENT });
    }
    match fault::foreign_record(context, kind, record).and_then(|foreign| foreign.current()) {
        Some(foreign) => Ok(foreign),
        None => Ok(body),
    }
}

fn write(context: &Context, kind: &str, body: &Value, headers: &HeaderMap) -> Result<Response, Failure> {
    let written = dialect::served(context, body);
    let body = written.as_ref();
    let version = body.pointer("/meta/versionId").and_then(Value::as_str);
    let etag = version.map(|version| format!("W/\"{version}\""));
    let modified = body.pointer("/meta/lastUpdated").and_then(Value::as_str).and_then(|at| at.parse().ok());
    let mut response = if is_unchanged(headers, etag.as_deref(), modified) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if kind == "Binary" && !negotiate::names_json(headers) {
        bytes(body, headers)?
    } else {
        let text = serde_json::to_string(body).ok().ok_or(Failure::UNPROCESSABLE)?;
        negotiate::resource(context.profile, text)
    };
    if let Some(etag) = etag {
        put(&mut response, ETAG, &etag);
    }
    if let Some(modified) = modified.and_then(http_date) {
        put(&mut response, LAST_MODIFIED, &modified);
    }
    Ok(response)
}

/// A Binary in its own type (<https://hl7.org/fhir/R4/binary.html#rest>).
fn bytes(body: &Value, headers: &HeaderMap) -> Result<Response, Failure> {
    let kind = body.get("contentType").and_then(Value::as_str).unwrap_or("application/octet-stream");
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let family = essence.split('/').next().unwrap_or_default();
    let mut ranges = negotiate::ranges(headers).peekable();
    let fits = |range: &str| {
        let range = range.split(';').next().unwrap_or_default().trim();
        range == "*/*" || range == essence || range == format!("{family}/*")
    };
    if ranges.peek().is_some() && !ranges.any(|range| fits(&range)) {
        return Err(Failure::NOT_ACCEPTABLE);
    }
    let data = body.get("data").and_then(Value::as_str).unwrap_or_default();
    let data = STANDARD.decode(data).ok().ok_or(Failure::UNPROCESSABLE)?;
    let mut response = Response::new(Body::from(data));
    put(&mut response, CONTENT_TYPE, kind);
    Ok(response)
}

/// If-None-Match decides where it is given; If-Modified-Since only else (RFC 9110 section 13.2.2).
fn is_unchanged(headers: &HeaderMap, etag: Option<&str>, modified: Option<Timestamp>) -> bool {
    let Some(etag) = etag else { return false };
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let mut asked =
        headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok()).peekable();
    if asked.peek().is_some() {
        return asked
            .flat_map(|line| line.split(','))
            .any(|tag| tag.trim() == "*" || opaque(tag) == opaque(etag));
    }
    let since = headers.get(IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
    let since = since.and_then(|text| rfc2822::DateTimeParser::new().parse_timestamp(text).ok());
    matches!((modified, since), (Some(modified), Some(since)) if modified.as_second() <= since.as_second())
}

fn http_date(at: Timestamp) -> Option<String> {
    rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok()
}

fn put(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests;
