//! The ledger's keys: what is written and whose it is are sealed, and what must be recognised is a keyed hash.

use std::sync::Arc;

use sallyport_data_keys::{DataKeys, Error as KeysError};
use sallyport_keyring::{DataKey, place};
use sallyport_model::{Code, Secret, TenantId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Refusal;

/// What for.
const PURPOSE: &str = "writes";

/// What the gateway has data keys for.
pub(crate) const PURPOSES: &[&str] = &[PURPOSE];

/// The keys of the ledger.
pub(crate) struct WriteKeys {
    keys: DataKeys,
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
    pub(crate) fn new(keys: DataKeys) -> Self {
        Self { keys }
    }

    /// The key that a tenant's writes are sealed with; made on the first.
    pub(super) async fn current(&self, tenant: &TenantId) -> Result<WriteKey, Refusal> {
        let (id, key) = self.keys.current(tenant, PURPOSE).await.map_err(|error| closed(&error))?;
        Ok(WriteKey { id, tenant: tenant.clone(), key })
    }

    /// The key that sealed a row.
    pub(super) async fn of_row(&self, tenant: &TenantId, id: Uuid) -> Result<WriteKey, Refusal> {
        let key = self.keys.by_id(tenant, PURPOSE, id).await.map_err(|error| closed(&error))?;
        Ok(WriteKey { id, tenant: tenant.clone(), key })
    }
}

impl WriteKey {
    pub(super) fn seal<T: Serialize>(&self, write: Uuid, field: &str, value: &T) -> Result<Vec<u8>, Refusal> {
        let text = serde_json::to_vec(value).map_err(|_never| Code::Internal)?;
        Ok(self.key.seal(&place(&self.tenant, write.as_bytes(), field), &text))
    }

    pub(super) fn open<T: for<'de> Deserialize<'de>>(
        &self,
        write: Uuid,
        field: &str,
        sealed: &[u8],
    ) -> Result<T, Refusal> {
        let opened: Secret<Vec<u8>> = self
            .key
            .open(&place(&self.tenant, write.as_bytes(), field), sealed)
            .map_err(|_moved_or_altered| Code::Internal)?;
        serde_json::from_slice(opened.expose()).map_err(|_shape| Code::Internal.into())
    }

    /// A keyed hash: equal inputs give equal values for this tenant, and nothing can be guessed from them.
    pub(super) fn index(&self, domain: &str, parts: &[&[u8]]) -> [u8; 32] {
        self.key.blind_index(domain, parts)
    }
}

fn closed(error: &KeysError) -> Refusal {
    tracing::warn!(reason = %error, "the key of the ledger of writes cannot be used");
    error.code().into()
}
