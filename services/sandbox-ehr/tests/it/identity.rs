//! Id tokens: the good one verifies as OpenID Connect wants; each faulty one has exactly its fault.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use crate::ehr::{Ehr, text};

/// Verifies as a careful client does; the error says what was wrong.
async fn verify(ehr: &Ehr, id_token: &str) -> Result<Value, String> {
    let header = jsonwebtoken::decode_header(id_token).map_err(|error| format!("header: {error}"))?;
    let jwks = ehr.get(&ehr.oauth("/jwks")).await.json();
    let jwks: JwkSet = serde_json::from_value(jwks).unwrap();
    let kid = header.kid.ok_or("no kid")?;
    let key = DecodingKey::from_jwk(jwks.find(&kid).ok_or("unknown kid")?).unwrap();
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_audience(&["public-app"]);
    rules.set_issuer(&[ehr.oauth("")]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let decoded = jsonwebtoken::decode::<Value>(id_token, &key, &rules).map_err(|error| error.to_string())?;
    if decoded.claims["nonce"] != "the-nonce" {
        return Err("nonce".to_owned());
    }
    Ok(decoded.claims)
}

#[tokio::test]
async fn the_id_token_verifies_and_says_who_signed_in() {
    let ehr = Ehr::start().await;
    let tokens = ehr.tokens().await;
    let claims = verify(&ehr, text(&tokens, "id_token")).await.unwrap();
    let user = text(&claims, "fhirUser");
    assert!(user.starts_with(&ehr.fhir("/Practitioner/")), "{user}");
    let digest =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text(&tokens, "access_token").as_bytes());
    assert_eq!(text(&claims, "at_hash"), B64.encode(&digest.as_ref()[..16]));
    let path = user.strip_prefix(&ehr.fhir("")).unwrap();
    let staff = ehr.fhir_get(path, text(&tokens, "access_token")).await;
    assert_eq!((staff.status.as_u16(), &staff.json()["resourceType"]), (200, &json!("Practitioner")));
}

#[tokio::test]
async fn each_id_token_fault_makes_a_careful_client_refuse() {
    let ehr = Ehr::start().await;
    for fault in [
        "wrong-iss",
        "wrong-aud",
        "wrong-nonce",
        "no-nonce",
        "alg-none",
        "hmac",
        "expired",
        "signature",
        "unknown-kid",
        "no-kid",
        "no-sub",
    ] {
        ehr.fault_once(&format!("id-token:{fault}")).await;
        let tokens = ehr.tokens().await;
        assert!(verify(&ehr, text(&tokens, "id_token")).await.is_err(), "{fault}");
    }
    assert!(verify(&ehr, text(&ehr.tokens().await, "id_token")).await.is_ok(), "the faults were used up");
}

#[tokio::test]
async fn a_wrong_at_hash_and_a_missing_id_token_can_be_asked_for() {
    let ehr = Ehr::start().await;
    let good = verify(&ehr, text(&ehr.tokens().await, "id_token")).await.unwrap();
    ehr.fault_once("id-token:wrong-at-hash").await;
    let tokens = ehr.tokens().await;
    let claims = verify(&ehr, text(&tokens, "id_token")).await.unwrap();
    let digest =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text(&tokens, "access_token").as_bytes());
    assert_ne!(text(&claims, "at_hash"), B64.encode(&digest.as_ref()[..16]));
    assert_eq!(good["sub"], claims["sub"], "the subject is stable");
    ehr.fault_once("id-token:missing").await;
    assert!(ehr.tokens().await.get("id_token").is_none());
}

#[tokio::test]
async fn after_a_key_rotation_old_and_new_id_tokens_verify() {
    let ehr = Ehr::start().await;
    let old = ehr.tokens().await;
    let rotated = ehr.admin(http::Method::POST, "/keys", json!({})).await.json();
    let new = ehr.tokens().await;
    let header = jsonwebtoken::decode_header(text(&new, "id_token")).unwrap();
    assert_eq!(header.kid.as_deref(), rotated["kid"].as_str());
    for tokens in [old, new] {
        assert!(verify(&ehr, text(&tokens, "id_token")).await.is_ok());
    }
}
