//! PKCE with S256, always (RFC 7636, SMART 2.2 app-launch §PKCE). `plain` cannot be expressed here.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sallyport_model::Secret;

/// The only method there is.
pub const METHOD: &str = "S256";

/// A code verifier: 43 unreserved characters made of 256 random bits, new for each transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier(Secret<String>);

impl Verifier {
    /// Makes a verifier of 32 bytes from the caller's random source (RFC 7636 §4.1 recommends exactly this).
    pub fn from_random(random: [u8; 32]) -> Self {
        Self(Secret::new(URL_SAFE_NO_PAD.encode(random)))
    }

    /// Takes a stored verifier back; `None` when it is not 43–128 unreserved characters.
    pub fn from_stored(text: String) -> Option<Self> {
        let fits = (43..=128).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'));
        let secret = Secret::new(text);
        fits.then_some(Self(secret))
    }

    /// The verifier itself, for the token request.
    pub fn secret(&self) -> &Secret<String> {
        &self.0
    }

    /// `BASE64URL(SHA256(ASCII(verifier)))`, for the authorization request.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(sha256(self.0.expose().as_bytes()))
    }
}

/// SHA-256, also what session secrets and states are stored and compared as.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, bytes);
    let mut out = [0_u8; 32];
    out.copy_from_slice(digest.as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str) -> Option<Verifier> {
        Verifier::from_stored(text.to_owned())
    }

    #[test]
    fn the_published_vectors_give_their_challenges() {
        let rfc7636 = stored("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        assert_eq!(rfc7636.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        let smart = stored(
            "o28xyrYY7-lGYfnKwRjHEZWlFIPlzVnFPYMWbH-g_BsNnQNem-IAg9fDh92X0KtvHCPO5_C-RJd2QhApKQ-2cRp-S_W3qmTidTEPkeWyniKQSF9Q_k10Q5wMc8fGzoyF",
        );
        assert_eq!(smart.unwrap().challenge(), "YPXe7B8ghKrj8PsT4L6ltupgI12NQJ5vblB07F4rGaw");
    }

    #[test]
    fn a_fresh_verifier_is_43_unreserved_characters_and_never_prints() {
        let verifier = Verifier::from_random([0xfb; 32]);
        assert_eq!(verifier.secret().expose().len(), 43);
        assert_eq!(stored(verifier.secret().expose()), Some(verifier.clone()));
        assert_eq!(format!("{verifier:?}"), "Verifier([secret])");
    }

    #[test]
    fn a_stored_verifier_of_the_wrong_shape_is_refused() {
        for bad in ["", "short", &"a".repeat(42), &"a".repeat(129), &format!("{} ", "a".repeat(43))] {
            assert!(stored(bad).is_none(), "{} characters", bad.len());
        }
    }
}
