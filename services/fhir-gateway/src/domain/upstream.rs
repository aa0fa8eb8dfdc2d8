//! One call to an EHR: token attached, headers from a list, one refresh and one replay after a 401, errors read.

use std::sync::Arc;

use sallyport_egress::{Bytes, HeaderMap, HeaderName, HeaderValue, Instant, Method, Request, Url, header};
use sallyport_model::{AccessContext, Code, RequestId, Secret};
use sallyport_resilience::Priority;

use super::{
    admit::{Admitted, Control, Expected, covered},
    normalise::{self, Exchange},
    place::Place,
    run::Run,
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
    /// Who waits for the answer.
    pub(crate) priority: Priority,
    pub(crate) deadline: Instant,
    /// The run it is made for, where it is one.
    pub(crate) run: Option<&'a Arc<Run>>,
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
    let token = token(gateway, access, sent, None).await?;
    still_covered(access, admitted, &token)?;
    let first = exchange(gateway, place, admitted, sent, Some(&token.secret)).await;
    if !is_about_the_token(&first) {
        return first;
    }
    // Reads have no effect to repeat, so one replay under a fresh token is safe.
    let fresh = self::token(gateway, access, sent, Some(&token.secret)).await?;
    still_covered(access, admitted, &fresh)?;
    let second = exchange(gateway, place, admitted, sent, Some(&fresh.secret)).await;
    if is_about_the_token(&second) {
        gateway.tokens.forget(access.grant);
    }
    second
}

/// The grant's token, if it is one for this call. `rejected` is the one that the EHR has just refused.
pub(crate) async fn token(
    gateway: &Gateway,
    access: &AccessContext,
    sent: &Sent<'_>,
    rejected: Option<&Secret<String>>,
) -> Result<Token, Refusal> {
    let token = gateway.tokens.get(&access.tenant, access.grant, rejected, sent.deadline).await?;
    if let Some(run) = sent.run {
        run.admits(&token)?;
    }
    Ok(token)
}

/// Makes a call that needs no token.
pub(crate) async fn open_call(
    gateway: &Gateway,
    place: &Place,
    admitted: &Admitted,
    sent: &Sent<'_>,
) -> Result<Answer, Refusal> {
    exchange(gateway, place, admitted, sent, None).await
}

/// Whatever its status: products differ in how they say it.
fn is_about_the_token(result: &Result<Answer, Refusal>) -> bool {
    result.as_ref().is_err_and(|refusal| refusal.code == Code::UpstreamUnauthorized)
}

/// A refresh may have narrowed what was granted at the launch.
fn still_covered(access: &AccessContext, admitted: &Admitted, token: &Token) -> Result<(), Refusal> {
    let Some(resource_type) = admitted.resource_type else { return Ok(()) };
    covered(access, &token.granted, resource_type, admitted.verb()).map(|_constraints| ())
}

/// One exchange, and a second where the connection broke and the endpoint's budget has one to spare.
async fn exchange(
    gateway: &Gateway,
    place: &Place,
    admitted: &Admitted,
    sent: &Sent<'_>,
    bearer: Option<&Secret<String>>,
) -> Result<Answer, Refusal> {
    let first = send(gateway, place, admitted, sent, bearer).await?;
    // What may have begun an export is not asked for again: nobody could end the first one.
    let begins = matches!(admitted.expected, Expected::Export(Control::KickOff(_)));
    if begins || !first.may_pass || !place.limits.may_retry(gateway.clock.now()) {
        return first.result;
    }
    // What refuses the second attempt (a breaker, a limit) is no better an answer than the first one's.
    match send(gateway, place, admitted, sent, bearer).await {
        Ok(second) => second.result,
        Err(_refusal) => first.result,
    }
}

async fn send(
    gateway: &Gateway,
    place: &Place,
    admitted: &Admitted,
    sent: &Sent<'_>,
    bearer: Option<&Secret<String>>,
) -> Result<Exchange, Refusal> {
    let sending = gateway.circuits.admit(place, gateway.clock.now(), sent.priority).await?;
    gateway.quotas.take(place, &admitted.profile, sent.priority).await?;
    gateway.metrics.hop("ehr");
    let (method, body) = match (&admitted.expected, &admitted.form) {
        (Expected::Export(Control::Delete), _) => (Method::DELETE, Bytes::new()),
        (Expected::Export(Control::KickOff(Some(body))), _) => (Method::POST, Bytes::from(body.clone())),
        (_, Some(form)) => (Method::POST, Bytes::from(form.clone())),
        (_, None) => (Method::GET, Bytes::new()),
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
    let pins = match admitted.expected {
        Expected::Export(_) => &place.bulk_pins,
        _ => &place.pins,
    };
    let answered = gateway.egress.send(pins, request).await;
    let now = gateway.clock.now();
    let exchange = normalise::read(answered, admitted, sent, bearer, now);
    for change in sending.done(exchange.health, exchange.pause, now) {
        gateway.circuits.tell(place, change, now).await;
    }
    gateway.metrics.circuit(place.tenant.as_str(), place.endpoint.as_str(), place.limits.is_open());
    Ok(exchange)
}

/// The headers an EHR gets: these and no others.
fn headers(admitted: &Admitted, sent: &Sent<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let accept = match admitted.expected {
        Expected::Export(Control::Status) => "application/json",
        _ => "application/fhir+json",
    };
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    if let Expected::Export(Control::KickOff(body)) = &admitted.expected {
        // Never `handling=lenient`: what a server then ignores would widen the export (BULK-02, BULK-17).
        headers.insert(PREFER, HeaderValue::from_static("respond-async"));
        if body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/fhir+json"));
        }
    }
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
