//! Reads an EHR's smart-configuration (or CapabilityStatement) once, before anything is pinned, and its OpenID
//! configuration where that alone names the keys.

use std::time::Duration;

use anyhow::{Context, bail};
use http::{HeaderMap, HeaderValue, Method, header};
use hyper::body::Bytes;
use sallyport_egress::{Egress, Instant, Limits, Pin, Pins, Request, Response};
use sallyport_smart::discovery::{self, Requirements, Smart, parse_capability_statement};
use url::Url;

/// A description longer than this is none.
const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// How long an EHR may take to describe itself.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What was found.
pub(super) struct Found {
    pub(super) smart: Smart,
    pub(super) source: &'static str,
    /// What an operator should know before going on.
    pub(super) warnings: Vec<String>,
}

pub(super) async fn discover(base: &str, sandbox: bool, fallback: bool) -> anyhow::Result<Found> {
    let url = Url::parse(base).context("that is not a URL")?;
    if !discovery::is_transport_safe(&url, sandbox) {
        bail!("the FHIR base must be https; http is for loopback addresses with --environment sandbox");
    }
    let egress = Egress::new(Limits::default())?;
    let pins = Pins::new(vec![Pin::origin_of(&url)?]);
    let well_known = discovery::well_known_url(base)?;
    let answer = get(&egress, &pins, well_known, sandbox).await?;
    let (mut smart, source) = match answer.status.as_u16() {
        200 => (Smart::parse(base, &answer.body)?, "smart-configuration"),
        404 if fallback => {
            let answer = get(&egress, &pins, discovery::metadata_url(base)?, sandbox).await?;
            (parse_capability_statement(base, &answer.body)?, "CapabilityStatement")
        }
        404 => bail!(
            "the EHR has no smart-configuration; --capability-fallback accepts its CapabilityStatement instead"
        ),
        status => bail!("the EHR answered {status} to the request for its smart-configuration"),
    };
    let mut warnings = Vec::new();
    if smart.jwks.is_none()
        && let Some((issuer, keys)) = openid(&egress, smart.issuer.as_deref().unwrap_or(base), sandbox).await
    {
        (smart.issuer, smart.jwks) = (Some(issuer), Some(keys));
    }
    if smart.jwks.is_none() {
        warnings.push("no keys of OpenID Connect were found: who signs in could not be verified, so no chart would open".to_owned());
    }
    let needs = Requirements { pkce: true, loopback_http: sandbox, authorize: true };
    if let Err(fault) = smart.check(needs) {
        warnings.push(format!("launches will be refused: {fault}"));
    }
    Ok(Found { smart, source, warnings })
}

/// The issuer and its key set, from the OpenID configuration (OpenID Connect Discovery §4). Launches look there too, so
/// the keys' host must be pinned now. A document that names another issuer is none (§4.3).
async fn openid(egress: &Egress, issuer: &str, sandbox: bool) -> Option<(String, Url)> {
    let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
    let url = Url::parse(&format!("{issuer}/.well-known/openid-configuration")).ok()?;
    let pins = Pins::new(vec![Pin::origin_of(&url).ok()?]);
    let answer =
        get(egress, &pins, url, sandbox).await.ok().filter(|answer| answer.status.as_u16() == 200)?;
    let document: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    let text = |name: &str| document.get(name).and_then(serde_json::Value::as_str);
    let named = text("issuer").filter(|named| named.strip_suffix('/').unwrap_or(named) == issuer)?;
    let keys = Url::parse(text("jwks_uri")?).ok()?;
    discovery::is_transport_safe(&keys, sandbox).then(|| (named.to_owned(), keys))
}

/// An EHR's smart-configuration, unread.
///
/// # Errors
/// When the base is not a URL, or nothing answers.
pub(crate) async fn fetch_configuration(base: &str, sandbox: bool) -> anyhow::Result<Response> {
    let url = discovery::well_known_url(base)?;
    fetch(url, sandbox).await
}

/// One document of one origin.
///
/// # Errors
/// When nothing answers.
pub(crate) async fn fetch(url: Url, loopback: bool) -> anyhow::Result<Response> {
    let pins = Pins::new(vec![Pin::origin_of(&url)?]);
    get(&Egress::new(Limits::default())?, &pins, url, loopback).await
}

async fn get(egress: &Egress, pins: &Pins, url: Url, sandbox: bool) -> anyhow::Result<Response> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, application/fhir+json"));
    let request = Request {
        method: Method::GET,
        url,
        headers,
        body: Bytes::new(),
        bearer: None,
        deadline: Instant::now() + TIMEOUT,
        max_body_bytes: MAX_DOCUMENT_BYTES,
        allow_loopback: sandbox,
    };
    egress.send(pins, request).await.map_err(|error| anyhow::anyhow!("the EHR could not be read: {error}"))
}
