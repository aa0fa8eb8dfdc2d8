//! Data keys, unwrapped and kept in memory for five minutes: the key-encryption key is asked at most once per key and
//! minute, not once per value. A key in use is proven again in the background by unwrapping it, so that an outage of
//! its keeper is felt after four minutes at the earliest. When its keeper says no, or was away for too long, what it
//! sealed stays closed. There is no other way to a key.

mod proven;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use sallyport_model::{Clock, TenantId};

pub use self::proven::PROOF_LASTS_MICROS;
use self::proven::{Open, Proven, prove_again};
use crate::{DataKey, KeyEncryptionKey, KeyError, place::associated};

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

/// The key-encryption key, each call to it reported.
struct Keeper {
    kek: Arc<dyn KeyEncryptionKey>,
    observer: Observer,
}

impl Keeper {
    async fn wrap(&self, context: &DataKeyContext, key: &DataKey) -> Result<Vec<u8>, KeyError> {
        let wrapped = self.kek.wrap(&context.aad(), key.expose()).await;
        (self.observer)("wrap", wrapped.is_ok());
        wrapped
    }

    async fn unwrap(&self, context: &DataKeyContext, wrapped: &[u8]) -> Result<DataKey, KeyError> {
        let material = self.kek.unwrap(&context.aad(), wrapped).await;
        (self.observer)("unwrap", material.is_ok());
        DataKey::from_secret(material?)
    }
}

/// The key ring: data keys by context, over one key-encryption key.
pub struct Keyring {
    keeper: Arc<Keeper>,
    clock: Arc<dyn Clock>,
    /// Alone in holding this: what runs in the background sees the ring go, and goes with it.
    open: Arc<Open>,
    /// Whoever unwraps a key, so that the others wait for it instead of asking too.
    flights: Mutex<HashMap<DataKeyContext, Arc<tokio::sync::Mutex<()>>>>,
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
        let keeper = Arc::new(Keeper { kek, observer });
        Self { keeper, clock, open: Arc::default(), flights: Mutex::default() }
    }

    /// Makes a new data key and wraps it. The caller stores the wrapped form; when another process stored one first,
    /// it opens that one instead and drops this.
    ///
    /// # Errors
    /// Those of the key-encryption key.
    pub async fn generate(&self, context: &DataKeyContext) -> Result<(Arc<DataKey>, Vec<u8>), KeyError> {
        let key = Arc::new(DataKey::generate());
        let wrapped = self.keeper.wrap(context, &key).await?;
        Ok((key, wrapped))
    }

    /// Wraps a data key that was made before the key-encryption key was asked.
    ///
    /// # Errors
    /// Those of the key-encryption key.
    pub async fn wrap(&self, context: &DataKeyContext, key: &DataKey) -> Result<Vec<u8>, KeyError> {
        self.keeper.wrap(context, key).await
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
        let opened = self.keeper.unwrap(context, wrapped).await;
        // Nobody needs the entry after this: who waits has it, who comes later finds the key or asks anew.
        lock(&self.flights).remove(context);
        let key = Arc::new(opened?);
        lock(&self.open).insert(context.clone(), Proven::new(&key, wrapped, asked_at));
        Ok(key)
    }

    /// A wrapped key as the newest version of the key-encryption key wraps it.
    ///
    /// # Errors
    /// Those of the key-encryption key.
    pub async fn rewrap(&self, context: &DataKeyContext, wrapped: &[u8]) -> Result<Vec<u8>, KeyError> {
        let rewrapped = self.keeper.kek.rewrap(&context.aad(), wrapped).await;
        (self.keeper.observer)("rewrap", rewrapped.is_ok());
        rewrapped
    }

    /// The keeper of the key-encryption key, for its versions.
    pub fn keeper(&self) -> &dyn KeyEncryptionKey {
        self.keeper.kek.as_ref()
    }

    /// Forgets everything unwrapped, e.g. when the key service revoked a key. A proof under way changes nothing any more.
    pub fn forget(&self) {
        lock(&self.open).clear();
    }

    /// Forgets what may not be used any more: called now and then, so that a key nobody asks for does not stay.
    pub fn forget_stale(&self) {
        let now = self.clock.now();
        lock(&self.open).retain(|_, proven| proven.is_fresh(now));
    }

    /// The data key, if its keeper vouched for it within five minutes: for callers who would have to look for the
    /// wrapped form first. One whose proof is no longer new is proven again in the background.
    pub fn at_hand(&self, context: &DataKeyContext) -> Option<Arc<DataKey>> {
        let now = self.clock.now();
        let mut open = lock(&self.open);
        if let Some(proven) = open.get_mut(context).filter(|proven| proven.is_fresh(now)) {
            if proven.is_due(now) {
                prove_again(proven, context, &self.keeper, &self.open, now);
            }
            return Some(proven.key());
        }
        open.remove(context);
        None
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
