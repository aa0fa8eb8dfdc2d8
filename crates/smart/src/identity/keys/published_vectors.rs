//! Signatures that others have broken libraries with: the Wycheproof vectors of the four algorithms that an issuer may use.
//! Keys come in as JWK Sets, as an issuer's do; signatures in the form that JWS has them (RFC 7518 §3.4: R and S side by side).

use serde_json::json;
use wycheproof::{TestResult, ecdsa, rsa_pkcs1_verify as rsa};

use super::*;

/// How many were right to accept and how many right to refuse.
#[derive(Default)]
struct Tried {
    accepted: usize,
    refused: usize,
}

impl Tried {
    fn one(
        &mut self,
        set: &KeySet,
        algorithm: Algorithm,
        (message, signature): (&[u8], &[u8]),
        result: TestResult,
        what: &str,
    ) {
        let signature = URL_SAFE_NO_PAD.encode(signature);
        let fitting = set.0.iter().filter(|key| key.fits(algorithm));
        let is_taken = fitting.filter(|key| key.verifies(message, &signature, algorithm)).count() > 0;
        match result {
            TestResult::Valid => assert!(is_taken, "refused although it is right: {what}"),
            TestResult::Invalid => assert!(!is_taken, "taken although it is wrong: {what}"),
            TestResult::Acceptable => {}
        }
        *(if is_taken { &mut self.accepted } else { &mut self.refused }) += 1;
    }
}

fn set_of(key: &Value) -> KeySet {
    KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap()
}

fn points(name: ecdsa::TestName, curve: &str, algorithm: Algorithm) -> Tried {
    let mut tried = Tried::default();
    for group in ecdsa::TestSet::load(name).unwrap().test_groups {
        // An uncompressed point: 4, x, y.
        let (x, y) = group.key.key[1..].split_at(group.key.key.len() / 2);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let set = set_of(&json!({ "kty": "EC", "crv": curve, "x": x, "y": y }));
        for test in &group.tests {
            let what = format!("{name:?} {}: {}", test.tc_id, test.comment);
            tried.one(&set, algorithm, (&test.msg, &test.sig), test.result, &what);
        }
    }
    tried
}

fn moduli(name: rsa::TestName, algorithm: Algorithm) -> Tried {
    let mut tried = Tried::default();
    for group in rsa::TestSet::load(name).unwrap().test_groups {
        let (n, e) = (&*group.key.n, &*group.key.e);
        // RFC 7518 §6.3.1.1: without the zero that keeps an ASN.1 integer positive.
        let n = n.strip_prefix(&[0]).unwrap_or(n);
        let set =
            set_of(&json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e) }));
        for test in &group.tests {
            let what = format!("{name:?} {}: {}", test.tc_id, test.comment);
            tried.one(&set, algorithm, (&test.msg, &test.sig), test.result, &what);
        }
    }
    tried
}

#[test]
fn no_signature_of_the_published_vectors_is_taken_wrongly() {
    let tried = [
        points(ecdsa::TestName::EcdsaSecp256r1Sha256P1363, "P-256", Algorithm::ES256),
        points(ecdsa::TestName::EcdsaSecp384r1Sha384P1363, "P-384", Algorithm::ES384),
        moduli(rsa::TestName::Rsa2048Sha256, Algorithm::RS256),
        moduli(rsa::TestName::Rsa2048Sha384, Algorithm::RS384),
        moduli(rsa::TestName::Rsa3072Sha256, Algorithm::RS256),
        moduli(rsa::TestName::Rsa3072Sha384, Algorithm::RS384),
    ];
    // A set that came to nothing would pass as well.
    assert!(tried.iter().all(|set| set.accepted > 5 && set.refused > 50));
}
