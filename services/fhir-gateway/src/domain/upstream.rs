//! One call to an EHR: token attached, headers from a list, one refresh and one replay after a 401, errors read.

use std::time::Duration;

use sallyport_egress::{
    Bytes, HeaderMap, HeaderName, HeaderValue, Instant, Method, Request, Response, Url, header,
};
use sallyport_fhir::outcome;
use sallyport_model::{AccessContext, Code, Micros, RequestId, Secret};

use super::{
    admit::{Admitted, Expected, covered},
    place::Place,
    token::Token,
};
use crate::{Gateway, error::Refusal};

/// What an EHR answered: a 200, or a 304 to a conditional read.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What of a caller's request goes along.
pub(crate) struct Sent<'a> {
    pub(crate) if_none_match: Option<&'a HeaderValue>,
    pub(crate) request_id: RequestId,
    pub(crate) deadline: Instant,
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Makes the call with the grant's token.
pub(crate) async fn call(
    gateway: &Gateway,
    access: &AccessContext,
    place: &Place,
    admitted: &Admitted,
    sent: &Sent<'_>,
) -> Result<Answer, Refusal> {
    let token = gateway.tokens.get(&access.tenant, access.grant, None, sent.deadline).await?;
    still_covered(access, admitted, &token)?;
    let first = send(gateway, place, admitted, sent, Some(&token.secret)).await?;
    if first.status.as_u16() != 401 {
        return read(first, sent, Some(&token.secret), gateway.clock.now());
    }
    // Reads have no effect to repeat, so one replay under a fresh token is safe.
    let fresh = gateway.tokens.get(&access.tenant, access.grant, Some(&token.secret), sent.deadline).await?;
    still_covered(access, admitted, &fresh)?;
    let second = send(gateway, place, admitted, sent, Some(&fresh.secret)).await?;
    if second.status.as_u16() == 401 {
        gateway.tokens.forget(access.grant);
    }
    read(second, sent, Some(&fresh.secret), gateway.clock.now())
}

/// Makes a call that needs no token.
pub(crate) async fn open_call(
    gateway: &Gateway,
    place: &Place,
    admitted: &Admitted,
    sent: &Sent<'_>,
) -> Result<Answer, Refusal> {
    read(send(gateway, place, admitted, sent, None).await?, sent, None, gateway.clock.now())
}

/// A refresh may have narrowed what was granted at the launch.
fn still_covered(access: &AccessContext, admitted: &Admitted, token: &Token) -> Result<(), Refusal> {
    let Some(resource_type) = admitted.resource_type else { return Ok(()) };
    covered(access, &token.granted, resource_type, admitted.verb()).map(|_constraints| ())
}

async fn send(
    gateway: &Gateway,
    place: &Place,
    admitted: &Admitted,
    sent: &Sent<'_>,
    bearer: Option<&Secret<String>>,
) -> Result<Response, Refusal> {
    let sending = place.limits.admit(gateway.clock.now())?;
    gateway.metrics.hop("ehr");
    let (method, body) = match &admitted.form {
        Some(form) => (Method::POST, Bytes::from(form.clone())),
        None => (Method::GET, Bytes::new()),
    };
    let request = Request {
        method,
        url: Url::clone(&admitted.url),
        headers: headers(admitted, sent),
        body,
        bearer,
        deadline: sent.deadline,
        max_body_bytes: gateway.config.max_answer_bytes,
        allow_loopback: place.allow_loopback,
    };
    let answered = gateway.egress.send(&place.pins, request).await;
    let now = gateway.clock.now();
    let wait = answered.as_ref().ok().and_then(|response| retry_after(&response.headers, now));
    sending.done(&answered, wait, now);
    gateway.metrics.circuit(place.tenant.as_str(), place.endpoint.as_str(), place.limits.is_open());
    Ok(answered?)
}

/// The headers an EHR gets: these and no others.
fn headers(admitted: &Admitted, sent: &Sent<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/fhir+json"));
    if matches!(admitted.expected, Expected::Searchset { .. }) {
        // A parameter that a server silently ignores would widen the search (FHIR R4 §3.1.1.3.1).
        headers.insert(PREFER, HeaderValue::from_static("handling=strict"));
    }
    if admitted.form.is_some() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    }
    if let Some(tag) = sent.if_none_match {
        headers.insert(header::IF_NONE_MATCH, tag.clone());
    }
    if let Ok(id) = HeaderValue::try_from(sent.request_id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    sallyport_telemetry::propagate::inject(&mut headers);
    headers
}

fn read(
    response: Response,
    sent: &Sent<'_>,
    token: Option<&Secret<String>>,
    now: Micros,
) -> Result<Answer, Refusal> {
    let status = response.status.as_u16();
    let mut headers = response.headers;
    if let (true, Some(token)) = (sallyport_model::planted!("token-in-browser"), token)
        && let Ok(leak) = HeaderValue::try_from(format!("W/\"{}\"", token.expose()))
    {
        headers.insert(header::ETAG, leak);
    }
    // The EHR's own id of the request is kept in the audit record.
    if let (true, Some(token)) = (sallyport_model::planted!("token-in-database"), token)
        && let Ok(leak) = HeaderValue::try_from(token.expose().as_str())
    {
        headers.insert(REQUEST_ID, leak);
    }
    match status {
        200 => Ok(Answer { status, headers, body: response.body }),
        304 if sent.if_none_match.is_some() => Ok(Answer { status, headers, body: Bytes::new() }),
        200..=299 | 304 => Err(Refusal {
            what: Some("the status does not fit the call"),
            ..Refusal::upstream(Code::UpstreamInvalid, status)
        }),
        _ => {
            let problem = outcome::read(status, &response.body);
            Err(Refusal {
                retry_after: retry_after(&headers, now),
                ..Refusal::upstream(problem.code, status)
            })
        }
    }
}

/// Longest wait that is passed on.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// `Retry-After` in seconds, whatever form it came in.
fn retry_after(headers: &HeaderMap, now: Micros) -> Option<u64> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    let wait = sallyport_resilience::retry_after::parse(value, now, LONGEST_WAIT)?;
    Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
}

/// The EHR's own id of a request, when it is a plain word that can stand in a record.
pub(crate) fn vendor_request_id(headers: &HeaderMap) -> Option<String> {
    let names = ["x-correlation-id", "x-request-id"];
    let values = names.iter().filter_map(|name| headers.get(*name)?.to_str().ok());
    let is_plain = |v: &&str| {
        (1..=64).contains(&v.len())
            && v.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    values.filter(is_plain).map(ToOwned::to_owned).next()
}
