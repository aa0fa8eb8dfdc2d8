//! `POST /fhir/{launch}/[type]` and `PUT /fhir/{launch}/[type]/[id]` under a feature for writing.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::Response,
};
use sallyport_fhir::Destination;
use sallyport_model::{Code, FeatureId, RequestId};
use sallyport_registry::FeatureKind;

use super::{
    answer,
    fhir::{FEATURE_HEADER, taken},
};
use crate::{
    Gateway,
    domain::{call, context, session::Session, write},
    error::Refusal,
};

/// The feature for writing that a request names; `None` for every request that is no write.
pub(super) fn feature<'p>(gateway: &Gateway, session: &Session, parts: &'p Parts) -> Option<&'p str> {
    if !matches!(parts.method, Method::POST | Method::PUT) {
        return None;
    }
    let named = parts.headers.get(FEATURE_HEADER)?.to_str().ok()?;
    let id = FeatureId::parse(named).ok()?;
    let entry = context::entry(&gateway.registry, session).ok()?;
    let feature = entry.features().find(|feature| feature.id == id)?;
    (feature.kind == FeatureKind::InteractiveWrite).then_some(named)
}

/// Writes, or refuses; `None` where the path is that of a search.
pub(super) async fn answered(
    gateway: &Gateway,
    session: &Arc<Session>,
    (parts, path, body): (&Parts, &str, Body),
    feature: &str,
    request_id: RequestId,
) -> Response {
    let outcome = match read(gateway, session, (parts, path, body)).await {
        Ok((destination, payload, base_version)) => {
            let request = write::Request {
                session,
                feature,
                destination,
                payload: &payload,
                base_version,
                proposal: None,
                request_id,
                deadline: gateway.deadline(),
            };
            Box::pin(write::run(gateway, request)).await
        }
        Err(refusal) => Err(call::refuse(gateway, session.into(), request_id, refusal).await),
    };
    match outcome {
        Ok(written) => done(gateway, session, &written, request_id),
        Err(refusal) => answer::refused(&refusal, request_id),
    }
}

async fn read(
    gateway: &Gateway,
    session: &Session,
    (parts, path, body): (&Parts, &str, Body),
) -> Result<(Destination, String, Option<String>), Refusal> {
    let place = gateway.places.of(&session.tenant, &session.endpoint).ok_or(Code::Internal)?;
    let is_put = parts.method == Method::PUT;
    let destination = Destination::parse(is_put, path, parts.uri.query(), place.max_id_length)?;
    let destination =
        destination.ok_or(Refusal::because(Code::InteractionDenied, "the interaction is not on the list"))?;
    let content_type =
        parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !["application/fhir+json", "application/json"].contains(&essence) {
        return Err(Refusal::because(
            Code::MediaTypeUnsupported,
            "a record is sent as application/fhir+json",
        ));
    }
    let bytes = taken(&parts.headers, body, gateway.config.max_write_bytes).await?;
    let payload = String::from_utf8(bytes.to_vec())
        .map_err(|_bytes| Refusal::because(Code::WritePayloadInvalid, "the body is not UTF-8"))?;
    Ok((destination, payload, version(&parts.headers)))
}

/// The version in `If-Match: W/"3"`.
fn version(headers: &HeaderMap) -> Option<String> {
    let tag = headers.get(header::IF_MATCH)?.to_str().ok()?.trim();
    Some(tag.trim_start_matches("W/").trim_matches('"').to_owned())
}

/// 201 for what was written now, 200 for what was there already; where it is, and nothing else of it.
fn done(gateway: &Gateway, session: &Session, written: &write::Written, request_id: RequestId) -> Response {
    let status = if written.is_repeated { StatusCode::OK } else { StatusCode::CREATED };
    let mut response = answer::empty(status, request_id);
    let base = gateway.own_base(session.launch);
    let location = match written.version.as_str() {
        "" => format!("{base}/{}", written.reference),
        version => format!("{base}/{}/_history/{version}", written.reference),
    };
    let tag = HeaderValue::try_from(format!("W/\"{}\"", written.version));
    if let (false, Ok(tag)) = (written.version.is_empty(), tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
