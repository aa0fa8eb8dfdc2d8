//! The work on a rotation, in steps that can be repeated.

use std::sync::Arc;

use sallyport_data_keys::WrappedKey;
use sallyport_proto::audit::v1::Outcome;
use uuid::Uuid;

use super::{RETIRE_AFTER_MICROS, newest, outdated, record};
use crate::{
    error::Error,
    sealing::rotation::{Succession, seals_rows},
    store::{Rotation, SealedRow},
    vault::Vault,
};

/// How long the work is this process's without a sign of life.
const LEASE_MICROS: i64 = 30 * 1_000_000;

/// Works on the rotation that is under way, to its end.
pub(crate) async fn work(vault: &Arc<Vault>) -> Result<(), Error> {
    let last = vault.store.last_rotation().await?;
    let Some(mut rotation) = last.filter(|rotation| rotation.closed_at.is_none()) else {
        return Ok(());
    };
    let now = vault.now();
    if !vault.store.take_rotation(&rotation, now, now + LEASE_MICROS).await? {
        return Ok(());
    }
    rotation.lease_epoch += 1;
    match run(vault, &mut rotation).await {
        Err(Stop::LostLease) => Ok(()),
        Err(Stop::Fault(error)) => {
            // Whoever comes next need not wait for the lease.
            vault.store.note_rotation(&rotation, 0).await?;
            Err(error)
        }
        Ok(()) => {
            tracing::info!(count = rotation.resealed, "a rotation of keys is done");
            Ok(())
        }
    }
}

