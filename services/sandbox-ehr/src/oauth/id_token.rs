//! Id tokens (OpenID Connect Core, SMART 2.2 "Scopes for requesting identity data"): RS256 with `kid`,
//! `nonce`, `fhirUser` and `at_hash`; and the same with exactly one thing wrong, on demand.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::keys::KeyError;
use crate::digest::{TokenDigest, at_hash};
use crate::faults::IdTokenFault;
use crate::grants::{Grant, Issued};
use crate::places::Place;
use crate::state::AppState;

/// A host that is not this EHR, for faults.
const ELSEWHERE: &str = "http://elsewhere.example/oauth";

/// Makes and signs the id token for tokens just issued.
pub(super) fn mint(
    state: &AppState,
    issued: &Issued,
    fault: Option<IdTokenFault>,
) -> Result<String, KeyError> {
    let key = state.keys().current()?;
    let claims = claims(state, issued, fault);
    let mut header = json!({"typ": "JWT", "alg": "RS256"});
    let kid = match fault {
        Some(IdTokenFault::NoKid) => None,
        Some(IdTokenFault::UnknownKid) => Some("a-key-nobody-published".to_owned()),
        _ => state.profile(&issued.grant.place).id_token_has_kid.then(|| key.kid.clone()),
    };
    if let (Some(kid), Value::Object(members)) = (kid, &mut header) {
        members.insert("kid".to_owned(), json!(kid));
    }
    let alg = match fault {
        Some(IdTokenFault::AlgNone) => "none",
        Some(IdTokenFault::Hmac) => "HS256",
        _ => "RS256",
    };
    if let Value::Object(members) = &mut header {
        members.insert("alg".to_owned(), json!(alg));
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", part(&header), part(&Value::Object(claims)));
    let signature = match fault {
        Some(IdTokenFault::AlgNone) => Vec::new(),
        Some(IdTokenFault::Hmac) => {
            // The classic confusion: the published key set taken as a shared secret.
            let secret = hmac::Key::new(hmac::HMAC_SHA256, state.keys().jwks().to_string().as_bytes());
            hmac::sign(&secret, input.as_bytes()).as_ref().to_vec()
        }
        Some(IdTokenFault::Signature) => key.sign(b"something else")?,
        _ => key.sign(input.as_bytes())?,
    };
    Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn claims(state: &AppState, issued: &Issued, fault: Option<IdTokenFault>) -> Map<String, Value> {
    let grant = &issued.grant;
    let endpoints = state.endpoints(&grant.place);
    let now = state.clock().now_seconds();
    let has = |name: &str| grant.scopes.iter().any(|scope| scope == name);
    let exp = now + state.profile(&grant.place).id_token_seconds;
    let mut claims = Map::new();
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    put("iss", json!(if fault == Some(IdTokenFault::Issuer) { ELSEWHERE } else { &endpoints.issuer }));
    put("aud", json!(if fault == Some(IdTokenFault::Audience) { "another-app" } else { &grant.client_id }));
    put("iat", json!(now));
    put("exp", json!(if fault == Some(IdTokenFault::Expired) { now - 3600 } else { exp }));
    if fault != Some(IdTokenFault::NoSubject) {
        put("sub", json!(subject(grant.user.as_deref().unwrap_or_default(), &grant.place)));
    }
    if let Some(nonce) = &grant.nonce {
        match fault {
            Some(IdTokenFault::NoNonce) => None,
            Some(IdTokenFault::Nonce) => put("nonce", json!("a-nonce-nobody-sent")),
            _ => put("nonce", json!(nonce)),
        };
    }
    let hashed = if fault == Some(IdTokenFault::AtHash) { "another token" } else { &issued.access_token };
    put("at_hash", json!(at_hash(hashed)));
    if let Some(user) = fhir_user(state, grant).filter(|_| has("fhirUser")) {
        put("fhirUser", json!(user));
    }
    if has("profile")
        && let Some(clinician) = grant.user.as_deref().and_then(|id| state.clinicians().get(id))
    {
        put("name", json!(clinician.name));
    }
    claims
}

/// The user as an absolute URL.
pub(super) fn fhir_user(state: &AppState, grant: &Grant) -> Option<String> {
    let base = state.endpoints(&grant.place).fhir_base;
    grant.user.as_ref().map(|id| format!("{base}/Practitioner/{id}"))
}

/// A stable identifier of a user that says nothing about them and differs from place to place.
pub(super) fn subject(user: &str, place: &Place) -> String {
    let seed = format!("{}/{}/{user}", place.profile, place.tenant);
    TokenDigest::of(&seed).as_str().chars().take(32).collect()
}
