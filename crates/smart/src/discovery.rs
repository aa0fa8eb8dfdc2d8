//! What an EHR says about its authorization server: `/.well-known/smart-configuration` (SMART 2.2 conformance), or the
//! deprecated `oauth-uris` of a CapabilityStatement where the endpoint allows it. Parsing is tolerant, [`Smart::check`]
//! is not: each way to fail has its own reason.

mod capability_statement;

use serde_json::{Map, Value};
use url::Url;

pub use capability_statement::parse_capability_statement;

/// Why a description cannot be used. Names members, never their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not a JSON object.
    #[error("the document is not a JSON object")]
    NotJson,
    /// The FHIR base is not an absolute URL without query and fragment.
    #[error("the fhir base is not an absolute url")]
    BaseInvalid,
    /// A required endpoint is absent.
    #[error("{0} is missing")]
    EndpointMissing(&'static str),
    /// An endpoint is not a URL, or carries user information or a fragment.
    #[error("{0} is not a usable url")]
    EndpointInvalid(&'static str),
    /// An endpoint is not https.
    #[error("{0} is not https")]
    NotHttps(&'static str),
    /// S256 is not offered.
    #[error("code_challenge_methods_supported lacks S256")]
    S256Absent,
    /// `plain` is offered, which SMART forbids.
    #[error("code_challenge_methods_supported offers plain")]
    PlainOffered,
    /// The CapabilityStatement carries no `oauth-uris`.
    #[error("the capability statement names no oauth-uris")]
    NoOauthUris,
}

/// Where a description came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `/.well-known/smart-configuration`.
    WellKnown,
    /// SMART 1: `rest.security` of the CapabilityStatement, which cannot announce PKCE.
    CapabilityStatement,
}

/// An EHR's authorization server as it describes itself. Unknown members are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smart {
    /// Where it came from.
    pub source: Source,
    /// `authorization_endpoint`.
    pub authorize: Option<Url>,
    /// `token_endpoint`.
    pub token: Option<Url>,
    /// `jwks_uri`.
    pub jwks: Option<Url>,
    /// `issuer`, as written: it is compared as a string (RFC 8414 §3.3).
    pub issuer: Option<String>,
    /// `revocation_endpoint`.
    pub revocation: Option<Url>,
    /// `introspection_endpoint`.
    pub introspection: Option<Url>,
    /// `capabilities`.
    pub capabilities: Vec<String>,
    /// `scopes_supported`, not exhaustive.
    pub scopes: Vec<String>,
    /// `code_challenge_methods_supported`.
    pub code_challenge_methods: Vec<String>,
    /// `token_endpoint_auth_methods_supported`.
    pub token_auth_methods: Vec<String>,
    /// `authorization_response_iss_parameter_supported` (RFC 9207 §3).
    pub announces_response_issuer: bool,
}

/// What the caller insists on.
#[derive(Debug, Clone, Copy)]
pub struct Requirements {
    /// Refuse when S256 is not announced or `plain` is; a vendor profile can waive it. PKCE is sent in any case.
    pub pkce: bool,
    /// Accept `http` on a loopback address: sandbox tenants only.
    pub loopback_http: bool,
    /// An authorization endpoint is needed: every interactive launch.
    pub authorize: bool,
}

impl Smart {
    /// Parses a smart-configuration document of the endpoint at `fhir_base`. Relative endpoint URLs are resolved
    /// against the base, as servers before SMART 2.0 send them.
    ///
    /// # Errors
    /// [`Fault::NotJson`], [`Fault::BaseInvalid`], [`Fault::EndpointInvalid`].
    pub fn parse(fhir_base: &str, document: &[u8]) -> Result<Self, Fault> {
        let base = base_url(fhir_base)?;
        let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(document) else {
            return Err(Fault::NotJson);
        };
        Ok(Self {
            source: Source::WellKnown,
            authorize: endpoint(&base, &members, "authorization_endpoint")?,
            token: endpoint(&base, &members, "token_endpoint")?,
            jwks: endpoint(&base, &members, "jwks_uri")?,
            issuer: text(&members, "issuer"),
            revocation: endpoint(&base, &members, "revocation_endpoint")?,
            introspection: endpoint(&base, &members, "introspection_endpoint")?,
            capabilities: words(&members, "capabilities"),
            scopes: words(&members, "scopes_supported"),
            code_challenge_methods: words(&members, "code_challenge_methods_supported"),
            token_auth_methods: token_auth_methods(&members),
            announces_response_issuer: members.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
        })
    }

