//! The use cases of the audit service and what they share: the database, the keys of tenants and subjects, the clock.

pub(crate) mod append;
pub(crate) mod counts;
pub(crate) mod erase;
mod people;
pub(crate) mod query;
mod storing;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use sallyport_audit_client::{AuditClient, Unsealer};
use sallyport_keyring::{DataKey, DataKeyContext, Keyring, random};
use sallyport_model::{Clock, TenantId};
use uuid::Uuid;

use crate::{Error, metrics::AuditMetrics, store::Store};

/// What every use case works with.
pub(crate) struct Domain {
    pub(crate) store: Store,
    pub(crate) unsealer: Unsealer,
    pub(crate) ring: Keyring,
    pub(crate) audit: AuditClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: AuditMetrics,
    tenants: Mutex<HashMap<TenantId, Arc<DataKey>>>,
}

const PURPOSE: &str = "audit subjects";

impl Domain {
    pub(crate) fn new(
        store: Store,
        unsealer: Unsealer,
        ring: Keyring,
        audit: AuditClient,
        clock: Arc<dyn Clock>,
        metrics: AuditMetrics,
    ) -> Self {
        Self { store, unsealer, ring, audit, clock, metrics, tenants: Mutex::default() }
    }

    /// The tenant's data key, made at its first record. Two replicas agree on the one that was stored first.
    pub(crate) async fn tenant_key(&self, tenant: &TenantId) -> Result<Arc<DataKey>, Error> {
        if let Some(key) = self.tenants.lock().unwrap_or_else(PoisonError::into_inner).get(tenant) {
            return Ok(Arc::clone(key));
        }
        let context = |key_id| DataKeyContext { tenant: tenant.clone(), purpose: PURPOSE, key_id };
        let stored = match self.store.tenant_key(tenant.as_str()).await? {
            Some(stored) => stored,
            None => {
                let key_id = random_id();
                let (_key, wrapped) = self.ring.generate(&context(key_id)).await?;
                self.store.keep_tenant_key(tenant.as_str(), key_id, &wrapped, self.clock.now()).await?;
                self.store.tenant_key(tenant.as_str()).await?.unwrap_or((key_id, wrapped))
            }
        };
        let key = self.ring.open(&context(stored.0), &stored.1).await?;
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(tenants.entry(tenant.clone()).or_insert(key)))
    }
}

/// Random rather than ordered by time: a subject's id must not say when somebody was first seen.
fn random_id() -> Uuid {
    uuid::Builder::from_random_bytes(random::<16>()).into_uuid()
}
