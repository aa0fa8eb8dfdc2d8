//! Who signed in: an id_token is believed only after every check of OIDC Core §3.1.3.7 (OIDC-01..05).
//!
//! Time is an argument, so the claims are checked here; the signature is checked with the pinned issuer's keys.

mod keys;

use std::borrow::Cow;

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use sallyport_model::Secret;
use serde::Deserialize;
use serde_json::Value;

pub use keys::{KeySet, MAX_JWKS_BYTES};

/// How far clocks may differ, in seconds.
const LEEWAY_SECONDS: i64 = 60;

/// The longest id_token that is read.
const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// The longest `sub` (OIDC Core §2 says 255) and display name.
const MAX_SUBJECT: usize = 255;

/// What `fhirUser` may point to (OIDC-04).
const USER_TYPES: [&str; 5] = ["Patient", "Practitioner", "PractitionerRole", "RelatedPerson", "Person"];

/// Why an id_token is not believed. Names the fault, never a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityFault {
    /// Not a signed JWT at all, too long, or with critical headers that nobody here understands.
    #[error("the id_token is not a signed jwt")]
    Malformed,
    /// Signed with an algorithm that is not on the list (`none` and HMAC never are).
    #[error("the id_token's algorithm is not allowed")]
    Algorithm,
    /// The key set is not a JWK Set.
    #[error("the issuer's key set cannot be read")]
    Keys,
    /// Signed with a key that is not in the set; a fresh set may have it.
    #[error("the id_token's key is not in the issuer's key set")]
    UnknownKey,
    /// The signature is wrong.
    #[error("the id_token's signature is wrong")]
    Signature,
    /// A claim is missing or of another type.
    #[error("the id_token's claim {0} is missing or malformed")]
    Claim(&'static str),
    /// From another issuer.
    #[error("the id_token is from another issuer")]
    Issuer,
    /// For another client, or for others too.
    #[error("the id_token is for another client")]
    Audience,
    /// Issued to another party.
    #[error("the id_token was issued to another party")]
    AuthorizedParty,
    /// Over.
    #[error("the id_token has expired")]
    Expired,
    /// Not valid yet: issued in the future.
    #[error("the id_token is from the future")]
    NotYetValid,
    /// Not the answer to our request.
    #[error("the id_token does not carry the nonce that was sent")]
    Nonce,
    /// Not issued with this access token.
    #[error("the id_token belongs to another access token")]
    AccessTokenHash,
}

impl IdentityFault {
    /// A word for audit details.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::Keys => "keys",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Claim(_) => "claim",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::AuthorizedParty => "azp",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Nonce => "nonce",
            Self::AccessTokenHash => "at_hash",
        }
    }
}

/// What the transaction was started with; nothing of it comes from the token.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The issuer pinned at registration or discovery.
    pub issuer: &'a str,
    /// What old releases of the product append to their issuer's name. The keys and the client are the same, so the
    /// person is too.
    pub issuer_suffixes: &'a [Cow<'static, str>],
    /// Our client id.
    pub client_id: &'a str,
    /// The nonce that was sent, if one was.
    pub nonce: Option<&'a str>,
    /// Whether an id_token without the nonce is refused.
    pub nonce_required: bool,
    /// The access token that came with it.
    pub access_token: &'a Secret<String>,
    /// Now, in seconds.
    pub now: i64,
}

/// A verified person. The key is (issuer, subject); everything else is for show.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// `iss`
    pub issuer: String,
    /// `sub`
    pub subject: String,
    /// `fhirUser` as sent, when it points to a kind of person.
    pub fhir_user: Option<String>,
    /// `name`, when it is presentable.
    pub display: Option<String>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[identity]")
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<Value>,
    sub: Option<Value>,
    aud: Option<Value>,
    azp: Option<Value>,
    exp: Option<Value>,
    iat: Option<Value>,
    nbf: Option<Value>,
    nonce: Option<Value>,
    at_hash: Option<Value>,
    #[serde(rename = "fhirUser")]
    fhir_user: Option<Value>,
    profile: Option<Value>,
    name: Option<Value>,
}

/// Verifies an id_token.
///
/// # Errors
/// [`IdentityFault`]; on `UnknownKey` a fresh key set may help (at most once a minute, OIDC-05).
pub fn verify(
    id_token: &Secret<String>,
    keys: &KeySet,
    expected: &Expected<'_>,
) -> Result<Identity, IdentityFault> {
    let token = id_token.expose();
    let parts = Parts::split(token)?;
    let header: Header = parts.header()?;
    if header.crit.is_some() {
        return Err(IdentityFault::Malformed);
    }
    let algorithm = allowed(&header.alg).ok_or(IdentityFault::Algorithm)?;
    keys.check(&parts, header.kid.as_deref(), algorithm)?;
    let claims: Claims = parts.claims()?;
    check_claims(&claims, algorithm, expected)?;
    Ok(Identity {
        issuer: expected.issuer.to_owned(),
        subject: text(claims.sub.as_ref(), "sub")?.to_owned(),
        fhir_user: fhir_user(&claims),
        display: claims
            .name
            .as_ref()
            .and_then(Value::as_str)
            .filter(|n| is_presentable(n))
            .map(str::to_owned),
    })
}

