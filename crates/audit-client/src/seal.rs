//! Sealing records at their source: AES-256-GCM under a data key per process and tenant.
//!
//! A record is bound to its place: associated data is spool id ‖ sequence ‖ tenant, so a frame moved to another
//! position, spool or tenant does not open. The data keys are wrapped by the key-encryption key and travel with the
//! records they seal.

use std::{collections::HashMap, sync::Arc, time::Duration};

use prost::Message as _;
use sallyport_keyring::{DataKey, DataKeyContext, KeyEncryptionKey, KeyError, Keyring, random};
use sallyport_model::{Clock, Micros, TenantId};
use sallyport_proto::audit::v1::{Record, SealedRecord, WrappedKey};
use uuid::Uuid;

use crate::AuditError;

const PURPOSE: &str = "audit spool";

/// After how many records a process takes a fresh data key: 2^24, far from the 2^32 that random nonces allow.
const RECORDS_PER_KEY: u64 = 1 << 24;

/// After which time it does. The keys of records on their way are then never wrapped by a version of the
/// key-encryption key much older than the records.
const KEY_LIFE_MICROS: Micros = 3_600 * 1_000_000;

/// Between two attempts to replace a key that is old but good, so that a key service that is away slows nobody down.
const REPLACE_PAUSE_MICROS: Micros = 30 * 1_000_000;

/// A key service that blocks must not keep everybody waiting: a slow one counts as one that is away.
const KEY_TIMEOUT: Duration = Duration::from_secs(2);

/// Associated data of a record: a domain, then spool id ‖ sequence ‖ tenant, each of known length.
fn place(spool: Uuid, sequence: u64, tenant: &str) -> Vec<u8> {
    let mut aad = b"sallyport audit record v1".to_vec();
    aad.extend_from_slice(spool.as_bytes());
    aad.extend_from_slice(&sequence.to_be_bytes());
    aad.extend_from_slice(tenant.as_bytes());
    aad
}

/// A data key in use.
struct Current {
    wrapped: Arc<WrappedKey>,
    key: Arc<DataKey>,
    sealed: u64,
    replace_at: Micros,
}

/// A sealed record on its way into a segment, with the key it needs there.
pub(crate) struct Sealed {
    pub(crate) record: SealedRecord,
    pub(crate) key: Arc<WrappedKey>,
}

/// Seals for one spool.
pub(crate) struct Sealer {
    spool: Uuid,
    ring: Keyring,
    clock: Arc<dyn Clock>,
    current: HashMap<TenantId, Current>,
}

impl Sealer {
    pub(crate) fn new(spool: Uuid, kek: Arc<dyn KeyEncryptionKey>, clock: Arc<dyn Clock>) -> Self {
        Self { spool, ring: Keyring::new(kek, Arc::clone(&clock)), clock, current: HashMap::new() }
    }

    /// Makes sure that there is a data key for `tenant`: the only step that can wait for the key service. A key that is
    /// only old seals on while the key service is away, because a record is worth more than a young key.
    pub(crate) async fn prepare(&mut self, tenant: &TenantId) -> Result<(), AuditError> {
        let now = self.clock.now();
        let is_usable = match self.current.get_mut(tenant).filter(|key| key.sealed < RECORDS_PER_KEY) {
            Some(key) if now < key.replace_at => return Ok(()),
            Some(key) => {
                key.replace_at = now.saturating_add(REPLACE_PAUSE_MICROS);
                true
            }
            None => false,
        };
        match self.replace(tenant, now).await {
            Err(_away) if is_usable => Ok(()),
            other => other,
        }
    }

    async fn replace(&mut self, tenant: &TenantId, now: Micros) -> Result<(), AuditError> {
        let key_id = uuid::Builder::from_random_bytes(random::<16>()).into_uuid();
        let context = DataKeyContext { tenant: tenant.clone(), purpose: PURPOSE, key_id };
        let generated = tokio::time::timeout(KEY_TIMEOUT, self.ring.generate(&context)).await;
        let generated = generated.map_err(|_elapsed| {
            tracing::error!(
                code = "audit.key_unavailable",
                reason = "timeout",
                "no data key for audit records"
            );
            AuditError::KeyUnavailable
        })?;
        let (key, wrapped) = generated.map_err(|error| {
            tracing::error!(code = "audit.key_unavailable", reason = %error, "no data key for audit records");
            AuditError::KeyUnavailable
        })?;
        let wrapped =
            WrappedKey { key_id: key_id.as_bytes().to_vec(), tenant: tenant.as_str().to_owned(), wrapped };
        let replace_at = now.saturating_add(KEY_LIFE_MICROS);
        self.current
            .insert(tenant.clone(), Current { wrapped: Arc::new(wrapped), key, sealed: 0, replace_at });
        Ok(())
    }

