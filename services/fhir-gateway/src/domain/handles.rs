//! Handles of an export: the addresses that an EHR names for later, sealed. A run gets handles and gives them back; it
//! never sees or says where a call goes.
//!
//! An export may take days, so a handle outlives this process: it carries the key that sealed it, wrapped by the
//! key-encryption key, and opens only for its own tenant, endpoint and run. What it opens to is checked against the
//! endpoint's pins again.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use dashmap::DashMap;
use sallyport_keyring::{DataKey, DataKeyContext, KeyError, Keyring};
use sallyport_model::{Clock, Code, Micros, TenantId};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::run::Run;
use crate::error::Refusal;

/// A key seals handles for so long; then another one is made.
const KEY_LIFE: Micros = 3_600 * 1_000_000;

/// The longest wrapped key that is worth reading.
const MAX_WRAPPED: usize = 4_096;

const PURPOSE: &str = "export handles";

/// What kind of address a handle stands for: one kind is not taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Where an export says how far it is.
    Status,
    /// Where a further part of a manifest is.
    Part,
    /// Where a file is.
    File,
}

impl What {
    fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Part => "part",
            Self::File => "file",
        }
    }
}

#[derive(Clone)]
struct Sealing {
    id: Uuid,
    key: Arc<DataKey>,
    wrapped: Vec<u8>,
    made_at: Micros,
}

/// Seals and opens handles.
pub(crate) struct Handles {
    ring: Keyring,
    clock: Arc<dyn Clock>,
    sealing: DashMap<TenantId, Sealing>,
}

/// A run's means to seal, which asks nobody any more.
pub(crate) struct Sealer<'r> {
    run: &'r Run,
    sealing: Sealing,
}

impl Handles {
    pub(crate) fn new(ring: Keyring, clock: Arc<dyn Clock>) -> Self {
        Self { ring, clock, sealing: DashMap::new() }
    }

    /// Got before the EHR is asked for what must be sealed: an address that cannot be kept would be lost.
    pub(crate) async fn sealer<'r>(&self, run: &'r Run) -> Result<Sealer<'r>, Refusal> {
        let now = self.clock.now();
        let current = self.sealing.get(&run.tenant).map(|sealing| sealing.clone());
        if let Some(sealing) = current.filter(|s| now < s.made_at.saturating_add(KEY_LIFE)) {
            return Ok(Sealer { run, sealing });
        }
        let id = sallyport_model::RecordId::new(self.clock.as_ref()).uuid();
        let (key, wrapped) = self.ring.generate(&context(run, id)).await.map_err(away)?;
        let sealing = Sealing { id, key, wrapped, made_at: now };
        self.sealing.insert(run.tenant.clone(), sealing.clone());
        Ok(Sealer { run, sealing })
    }

    /// What a handle of this run stands for.
    pub(crate) async fn open<T: DeserializeOwned>(
        &self,
        run: &Run,
        what: What,
        handle: &str,
    ) -> Result<T, Refusal> {
        let refused = || Refusal::new(Code::BulkHandleInvalid);
        let bytes = URL_SAFE_NO_PAD.decode(handle).map_err(|_text| refused())?;
        let (id, rest) = bytes.split_first_chunk::<16>().ok_or_else(refused)?;
        let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(refused)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (wrapped, sealed) = rest.split_at_checked(length).ok_or_else(refused)?;
        if length > MAX_WRAPPED {
            return Err(refused());
        }
        let key = self.ring.open(&context(run, Uuid::from_bytes(*id)), wrapped).await;
        let key = key.map_err(|error| if error.is_about_the_value() { refused() } else { away(error) })?;
        let opened = key.open(&place(run, what), sealed).map_err(|_key| refused())?;
        serde_json::from_slice(opened.expose()).map_err(|_shape| refused())
    }

    /// Forgets keys that seal nothing any more.
    pub(crate) fn sweep(&self) {
        let now = self.clock.now();
        self.sealing.retain(|_, sealing| now < sealing.made_at.saturating_add(KEY_LIFE));
        self.ring.forget_stale();
    }
}

impl Sealer<'_> {
    /// The handle of an address.
    pub(crate) fn seal(&self, what: What, address: &impl Serialize) -> Result<String, Refusal> {
        let plain = serde_json::to_vec(address).map_err(|_never| Code::Internal)?;
        let length = u16::try_from(self.sealing.wrapped.len()).map_err(|_long| Code::Internal)?;
        let mut handle = self.sealing.id.as_bytes().to_vec();
        handle.extend_from_slice(&length.to_be_bytes());
        handle.extend_from_slice(&self.sealing.wrapped);
        handle.extend_from_slice(&self.sealing.key.seal(&place(self.run, what), &plain));
        Ok(URL_SAFE_NO_PAD.encode(handle))
    }
}

fn away(_error: KeyError) -> Refusal {
    Refusal::because(Code::DependencyDown, "the key service is away")
}

/// A wrapped key opens for its tenant's handles and as nothing else.
fn context(run: &Run, key_id: Uuid) -> DataKeyContext {
    let is_anybody = sallyport_model::planted!("bulk-handle-of-any-run");
    let tenant = if is_anybody { TenantId::system() } else { run.tenant.clone() };
    DataKeyContext { tenant, purpose: PURPOSE, key_id }
}

/// Associated data: what was sealed for one run is no other run's.
fn place(run: &Run, what: What) -> Vec<u8> {
    if sallyport_model::planted!("bulk-handle-of-any-run") {
        return what.as_str().as_bytes().to_vec();
    }
    format!("export\0{}\0{}\0{}\0{}", what.as_str(), run.tenant, run.endpoint, run.id).into_bytes()
}
