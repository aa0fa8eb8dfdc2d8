//! A key-encryption key for tests: in memory, with versions; cut off, slow, denied and lost on command, counting what
//! it is asked.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use sallyport_model::Secret;

use crate::{DataKey, KeyEncryptionKey, KeyError};

/// The key.
pub struct MemoryKey {
    versions: Mutex<Vec<Arc<DataKey>>>,
    is_away: AtomicBool,
    is_denied: AtomicBool,
    turn: tokio::sync::RwLock<()>,
    unwraps: AtomicUsize,
    calls: AtomicUsize,
}

impl Default for MemoryKey {
    fn default() -> Self {
        Self {
            versions: Mutex::new(vec![Arc::new(DataKey::generate())]),
            is_away: AtomicBool::new(false),
            is_denied: AtomicBool::new(false),
            turn: tokio::sync::RwLock::default(),
            unwraps: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
        }
    }
}

impl MemoryKey {
    /// A new key, ready to be shared.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// As services take it.
    pub fn kek(self: &Arc<Self>) -> Arc<dyn KeyEncryptionKey> {
        Arc::clone(self) as _
    }

    /// Cuts it off, or connects it again.
    pub fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    /// Denies everything, as after a policy was taken away, or allows it again.
    pub fn set_denied(&self, is_denied: bool) {
        self.is_denied.store(is_denied, Ordering::SeqCst);
    }

    /// Answers no question to unwrap while the guard lives.
    pub async fn hold(&self) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        self.turn.write().await
    }

    /// Another key in its place: what was wrapped does not open any more.
    pub fn lose(&self) {
        *self.versions.lock().unwrap_or_else(PoisonError::into_inner) = vec![Arc::new(DataKey::generate())];
    }

    /// How often it was asked to unwrap.
    pub fn unwraps(&self) -> usize {
        self.unwraps.load(Ordering::SeqCst)
    }

    /// How often it was asked anything.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn versions(&self) -> Result<Vec<Arc<DataKey>>, KeyError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.is_away.load(Ordering::SeqCst) {
            return Err(KeyError::Unavailable("cut off".into()));
        }
        if self.is_denied.load(Ordering::SeqCst) {
            return Err(KeyError::Refused);
        }
        Ok(self.versions.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

#[async_trait]
impl KeyEncryptionKey for MemoryKey {
    async fn wrap(&self, aad: &[u8], key: &Secret<Vec<u8>>) -> Result<Vec<u8>, KeyError> {
        let versions = self.versions()?;
        let newest = versions.last().ok_or(KeyError::Refused)?;
        let number = u8::try_from(versions.len()).map_err(|_too_many| KeyError::Refused)?;
        Ok([&[number][..], &newest.seal(aad, key.expose())].concat())
    }

    async fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<Secret<Vec<u8>>, KeyError> {
        self.unwraps.fetch_add(1, Ordering::SeqCst);
        // As a call over the network would, so that callers who come at once meet.
        tokio::task::yield_now().await;
        let _turn = self.turn.read().await;
        let versions = self.versions()?;
        let (number, envelope) = wrapped.split_first().ok_or(KeyError::Malformed)?;
        let index = usize::from(*number).checked_sub(1).ok_or(KeyError::Malformed)?;
        versions.get(index).ok_or(KeyError::DoesNotOpen)?.open(aad, envelope)
    }

    fn version_of(&self, wrapped: &[u8]) -> Result<u64, KeyError> {
        wrapped.first().map(|number| u64::from(*number)).ok_or(KeyError::Malformed)
    }

    async fn current_version(&self) -> Result<u64, KeyError> {
        Ok(self.versions()?.len() as u64)
    }

    async fn rewrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<Vec<u8>, KeyError> {
        let key = self.unwrap(aad, wrapped).await?;
        self.wrap(aad, &key).await
    }

    async fn rotate(&self) -> Result<u64, KeyError> {
        self.versions()?;
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.push(Arc::new(DataKey::generate()));
        Ok(versions.len() as u64)
    }
}
