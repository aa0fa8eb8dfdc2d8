//! The ledger's keys: what is written and whose it is are sealed, and what must be recognised is a keyed hash.

use std::sync::Arc;

use sallyport_keyring::{DataKey, DataKeyContext, Keyring};
use sallyport_model::{Clock, Code, RecordId, Secret, TenantId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{error::Refusal, store::Database};

/// What for.
const PURPOSE: &str = "writes";

/// The keys of the ledger.
pub(crate) struct WriteKeys {
    ring: Keyring,
    database: Database,
    clock: Arc<dyn Clock>,
}

/// A tenant's key.
#[derive(Clone)]
pub(crate) struct WriteKey {
    pub(super) id: Uuid,
    tenant: TenantId,
    key: Arc<DataKey>,
}

/// What of a write is patient data; sealed where it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) patient: String,
    /// The resource of an update.
    pub(crate) id: Option<String>,
    /// As it was approved, our identifier not among its own.
    pub(crate) payload: String,
    pub(crate) user_issuer: String,
    pub(crate) user_subject: String,
    pub(crate) fhir_user: Option<String>,
    pub(crate) granted_scope: String,
}

/// What the EHR has; sealed where it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) id: String,
    pub(crate) version: String,
}

impl WriteKeys {
    pub(crate) fn new(ring: Keyring, database: Database, clock: Arc<dyn Clock>) -> Self {
        Self { ring, database, clock }
    }

    /// The key that a tenant's writes are sealed with; made on the first.
    pub(super) async fn current(&self, tenant: &TenantId) -> Result<WriteKey, Refusal> {
        if let Some((id, wrapped)) = self.database.current_data_key(tenant, PURPOSE).await.map_err(down)? {
            return self.unwrap(tenant, id, &wrapped).await;
        }
        let id = RecordId::new(self.clock.as_ref()).uuid();
        let context = DataKeyContext { tenant: tenant.clone(), purpose: PURPOSE, key_id: id };
        let (_, wrapped) = self.ring.generate(&context).await.map_err(|error| closed(&error))?;
        let added = self.database.add_data_key(tenant, PURPOSE, (id, &wrapped), self.clock.now()).await;
        added.map_err(down)?;
        // Another process may have been faster: then its key is the tenant's.
        let stored = self.database.current_data_key(tenant, PURPOSE).await.map_err(down)?;
        let (id, wrapped) = stored.ok_or(Code::Internal)?;
        self.unwrap(tenant, id, &wrapped).await
    }

    /// The key that sealed a row.
    pub(super) async fn of_row(&self, tenant: &TenantId, id: Uuid) -> Result<WriteKey, Refusal> {
        let wrapped = self.database.data_key(tenant, PURPOSE, id).await.map_err(down)?;
        self.unwrap(tenant, id, &wrapped.ok_or(Code::Internal)?).await
    }

    async fn unwrap(&self, tenant: &TenantId, id: Uuid, wrapped: &[u8]) -> Result<WriteKey, Refusal> {
        let context = DataKeyContext { tenant: tenant.clone(), purpose: PURPOSE, key_id: id };
        let key = self.ring.open(&context, wrapped).await.map_err(|error| closed(&error))?;
        Ok(WriteKey { id, tenant: tenant.clone(), key })
    }
}

impl WriteKey {
    pub(super) fn seal<T: Serialize>(&self, write: Uuid, field: &str, value: &T) -> Result<Vec<u8>, Refusal> {
        let text = serde_json::to_vec(value).map_err(|_never| Code::Internal)?;
        Ok(self.key.seal(&place(&self.tenant, write, field), &text))
    }

    pub(super) fn open<T: for<'de> Deserialize<'de>>(
        &self,
        write: Uuid,
        field: &str,
        sealed: &[u8],
    ) -> Result<T, Refusal> {
        let opened: Secret<Vec<u8>> = self
            .key
            .open(&place(&self.tenant, write, field), sealed)
            .map_err(|_moved_or_altered| Code::Internal)?;
        serde_json::from_slice(opened.expose()).map_err(|_shape| Code::Internal.into())
    }

    /// A keyed hash: equal inputs give equal values for this tenant, and nothing can be guessed from them.
    pub(super) fn index(&self, domain: &str, parts: &[&[u8]]) -> [u8; 32] {
        self.key.blind_index(domain, parts)
    }
}

/// The associated data: tenant ‖ write ‖ field, length-prefixed.
fn place(tenant: &TenantId, write: Uuid, field: &str) -> Vec<u8> {
    let mut aad = Vec::new();
    for part in [tenant.as_str().as_bytes(), write.as_bytes(), field.as_bytes()] {
        aad.extend_from_slice(&(part.len() as u64).to_be_bytes());
        aad.extend_from_slice(part);
    }
    aad
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn down(error: sallyport_db::Error) -> Refusal {
    error.code().into()
}

fn closed(error: &sallyport_keyring::KeyError) -> Refusal {
    tracing::warn!(reason = %error, "the key of the ledger of writes cannot be used");
    Code::DependencyDown.into()
}
