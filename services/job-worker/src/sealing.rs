//! Sealing what a run keeps: items, checkpoints, results. A data key per tenant, wrapped in the database.

use std::sync::Arc;

use sallyport_data_keys::{DataKeys, Error as KeysError};
use sallyport_keyring::{DataKey, place};
use sallyport_model::{Code, Secret, TenantId};
use uuid::Uuid;

use crate::halt::Halt;

/// Seals what runs keep.
const JOBS: &str = "jobs";

/// Keys the blind index of patients; never replaced, or results would not be found again.
const SUBJECTS: &str = "job_subjects";

/// A sealed value and the key it names.
#[derive(Clone)]
pub(crate) struct Sealed {
    /// Which data key opens it.
    pub(crate) data_key: Uuid,
    /// The envelope.
    pub(crate) bytes: Vec<u8>,
}

/// The job worker's keys.
#[derive(Clone)]
pub(crate) struct Sealing {
    keys: DataKeys,
}

/// What the job worker has data keys for.
pub(crate) const PURPOSES: &[&str] = &[JOBS, SUBJECTS];

impl Sealing {
    pub(crate) fn new(keys: DataKeys) -> Self {
        Self { keys }
    }

    /// The key that seals a tenant's values now.
    pub(crate) async fn sealer(&self, tenant: &TenantId) -> Result<Sealer, Halt> {
        let (id, key) = self.current(tenant, JOBS).await?;
        Ok(Sealer { tenant: tenant.clone(), id, key })
    }

    /// Opens a value of that row and field.
    pub(crate) async fn open(
        &self,
        tenant: &TenantId,
        data_key: Uuid,
        (row, field): (&[u8], &str),
        sealed: &[u8],
    ) -> Result<Secret<Vec<u8>>, Halt> {
        let key = self.keys.by_id(tenant, JOBS, data_key).await.map_err(|error| closed(&error))?;
        key.open(&place(tenant, row, field), sealed).map_err(|_moved_or_altered| Halt::Failed(Code::Internal))
    }

    /// The blind index of a patient at a tenant's endpoint.
    pub(crate) async fn subject(
        &self,
        tenant: &TenantId,
        endpoint: &str,
        patient: &[u8],
    ) -> Result<[u8; 32], Halt> {
        let (_, key) = self.current(tenant, SUBJECTS).await?;
        Ok(key.blind_index("subject", &[endpoint.as_bytes(), patient]))
    }

    async fn current(&self, tenant: &TenantId, purpose: &'static str) -> Result<(Uuid, Arc<DataKey>), Halt> {
        self.keys.current(tenant, purpose).await.map_err(|error| closed(&error))
    }
}

fn closed(error: &KeysError) -> Halt {
    Halt::Failed(error.code())
}

/// A key to seal with.
#[derive(Clone)]
pub(crate) struct Sealer {
    tenant: TenantId,
    id: Uuid,
    key: Arc<DataKey>,
}

impl Sealer {
    /// A keyed hash of a value.
    pub(crate) fn index(&self, domain: &str, value: &[u8]) -> [u8; 32] {
        self.key.blind_index(domain, &[value])
    }

    /// Seals a value for the row and field where it will stand.
    pub(crate) fn seal(&self, (row, field): (&[u8], &str), value: &[u8]) -> Sealed {
        Sealed { data_key: self.id, bytes: self.key.seal(&place(&self.tenant, row, field), value) }
    }
}
