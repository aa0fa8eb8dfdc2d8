//! The use cases of the audit service and what they share: the database, the keys of tenants and subjects, the clock.

pub(crate) mod append;
pub(crate) mod counts;
pub(crate) mod erase;
pub(crate) mod query;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use sallyport_audit_client::{AuditClient, Unsealer};
use sallyport_db::Tx;
use sallyport_keyring::{DataKey, DataKeyContext, Keyring, random};
use sallyport_model::{Clock, TenantId};
use uuid::Uuid;

use crate::{
    Error,
    metrics::AuditMetrics,
    sealed_form::Subject,
    store::{Store, SubjectKind, SubjectRow},
};

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

/// Who a subject is, before it is looked up.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Person {
    kind: SubjectKind,
    endpoint: String,
    blind: [u8; 32],
}

impl Person {
    /// A patient, by logical id at an endpoint.
    pub(crate) fn patient(key: &DataKey, endpoint: &str, id: &str) -> Self {
        Self::new(key, SubjectKind::Patient, endpoint, &[id.as_bytes()])
    }

    /// A user, by issuer and subject (OIDC Core §5.7).
    pub(crate) fn user(key: &DataKey, issuer: &str, subject: &str) -> Self {
        Self::new(key, SubjectKind::User, "", &[issuer.as_bytes(), subject.as_bytes()])
    }

    /// Nobody: ids that belong to no person.
    pub(crate) fn tenant(key: &DataKey) -> Self {
        Self::new(key, SubjectKind::Tenant, "", &[])
    }

    fn new(key: &DataKey, kind: SubjectKind, endpoint: &str, parts: &[&[u8]]) -> Self {
        // Without the endpoint, so that one search finds a patient id at every endpoint of the tenant.
        Self { kind, endpoint: endpoint.to_owned(), blind: key.blind_index(kind.domain(), parts) }
    }

    pub(crate) fn kind(&self) -> SubjectKind {
        self.kind
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn blind(&self) -> &[u8] {
        &self.blind
    }
}

/// The subject behind `person`, made when there is none (or when it was erased: then a new one begins).
pub(crate) async fn subject(
    tx: &mut Tx,
    tenant: &TenantId,
    tenant_key: &DataKey,
    person: &Person,
    now: i64,
) -> Result<Arc<Subject>, Error> {
    let find = (tenant.as_str(), person.kind, person.endpoint.as_str());
    if let Some((id, wrapped)) = Store::subject(tx, find.0, find.1, find.2, &person.blind).await? {
        return open_subject(tenant, tenant_key, id, &wrapped);
    }
    let (id, key) = (random_id(), DataKey::generate());
    let row = SubjectRow {
        id,
        tenant: tenant.as_str().to_owned(),
        kind: person.kind,
        endpoint: person.endpoint.clone(),
        blind: person.blind.to_vec(),
        wrapped: tenant_key.seal(&subject_place(tenant, id), key.expose().expose()),
    };
    if Store::keep_subject(tx, &row, now).await? {
        return Ok(Arc::new(Subject { id, key }));
    }
    let faster = Store::subject(tx, find.0, find.1, find.2, &person.blind).await?;
    // Gone again between the two statements: the transaction is repeated.
    let (id, wrapped) = faster.ok_or(Error::Interrupted)?;
    open_subject(tenant, tenant_key, id, &wrapped)
}

/// Opens a subject's key.
pub(crate) fn open_subject(
    tenant: &TenantId,
    tenant_key: &DataKey,
    id: Uuid,
    wrapped: &[u8],
) -> Result<Arc<Subject>, Error> {
    let material = tenant_key.open(&subject_place(tenant, id), wrapped)?;
    Ok(Arc::new(Subject { id, key: DataKey::from_secret(material)? }))
}

fn subject_place(tenant: &TenantId, id: Uuid) -> Vec<u8> {
    let mut aad = b"sallyport audit subject key v1".to_vec();
    aad.extend_from_slice(id.as_bytes());
    aad.extend_from_slice(tenant.as_str().as_bytes());
    aad
}

/// Random rather than ordered by time: a subject's id must not say when somebody was first seen.
fn random_id() -> Uuid {
    uuid::Builder::from_random_bytes(random::<16>()).into_uuid()
}
