//! Data keys, unwrapped and kept in memory for five minutes: the key-encryption key is asked once per key and five
//! minutes, not once per value. After that a key is proven again by unwrapping it; when its keeper is away or says no,
//! what it sealed stays closed. There is no other way to a key.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use sallyport_model::{Clock, Micros, Secret, TenantId};

use crate::{DataKey, KeyEncryptionKey, KeyError, place::associated};

/// How long an unwrapped key is used without asking its keeper again.
pub const PROOF_LASTS_MICROS: Micros = 5 * 60 * 1_000_000;

/// Which data key: whose, for what, and which of several over time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DataKeyContext {
    /// Whose values it seals.
    pub tenant: TenantId,
    /// What for, e.g. `grants`: two uses never share a key.
    pub purpose: &'static str,
    /// The key's own id, so that a tenant can have a successor.
    pub key_id: uuid::Uuid,
}

impl DataKeyContext {
    /// The associated data of the wrapping: a wrapped key moved to another tenant or purpose does not unwrap.
    pub fn aad(&self) -> Vec<u8> {
        associated(&[self.tenant.as_str().as_bytes(), self.purpose.as_bytes(), self.key_id.as_bytes()])
    }
}

/// Called once for each call to the key-encryption key, with `wrap`, `unwrap` or `rewrap` and whether it succeeded.
pub type Observer = Box<dyn Fn(&'static str, bool) + Send + Sync>;

/// An unwrapped key and when its keeper vouched for it last.
struct Proven {
    key: Arc<DataKey>,
    at: Micros,
}

/// The key ring: data keys by context, over one key-encryption key.
pub struct Keyring {
    kek: Arc<dyn KeyEncryptionKey>,
    clock: Arc<dyn Clock>,
    open: Mutex<HashMap<DataKeyContext, Proven>>,
    /// Whoever unwraps a key, so that the others wait for it instead of asking too.
    flights: Mutex<HashMap<DataKeyContext, Arc<tokio::sync::Mutex<()>>>>,
    observer: Observer,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[key ring]")
    }
}

impl Keyring {
    /// A key ring with nothing unwrapped yet.
    pub fn new(kek: Arc<dyn KeyEncryptionKey>, clock: Arc<dyn Clock>) -> Self {
        Self::observed(kek, clock, Box::new(|_operation, _succeeded| {}))
    }

    /// The same, reporting each call to the key-encryption key (for metrics).
    pub fn observed(kek: Arc<dyn KeyEncryptionKey>, clock: Arc<dyn Clock>, observer: Observer) -> Self {
        Self { kek, clock, open: Mutex::default(), flights: Mutex::default(), observer }
    }

    /// Makes a new data key and wraps it. The caller stores the wrapped form; when another process stored one first,
    /// it opens that one instead and drops this.
    ///
    /// # Errors
    /// Those of the key-encryption key.
    pub async fn generate(&self, context: &DataKeyContext) -> Result<(Arc<DataKey>, Vec<u8>), KeyError> {
        let key = Arc::new(DataKey::generate());
        let wrapped = self.kek.wrap(&context.aad(), key.expose()).await;
        (self.observer)("wrap", wrapped.is_ok());
        Ok((key, wrapped?))
    }

    /// Wraps a data key that was made before the key-encryption key was asked.
    ///
    /// # Errors
    /// Those of the key-encryption key.
    pub async fn wrap(&self, context: &DataKeyContext, key: &DataKey) -> Result<Vec<u8>, KeyError> {
        let wrapped = self.kek.wrap(&context.aad(), key.expose()).await;
        (self.observer)("wrap", wrapped.is_ok());
        wrapped
    }

    /// The data key behind `wrapped`, from memory when its keeper vouched for it within five minutes.
    ///
    /// # Errors
    /// Those of the key-encryption key; [`KeyError::DoesNotOpen`] when `wrapped` belongs to another context.
    pub async fn open(&self, context: &DataKeyContext, wrapped: &[u8]) -> Result<Arc<DataKey>, KeyError> {
        if let Some(key) = self.at_hand(context) {
            return Ok(key);
        }
        let flight = Arc::clone(lock(&self.flights).entry(context.clone()).or_default());
        let _turn = flight.lock().await;
        if let Some(key) = self.at_hand(context) {
            return Ok(key);
        }
        let asked_at = self.clock.now();
        let opened = self.unwrap(context, wrapped).await;
        // Nobody needs the entry after this: who waits has it, who comes later finds the key or asks anew.
        lock(&self.flights).remove(context);
        let key = Arc::new(opened?);
        lock(&self.open).insert(context.clone(), Proven { key: Arc::clone(&key), at: asked_at });
        Ok(key)
    }

    /// A wrapped key as the newest version of the key-encryption key wraps it.
    ///
    /// # Errors
    /// Those of the key-encryption key.
    pub async fn rewrap(&self, context: &DataKeyContext, wrapped: &[u8]) -> Result<Vec<u8>, KeyError> {
        let rewrapped = self.kek.rewrap(&context.aad(), wrapped).await;
        (self.observer)("rewrap", rewrapped.is_ok());
        rewrapped
    }

    /// The keeper of the key-encryption key, for its versions.
    pub fn keeper(&self) -> &dyn KeyEncryptionKey {
        self.kek.as_ref()
    }

    /// Forgets everything unwrapped, e.g. when the key service revoked a key.
    pub fn forget(&self) {
        lock(&self.open).clear();
    }

    /// Forgets what may not be used any more: called now and then, so that a key nobody asks for does not stay.
    pub fn forget_stale(&self) {
        let now = self.clock.now();
        lock(&self.open).retain(|_, proven| is_fresh(proven, now));
    }

    async fn unwrap(&self, context: &DataKeyContext, wrapped: &[u8]) -> Result<DataKey, KeyError> {
        let material: Result<Secret<Vec<u8>>, KeyError> = self.kek.unwrap(&context.aad(), wrapped).await;
        (self.observer)("unwrap", material.is_ok());
        DataKey::from_secret(material?)
    }

    /// The data key, if its keeper vouched for it within five minutes: for callers who would have to look for the
    /// wrapped form first.
    pub fn at_hand(&self, context: &DataKeyContext) -> Option<Arc<DataKey>> {
        let now = self.clock.now();
        let mut open = lock(&self.open);
        if open.get(context).is_some_and(|proven| is_fresh(proven, now)) {
            return open.get(context).map(|proven| Arc::clone(&proven.key));
        }
        open.remove(context);
        None
    }
}

fn is_fresh(proven: &Proven, now: Micros) -> bool {
    if sallyport_model::planted!("data-key-outlives-its-proof") {
        return true;
    }
    // A clock that was turned back is no proof either.
    (0..PROOF_LASTS_MICROS).contains(&now.saturating_sub(proven.at))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