    /// Seals `record` for position `sequence`; `prepare` came before.
    pub(crate) fn seal(
        &mut self,
        tenant: &TenantId,
        sequence: u64,
        record: &[u8],
        traceparent: String,
    ) -> Result<Sealed, AuditError> {
        let current = self.current.get_mut(tenant).ok_or(AuditError::KeyUnavailable)?;
        current.sealed += 1;
        let ciphertext = current.key.seal(&place(self.spool, sequence, tenant.as_str()), record);
        let record = SealedRecord {
            tenant: tenant.as_str().to_owned(),
            key_id: current.wrapped.key_id.clone(),
            ciphertext,
            spool_sequence: i64::try_from(sequence).unwrap_or(i64::MAX),
            spool_id: self.spool.simple().to_string(),
            traceparent,
        };
        Ok(Sealed { record, key: Arc::clone(&current.wrapped) })
    }
}

/// Why a sealed record does not open.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// The key service does not answer: try again later.
    #[error("the key service is not available")]
    KeyService(#[source] KeyError),
    /// The record's key did not travel with it, or does not unwrap for that tenant.
    #[error("the record's data key is missing or was not made for its tenant")]
    Key,
    /// Altered, or moved to another place.
    #[error("the record does not open in its place")]
    Sealed,
    /// What was sealed is no record.
    #[error("the opened bytes are not a record")]
    Malformed,
}

impl UnsealError {
    /// Whether another attempt can succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::KeyService(_))
    }

    /// A fixed word for metric labels and the quarantine.
    pub fn label(&self) -> &'static str {
        match self {
            Self::KeyService(_) => "key_service",
            Self::Key => "key",
            Self::Sealed => "sealed",
            Self::Malformed => "malformed",
        }
    }
}

/// Opens sealed records: the audit service's half. Each data key is unwrapped once in five minutes.
pub struct Unsealer {
    ring: Keyring,
}

impl std::fmt::Debug for Unsealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[unsealer]")
    }
}

impl Unsealer {
    /// Nothing unwrapped yet.
    pub fn new(kek: Arc<dyn KeyEncryptionKey>, clock: Arc<dyn Clock>) -> Self {
        Self { ring: Keyring::new(kek, clock) }
    }

    /// Opens one record with the key that travelled in the same batch.
    ///
    /// # Errors
    /// [`UnsealError`]; only a key service that does not answer is worth another attempt.
    pub async fn open(&self, sealed: &SealedRecord, keys: &[WrappedKey]) -> Result<Record, UnsealError> {
        let tenant = TenantId::parse(&sealed.tenant).map_err(|_alphabet| UnsealError::Key)?;
        let spool = Uuid::parse_str(&sealed.spool_id).map_err(|_shape| UnsealError::Sealed)?;
        let sequence = u64::try_from(sealed.spool_sequence).map_err(|_negative| UnsealError::Sealed)?;
        let key = self.key(&tenant, &sealed.key_id, keys).await?;
        let aad = place(spool, sequence, tenant.as_str());
        let bytes = key.open(&aad, &sealed.ciphertext).map_err(|_altered| UnsealError::Sealed)?;
        Record::decode(bytes.expose().as_slice()).map_err(|_shape| UnsealError::Malformed)
    }

