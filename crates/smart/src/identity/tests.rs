use jsonwebtoken::{EncodingKey, encode};
use serde_json::json;

use super::*;

const NOW: i64 = 1_700_000_000;
const ISSUER: &str = "https://ehr.example.org/auth";
const CLIENT: &str = "client-1";

/// A signer with its public JWK.
struct Signer {
    key: EncodingKey,
    algorithm: Algorithm,
    jwk: Value,
}

impl Signer {
    fn ec(kid: Option<&str>) -> Self {
        use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
        let random = aws_lc_rs::rand::SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(48);
        let mut jwk =
            json!({"kty":"EC","crv":"P-384","x":URL_SAFE_NO_PAD.encode(x),"y":URL_SAFE_NO_PAD.encode(y)});
        if let Some(kid) = kid {
            jwk["kid"] = json!(kid);
        }
        Self { key: EncodingKey::from_ec_der(pkcs8.as_ref()), algorithm: Algorithm::ES384, jwk }
    }

    fn token(&self, kid: Option<&str>, claims: &Value) -> Secret<String> {
        let mut header = jsonwebtoken::Header::new(self.algorithm);
        header.kid = kid.map(str::to_owned);
        Secret::new(encode(&header, claims, &self.key).unwrap())
    }
}

fn set(signers: &[&Signer]) -> KeySet {
    let keys: Vec<&Value> = signers.iter().map(|s| &s.jwk).collect();
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn claims() -> Value {
    json!({"iss":ISSUER,"sub":"user-1","aud":CLIENT,"exp":NOW + 300,"iat":NOW,"nonce":"n-1",
        "fhirUser":"https://ehr.example.org/fhir/Practitioner/p-1","name":"Dr. Ada Example"})
}

fn check(claims: &Value) -> Result<Identity, IdentityFault> {
    let signer = Signer::ec(Some("k1"));
    verify(&signer.token(Some("k1"), claims), &set(&[&signer]), &expected(&access()))
}

#[test]
fn an_old_name_of_the_issuer_is_the_issuer_where_the_product_is_known_for_it() {
    let signer = Signer::ec(Some("k1"));
    let (access, suffixes) = (access(), [Cow::Borrowed("/token")]);
    let known = Expected { issuer_suffixes: &suffixes, ..expected(&access) };
    let with = |iss: &str, expected: &Expected<'_>| {
        let mut claims = claims();
        claims["iss"] = json!(iss);
        verify(&signer.token(Some("k1"), &claims), &set(&[&signer]), expected).map(|who| who.issuer)
    };
    let old = format!("{ISSUER}/token");
    assert_eq!(with(&old, &known).as_deref(), Ok(ISSUER), "one person has one name");
    assert_eq!(with(&old, &expected(&access)), Err(IdentityFault::Issuer));
    for other in [format!("{ISSUER}/tokens"), format!("{ISSUER}/token/token"), "/token".to_owned()] {
        assert_eq!(with(&other, &known), Err(IdentityFault::Issuer), "{other}");
    }
}

fn access() -> Secret<String> {
    Secret::new("access-token".to_owned())
}

fn expected(access_token: &Secret<String>) -> Expected<'_> {
    Expected {
        issuer: ISSUER,
        issuer_suffixes: &[],
        client_id: CLIENT,
        nonce: Some("n-1"),
        nonce_required: true,
        access_token,
        now: NOW,
    }
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[test]
fn a_proper_id_token_tells_who_signed_in() {
    let identity = check(&claims()).unwrap();
    assert_eq!((identity.issuer.as_str(), identity.subject.as_str()), (ISSUER, "user-1"));
    assert_eq!(identity.fhir_user.as_deref(), Some("https://ehr.example.org/fhir/Practitioner/p-1"));
    assert_eq!(identity.display.as_deref(), Some("Dr. Ada Example"));
    assert_eq!(format!("{identity:?}"), "[identity]");
}