fn check_claims(claims: &Claims, algorithm: Algorithm, expected: &Expected<'_>) -> Result<(), IdentityFault> {
    if !is_issuer(text(claims.iss.as_ref(), "iss")?, expected) {
        return Err(IdentityFault::Issuer);
    }
    if text(claims.sub.as_ref(), "sub")?.len() > MAX_SUBJECT {
        return Err(IdentityFault::Claim("sub"));
    }
    check_audience(claims, expected.client_id)?;
    let (expires, issued) = (date(claims.exp.as_ref(), "exp")?, date(claims.iat.as_ref(), "iat")?);
    if expires <= expected.now - LEEWAY_SECONDS {
        return Err(IdentityFault::Expired);
    }
    if issued > expected.now + LEEWAY_SECONDS {
        return Err(IdentityFault::NotYetValid);
    }
    if let Some(not_before) = &claims.nbf
        && date(Some(not_before), "nbf")? > expected.now + LEEWAY_SECONDS
    {
        return Err(IdentityFault::NotYetValid);
    }
    check_nonce(claims, expected)?;
    if let Some(hash) = &claims.at_hash
        && hash.as_str() != Some(&half_hash(algorithm, expected.access_token.expose()))
    {
        return Err(IdentityFault::AccessTokenHash);
    }
    Ok(())
}

fn is_issuer(iss: &str, expected: &Expected<'_>) -> bool {
    let rest = iss.strip_prefix(expected.issuer);
    rest.is_some_and(|rest| rest.is_empty() || expected.issuer_suffixes.iter().any(|suffix| suffix == rest))
}

/// Exactly our client: another audience beside us is one that we have no reason to trust.
fn check_audience(claims: &Claims, client_id: &str) -> Result<(), IdentityFault> {
    let audience: Vec<&str> = match &claims.aud {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => {
            many.iter().map(Value::as_str).collect::<Option<_>>().ok_or(IdentityFault::Claim("aud"))?
        }
        _ => return Err(IdentityFault::Claim("aud")),
    };
    if audience.is_empty() || audience.iter().any(|a| *a != client_id) {
        return Err(IdentityFault::Audience);
    }
    match &claims.azp {
        Some(party) if party.as_str() != Some(client_id) => Err(IdentityFault::AuthorizedParty),
        _ => Ok(()),
    }
}

fn check_nonce(claims: &Claims, expected: &Expected<'_>) -> Result<(), IdentityFault> {
    if sallyport_model::planted!("nonce-unchecked") {
        return Ok(());
    }
    match (expected.nonce, &claims.nonce) {
        (None, _) => Ok(()),
        (Some(_), None) if !expected.nonce_required => Ok(()),
        (Some(sent), Some(Value::String(returned))) if returned == sent => Ok(()),
        (Some(_), _) => Err(IdentityFault::Nonce),
    }
}

/// The left half of the hash of the algorithm's size (OIDC Core §3.1.3.6).
fn half_hash(algorithm: Algorithm, access_token: &str) -> String {
    let hash = match algorithm {
        Algorithm::RS384 | Algorithm::ES384 => &digest::SHA384,
        _ => &digest::SHA256,
    };
    let whole = digest::digest(hash, access_token.as_bytes());
    let (left, _) = whole.as_ref().split_at(whole.as_ref().len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}

fn allowed(name: &str) -> Option<Algorithm> {
    match name {
        "RS256" => Some(Algorithm::RS256),
        "RS384" => Some(Algorithm::RS384),
        "ES256" => Some(Algorithm::ES256),
        "ES384" => Some(Algorithm::ES384),
        _ => None,
    }
}

fn text<'a>(value: Option<&'a Value>, name: &'static str) -> Result<&'a str, IdentityFault> {
    value.and_then(Value::as_str).filter(|t| !t.is_empty()).ok_or(IdentityFault::Claim(name))
}

/// A NumericDate: a number, never a text (a text once meant "no check", CVE-2026-25537).
fn date(value: Option<&Value>, name: &'static str) -> Result<i64, IdentityFault> {
    let number = value.and_then(Value::as_number).ok_or(IdentityFault::Claim(name))?;
    let whole = number.as_i64().or_else(|| number.as_f64().map(|f| f.floor() as i64));
    whole.ok_or(IdentityFault::Claim(name))
}

/// `fhirUser`, or SMART 1's `profile`, when it names a kind of person, absolute or relative.
fn fhir_user(claims: &Claims) -> Option<String> {
    let text = claims.fhir_user.as_ref().or(claims.profile.as_ref())?.as_str()?;
    let mut segments = text.rsplit('/');
    let (id, kind) = (segments.next()?, segments.next()?);
    let is_absolute = text.starts_with("https://") || text.starts_with("http://");
    let is_relative = segments.next().is_none();
    let fits = text.len() <= 2_048
        && sallyport_model::ids::is_logical_id(id, 256)
        && USER_TYPES.contains(&kind)
        && (is_absolute || is_relative);
    fits.then(|| text.to_owned())
}

fn is_presentable(name: &str) -> bool {
    !name.trim().is_empty() && name.len() <= MAX_SUBJECT && !name.chars().any(char::is_control)
}

/// The three parts of a compact JWS.
struct Parts<'a> {
    message: &'a str,
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn split(token: &'a str) -> Result<Self, IdentityFault> {
        let split = || {
            let (message, signature) = token.rsplit_once('.')?;
            let (header, claims) = message.split_once('.')?;
            (!claims.contains('.') && token.len() <= MAX_TOKEN_BYTES).then_some(Self {
                message,
                header,
                claims,
                signature,
            })
        };
        split().ok_or(IdentityFault::Malformed)
    }

    fn header(&self) -> Result<Header, IdentityFault> {
        decode(self.header)
    }

    fn claims(&self) -> Result<Claims, IdentityFault> {
        decode(self.claims)
    }
}

fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, IdentityFault> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_not_base64| IdentityFault::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_not_json| IdentityFault::Malformed)
}

#[cfg(test)]
mod tests;
