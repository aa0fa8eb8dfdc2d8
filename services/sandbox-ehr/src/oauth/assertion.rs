//! `private_key_jwt` (SMART 2.2 "Asymmetric authentication", RFC 7523): checks a client assertion against
//! the client's JWK set and remembers each `jti` until it has expired.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;

use crate::profile::Profile;

/// The only value of `client_assertion_type`.
pub(crate) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Clocks may differ by this many seconds.
const LEEWAY: i64 = 10;

/// Members that only a private or symmetric JWK has.
const PRIVATE_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];

/// What an assertion must be.
pub(crate) struct Expected<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) token_url: &'a str,
    pub(crate) profile: &'a Profile,
    pub(crate) now: i64,
}

/// Why an assertion was refused; all are `invalid_client`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AssertionRefused {
    #[error("the client assertion is not a JWT signed with RS384 or ES384, as far as this server takes them")]
    Algorithm,
    #[error("the client assertion's header must have typ JWT")]
    Type,
    #[error("the client assertion's header must name a key by kid that the JWK set holds exactly once")]
    Key,
    #[error("the JWK set must hold public members only")]
    PrivateKey,
    #[error("the client assertion's signature does not verify")]
    Signature,
    #[error("the client assertion's iss and sub must both be the client_id")]
    Subject,
    #[error("the client assertion's aud must be the token URL")]
    Audience,
    #[error("the client assertion has expired or lives longer than allowed")]
    Expiry,
    #[error("the client assertion's jti is missing or was used before")]
    Replay,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Value,
    exp: i64,
    jti: Option<String>,
}

/// `jti` values already used, by client, with the time until which they matter.
#[derive(Debug, Default)]
pub(crate) struct SeenAssertions {
    seen: Mutex<HashMap<(String, String), i64>>,
}

impl SeenAssertions {
    /// Notes a `jti`; false if it was there already.
    fn is_new(&self, client_id: &str, jti: &str, exp: i64, now: i64) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, until| now <= *until);
        seen.insert((client_id.to_owned(), jti.to_owned()), exp + LEEWAY).is_none()
    }
}

/// Checks one assertion.
pub(crate) fn check(
    assertion: &str,
    jwks: &Value,
    expected: &Expected<'_>,
    seen: &SeenAssertions,
) -> Result<(), AssertionRefused> {
    let header = jsonwebtoken::decode_header(assertion).map_err(|_malformed| AssertionRefused::Algorithm)?;
    let name = match header.alg {
        Algorithm::RS384 => "RS384",
        Algorithm::ES384 => "ES384",
        _ => return Err(AssertionRefused::Algorithm),
    };
    if !expected.profile.assertion_algorithms.contains(&name) {
        return Err(AssertionRefused::Algorithm);
    }
    if expected.profile.requires_assertion_typ && header.typ.as_deref() != Some("JWT") {
        return Err(AssertionRefused::Type);
    }
    let key = key(jwks, header.kid.as_deref().ok_or(AssertionRefused::Key)?)?;
    // Signature only: the times are checked below against the sandbox's own clock.
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let decoded = jsonwebtoken::decode::<Claims>(assertion, &key, &validation);
    let claims = decoded.map_err(|_invalid| AssertionRefused::Signature)?.claims;
    if claims.iss != expected.client_id || claims.sub != expected.client_id {
        return Err(AssertionRefused::Subject);
    }
    let is_audience = |value: &Value| value.as_str() == Some(expected.token_url);
    if !is_audience(&claims.aud) && !claims.aud.as_array().is_some_and(|list| list.iter().any(is_audience)) {
        return Err(AssertionRefused::Audience);
    }
    let latest = expected.now + expected.profile.assertion_seconds + LEEWAY;
    if claims.exp + LEEWAY < expected.now || claims.exp > latest {
        return Err(AssertionRefused::Expiry);
    }
    let jti = claims.jti.filter(|jti| !jti.is_empty()).ok_or(AssertionRefused::Replay)?;
    if seen.is_new(expected.client_id, &jti, claims.exp, expected.now) {
        Ok(())
    } else {
        Err(AssertionRefused::Replay)
    }
}