#[test]
fn every_single_fault_in_the_claims_is_found() {
    use IdentityFault::{Audience, AuthorizedParty, Claim, Expired, Issuer, Nonce, NotYetValid};
    let faults = [
        (without("iss"), Claim("iss")),
        (with("iss", json!(7)), Claim("iss")),
        (with("iss", json!("https://ehr.example.org/auth/")), Issuer),
        (with("iss", json!("https://evil.example.org")), Issuer),
        (without("sub"), Claim("sub")),
        (with("sub", json!("")), Claim("sub")),
        (with("sub", json!("s".repeat(256))), Claim("sub")),
        (without("aud"), Claim("aud")),
        (with("aud", json!({"a":1})), Claim("aud")),
        (with("aud", json!([])), Audience),
        (with("aud", json!("client-2")), Audience),
        (with("aud", json!([CLIENT, "client-2"])), Audience),
        (with("azp", json!("client-2")), AuthorizedParty),
        (with("azp", json!(1)), AuthorizedParty),
        (without("exp"), Claim("exp")),
        (with("exp", json!("1700000300")), Claim("exp")),
        (with("exp", json!(NOW - 60)), Expired),
        (without("iat"), Claim("iat")),
        (with("iat", json!("1700000000")), Claim("iat")),
        (with("iat", json!(NOW + 61)), NotYetValid),
        (with("nbf", json!(NOW + 61)), NotYetValid),
        (with("nbf", json!("0")), Claim("nbf")),
        (without("nonce"), Nonce),
        (with("nonce", json!("n-2")), Nonce),
        (with("nonce", json!(null)), Nonce),
        (with("at_hash", json!("AAAA")), IdentityFault::AccessTokenHash),
        (with("at_hash", json!(1)), IdentityFault::AccessTokenHash),
    ];
    for (claims, fault) in faults {
        assert_eq!(check(&claims).unwrap_err(), fault, "{claims}");
    }
}

#[test]
fn a_minute_of_clock_difference_is_tolerated() {
    assert!(check(&with("exp", json!(NOW - 59))).is_ok());
    assert!(check(&with("iat", json!(NOW + 60))).is_ok());
    assert!(check(&with("exp", json!(NOW as f64 + 0.5))).is_ok());
}

#[test]
fn a_missing_nonce_passes_only_where_the_profile_waives_it() {
    let signer = Signer::ec(Some("k1"));
    let keys = set(&[&signer]);
    let access = access();
    let waived = Expected { nonce_required: false, ..expected(&access) };
    assert!(verify(&signer.token(Some("k1"), &without("nonce")), &keys, &waived).is_ok());
    let wrong = signer.token(Some("k1"), &with("nonce", json!("n-2")));
    assert_eq!(verify(&wrong, &keys, &waived).unwrap_err(), IdentityFault::Nonce);
}

#[test]
fn the_access_tokens_half_hash_matches_the_published_example() {
    let published = half_hash(Algorithm::RS256, "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y");
    assert_eq!(published, "77QmUPtjPfzWtF2AnpK9RQ");
    assert!(check(&with("at_hash", json!(half_hash(Algorithm::ES384, "access-token")))).is_ok());
}

#[test]
fn the_key_is_found_with_and_without_its_id() {
    let (first, second) = (Signer::ec(Some("k1")), Signer::ec(Some("k2")));
    let keys = set(&[&first, &second]);
    let access = access();
    assert!(verify(&second.token(Some("k2"), &claims()), &keys, &expected(&access)).is_ok());
    assert!(verify(&second.token(None, &claims()), &keys, &expected(&access)).is_ok());
    let nameless = Signer::ec(None);
    assert!(verify(&nameless.token(Some("x"), &claims()), &set(&[&nameless]), &expected(&access)).is_ok());
}

#[test]
fn a_stranger_key_is_unknown_and_a_swapped_one_is_a_wrong_signature() {
    let (ours, stranger) = (Signer::ec(Some("k1")), Signer::ec(Some("k9")));
    let keys = set(&[&ours]);
    let access = access();
    let outcome = verify(&stranger.token(Some("k9"), &claims()), &keys, &expected(&access));
    assert_eq!(outcome.unwrap_err(), IdentityFault::UnknownKey);
    let outcome = verify(&stranger.token(Some("k1"), &claims()), &keys, &expected(&access));
    assert_eq!(outcome.unwrap_err(), IdentityFault::Signature);
    let outcome = verify(&stranger.token(None, &claims()), &keys, &expected(&access));
    assert_eq!(outcome.unwrap_err(), IdentityFault::UnknownKey);
}

