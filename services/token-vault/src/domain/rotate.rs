//! Rotation of keys while everything goes on: asked for by an operator, worked on in the background by one process at a
//! time, taken up by another where it dies.
//!
//! A rotation has every data key wrapped by the newest version of the key-encryption key (made first, if asked for),
//! then makes a new data key for each tenant and seals every grant and signing key under it. A row that a refresh
//! changes meanwhile names the new key already, or is met again.

mod work;

use std::sync::Arc;

use sallyport_data_keys::WrappedKey;
use sallyport_model::{Micros, TenantId};
use sallyport_proto::{
    audit::v1::{Kind, Outcome, Record},
    convert,
};

use crate::{
    error::Error,
    sealing::rotation::seals_rows,
    store::{Rotation, Wanted},
    vault::Vault,
};

pub(crate) use work::{clear_away, work};

/// How the keys stand.
pub(crate) struct Status {
    /// The version of the key-encryption key that wraps now; `None` while its keeper does not say.
    pub(crate) kek_version: Option<u64>,
    /// How many data keys there are.
    pub(crate) data_keys: i32,
    /// Of these, wrapped by an older version.
    pub(crate) outdated_wrappings: i32,
    /// The oldest version that still wraps one; versions before it may be disabled at the keeper.
    pub(crate) oldest_version: Option<u64>,
    /// Data keys that have a successor.
    pub(crate) outdated_data_keys: i32,
    /// Rows still sealed under one of those.
    pub(crate) outdated_rows: i64,
    /// The rotation that was started last.
    pub(crate) last: Option<Rotation>,
}

/// Starts a rotation, or finds the one that is under way. Recorded before anything is done.
pub(crate) async fn start(vault: &Arc<Vault>, wanted: Wanted, reason: &str) -> Result<Rotation, Error> {
    vault.audit.event(record(vault, reason, Outcome::Success)).await?;
    vault.store.start_rotation(wanted, vault.now()).await?;
    let rotation = vault.store.last_rotation().await?.ok_or(Error::Malformed("key_rotations"))?;
    vault.rotation_asked.notify_one();
    Ok(rotation)
}

/// How the keys stand now.
pub(crate) async fn status(vault: &Vault) -> Result<Status, Error> {
    let keeper = vault.sealing.keeper();
    let kek_version = keeper.current_version().await.ok();
    let keys = vault.sealing.stored().await?;
    let versions: Vec<u64> = keys.iter().filter_map(|key| keeper.version_of(&key.wrapped).ok()).collect();
    let outdated = outdated(&keys);
    let mut outdated_rows = 0;
    for (old, _) in &outdated {
        outdated_rows += vault.store.rows_under(old.key_id).await?;
    }
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    Ok(Status {
        kek_version,
        data_keys: count(keys.len()),
        outdated_wrappings: count(versions.iter().filter(|v| Some(**v) != kek_version).count()),
        oldest_version: versions.iter().min().copied(),
        outdated_data_keys: count(outdated.len()),
        outdated_rows,
        last: vault.store.last_rotation().await?,
    })
}

/// The keys that have a successor, each with the newest of them.
fn outdated(keys: &[WrappedKey]) -> Vec<(&WrappedKey, &WrappedKey)> {
    let newest = |key: &WrappedKey| {
        let same = |other: &&WrappedKey| other.tenant == key.tenant && other.purpose == key.purpose;
        keys.iter().filter(same).max_by_key(|other| other.generation)
    };
    keys.iter()
        .filter(|key| seals_rows(key))
        .filter_map(|key| newest(key).map(|newest| (key, newest)))
        .filter(|(key, newest)| key.key_id != newest.key_id)
        .collect()
}

/// The keys that seal now.
fn newest(keys: &[WrappedKey]) -> impl Iterator<Item = &WrappedKey> {
    keys.iter().filter(move |key| {
        !keys.iter().any(|other| {
            other.tenant == key.tenant && other.purpose == key.purpose && other.generation > key.generation
        })
    })
}

fn record(vault: &Vault, detail: &str, outcome: Outcome) -> Record {
    Record {
        kind: Kind::Operator.into(),
        tenant: TenantId::system().as_str().to_owned(),
        actor: Some(convert::anonymous()),
        outcome: outcome.into(),
        recorded_at: vault.now(),
        detail: detail.to_owned(),
        ..Record::default()
    }
}

/// How long a key that nothing is sealed under is still kept: whoever sealed with it just before its successor was
/// made has stored it by then.
const RETIRE_AFTER_MICROS: Micros = 600 * 1_000_000;