/// The one key of the set with this id.
fn key(jwks: &Value, kid: &str) -> Result<DecodingKey, AssertionRefused> {
    let keys = jwks.get("keys").and_then(Value::as_array).ok_or(AssertionRefused::Key)?;
    if keys.iter().any(|key| PRIVATE_MEMBERS.iter().any(|member| key.get(member).is_some())) {
        return Err(AssertionRefused::PrivateKey);
    }
    let mut found = keys.iter().filter(|key| key.get("kid").and_then(Value::as_str) == Some(kid));
    let (Some(key), None) = (found.next(), found.next()) else { return Err(AssertionRefused::Key) };
    let key: Jwk = serde_json::from_value(key.clone()).map_err(|_malformed| AssertionRefused::Key)?;
    DecodingKey::from_jwk(&key).map_err(|_malformed| AssertionRefused::Key)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_000_000;
    const TOKEN_URL: &str = "http://ehr/token";

    struct Signer(EcdsaKeyPair);

    impl Signer {
        fn new() -> Self {
            Self(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
        }

        fn jwks(&self) -> Value {
            let point = self.0.public_key().as_ref();
            json!({"keys": [{"kty": "EC", "crv": "P-384", "kid": "k1",
                "x": B64.encode(&point[1..49]), "y": B64.encode(&point[49..])}]})
        }

        fn sign(&self, header: &Value, claims: &Value) -> String {
            let input = format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()));
            let signature = self.0.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
            format!("{input}.{}", B64.encode(signature))
        }
    }

    fn header() -> Value {
        json!({"alg": "ES384", "typ": "JWT", "kid": "k1"})
    }

    fn claims() -> Value {
        json!({"iss": "app", "sub": "app", "aud": TOKEN_URL, "exp": NOW + 240, "jti": "one"})
    }

    fn with(mut object: Value, member: &str, value: Value) -> Value {
        object[member] = value;
        object
    }

    fn outcome(header: &Value, claims: &Value, seen: &SeenAssertions) -> Result<(), AssertionRefused> {
        let signer = Signer::new();
        let expected =
            Expected { client_id: "app", token_url: TOKEN_URL, profile: &Profile::STRICT, now: NOW };
        check(&signer.sign(header, claims), &signer.jwks(), &expected, seen)
    }

    #[test]
    fn a_good_assertion_is_accepted_once() {
        let seen = SeenAssertions::default();
        assert_eq!(outcome(&header(), &claims(), &seen), Ok(()));
        assert_eq!(outcome(&header(), &claims(), &seen), Err(AssertionRefused::Replay));
        assert_eq!(outcome(&header(), &with(claims(), "jti", json!("two")), &seen), Ok(()));
    }

    #[test]
    fn each_single_fault_of_an_assertion_is_refused() {
        use AssertionRefused as R;
        let cases = [
            (with(header(), "alg", json!("ES256")), claims(), R::Algorithm),
            (with(header(), "alg", json!("none")), claims(), R::Algorithm),
            (with(header(), "typ", json!("at+jwt")), claims(), R::Type),
            (with(header(), "kid", json!("other")), claims(), R::Key),
            (header(), with(claims(), "iss", json!("other")), R::Subject),
            (header(), with(claims(), "sub", json!("other")), R::Subject),
            (header(), with(claims(), "aud", json!("http://ehr")), R::Audience),
            (header(), with(claims(), "exp", json!(NOW - 60)), R::Expiry),
            (header(), with(claims(), "exp", json!(NOW + 3600)), R::Expiry),
            (header(), with(claims(), "jti", Value::Null), R::Replay),
        ];
        for (header, claims, refused) in cases {
            assert_eq!(outcome(&header, &claims, &SeenAssertions::default()), Err(refused));
        }
    }

    #[test]
    fn a_signature_of_another_key_is_refused() {
        let (signer, other) = (Signer::new(), Signer::new());
        let expected =
            Expected { client_id: "app", token_url: TOKEN_URL, profile: &Profile::STRICT, now: NOW };
        let refused =
            check(&signer.sign(&header(), &claims()), &other.jwks(), &expected, &SeenAssertions::default());
        assert_eq!(refused, Err(AssertionRefused::Signature));
    }

    #[test]
    fn a_key_set_with_private_members_or_a_doubled_id_is_refused() {
        let signer = Signer::new();
        let expected =
            Expected { client_id: "app", token_url: TOKEN_URL, profile: &Profile::STRICT, now: NOW };
        let assertion = signer.sign(&header(), &claims());
        let one = signer.jwks()["keys"][0].clone();
        let private = json!({"keys": [with(one.clone(), "d", json!("AA"))]});
        let twice = json!({"keys": [one.clone(), one]});
        let seen = SeenAssertions::default();
        assert_eq!(check(&assertion, &private, &expected, &seen), Err(AssertionRefused::PrivateKey));
        assert_eq!(check(&assertion, &twice, &expected, &seen), Err(AssertionRefused::Key));
    }
}
