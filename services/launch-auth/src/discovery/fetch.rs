//! Fetching: the well-known document, the CapabilityStatement where the endpoint allows it, and the key set's address
//! from OpenID discovery where the SMART document does not name it.

use sallyport_egress::{
    Bytes, EgressError, HeaderMap, HeaderValue, Instant, Method, Pin, Pins, Request, Response, StatusCode,
    Url, header,
};
use sallyport_registry::{Endpoint, Environment, Origin};
use sallyport_smart::discovery::{
    Fault, Smart, Source, metadata_url, parse_capability_statement, well_known_url,
};
use serde_json::Value;

use super::Discovery;

/// Largest discovery document; real ones have a few KiB, a CapabilityStatement up to some MiB.
const DOCUMENT_MAX_BYTES: usize = 256 * 1024;
const STATEMENT_MAX_BYTES: usize = 8 * 1024 * 1024;

/// What a fetch gave: `smart` is `None` for "not modified".
pub(super) struct Fetched {
    pub(super) smart: Option<Smart>,
    pub(super) etag: Option<String>,
    pub(super) max_age_seconds: Option<u32>,
}

/// Why there is no description. For the log: no URL, no content.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(super) enum Failure {
    #[error("the request failed: {0}")]
    Egress(#[from] EgressError),
    #[error("the document is not usable: {0}")]
    Document(#[from] Fault),
    #[error("the server answered with status {0}")]
    Status(u16),
    #[error("the registered base cannot be called")]
    Base,
}

/// A description without any endpoint: what is never a launch.
pub(super) fn nothing() -> Smart {
    Smart {
        source: Source::WellKnown,
        authorize: None,
        token: None,
        jwks: None,
        issuer: None,
        revocation: None,
        introspection: None,
        capabilities: Vec::new(),
        scopes: Vec::new(),
        code_challenge_methods: Vec::new(),
        token_auth_methods: Vec::new(),
        announces_response_issuer: false,
    }
}

impl Discovery {
    #[tracing::instrument(
        name = "launch-auth.discovery.fetch",
        skip_all,
        fields(endpoint.id = endpoint.id.as_str(), vendor.id = endpoint.vendor.as_str())
    )]
    pub(super) async fn fetch(
        &self,
        environment: Environment,
        endpoint: &Endpoint,
        base: &str,
        etag: Option<String>,
    ) -> Result<Fetched, Failure> {
        let pins = Pins::from(Pin::parse(base).map_err(|_pin| Failure::Base)?);
        let mut headers = accept("application/json");
        if let Some(etag) = etag.as_deref().and_then(|e| HeaderValue::from_str(e).ok()) {
            headers.insert(header::IF_NONE_MATCH, etag);
        }
        let url = well_known_url(base)?;
        let answer = self.get(environment, &pins, url, headers, DOCUMENT_MAX_BYTES).await?;
        let (etag, max_age_seconds) = (text(&answer, header::ETAG).or(etag), max_age(&answer));
        let mut smart = match answer.status {
            StatusCode::OK => Smart::parse(base, &answer.body)?,
            StatusCode::NOT_MODIFIED if etag.is_some() => {
                return Ok(Fetched { smart: None, etag, max_age_seconds });
            }
            StatusCode::NOT_FOUND if endpoint.capability_fallback => {
                self.capability_statement(environment, &pins, base).await?
            }
            other => return Err(Failure::Status(other.as_u16())),
        };
        if smart.jwks.is_none() {
            smart.jwks = self.openid_keys(environment, endpoint, &smart).await;
        }
        let etag = etag.filter(|_| smart.source == Source::WellKnown);
        Ok(Fetched { smart: Some(smart), etag, max_age_seconds })
    }

    async fn capability_statement(
        &self,
        environment: Environment,
        pins: &Pins,
        base: &str,
    ) -> Result<Smart, Failure> {
        let url = metadata_url(base)?;
        let answer =
            self.get(environment, pins, url, accept("application/fhir+json"), STATEMENT_MAX_BYTES).await?;
        match answer.status {
            StatusCode::OK => Ok(parse_capability_statement(base, &answer.body)?),
            other => Err(Failure::Status(other.as_u16())),
        }
    }

    /// OIDC-01: `{issuer}/.well-known/openid-configuration` names the key set. The issuer's origin must be one that was
    /// registered, and the document must name the same issuer; otherwise there are no keys.
    async fn openid_keys(&self, environment: Environment, endpoint: &Endpoint, smart: &Smart) -> Option<Url> {
        let issuer = smart.issuer.as_deref().or(endpoint.issuer.as_deref())?;
        let origin = Origin::of(&Url::parse(issuer).ok()?)?;
        let is_registered = [&endpoint.jwks_origins, &endpoint.token_origins, &endpoint.authorize_origins]
            .into_iter()
            .any(|list| list.contains(&origin));
        if !is_registered {
            return None;
        }
        let stripped = issuer.strip_suffix('/').unwrap_or(issuer);
        let url = Url::parse(&format!("{stripped}/.well-known/openid-configuration")).ok()?;
        let pins = Pins::from(Pin::parse(issuer).ok()?);
        let answer =
            self.get(environment, &pins, url, accept("application/json"), DOCUMENT_MAX_BYTES).await.ok()?;
        let document: Value = serde_json::from_slice(&answer.body).ok()?;
        let is_same = document.get("issuer").and_then(Value::as_str) == Some(issuer);
        let keys = document.get("jwks_uri").and_then(Value::as_str).filter(|_| is_same)?;
        Url::parse(keys).ok()
    }

    /// One GET, for the launch path's planted bug too.
    pub(super) async fn get(
        &self,
        environment: Environment,
        pins: &Pins,
        url: Url,
        headers: HeaderMap,
        max_body_bytes: usize,
    ) -> Result<Response, Failure> {
        let request = Request {
            method: Method::GET,
            url,
            headers,
            body: Bytes::new(),
            bearer: None,
            deadline: Instant::now() + self.timeout,
            max_body_bytes,
            allow_loopback: environment == Environment::Sandbox,
        };
        Ok(self.egress.send(pins, request).await?)
    }

    /// The planted bug of invariant 11: one call more than the launch path's list has.
    pub(crate) async fn read_more_than_needed(&self, environment: Environment, base: &str) {
        if let (Ok(pin), Ok(url)) = (Pin::parse(base), metadata_url(base)) {
            let headers = accept("application/fhir+json");
            let _ignored = self.get(environment, &pin.into(), url, headers, STATEMENT_MAX_BYTES).await;
        }
    }
}

fn accept(media_type: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(media_type))])
}

fn text(answer: &Response, name: sallyport_egress::HeaderName) -> Option<String> {
    answer.headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// `max-age` of `Cache-Control`; `no-store` and `no-cache` are an age of zero.
fn max_age(answer: &Response) -> Option<u32> {
    let control = text(answer, header::CACHE_CONTROL)?.to_ascii_lowercase();
    let mut directives = control.split(',').map(str::trim);
    if directives.clone().any(|d| matches!(d, "no-store" | "no-cache")) {
        return Some(0);
    }
    directives.find_map(|d| d.strip_prefix("max-age=")?.trim_matches('"').parse().ok())
}
