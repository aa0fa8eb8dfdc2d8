//! `/fhir/{launch}/…`: the FHIR API that a page's client talks to.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Method as HttpMethod, header, request::Parts},
    response::Response,
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use sallyport_fhir::{Interaction, Method, RawRequest};
use sallyport_model::{Code, RequestId};
use sallyport_resilience::Priority;

use super::{
    answer,
    open::{self, Refused},
    write,
};
use crate::{Gateway, domain::call, error::Refusal};

/// The header by which a page names the feature that a call runs under.
pub(crate) const FEATURE_HEADER: &str = "x-sallyport-feature";

/// Any method, any path below a launch.
pub(crate) async fn call(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let request_id = open::request_id(&parts.extensions);
    match Box::pin(answered(&gateway, &parts, body, request_id)).await {
        Ok(response) => response,
        Err((refusal, request_id)) => answer::refused(&refusal, request_id),
    }
}

async fn answered(
    gateway: &Gateway,
    parts: &Parts,
    body: Body,
    request_id: RequestId,
) -> Result<Response, Refused> {
    // The raw path: routing and checks must not see different decodings of it.
    let below = parts.uri.path().strip_prefix("/fhir/").unwrap_or_default();
    let (launch, path) = match below.find('/') {
        Some(slash) => below.split_at_checked(slash).unwrap_or((below, "")),
        None => (below, ""),
    };
    let session = open::open(gateway, launch, &parts.method, &parts.headers, request_id).await?;
    if let Some(feature) = write::feature(gateway, &session, parts)
        && !path.ends_with("/_search")
    {
        let answered = write::answered(gateway, &session, (parts, path, body), feature, request_id);
        return Ok(Box::pin(answered).await);
    }
    let read = interaction(gateway, &session, parts, path, body).await;
    let (interaction, feature) = match read {
        Ok(read) => read,
        Err(refusal) => {
            return Err((call::refuse(gateway, (&session).into(), request_id, refusal).await, request_id));
        }
    };
    let request = call::Request {
        holder: (&session).into(),
        feature,
        interaction,
        if_none_match: parts.headers.get(header::IF_NONE_MATCH).cloned(),
        request_id,
        priority: Priority::Interactive,
        deadline: gateway.deadline(),
        mapping: None,
    };
    let released = call::run(gateway, request).await.map_err(|refusal| (refusal, request_id))?;
    Ok(answer::released(released, request_id))
}

async fn interaction<'p>(
    gateway: &Gateway,
    session: &crate::domain::session::Session,
    parts: &'p Parts,
    path: &str,
    body: Body,
) -> Result<(Interaction, Option<&'p str>), Refusal> {
    accepts_json(&parts.headers)?;
    let feature = match parts.headers.get(FEATURE_HEADER) {
        None => None,
        Some(value) => Some(value.to_str().map_err(|_bytes| Code::FeatureUnknown)?),
    };
    let place = gateway.places.of(&session.tenant, &session.endpoint).ok_or(Code::Internal)?;
    let method = match parts.method {
        HttpMethod::GET => Method::Get,
        HttpMethod::POST => Method::Post,
        _ => Method::Other,
    };
    let query = parts.uri.query();
    // Before the body is read: what is refused anyway is refused without taking a byte of it.
    let without_form =
        Interaction::parse(&RawRequest { method, path, query, form: None }, place.max_id_length)?;
    if method != Method::Post {
        return Ok((without_form, feature));
    }
    let form = form(&parts.headers, body, gateway.config.max_form_bytes).await?;
    let interaction =
        Interaction::parse(&RawRequest { method, path, query, form: Some(&form) }, place.max_id_length)?;
    Ok((interaction, feature))
}

/// The form of a POST `_search`, never more than the cap.
async fn form(headers: &HeaderMap, body: Body, max_bytes: usize) -> Result<Bytes, Refusal> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let is_plain = headers.get(header::CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") || !is_plain {
        return Err(Refusal::because(Code::MediaTypeUnsupported, "a search is posted as a form"));
    }
    taken(headers, body, max_bytes).await
}

/// A body, never more than the cap.
pub(super) async fn taken(headers: &HeaderMap, body: Body, max_bytes: usize) -> Result<Bytes, Refusal> {
    let declared =
        headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    if declared.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > max_bytes)) {
        return Err(Code::BodyTooLarge.into());
    }
    match Limited::new(body, max_bytes).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Code::BodyTooLarge.into()),
        Err(_broken_off) => Err(Code::RequestInvalid.into()),
    }
}

/// Only JSON is spoken; a client that takes nothing else is told so.
fn accepts_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(accept) = headers.get(header::ACCEPT) else { return Ok(()) };
    let accept = accept.to_str().map_err(|_bytes| Code::MediaTypeUnsupported)?.to_ascii_lowercase();
    let takes_json = accept.is_empty()
        || accept.contains("json")
        || accept.contains("*/*")
        || accept.contains("application/*");
    if takes_json { Ok(()) } else { Err(Code::MediaTypeUnsupported.into()) }
}
