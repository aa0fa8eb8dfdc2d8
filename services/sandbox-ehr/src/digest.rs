//! Opaque values (codes, tokens, launch handles) and the digests under which they are stored: the sandbox
//! never keeps or shows a token itself, only its SHA-256.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// SHA-256 of a code or token in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TokenDigest(String);

impl TokenDigest {
    pub(crate) fn of(token: &str) -> Self {
        let mut hex = String::with_capacity(64);
        for byte in digest(&SHA256, token.as_bytes()).as_ref() {
            // Writing into a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        Self(hex)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A fresh unguessable value: 256 random bits, base64url.
pub(crate) fn opaque() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// A fresh unguessable value of this many characters, at least [`opaque`]'s.
pub(crate) fn opaque_of(length: usize) -> String {
    let mut value = opaque();
    while value.len() < length {
        value.push_str(&opaque());
    }
    value.truncate(length.max(43));
    value
}

/// A short unguessable handle for pages (128 bits).
pub(crate) fn handle() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>())
}

/// The S256 transformation of RFC 7636 §4.2.
pub(crate) fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

/// `at_hash` of OpenID Connect Core §3.1.3.6 for a SHA-256 signature: left half of the digest, base64url.
pub(crate) fn at_hash(access_token: &str) -> String {
    let whole = digest(&SHA256, access_token.as_bytes());
    let (left, _) = whole.as_ref().split_at(16);
    URL_SAFE_NO_PAD.encode(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s256_gives_the_challenge_of_the_rfc_7636_example() {
        let challenge = s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn at_hash_is_the_left_half_of_the_digest() {
        assert_eq!(at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
    }

    #[test]
    fn opaque_values_are_long_and_differ() {
        let (a, b) = (opaque(), opaque());
        assert_eq!(a.len(), 43);
        assert_ne!(a, b);
    }
}
