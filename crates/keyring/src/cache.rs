//! Data keys, unwrapped once and kept in memory: the key-encryption key is asked once per key, not once per value.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use sallyport_model::{Secret, TenantId};

use crate::{DataKey, KeyEncryptionKey, KeyError};

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
        let mut aad = Vec::new();
        for part in [self.tenant.as_str().as_bytes(), self.purpose.as_bytes(), self.key_id.as_bytes()] {
            aad.extend_from_slice(&(part.len() as u64).to_be_bytes());
            aad.extend_from_slice(part);
        }
        aad
    }
}

/// Called once for each call to the key-encryption key, with `wrap` or `unwrap` and whether it succeeded.
pub type Observer = Box<dyn Fn(&'static str, bool) + Send + Sync>;

/// The key ring: data keys by context, over one key-encryption key.
pub struct Keyring {
    kek: Arc<dyn KeyEncryptionKey>,
    open: Mutex<HashMap<DataKeyContext, Arc<DataKey>>>,
    observer: Observer,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[key ring]")
    }
}

impl Keyring {
    /// A key ring with nothing unwrapped yet.
    pub fn new(kek: Arc<dyn KeyEncryptionKey>) -> Self {
        Self::observed(kek, Box::new(|_operation, _succeeded| {}))
    }

    /// The same, reporting each call to the key-encryption key (for metrics).
    pub fn observed(kek: Arc<dyn KeyEncryptionKey>, observer: Observer) -> Self {
        Self { kek, open: Mutex::default(), observer }
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

    /// The data key behind `wrapped`, from memory when it was unwrapped before.
    ///
    /// # Errors
    /// Those of the key-encryption key; [`KeyError::DoesNotOpen`] when `wrapped` belongs to another context.
    pub async fn open(&self, context: &DataKeyContext, wrapped: &[u8]) -> Result<Arc<DataKey>, KeyError> {
        if let Some(key) = self.cached(context) {
            return Ok(key);
        }
        let material: Result<Secret<Vec<u8>>, KeyError> = self.kek.unwrap(&context.aad(), wrapped).await;
        (self.observer)("unwrap", material.is_ok());
        let key = Arc::new(DataKey::from_secret(material?)?);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(open.entry(context.clone()).or_insert(key)))
    }

    /// Forgets everything unwrapped, e.g. when the key service revoked a key.
    pub fn forget(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn cached(&self, context: &DataKeyContext) -> Option<Arc<DataKey>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).get(context).map(Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{Deployment, LocalKey};

    fn context(tenant: &str, purpose: &'static str) -> DataKeyContext {
        DataKeyContext { tenant: TenantId::parse(tenant).unwrap(), purpose, key_id: uuid::Uuid::nil() }
    }

    #[tokio::test]
    async fn a_key_is_unwrapped_once_and_only_for_its_own_tenant_and_purpose() {
        let dir = tempfile::tempdir().unwrap();
        let kek = LocalKey::open_or_create(&dir.path().join("kek"), Deployment::Development).unwrap();
        let unwraps = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&unwraps);
        let ring = Keyring::observed(
            Arc::new(kek),
            Box::new(move |operation, _| {
                if operation == "unwrap" {
                    counter.fetch_add(1, Ordering::SeqCst);
                }
            }),
        );
        let own = context("hospital-a", "grants");
        let (key, wrapped) = ring.generate(&own).await.unwrap();
        let sealed = key.seal(b"row", b"value");
        for _ in 0..3 {
            assert_eq!(
                ring.open(&own, &wrapped).await.unwrap().open(b"row", &sealed).unwrap().expose(),
                b"value"
            );
        }
        assert_eq!(unwraps.load(Ordering::SeqCst), 1);
        for other in [context("hospital-b", "grants"), context("hospital-a", "audit")] {
            assert!(matches!(ring.open(&other, &wrapped).await, Err(KeyError::DoesNotOpen)));
        }
    }
}