/// Why the work stops here.
enum Stop {
    /// Another process has it.
    LostLease,
    Fault(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

async fn note(vault: &Vault, rotation: &Rotation) -> Result<(), Stop> {
    let is_ours = vault.store.note_rotation(rotation, vault.now() + LEASE_MICROS).await?;
    if is_ours { Ok(()) } else { Err(Stop::LostLease) }
}

async fn run(vault: &Arc<Vault>, rotation: &mut Rotation) -> Result<(), Stop> {
    let keeper = vault.sealing.keeper();
    if rotation.kek_version == 0 {
        let version = match rotation.wanted().rotates_kek {
            true => keeper.rotate().await?,
            false => keeper.current_version().await?,
        };
        rotation.kek_version = i64::try_from(version).unwrap_or(i64::MAX);
        note(vault, rotation).await?;
    }
    rewrap(vault, rotation).await?;
    succeed(vault, rotation).await?;
    rotation.unreadable = 0;
    loop {
        let (changed, unreadable, left) = reseal(vault, Some(rotation)).await?;
        rotation.unreadable = unreadable;
        // What is left was changed by somebody else just now, or does not open.
        if left <= unreadable || changed == 0 {
            break;
        }
    }
    vault.audit.event(record(vault, "keys_rotated", Outcome::Success)).await?;
    rotation.closed_at = Some(vault.now());
    note(vault, rotation).await
}

/// Every data key wrapped by the newest version.
async fn rewrap(vault: &Vault, rotation: &mut Rotation) -> Result<(), Stop> {
    for key in vault.sealing.stored().await? {
        let version = vault.sealing.keeper().version_of(&key.wrapped);
        if version.is_ok_and(|version| i64::try_from(version) == Ok(rotation.kek_version)) {
            continue;
        }
        let is_rewrapped = vault.sealing.rewrap(&key).await?;
        vault.metrics.rotation.inc(&["key", if is_rewrapped { "done" } else { "skipped" }]);
        rotation.rewrapped += i64::from(is_rewrapped);
        note(vault, rotation).await?;
    }
    Ok(())
}

/// A successor for every key that is older than the rotation, or cannot be opened any more.
async fn succeed(vault: &Vault, rotation: &mut Rotation) -> Result<(), Stop> {
    let wanted = rotation.wanted();
    let keys = vault.sealing.stored().await?;
    for key in newest(&keys) {
        let is_due = wanted.renews_data_keys && seals_rows(key) && key.created_at < rotation.started_at;
        let is_lost = wanted.replaces_lost && !vault.sealing.opens(key).await?;
        if is_due || is_lost {
            vault.sealing.succeed(key).await?;
            note(vault, rotation).await?;
        }
    }
    Ok(())
}

/// Once over all rows that are sealed under a key with a successor: how many were changed, how many do not open, and
/// how many are left after it.
async fn reseal(vault: &Vault, mut rotation: Option<&mut Rotation>) -> Result<(i64, i64, i64), Stop> {
    let keys = vault.sealing.stored().await?;
    let (mut changed, mut unreadable, mut left) = (0, 0, 0);
    for (old, new) in outdated(&keys) {
        if vault.sealing.opens(old).await? {
            let succession = vault.sealing.succession(old, new).await?;
            let signing_keys = reseal_signing_keys(vault, &succession, old, new).await?;
            changed += signing_keys;
            if let Some(rotation) = rotation.as_deref_mut() {
                rotation.resealed += signing_keys;
            }
            let mut after = Uuid::nil();
            loop {
                let rows = vault.store.grants_under(old.key_id, after).await?;
                let Some(last) = rows.last() else { break };
                after = last.grant_id;
                let (resealed, failed) = reseal_batch(vault, &succession, (old, new), rows).await?;
                changed += resealed;
                unreadable += failed;
                if let Some(rotation) = rotation.as_deref_mut() {
                    rotation.resealed += resealed;
                    note(vault, rotation).await?;
                }
            }
        } else {
            unreadable += vault.store.rows_under(old.key_id).await?;
        }
        left += vault.store.rows_under(old.key_id).await?;
    }
    Ok((changed, unreadable, left))
}

async fn reseal_batch(
    vault: &Vault,
    succession: &Succession,
    (old, new): (&WrappedKey, &WrappedKey),
    rows: Vec<SealedRow>,
) -> Result<(i64, i64), Error> {
    let mut pairs = Vec::with_capacity(rows.len());
    let mut failed = 0;
    for row in rows {
        match succession.grant(&row) {
            Ok(sealed) => {
                pairs.push((row, sealed));
            }
            Err(_does_not_open) => failed += 1,
        }
    }
    let resealed = vault.store.reseal_grants(old.key_id, new.key_id, &pairs).await?;
    let skipped = (pairs.len() as u64).saturating_sub(resealed);
    vault.metrics.rotation.add(&["grant", "done"], resealed);
    vault.metrics.rotation.add(&["grant", "skipped"], skipped);
    vault.metrics.rotation.add(&["grant", "unreadable"], u64::try_from(failed).unwrap_or(0));
    Ok((i64::try_from(resealed).unwrap_or(i64::MAX), failed))
}

async fn reseal_signing_keys(
    vault: &Vault,
    succession: &Succession,
    old: &WrappedKey,
    new: &WrappedKey,
) -> Result<i64, Error> {
    let mut changed = 0;
    for row in vault.store.signing_keys_under(old.key_id).await? {
        let Ok(sealed) = succession.signing_key(&row) else { continue };
        let is_changed = vault.store.reseal_signing_key(&row, new.key_id, &sealed).await?;
        vault.metrics.rotation.inc(&["signing_key", if is_changed { "done" } else { "skipped" }]);
        changed += i64::from(is_changed);
    }
    Ok(changed)
}

/// Seals again what was stored late under an old key, and removes old keys that nothing names any more.
pub(crate) async fn clear_away(vault: &Vault) -> Result<(), Error> {
    let keys = vault.sealing.stored().await?;
    let before = vault.now() - RETIRE_AFTER_MICROS;
    let due: Vec<_> = outdated(&keys).into_iter().filter(|(_, new)| new.created_at < before).collect();
    if due.is_empty() {
        return Ok(());
    }
    if let Err(Stop::Fault(error)) = reseal(vault, None).await {
        return Err(error);
    }
    for (old, _) in due {
        if vault.store.retire_data_key(old.key_id).await? {
            vault.metrics.rotation.inc(&["key", "retired"]);
        }
    }
    Ok(())
}
