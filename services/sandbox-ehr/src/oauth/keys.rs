//! The keys that sign id tokens: RSA 2048, RS256 (which every SMART server must support). The newest
//! signs; older ones stay published so that tokens in flight still verify after a rotation.

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A key could not be made or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signing key could not be made or used")]
pub(crate) struct KeyError;

/// One signing key with its public half.
pub(crate) struct SigningKey {
    pair: RsaKeyPair,
    pub(crate) kid: String,
    jwk: Value,
}

impl SigningKey {
    fn generate() -> Result<Self, KeyError> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_unspecified| KeyError)?;
        let (modulus, exponent) = public_numbers(pair.public_key().as_ref()).ok_or(KeyError)?;
        let (n, e) = (URL_SAFE_NO_PAD.encode(modulus), URL_SAFE_NO_PAD.encode(exponent));
        // The key id is the RFC 7638 thumbprint: members in lexical order, no white space.
        let thumbprint = digest(&SHA256, format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#).as_bytes());
        let kid = URL_SAFE_NO_PAD.encode(thumbprint);
        let jwk = json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": n, "e": e});
        Ok(Self { pair, kid, jwk })
    }

    /// RS256 over the signing input of a JWT.
    pub(crate) fn sign(&self, input: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let signed = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature);
        signed.map(|()| signature).map_err(|_unspecified| KeyError)
    }
}

/// All published keys, newest last.
pub(crate) struct SigningKeys {
    keys: RwLock<Vec<Arc<SigningKey>>>,
}

impl SigningKeys {
    pub(crate) fn generate() -> Result<Self, KeyError> {
        Ok(Self { keys: RwLock::new(vec![Arc::new(SigningKey::generate()?)]) })
    }

    /// Makes a new signing key; answers its id.
    pub(crate) fn rotate(&self) -> Result<String, KeyError> {
        let key = Arc::new(SigningKey::generate()?);
        let kid = key.kid.clone();
        self.keys.write().unwrap_or_else(PoisonError::into_inner).push(key);
        Ok(kid)
    }

    pub(crate) fn current(&self) -> Result<Arc<SigningKey>, KeyError> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).last().cloned().ok_or(KeyError)
    }

    /// The JWK set; public members only.
    pub(crate) fn jwks(&self) -> Value {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        json!({"keys": keys.iter().map(|key| key.jwk.clone()).collect::<Vec<_>>()})
    }
}

/// Modulus and exponent of a DER `RSAPublicKey` (RFC 8017 appendix A.1.1), without leading zeros.
fn public_numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = der_value(der, 0x30)?;
    let (modulus, rest) = der_value(sequence, 0x02)?;
    let (exponent, _) = der_value(rest, 0x02)?;
    let bare = |number: &'_ [u8]| number.iter().take_while(|byte| **byte == 0).count();
    Some((modulus.get(bare(modulus)..)?, exponent.get(bare(exponent)..)?))
}

/// The content of the first DER element, which must have this tag, and what follows it.
fn der_value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    if *first != tag {
        return None;
    }
    let (length, rest) = if *length < 0x80 {
        (usize::from(*length), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(*length & 0x7f))?;
        (
            bytes
                .iter()
                .try_fold(0usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))?,
            rest,
        )
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_public_key_are_read_from_its_der_form() {
        let der = [0x30, 0x08, 0x02, 0x03, 0x00, 0xc1, 0x01, 0x02, 0x01, 0x03];
        assert_eq!(public_numbers(&der), Some((&[0xc1, 0x01][..], &[0x03][..])));
        assert_eq!(public_numbers(&der[..6]), None);
        assert_eq!(public_numbers(&[]), None);
    }

    #[test]
    fn after_a_rotation_both_keys_are_published_and_only_with_public_members() {
        let keys = SigningKeys::generate().unwrap();
        let old = keys.current().unwrap().kid.clone();
        let new = keys.rotate().unwrap();
        assert_eq!(keys.current().unwrap().kid, new);
        let jwks = keys.jwks();
        let kids: Vec<_> =
            jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
        assert_eq!(kids, [old.as_str(), new.as_str()]);
        for member in ["d", "p", "q", "dp", "dq", "qi"] {
            assert!(jwks["keys"][0].get(member).is_none());
        }
    }
}