#[test]
fn none_and_hmac_are_never_accepted_even_with_the_public_key_as_secret() {
    let signer = Signer::ec(Some("k1"));
    let keys = set(&[&signer]);
    let access = access();
    let body = URL_SAFE_NO_PAD.encode(claims().to_string());
    for alg in ["none", "None", "HS256", "HS384", "PS256", "EdDSA", "RS512"] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg":alg,"kid":"k1"}).to_string());
        let token = Secret::new(format!("{header}.{body}."));
        assert_eq!(verify(&token, &keys, &expected(&access)).unwrap_err(), IdentityFault::Algorithm, "{alg}");
    }
    let secret = EncodingKey::from_secret(signer.jwk["x"].as_str().unwrap().as_bytes());
    let hmac = encode(&jsonwebtoken::Header::new(Algorithm::HS256), &claims(), &secret).unwrap();
    assert_eq!(verify(&Secret::new(hmac), &keys, &expected(&access)).unwrap_err(), IdentityFault::Algorithm);
}

#[test]
fn what_is_no_jwt_or_has_critical_headers_is_malformed() {
    let signer = Signer::ec(Some("k1"));
    let keys = set(&[&signer]);
    let access = access();
    let critical = URL_SAFE_NO_PAD.encode(json!({"alg":"ES384","crit":["b64"],"b64":false}).to_string());
    for bad in ["", "a.b", "a.b.c", "a.b.c.d", "..", &format!("{critical}.e30.AA")] {
        let outcome = verify(&Secret::new(bad.to_owned()), &keys, &expected(&access));
        assert_eq!(outcome.unwrap_err(), IdentityFault::Malformed, "{bad}");
    }
}

#[test]
fn an_altered_token_is_refused() {
    let signer = Signer::ec(Some("k1"));
    let keys = set(&[&signer]);
    let access = access();
    let token = signer.token(Some("k1"), &claims());
    let (message, signature) = token.expose().rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let other = URL_SAFE_NO_PAD.encode(with("sub", json!("user-2")).to_string());
    let forged = Secret::new(format!("{header}.{other}.{signature}"));
    assert_eq!(verify(&forged, &keys, &expected(&access)).unwrap_err(), IdentityFault::Signature);
}

#[test]
fn a_key_meant_for_something_else_is_not_used() {
    let signer = Signer::ec(Some("k1"));
    let access = access();
    for (name, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["encrypt"])),
        ("alg", json!("ES256")),
        ("kty", json!("OKP")),
    ] {
        let mut jwk = signer.jwk.clone();
        jwk[name] = value;
        let keys = KeySet::parse(json!({"keys":[jwk, 7, {"kty":"future"}]}).to_string().as_bytes()).unwrap();
        let outcome = verify(&signer.token(Some("k1"), &claims()), &keys, &expected(&access));
        assert_eq!(outcome.unwrap_err(), IdentityFault::UnknownKey, "{name}");
    }
    for bad in [&b"{}"[..], b"[]", b"<html>", b""] {
        assert!(KeySet::parse(bad).is_err());
    }
}

#[test]
fn a_fhir_user_that_is_no_person_is_dropped() {
    for (value, kept) in [
        (json!("Practitioner/1"), true),
        (json!("https://other.example/fhir/Patient/a.b-c"), true),
        (json!("Device/1"), false),
        (json!("javascript:Practitioner/1"), false),
        (json!("x/y/Practitioner/1"), false),
        (json!("Practitioner/../x"), false),
        (json!(1), false),
    ] {
        assert_eq!(check(&with("fhirUser", value.clone())).unwrap().fhir_user.is_some(), kept, "{value}");
    }
    let mut smart_one = without("fhirUser");
    smart_one["profile"] = json!("Practitioner/9");
    assert_eq!(check(&smart_one).unwrap().fhir_user.as_deref(), Some("Practitioner/9"));
}

