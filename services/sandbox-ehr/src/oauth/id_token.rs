//! Id tokens (OpenID Connect Core, SMART 2.2 "Scopes for requesting identity data"): RS256 with `kid`,
//! `nonce`, `fhirUser` and `at_hash`; and the same with exactly one thing wrong, on demand.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::keys::KeyError;
use crate::digest::{TokenDigest, at_hash};
use crate::faults::IdTokenFault;
use crate::fhir::dialect;
use crate::grants::{Grant, Issued};
use crate::profile::{FhirUser, Profile, Subject};
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
        _ => state.profile(&issued.grant.place).id_token.has_kid.then(|| key.kid.clone()),
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
    let profile = state.profile(&grant.place);
    let exp = now + profile.id_token_seconds;
    let mut claims = Map::new();
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    put(
        "iss",
        match fault {
            Some(IdTokenFault::Issuer) => json!(ELSEWHERE),
            Some(IdTokenFault::OldIssuer) => json!(endpoints.token()),
            _ => json!(endpoints.issuer),
        },
    );
    put("aud", json!(if fault == Some(IdTokenFault::Audience) { "another-app" } else { &grant.client_id }));
    put("iat", json!(now));
    put("exp", json!(if fault == Some(IdTokenFault::Expired) { now - 3600 } else { exp }));
    if fault != Some(IdTokenFault::NoSubject) {
        put("sub", json!(subject(profile, grant)));
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
    let user = match fault {
        Some(IdTokenFault::NoFhirUser) => None,
        Some(IdTokenFault::Proxy) => proxy(&endpoints.fhir_base, grant),
        _ => fhir_user(state, grant),
    };
    if let Some(user) = user.filter(|_| has("fhirUser")) {
        put("fhirUser", json!(user));
    }
    if has("profile")
        && let Some(clinician) = grant.user.as_deref().and_then(|id| state.clinicians().get(id))
    {
        put("name", json!(clinician.name));
        if profile.id_token.has_username {
            put("preferred_username", json!(clinician.id));
        }
    }
    claims
}

/// The user as the product writes it: an absolute URL, a relative reference or nothing.
pub(super) fn fhir_user(state: &AppState, grant: &Grant) -> Option<String> {
    let profile = state.profile(&grant.place);
    let id = grant.user.as_deref().map(|id| dialect::id_out(profile, "Practitioner", id))?;
    let told = profile.id_token;
    match told.fhir_user {
        FhirUser::Absolute => Some(format!("{}/Practitioner/{id}", state.endpoints(&grant.place).fhir_base)),
        FhirUser::Relative => Some(format!("Practitioner/{id}")),
        FhirUser::Absent => None,
    }
}

/// Somebody who acts for the patient.
fn proxy(base: &str, grant: &Grant) -> Option<String> {
    grant.patient.as_ref().map(|patient| format!("{base}/RelatedPerson/proxy-of-{patient}"))
}

/// A stable identifier of the user: their resource's id, or a value that says nothing about them and differs
/// from place to place.
pub(super) fn subject(profile: &Profile, grant: &Grant) -> String {
    let user = grant.user.as_deref().unwrap_or_default();
    let told = profile.id_token;
    match told.subject {
        Subject::FhirId => dialect::id_out(profile, "Practitioner", user),
        Subject::Opaque => {
            let seed = format!("{}/{}/{user}", grant.place.profile, grant.place.tenant);
            TokenDigest::of(&seed).as_str().chars().take(32).collect()
        }
    }
}
