//! The use cases of the audit service and what they share: the database, the keys of tenants and subjects, the clock.

pub(crate) mod activity;
pub(crate) mod adopt;
pub(crate) mod append;
pub(crate) mod checkpoint;
pub(crate) mod console;
pub(crate) mod counts;
pub(crate) mod disclosures;
pub(crate) mod erase;
mod growth;
mod people;
pub(crate) mod prove;
pub(crate) mod query;
pub(crate) mod report;
pub(crate) mod reviews;
pub(crate) mod storing;
mod tree;

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
    pub(crate) ring: Arc<Keyring>,
    pub(crate) audit: AuditClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: AuditMetrics,
    pub(crate) signer: checkpoint::Signer,
    /// Which key is a tenant's, so that the database is asked once. The keys themselves are the ring's.
    tenants: Mutex<HashMap<TenantId, Uuid>>,
}

/// What the tenants' keys are for.
pub(crate) const PURPOSE: &str = "audit subjects";

impl Domain {
    pub(crate) fn new(
        store: Store,
        unsealer: Unsealer,
        ring: Arc<Keyring>,
        audit: AuditClient,
        clock: Arc<dyn Clock>,
        metrics: AuditMetrics,
        signer: checkpoint::Signer,
    ) -> Self {
        Self { store, unsealer, ring, audit, clock, metrics, signer, tenants: Mutex::default() }
    }

    /// The tenant's data key, made at its first record. Two replicas agree on the one that was stored first.
    pub(crate) async fn tenant_key(&self, tenant: &TenantId) -> Result<Arc<DataKey>, Error> {
        let context = |key_id| DataKeyContext { tenant: tenant.clone(), purpose: PURPOSE, key_id };
        let known = self.tenants.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).copied();
        if let Some(key) = known.and_then(|key_id| self.ring.at_hand(&context(key_id))) {
            return Ok(key);
        }
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
        tenants.insert(tenant.clone(), stored.0);
        Ok(key)
    }
}

/// Random rather than ordered by time: a subject's id must not say when somebody was first seen.
fn random_id() -> Uuid {
    uuid::Builder::from_random_bytes(random::<16>()).into_uuid()
}
