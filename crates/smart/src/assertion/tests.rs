use aws_lc_rs::rsa::KeySize;
use serde_json::Value;

use super::*;

const RSA_N: &str = "wJq2RHIA-7RT6q4go7wjcbHdW7ck7Kz22A8wf-kN7Wi5CWvhFG2_Y7nQp1lDpb2IKMQr-Q4n_vgJ6d5rWPspJpSPY7iffUK4ipQCEbzID5DJ6fQMBZOfCTXyxkuMh3jYGKEF3Ziw2oxbM1H9j-eJAPtrj5stUG6kVoXowegdox-bSjWP0iI5PnkwUNzcekLMug4M3LRluEQgGR9O_BAML6-w3igZ_rZA_gunyrLAMbfmCVaceW5ohLp679kyM7U6W2gDK_NbkDKcINUakVmPeoG5h8RzgGzvGrySR0k0VDFiZv60Ua07DqHTeDGH9e4NV07AECae-oykIj5NDCs3pw";
const EC_X: &str = "pyqburM9y8HPcFhNosDW6ngoVEJitqXi_HJgI5hYqX21PoFDwCbYirGy_o0oapIU";
const EC_Y: &str = "95bxkCnMKoHvgbcPAIAcgzzu8scd81mXfM_IzuJFNfkUNkGYBFGvuEU1KPi5j1ob";

fn claims(jwt: &Secret<String>) -> (Value, Value) {
    let mut parts = jwt.expose().split('.').map(|p| URL_SAFE_NO_PAD.decode(p).unwrap());
    let header = serde_json::from_slice(&parts.next().unwrap()).unwrap();
    (header, serde_json::from_slice(&parts.next().unwrap()).unwrap())
}

fn assertion() -> Assertion<'static> {
    Assertion {
        client_id: "client-1",
        audience: "https://ehr.example.org/token",
        issued_at: 1_700_000_000,
        id: "jti-1",
    }
}

fn verifies(key: &SigningKey, jwt: &Secret<String>) -> bool {
    let set = crate::identity::KeySet::parse(jwks([key.public()]).as_bytes()).unwrap();
    set.verifies(jwt.expose())
}

#[test]
fn thumbprints_match_the_published_keys() {
    let rsa = PublicJwk::Rsa { n: RSA_N.to_owned(), e: "AQAB".to_owned() };
    assert_eq!(rsa.thumbprint(), "I99tVmIhN2uhvx12lO4Zrjk9OhGDH6LvIyYALIZivws");
    let ec = PublicJwk::P384 { x: EC_X.to_owned(), y: EC_Y.to_owned() };
    assert_eq!(ec.thumbprint(), "gpusNZnFRvG96B1APEttC6NcJetjhM0q2LJagnlW6Tc");
}

#[test]
fn an_es384_assertion_carries_exactly_what_smart_asks_for_and_verifies() {
    let (key, _) = SigningKey::generate(Algorithm::Es384).unwrap();
    let jwt = key.sign(&assertion()).unwrap();
    let (header, claims) = claims(&jwt);
    assert_eq!(header, serde_json::json!({"alg":"ES384","kid":key.kid(),"typ":"JWT"}));
    assert_eq!(
        claims,
        serde_json::json!({"iss":"client-1","sub":"client-1","aud":"https://ehr.example.org/token",
            "iat":1_700_000_000,"exp":1_700_000_240,"jti":"jti-1"})
    );
    assert!(verifies(&key, &jwt));
    let (stranger, _) = SigningKey::generate(Algorithm::Es384).unwrap();
    assert!(!verifies(&stranger, &jwt));
}

#[test]
fn a_stored_key_is_the_same_key_again_and_signs_with_its_own_algorithm() {
    for (algorithm, other) in [(Algorithm::Es384, Algorithm::Rs384), (Algorithm::Rs384, Algorithm::Es384)] {
        let (key, pkcs8) = SigningKey::generate(algorithm).unwrap();
        let again = SigningKey::from_pkcs8(algorithm, pkcs8.expose()).unwrap();
        assert_eq!(again.kid(), key.kid());
        let jwt = again.sign(&assertion()).unwrap();
        assert!(verifies(&key, &jwt));
        assert_eq!(claims(&jwt).0["alg"], algorithm.as_str());
        assert!(SigningKey::from_pkcs8(other, pkcs8.expose()).is_err());
    }
}

#[test]
fn an_rs384_key_comes_from_pem_and_verifies() {
    let pair = rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    let key = SigningKey::from_pem(Algorithm::Rs384, &pem).unwrap();
    assert!(verifies(&key, &key.sign(&assertion()).unwrap()));
    assert_eq!(SigningKey::from_pem(Algorithm::Es384, &pem).unwrap_err(), KeyFault::DoesNotFit);
    assert_eq!(SigningKey::from_pem(Algorithm::Rs384, "no pem").unwrap_err(), KeyFault::NotPem);
}

#[test]
fn a_jwks_holds_public_members_only_and_each_key_once() {
    let (key, _) = SigningKey::generate(Algorithm::Es384).unwrap();
    let set: Value = serde_json::from_str(&jwks([key.public(), key.public()])).unwrap();
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
        assert!(keys[0].get(private).is_none(), "{private}");
    }
    assert_eq!(keys[0]["kid"], key.kid());
}

/// SMART 2.2 §Registering a client: `kty`, `kid`, and the bare numbers of the key as base64url.
#[test]
fn each_published_key_names_its_kind_and_its_bare_numbers() {
    for (algorithm, kind, members) in
        [(Algorithm::Es384, "EC", &["crv", "x", "y"][..]), (Algorithm::Rs384, "RSA", &["n", "e"][..])]
    {
        let (key, _) = SigningKey::generate(algorithm).unwrap();
        let set: Value = serde_json::from_str(&jwks([key.public()])).unwrap();
        let published = &set["keys"][0];
        assert_eq!((&published["kty"], &published["kid"]), (&kind.into(), &key.kid().into()));
        for name in members {
            let text = published[*name].as_str().unwrap();
            assert!(*name == "crv" || URL_SAFE_NO_PAD.decode(text).is_ok_and(|n| n.len() > 2), "{name}");
        }
        assert!(published.get("x5c").is_none(), "no certificate stands in for the key");
    }
}

#[test]
fn a_key_never_prints_more_than_its_id() {
    let (key, _) = SigningKey::generate(Algorithm::Es384).unwrap();
    assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.kid()));
}
