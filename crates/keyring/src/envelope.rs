//! The envelope: AES-256-GCM with a random 96-bit nonce, a versioned header and mandatory associated data.
//!
//! Layout: version (1 byte) ‖ nonce (12) ‖ ciphertext ‖ tag (16). The version is authenticated too.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use sallyport_model::Secret;

use crate::{KeyError, random};

/// The only version so far: AES-256-GCM, random nonce.
const VERSION: u8 = 1;

/// 256 bits.
pub(crate) const KEY_LENGTH: usize = 32;

/// A key that seals values. With random nonces one key may seal up to 2³² values (NIST SP 800-38D §8.3), far more than
/// a tenant's grants; replacing the key starts the count anew.
pub struct DataKey {
    aead: LessSafeKey,
    index: hmac::Key,
    material: Secret<Vec<u8>>,
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[data key]")
    }
}

impl DataKey {
    /// A new random key.
    pub fn generate() -> Self {
        let material = Secret::new(random::<KEY_LENGTH>().to_vec());
        Self::from_secret(material).expect("32 bytes are a key")
    }

    /// A key from its 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] when there are not exactly 32.
    pub fn from_secret(material: Secret<Vec<u8>>) -> Result<Self, KeyError> {
        let unbound =
            UnboundKey::new(&AES_256_GCM, material.expose()).map_err(|_length| KeyError::Malformed)?;
        let index = hmac::Key::new(hmac::HMAC_SHA256, derive(material.expose(), b"blind index").expose());
        Ok(Self { aead: LessSafeKey::new(unbound), index, material })
    }

    /// The key's bytes, for wrapping.
    pub fn expose(&self) -> &Secret<Vec<u8>> {
        &self.material
    }

    /// Seals `plaintext` for the place that `aad` names (tenant ‖ row ‖ field). An empty `aad` would make the
    /// ciphertext valid everywhere and is a defect of the caller.
    pub fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        assert!(!aad.is_empty(), "associated data names the place of a sealed value");
        let nonce = random::<NONCE_LEN>();
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + plaintext.len() + AES_256_GCM.tag_len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        // Encrypted where it stands, so that no copy of the plaintext is left behind in the heap.
        let mut body = plaintext.to_vec();
        self.aead
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound(aad), &mut body)
            .expect("a value is far below the limit of AES-GCM");
        sealed.append(&mut body);
        sealed
    }

    /// Opens a sealed value.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] when the bytes are not an envelope, [`KeyError::DoesNotOpen`] when they were sealed with
    /// another key or for another place, or were altered.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Secret<Vec<u8>>, KeyError> {
        let (version, rest) = sealed.split_first().ok_or(KeyError::Malformed)?;
        if *version != VERSION || aad.is_empty() {
            return Err(KeyError::Malformed);
        }
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or(KeyError::Malformed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_length| KeyError::Malformed)?;
        let mut body = body.to_vec();
        let length = self
            .aead
            .open_in_place(nonce, bound(aad), &mut body)
            .map_err(|_unspecified| KeyError::DoesNotOpen)?
            .len();
        body.truncate(length);
        Ok(Secret::new(body))
    }

    /// A keyed blind index: equal inputs give equal values under one key, and without the key nothing can be guessed.
    /// `domain` separates uses; the parts are length-prefixed, so that ("ab","c") and ("a","bc") differ.
    pub fn blind_index(&self, domain: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = hmac::Context::with_key(&self.index);
        for part in std::iter::once(&domain.as_bytes()).chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let mut out = [0_u8; 32];
        out.copy_from_slice(mac.sign().as_ref());
        out
    }
}

/// The associated data with the version in front, so that a later version cannot be passed off as this one.
fn bound(aad: &[u8]) -> Aad<Vec<u8>> {
    let mut all = Vec::with_capacity(1 + aad.len());
    all.push(VERSION);
    all.extend_from_slice(aad);
    Aad::from(all)
}

/// A key for another use, so that one key never serves two algorithms (NIST SP 800-108).
fn derive(material: &[u8], label: &[u8]) -> Secret<Vec<u8>> {
    let mut out = vec![0_u8; KEY_LENGTH];
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"sallyport data key v1")
        .extract(material)
        .expand(&[label], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut out))
        .expect("32 bytes are within HKDF's limit");
    Secret::new(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let key = DataKey::generate();
        let sealed = key.seal(b"tenant-a\0grant-1\0access", b"token");
        assert_eq!(key.open(b"tenant-a\0grant-1\0access", &sealed).unwrap().expose(), b"token");
        for elsewhere in
            [&b"tenant-b\0grant-1\0access"[..], b"tenant-a\0grant-2\0access", b"tenant-a\0grant-1\0refresh"]
        {
            assert!(matches!(key.open(elsewhere, &sealed), Err(KeyError::DoesNotOpen)));
        }
    }

    #[test]
    fn any_single_changed_byte_is_noticed() {
        let key = DataKey::generate();
        let sealed = key.seal(b"place", b"value");
        for position in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[position] ^= 1;
            assert!(key.open(b"place", &altered).is_err(), "byte {position}");
        }
    }

    #[test]
    fn a_truncated_or_foreign_envelope_is_refused() {
        let key = DataKey::generate();
        let sealed = key.seal(b"place", b"value");
        for length in 0..sealed.len() {
            assert!(key.open(b"place", &sealed[..length]).is_err(), "length {length}");
        }
        assert!(DataKey::generate().open(b"place", &sealed).is_err());
        assert!(matches!(key.open(b"", &sealed), Err(KeyError::Malformed)));
    }

    #[test]
    #[should_panic(expected = "associated data")]
    fn sealing_without_a_place_is_a_defect() {
        DataKey::generate().seal(b"", b"value");
    }

    #[test]
    fn equal_values_seal_differently_and_index_equally() {
        let key = DataKey::generate();
        assert_ne!(key.seal(b"p", b"v"), key.seal(b"p", b"v"));
        assert_eq!(key.blind_index("user", &[b"ab", b"c"]), key.blind_index("user", &[b"ab", b"c"]));
        assert_ne!(key.blind_index("user", &[b"ab", b"c"]), key.blind_index("user", &[b"a", b"bc"]));
        assert_ne!(key.blind_index("user", &[b"a"]), key.blind_index("patient", &[b"a"]));
        assert_ne!(key.blind_index("user", &[b"a"]), DataKey::generate().blind_index("user", &[b"a"]));
    }

    #[test]
    fn a_key_has_exactly_32_bytes_and_never_prints() {
        assert!(DataKey::from_secret(Secret::new(vec![0; 31])).is_err());
        assert_eq!(format!("{:?}", DataKey::generate()), "[data key]");
    }
}
