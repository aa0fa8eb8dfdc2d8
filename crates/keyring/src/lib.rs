//! Keys at rest: the port for the key-encryption key, its local adapter, and the envelope over it.
//!
//! Two levels: a key-encryption key (KEK) that never leaves its keeper wraps data keys; a [`DataKey`] seals values.
//! Every seal is bound to associated data that says where the value belongs, so that a ciphertext moved to another
//! row, field or tenant does not open (ASVS 5.0 §11.3; CWE-639).

mod cache;
mod envelope;
mod local;
mod place;
mod self_test;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod transit;

use async_trait::async_trait;
use sallyport_model::Secret;

pub use cache::{DataKeyContext, Keyring, Observer, PROOF_LASTS_MICROS};
pub use envelope::DataKey;
pub use local::{Deployment, LocalKey};
pub use place::place;
pub use self_test::{NotProven, SelfTest};
pub use transit::{Login, Transit, TransitSettings};

/// Why a key operation failed. Says nothing about keys or contents.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The ciphertext was not made with this key for this place, or was altered.
    #[error("the sealed value does not open: wrong key, moved from its place, or altered")]
    DoesNotOpen,
    /// The bytes are not a sealed value or a key at all.
    #[error("not a sealed value of a known version")]
    Malformed,
    /// The local key was asked for in production.
    #[error("a local key file is refused in production: configure a key service")]
    LocalKeyInProduction,
    /// Others can read the key file.
    #[error("the key file can be read by others: set its mode to 0600")]
    KeyFileExposed,
    /// The key file has not the length of one or several keys.
    #[error("the key file does not hold whole keys of 32 bytes: restore it from its backup")]
    KeyFileDamaged,
    /// The key file cannot be read or created.
    #[error("the key file cannot be read or created")]
    KeyFile(#[source] std::io::Error),
    /// The key service is configured in a way that cannot work.
    #[error("key service: {0}")]
    Configuration(&'static str),
    /// The key service answers, and says no: an operator must change something there.
    #[error("the key service refuses: check this service's login, its policy and the name of the key")]
    Refused,
    /// The keeper of the key-encryption key does not answer; trying again later can help.
    #[error("the key service is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl KeyError {
    /// Whether the sealed bytes are to blame rather than the keeper of the key: asking again gives the same answer as
    /// long as the keeper has no other key.
    pub fn is_about_the_value(&self) -> bool {
        matches!(self, Self::DoesNotOpen | Self::Malformed)
    }

    /// Whether the keeper was asked and said no, rather than not reached: a key in memory ends with that.
    pub(crate) fn is_a_no(&self) -> bool {
        self.is_about_the_value() || matches!(self, Self::Refused)
    }
}

/// The keeper of the key-encryption key. It wraps and unwraps data keys; the key itself never comes out, so that a
/// key service over the network (transit) fits as well as a file.
///
/// The key has versions, counted from 1: the newest wraps, each unwraps what it wrapped.
#[async_trait]
pub trait KeyEncryptionKey: Send + Sync + 'static {
    /// Wraps a data key for the place that `aad` names.
    async fn wrap(&self, aad: &[u8], key: &Secret<Vec<u8>>) -> Result<Vec<u8>, KeyError>;

    /// Unwraps a data key; fails when `aad` is not what it was wrapped with.
    async fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<Secret<Vec<u8>>, KeyError>;

    /// Which version wrapped this, read from the bytes alone.
    fn version_of(&self, wrapped: &[u8]) -> Result<u64, KeyError>;

    /// The version that wraps now.
    async fn current_version(&self) -> Result<u64, KeyError>;

    /// The same data key for the same place, wrapped by the newest version.
    async fn rewrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// Makes a new version and returns it. What older ones wrapped still unwraps.
    async fn rotate(&self) -> Result<u64, KeyError>;
}

/// `N` bytes of the operating system's randomness.
pub fn random<const N: usize>() -> [u8; N] {
    let mut out = [0_u8; N];
    aws_lc_rs::rand::fill(&mut out).expect("the operating system's random source works");
    out
}