/// Published signatures over published keys: ours must agree with everybody else's arithmetic (SMART 2.2 examples).
#[test]
fn the_published_assertions_verify_with_the_published_keys() {
    let rsa = json!({"keys":[{"kty":"RSA","alg":"RS384","e":"AQAB","key_ops":["verify"],"ext":true,
        "kid":"eee9f17a3b598fd86417a980b591fbe6",
        "n":"wJq2RHIA-7RT6q4go7wjcbHdW7ck7Kz22A8wf-kN7Wi5CWvhFG2_Y7nQp1lDpb2IKMQr-Q4n_vgJ6d5rWPspJpSPY7iffUK4ipQCEbzID5DJ6fQMBZOfCTXyxkuMh3jYGKEF3Ziw2oxbM1H9j-eJAPtrj5stUG6kVoXowegdox-bSjWP0iI5PnkwUNzcekLMug4M3LRluEQgGR9O_BAML6-w3igZ_rZA_gunyrLAMbfmCVaceW5ohLp679kyM7U6W2gDK_NbkDKcINUakVmPeoG5h8RzgGzvGrySR0k0VDFiZv60Ua07DqHTeDGH9e4NV07AECae-oykIj5NDCs3pw"}]});
    let ec = json!({"keys":[{"kty":"EC","crv":"P-384","alg":"ES384","key_ops":["verify"],"ext":true,
        "kid":"cd520211e5661dbba2256f67f6d53f97",
        "x":"pyqburM9y8HPcFhNosDW6ngoVEJitqXi_HJgI5hYqX21PoFDwCbYirGy_o0oapIU",
        "y":"95bxkCnMKoHvgbcPAIAcgzzu8scd81mXfM_IzuJFNfkUNkGYBFGvuEU1KPi5j1ob"}]});
    let claims = "eyJpc3MiOiJodHRwczovL2JpbGktbW9uaXRvci5leGFtcGxlLmNvbSIsInN1YiI6Imh0dHBzOi8vYmlsaS1tb25pdG9yLmV4YW1wbGUuY29tIiwiYXVkIjoiaHR0cHM6Ly9hdXRob3JpemUuc21hcnRoZWFsdGhpdC5vcmcvdG9rZW4iLCJleHAiOjE0MjI1Njg4NjAsImp0aSI6InJhbmRvbS1ub24tcmV1c2FibGUtand0LWlkLTEyMyJ9";
    let rs384 = format!(
        "eyJhbGciOiJSUzM4NCIsImtpZCI6ImVlZTlmMTdhM2I1OThmZDg2NDE3YTk4MGI1OTFmYmU2IiwidHlwIjoiSldUIn0.{claims}.D5kAqNJwaftCqsRdVVQDq6dMBxuGFOF5svQJuXbcYp-oEyg5qOwK9ZE5cGLTHxqwfpUPNzRKgVdIGuhawAA-8g0s1nKQae8CuKs33hhKh4J34xSEwW3MYs1gwI4GHTtR_g3kYSX6QCi14Ed3GIAvYFgqRqt-gD7sewMUXL4SB8I8cXcDbCqVizm7uPVhjw6QaeKZygJJ_AVLhM4Xs9LTy4HAhdCHpN0FrNmCerUIYJvHDpcod7A0jDmxdoeW1KIBYlhdhQNwjtsTvT1ce4qacN_3KIv_fIzCKLIgDv9eWxkjAtxOmIm8aW5gX9xX7X0nbd0QglIyiic_bZVNNEh0kg"
    );
    let es384 = format!(
        "eyJhbGciOiJFUzM4NCIsImtpZCI6ImNkNTIwMjExZTU2NjFkYmJhMjI1NmY2N2Y2ZDUzZjk3IiwidHlwIjoiSldUIn0.{claims}.ddl5N8dt5PYI_7syKg_dm1wj1LR3dYVztFlTODs6pU1vKH1Zv3d9NctbnAsZ4aZ1K7HE83_fA_hIAL0JsU1GoB7roLmrpj8zfygG9Q1ZBAmKNoR60pyONPZsGTihoR29"
    );
    let rsa = KeySet::parse(rsa.to_string().as_bytes()).unwrap();
    let ec = KeySet::parse(ec.to_string().as_bytes()).unwrap();
    assert!(rsa.verifies(&rs384) && ec.verifies(&es384));
    assert!(!rsa.verifies(&es384) && !ec.verifies(&rs384));
    // Good signatures, but they say nothing about a person and expired in 2015.
    let access = access();
    let outcome = verify(&Secret::new(rs384), &rsa, &expected(&access));
    assert_eq!(outcome.unwrap_err(), IdentityFault::Issuer);
}
