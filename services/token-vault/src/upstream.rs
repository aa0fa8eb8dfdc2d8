//! Calls to an EHR's sign-in service: forms posted to pinned URLs, over a new connection each time.
//!
//! A kept-alive connection that the server just closed would leave the outcome of a refresh unknown; a handshake is
//! cheaper than a person who has to launch again.

use std::time::Duration;

use sallyport_egress::{
    EgressError, HeaderMap, HeaderValue, Instant, Method, Pin, Pins, Request, Response, Url, header,
};
use sallyport_model::Micros;
use sallyport_smart::token::Form;

use crate::vault::{Place, Vault};

/// Shortest and longest pause that a `Retry-After` may ask for, in seconds.
const RETRY_AFTER_SECONDS: (u64, u64) = (1, 300);

/// Posts a form.
pub(crate) async fn post(
    vault: &Vault,
    place: &Place<'_>,
    url: &Url,
    form: &Form,
    operation: &'static str,
) -> Result<Response, EgressError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(authorization) = &form.authorization {
        let value = HeaderValue::from_str(authorization.expose());
        let mut value = value.map_err(|_characters| EgressError::Invalid)?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    let body = form.body.expose().clone().into_bytes().into();
    let timeout = Duration::from_millis(*place.profile.tokens.timeout_ms);
    let request = Request {
        method: Method::POST,
        url: url.clone(),
        headers,
        body,
        bearer: None,
        deadline: Instant::now() + timeout,
        max_body_bytes: sallyport_smart::token::MAX_BODY_BYTES,
        allow_loopback: place.allows_loopback(),
    };
    send(vault, url, request, operation).await
}

/// Gets a document without credentials.
pub(crate) async fn get(
    vault: &Vault,
    place: &Place<'_>,
    url: &Url,
    max_body_bytes: usize,
    operation: &'static str,
) -> Result<Response, EgressError> {
    let request = Request {
        method: Method::GET,
        url: url.clone(),
        headers: HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("application/json"))]),
        body: sallyport_egress::Bytes::new(),
        bearer: None,
        deadline: Instant::now() + Duration::from_millis(*place.profile.tokens.timeout_ms),
        max_body_bytes,
        allow_loopback: place.allows_loopback(),
    };
    send(vault, url, request, operation).await
}

async fn send(
    vault: &Vault,
    url: &Url,
    request: Request<'_>,
    operation: &'static str,
) -> Result<Response, EgressError> {
    let pins: Pins = Pin::from_url(url).map_err(|_ambiguous| EgressError::NotPinned)?.into();
    let started = Instant::now();
    let outcome = vault.egress.send(&pins, request).await;
    let word = match &outcome {
        Ok(response) if response.status.is_success() => "success",
        Ok(response) if response.status.is_server_error() => "server_error",
        Ok(_) => "refused",
        Err(error) => error.as_str(),
    };
    vault.metrics.upstream.observe(&[operation, word], started.elapsed().as_secs_f64());
    outcome
}

/// `Retry-After` in whole seconds, whatever form it has.
pub(crate) fn retry_after(headers: &HeaderMap, now: Micros) -> Option<u64> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    let cap = Duration::from_secs(RETRY_AFTER_SECONDS.1);
    let wait = sallyport_resilience::retry_after::parse(text, now, cap)?;
    // Rounded up: a moment too early would be a call that was not wanted.
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Some(seconds.clamp(RETRY_AFTER_SECONDS.0, RETRY_AFTER_SECONDS.1))
}
