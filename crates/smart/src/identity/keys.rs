//! An issuer's keys (RFC 7517). Keys that this client cannot use are skipped: a set may hold kinds from the future.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Deserialize;
use serde_json::Value;

use super::{IdentityFault, Parts, allowed};

#[cfg(test)]
mod published_vectors;

/// The largest key set that is read.
pub const MAX_JWKS_BYTES: usize = 256 * 1024;

/// How many keys are looked at: each may cost a signature check.
const MAX_KEYS: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
}

struct Key {
    id: Option<String>,
    algorithm: Option<String>,
    kind: Kind,
    key: DecodingKey,
}

/// The keys of one issuer.
pub struct KeySet(Vec<Key>);

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeySet({} keys)", self.0.len())
    }
}

#[derive(Deserialize)]
struct Wire {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct WireKey {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl KeySet {
    /// Reads a JWK Set.
    ///
    /// # Errors
    /// [`IdentityFault::Keys`] when it is not one.
    pub fn parse(json: &[u8]) -> Result<Self, IdentityFault> {
        let set: Wire = serde_json::from_slice(json).map_err(|_syntax| IdentityFault::Keys)?;
        Ok(Self(set.keys.into_iter().take(MAX_KEYS).filter_map(usable).collect()))
    }

    /// Whether any key of the set signed this JWT, whatever it claims. For our own assertions.
    pub fn verifies(&self, jwt: &str) -> bool {
        let Ok(parts) = Parts::split(jwt) else { return false };
        let Ok(header) = parts.header() else { return false };
        allowed(&header.alg).is_some_and(|a| self.check(&parts, header.kid.as_deref(), a).is_ok())
    }

    /// Checks the signature with the key that the header names, or, where it names none, with each that fits.
    pub(super) fn check(
        &self,
        parts: &Parts<'_>,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<(), IdentityFault> {
        let named = |key: &&Key| kid.is_none() || key.id.is_none() || key.id.as_deref() == kid;
        let mut is_named_key_known = false;
        for key in self.0.iter().filter(named).filter(|key| key.fits(algorithm)) {
            is_named_key_known |= kid.is_some() && key.id.is_some();
            if key.verifies(parts.message.as_bytes(), parts.signature, algorithm) {
                return Ok(());
            }
        }
        Err(if is_named_key_known { IdentityFault::Signature } else { IdentityFault::UnknownKey })
    }
}

impl Key {
    fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match algorithm {
            Algorithm::ES256 => Kind::P256,
            Algorithm::ES384 => Kind::P384,
            _ => Kind::Rsa,
        };
        self.kind == kind && self.algorithm.as_deref().is_none_or(|name| allowed(name) == Some(algorithm))
    }

    /// Whether it signed these bytes. The signature is in base64url.
    fn verifies(&self, message: &[u8], signature: &str, algorithm: Algorithm) -> bool {
        crypto::verify(signature, message, &self.key, algorithm).unwrap_or(false)
    }
}

fn usable(value: Value) -> Option<Key> {
    let wire: WireKey = serde_json::from_value(value).ok()?;
    let is_for_signatures = wire.usage.as_deref().is_none_or(|u| u == "sig")
        && wire.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if !is_for_signatures {
        return None;
    }
    let (kind, key) = match (wire.kty.as_str(), wire.crv.as_deref()) {
        ("RSA", _) => (Kind::Rsa, DecodingKey::from_rsa_components(&wire.n?, &wire.e?).ok()?),
        ("EC", Some("P-256")) => (Kind::P256, point(&wire.x?, &wire.y?, 32)?),
        ("EC", Some("P-384")) => (Kind::P384, point(&wire.x?, &wire.y?, 48)?),
        _ => return None,
    };
    Some(Key { id: wire.kid, algorithm: wire.alg, kind, key })
}

/// An uncompressed point. Some servers drop leading zeros from coordinates; RFC 7518 §6.2.1.2 wants them, so they are
/// put back.
fn point(x: &str, y: &str, size: usize) -> Option<DecodingKey> {
    let mut point = vec![4_u8];
    for coordinate in [x, y] {
        let bytes = URL_SAFE_NO_PAD.decode(coordinate.trim_end_matches('=')).ok()?;
        point.resize(point.len() + size.checked_sub(bytes.len())?, 0);
        point.extend_from_slice(&bytes);
    }
    Some(DecodingKey::from_ec_der(&point))
}
