//! Answers as they leave: never cached, never sniffed, always with the request id; errors as OperationOutcome.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use sallyport_model::RequestId;

use crate::{domain::release::Released, error::Refusal};

const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";
const INTERMEDIARY: HeaderName = HeaderName::from_static("x-intermediary");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// An answer of an EHR, checked.
pub(crate) fn released(released: Released, request_id: RequestId) -> Response {
    let status = if released.tally.status == 304 { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut response = bare(status, Body::from(released.body), FHIR_JSON, request_id);
    let headers = response.headers_mut();
    if status == StatusCode::NOT_MODIFIED {
        headers.remove(header::CONTENT_TYPE);
    }
    if let Some(tag) = released.etag {
        headers.insert(header::ETAG, tag);
    }
    if let Some(at) = released.last_modified {
        headers.insert(header::LAST_MODIFIED, at);
    }
    if released.is_altered {
        headers.insert(INTERMEDIARY, HeaderValue::from_static("sallyport"));
    }
    response
}

/// A document of ours.
pub(crate) fn json(body: Vec<u8>, request_id: RequestId) -> Response {
    bare(StatusCode::OK, Body::from(body), JSON, request_id)
}

/// Nothing but headers.
pub(crate) fn empty(status: StatusCode, request_id: RequestId) -> Response {
    let mut response = bare(status, Body::empty(), FHIR_JSON, request_id);
    response.headers_mut().remove(header::CONTENT_TYPE);
    response
}

/// A refusal.
pub(crate) fn refused(refusal: &Refusal, request_id: RequestId) -> Response {
    let status =
        StatusCode::from_u16(refusal.code.kind().http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = bare(status, Body::from(refusal.outcome(request_id)), FHIR_JSON, request_id);
    if let Some(seconds) = refusal.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn bare(status: StatusCode, body: Body, content_type: &'static str, request_id: RequestId) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    if let Ok(id) = HeaderValue::try_from(request_id.to_string()) {
        headers.insert(sallyport_telemetry::http::REQUEST_ID_HEADER, id);
    }
    response
}
