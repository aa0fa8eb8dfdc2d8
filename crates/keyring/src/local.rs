//! The key-encryption key as a file with mode 0600: the embedded default, refused in production.

mod file;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;
use sallyport_model::Secret;

use crate::{DataKey, KeyEncryptionKey, KeyError};

/// Where this installation runs. In production a key beside the data it protects is no protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deployment {
    /// A laptop, a test, a demonstration.
    #[default]
    Development,
    /// Real patients: a key service is required.
    Production,
}

/// First byte of what a version after the first wrapped; the version follows, then the envelope. What the first
/// version wrapped is the envelope alone, as it was before there were versions; that one starts with another byte.
const VERSIONED: u8 = 0xF2;

/// Bytes of a version.
const VERSION_LENGTH: usize = 4;

/// The key-encryption key from a file.
pub struct LocalKey {
    path: PathBuf,
    /// All versions, the first one first.
    versions: RwLock<Vec<Arc<DataKey>>>,
}

impl std::fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[local key]")
    }
}

impl LocalKey {
    /// Opens the key file, or creates it. Processes that start at once agree on one key.
    ///
    /// # Errors
    /// [`KeyError`] in production, when others can read the file, when it is damaged, or on an input/output error.
    pub fn open_or_create(path: &Path, deployment: Deployment) -> Result<Self, KeyError> {
        if deployment == Deployment::Production {
            return Err(KeyError::LocalKeyInProduction);
        }
        let versions = file::read_or_create(path)?;
        Ok(Self { path: path.to_owned(), versions: RwLock::new(versions) })
    }

    /// The seed of a signing key from a file of its own (32 bytes, mode 0600), made where there is none. In production
    /// the file must be there: a seed that nobody placed is one that nobody can vouch for.
    ///
    /// # Errors
    /// [`KeyError`] when others can read the file, when it is damaged, or on an input/output error.
    pub fn signing_seed(path: &Path, deployment: Deployment) -> Result<Secret<Vec<u8>>, KeyError> {
        let keys = match deployment {
            Deployment::Development => file::read_or_create(path)?,
            Deployment::Production => file::read(path)?,
        };
        match keys.as_slice() {
            [one] => Ok(Secret::new(one.expose().expose().clone())),
            _ => Err(KeyError::KeyFileDamaged),
        }
    }

    fn newest(&self) -> Result<(u64, Arc<DataKey>), KeyError> {
        let versions = self.versions.read().unwrap_or_else(PoisonError::into_inner);
        let key = versions.last().ok_or(KeyError::KeyFileDamaged)?;
        Ok((versions.len() as u64, Arc::clone(key)))
    }

    /// A version's key; the file is read again for one that another process has made.
    fn version(&self, version: u64) -> Result<Arc<DataKey>, KeyError> {
        let known = |versions: &[Arc<DataKey>]| {
            let index = usize::try_from(version).ok()?.checked_sub(1)?;
            versions.get(index).map(Arc::clone)
        };
        if let Some(key) = known(&self.versions.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(key);
        }
        self.read_again()?;
        let versions = self.versions.read().unwrap_or_else(PoisonError::into_inner);
        known(&versions).ok_or(KeyError::DoesNotOpen)
    }

    fn read_again(&self) -> Result<(), KeyError> {
        let read = file::read(&self.path)?;
        let mut versions = self.versions.write().unwrap_or_else(PoisonError::into_inner);
        // A file that was put back from an old backup must not make this process forget what it can still open.
        if read.len() > versions.len() {
            *versions = read;
        }
        Ok(())
    }
}

#[async_trait]
impl KeyEncryptionKey for LocalKey {
    async fn wrap(&self, aad: &[u8], key: &Secret<Vec<u8>>) -> Result<Vec<u8>, KeyError> {
        let (version, newest) = self.newest()?;
        let envelope = newest.seal(&place(aad), key.expose());
        if version == 1 {
            return Ok(envelope);
        }
        let version = u32::try_from(version).map_err(|_too_many| KeyError::KeyFileDamaged)?;
        Ok([&[VERSIONED][..], &version.to_be_bytes(), &envelope].concat())
    }

    async fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<Secret<Vec<u8>>, KeyError> {
        let (version, envelope) = parts(wrapped)?;
        self.version(version)?.open(&place(aad), envelope)
    }

    fn version_of(&self, wrapped: &[u8]) -> Result<u64, KeyError> {
        parts(wrapped).map(|(version, _)| version)
    }

    async fn current_version(&self) -> Result<u64, KeyError> {
        self.read_again()?;
        self.newest().map(|(version, _)| version)
    }

    async fn rewrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<Vec<u8>, KeyError> {
        let key = self.unwrap(aad, wrapped).await?;
        self.wrap(aad, &key).await
    }

    async fn rotate(&self) -> Result<u64, KeyError> {
        file::append(&self.path)?;
        self.current_version().await
    }
}

fn parts(wrapped: &[u8]) -> Result<(u64, &[u8]), KeyError> {
    match wrapped.split_first() {
        None => Err(KeyError::Malformed),
        Some((&VERSIONED, rest)) => {
            let (version, envelope) =
                rest.split_first_chunk::<VERSION_LENGTH>().ok_or(KeyError::Malformed)?;
            Ok((u64::from(u32::from_be_bytes(*version)), envelope))
        }
        Some(_) => Ok((1, wrapped)),
    }
}

fn place(aad: &[u8]) -> Vec<u8> {
    [b"sallyport wrapped key\0".as_slice(), aad].concat()
}

#[cfg(test)]
mod tests;