    /// Whether a capability such as `launch-ehr` is announced (SMART 2.2 conformance §Capability sets).
    pub fn offers(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|c| c == capability)
    }

    /// Checks that a launch can go on with this description.
    ///
    /// # Errors
    /// The first [`Fault`] found: missing endpoints, transport, then PKCE.
    pub fn check(&self, needs: Requirements) -> Result<(), Fault> {
        if needs.authorize && self.authorize.is_none() {
            return Err(Fault::EndpointMissing("authorization_endpoint"));
        }
        if self.token.is_none() {
            return Err(Fault::EndpointMissing("token_endpoint"));
        }
        for (name, url) in self.endpoints() {
            if !is_transport_safe(url, needs.loopback_http) {
                return Err(Fault::NotHttps(name));
            }
        }
        // A SMART 1 server has no member to announce PKCE in; the endpoint's registration allowed that source.
        if needs.pkce && self.source == Source::WellKnown {
            if self.code_challenge_methods.iter().any(|m| m == "plain") {
                return Err(Fault::PlainOffered);
            }
            if !self.code_challenge_methods.iter().any(|m| m == crate::pkce::METHOD) {
                return Err(Fault::S256Absent);
            }
        }
        Ok(())
    }

    /// Every endpoint that is there, with its member name.
    pub fn endpoints(&self) -> impl Iterator<Item = (&'static str, &Url)> {
        [
            ("authorization_endpoint", &self.authorize),
            ("token_endpoint", &self.token),
            ("jwks_uri", &self.jwks),
            ("revocation_endpoint", &self.revocation),
            ("introspection_endpoint", &self.introspection),
        ]
        .into_iter()
        .filter_map(|(name, url)| Some((name, url.as_ref()?)))
    }
}

/// `<base>/.well-known/smart-configuration`: appended to the full base path, not to the host.
///
/// # Errors
/// [`Fault::BaseInvalid`].
pub fn well_known_url(fhir_base: &str) -> Result<Url, Fault> {
    below(fhir_base, ".well-known/smart-configuration")
}

/// `<base>/metadata`, for the legacy fallback.
///
/// # Errors
/// [`Fault::BaseInvalid`].
pub fn metadata_url(fhir_base: &str) -> Result<Url, Fault> {
    below(fhir_base, "metadata")
}

/// Whether tokens may travel to `url`: https, or http on a loopback address where `loopback_http` allows it.
pub fn is_transport_safe(url: &Url, loopback_http: bool) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => loopback_http && is_loopback(url),
        _ => false,
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn below(fhir_base: &str, path: &str) -> Result<Url, Fault> {
    base_url(fhir_base)?.join(path).map_err(|_relative| Fault::BaseInvalid)
}

/// The base with exactly one trailing slash, so that joining appends.
fn base_url(fhir_base: &str) -> Result<Url, Fault> {
    let stripped = fhir_base.strip_suffix('/').unwrap_or(fhir_base);
    let url = Url::parse(&format!("{stripped}/")).map_err(|_syntax| Fault::BaseInvalid)?;
    let is_plain = url.has_host() && url.query().is_none() && url.fragment().is_none();
    if is_plain { Ok(url) } else { Err(Fault::BaseInvalid) }
}

fn endpoint(base: &Url, members: &Map<String, Value>, name: &'static str) -> Result<Option<Url>, Fault> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => endpoint_url(base, text, name).map(Some),
        Some(_) => Err(Fault::EndpointInvalid(name)),
    }
}

fn endpoint_url(base: &Url, text: &str, name: &'static str) -> Result<Url, Fault> {
    let url = base.join(text).map_err(|_syntax| Fault::EndpointInvalid(name))?;
    let is_plain =
        url.has_host() && url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if is_plain { Ok(url) } else { Err(Fault::EndpointInvalid(name)) }
}

fn text(members: &Map<String, Value>, name: &str) -> Option<String> {
    members.get(name)?.as_str().filter(|t| !t.is_empty()).map(str::to_owned)
}

fn words(members: &Map<String, Value>, name: &str) -> Vec<String> {
    let list = members.get(name).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

/// Some products leave `_supported` away.
fn token_auth_methods(members: &Map<String, Value>) -> Vec<String> {
    let named = words(members, "token_endpoint_auth_methods_supported");
    if named.is_empty() { words(members, "token_endpoint_auth_methods") } else { named }
}

#[cfg(test)]
mod tests;
