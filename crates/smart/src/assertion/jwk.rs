//! Public keys as JWK (RFC 7517) and their thumbprints (RFC 7638). There is no place for a private member here.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Bytes of a P-384 coordinate.
const P384_COORDINATE: usize = 48;

/// The public side of a signing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicJwk {
    /// A P-384 key, coordinates as base64url.
    P384 {
        /// x
        x: String,
        /// y
        y: String,
    },
    /// An RSA key, members as base64url.
    Rsa {
        /// The modulus.
        n: String,
        /// The exponent.
        e: String,
    },
}

impl PublicJwk {
    /// From an uncompressed point; `None` when it is not one of P-384.
    pub(super) fn from_p384_point(point: &[u8]) -> Option<Self> {
        let (form, coordinates) = point.split_first()?;
        let (x, y) = coordinates.split_at_checked(P384_COORDINATE)?;
        (*form == 4 && y.len() == P384_COORDINATE).then(|| Self::P384 { x: encode(x), y: encode(y) })
    }

    /// From big-endian modulus and exponent.
    pub(super) fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        (modulus.len() >= 256).then(|| Self::Rsa { n: encode(modulus), e: encode(exponent) })
    }

    /// SHA-256 over the required members in lexicographic order (RFC 7638 §3).
    pub fn thumbprint(&self) -> String {
        let canonical = match self {
            Self::P384 { x, y } => format!(r#"{{"crv":"P-384","kty":"EC","x":"{x}","y":"{y}"}}"#),
            Self::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
        };
        encode(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
    }

    /// The key as published (JWT-05).
    pub fn to_json(&self) -> serde_json::Value {
        let kid = self.thumbprint();
        match self {
            Self::P384 { x, y } => serde_json::json!({
                "kty": "EC", "crv": "P-384", "x": x, "y": y, "kid": kid, "alg": "ES384", "use": "sig", "key_ops": ["verify"]
            }),
            Self::Rsa { n, e } => serde_json::json!({
                "kty": "RSA", "n": n, "e": e, "kid": kid, "alg": "RS384", "use": "sig", "key_ops": ["verify"]
            }),
        }
    }
}

/// A JWK Set; a key that is there twice is printed once.
pub fn jwks<'a>(keys: impl IntoIterator<Item = &'a PublicJwk>) -> String {
    let unique: std::collections::BTreeMap<String, serde_json::Value> =
        keys.into_iter().map(|key| (key.thumbprint(), key.to_json())).collect();
    serde_json::json!({ "keys": unique.into_values().collect::<Vec<_>>() }).to_string()
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
