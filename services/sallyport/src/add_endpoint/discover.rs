//! Reads an EHR's smart-configuration (or CapabilityStatement) once, before anything is pinned.

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
    let (smart, source) = match answer.status.as_u16() {
        200 => (Smart::parse(base, &answer.body)?, "smart-configuration"),
        404 if fallback => {
            let answer = get(&egress, &pins, discovery::metadata_url(base)?, sandbox).await?;
            (parse_capability_statement(base, &answer.body)?, "CapabilityStatement")
        }
        404 => bail!("the EHR has no smart-configuration; --capability-fallback accepts its CapabilityStatement instead"),
        status => bail!("the EHR answered {status} to the request for its smart-configuration"),
    };
    let mut warnings = Vec::new();
    let needs = Requirements { pkce: true, loopback_http: sandbox, authorize: true };
    if let Err(fault) = smart.check(needs) {
        warnings.push(format!("launches will be refused: {fault}"));
    }
    Ok(Found { smart, source, warnings })
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