    async fn key(
        &self,
        tenant: &TenantId,
        key_id: &[u8],
        keys: &[WrappedKey],
    ) -> Result<Arc<DataKey>, UnsealError> {
        let id = Uuid::from_slice(key_id).map_err(|_length| UnsealError::Key)?;
        let context = DataKeyContext { tenant: tenant.clone(), purpose: PURPOSE, key_id: id };
        if let Some(key) = self.ring.at_hand(&context) {
            return Ok(key);
        }
        // Each producer process has a key per tenant; those that ended leave theirs behind.
        self.ring.forget_stale();
        let wrapped = keys
            .iter()
            .find(|key| key.key_id == key_id && key.tenant == tenant.as_str())
            .ok_or(UnsealError::Key)?;
        self.ring.open(&context, &wrapped.wrapped).await.map_err(|error| match error {
            error if error.is_about_the_value() => UnsealError::Key,
            error => UnsealError::KeyService(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use sallyport_keyring::testing::MemoryKey;
    use sallyport_model::TestClock;

    use super::*;

    type Damage = fn(&mut SealedRecord);

    async fn sealed() -> (Unsealer, Sealed, Record) {
        let (kek, clock) = (MemoryKey::new(), Arc::new(TestClock::at(1)));
        let tenant = TenantId::parse("hospital-a").unwrap();
        let mut sealer = Sealer::new(Uuid::from_u128(7), kek.kek(), Arc::<TestClock>::clone(&clock));
        sealer.prepare(&tenant).await.unwrap();
        let record = Record { patients: vec!["canary-patient".to_owned()], ..Record::default() };
        let sealed = sealer.seal(&tenant, 12, &record.encode_to_vec(), String::new()).unwrap();
        (Unsealer::new(kek.kek(), clock), sealed, record)
    }

    #[tokio::test]
    async fn a_record_opens_in_its_place_with_the_key_beside_it() {
        let (unsealer, sealed, record) = sealed().await;
        let bytes = sealed.record.encode_to_vec();
        assert!(!bytes.windows(14).any(|w| w == b"canary-patient"));
        assert_eq!(unsealer.open(&sealed.record, &[(*sealed.key).clone()]).await.unwrap(), record);
    }

    #[tokio::test]
    async fn a_record_moved_altered_or_without_its_key_does_not_open() {
        let (unsealer, sealed, _) = sealed().await;
        let keys = [(*sealed.key).clone()];
        // Before the key is known from elsewhere.
        assert_eq!(unsealer.open(&sealed.record, &[]).await.unwrap_err().label(), "key");
        let damage: [(&str, Damage); 5] = [
            ("sealed", |r| r.spool_sequence += 1),
            ("sealed", |r| r.spool_id = Uuid::from_u128(8).simple().to_string()),
            ("key", |r| r.tenant = "hospital-b".to_owned()),
            ("sealed", |r| r.ciphertext[20] ^= 1),
            ("key", |r| r.key_id[0] ^= 1),
        ];
        for (label, damage) in damage {
            let mut moved = sealed.record.clone();
            damage(&mut moved);
            let error = unsealer.open(&moved, &keys).await.unwrap_err();
            assert_eq!((error.label(), error.is_transient()), (label, false));
        }
    }

    #[tokio::test]
    async fn a_key_is_replaced_after_an_hour_and_seals_on_while_the_key_service_is_away() {
        let (kek, clock) = (MemoryKey::new(), Arc::new(TestClock::at(1)));
        let tenant = TenantId::parse("hospital-a").unwrap();
        let mut sealer = Sealer::new(Uuid::from_u128(7), kek.kek(), Arc::<TestClock>::clone(&clock));
        let key = |sealer: &mut Sealer| sealer.seal(&tenant, 1, b"", String::new()).unwrap().record.key_id;
        sealer.prepare(&tenant).await.unwrap();
        let first = key(&mut sealer);
        kek.set_away(true);
        clock.advance(Duration::from_secs(3_600));
        for _ in 0..100 {
            sealer.prepare(&tenant).await.unwrap();
        }
        assert_eq!(key(&mut sealer), first);
        assert_eq!(kek.calls(), 2, "one key, and one attempt to replace it");
        kek.set_away(false);
        clock.advance(Duration::from_secs(30));
        sealer.prepare(&tenant).await.unwrap();
        assert_ne!(key(&mut sealer), first);
    }

    #[tokio::test]
    async fn a_first_key_needs_the_key_service() {
        let kek = MemoryKey::new();
        kek.set_away(true);
        let tenant = TenantId::parse("hospital-a").unwrap();
        let mut sealer = Sealer::new(Uuid::from_u128(7), kek.kek(), Arc::new(TestClock::at(1)));
        assert!(matches!(sealer.prepare(&tenant).await, Err(AuditError::KeyUnavailable)));
        assert!(sealer.seal(&tenant, 1, b"", String::new()).is_err());
    }
}
