//! Work that nobody asks for: revocations that an EHR was too busy for, refreshes left behind by dead processes,
//! grants nobody took, tokens that would die unused, rows nobody needs.

use std::{sync::Arc, time::Duration};

use sallyport_keyring::KeyError;
use sallyport_model::Micros;
use tokio::sync::watch;

use crate::{
    domain::{
        refresh::{self, Trigger},
        revoke, rotate,
    },
    error::Error,
    store::Which,
    vault::Vault,
};

/// Between two clean-ups, in microseconds.
const PRUNE_EVERY_MICROS: i64 = 3_600 * 1_000_000;

/// Between two looks for data keys that nothing is sealed under any more, in microseconds.
const CLEAR_EVERY_MICROS: i64 = 60 * 1_000_000;

/// Looks for overdue work until shutdown.
pub(crate) async fn run(vault: Arc<Vault>, mut shutdown: watch::Receiver<bool>) {
    let mut pruned_at = 0;
    loop {
        if let Err(error) = sweep(&vault).await {
            tracing::warn!(code = error.code().as_str(), "overdue work waits for the next sweep");
        }
        let now = vault.now();
        if now - pruned_at >= PRUNE_EVERY_MICROS {
            let before = now - i64::from(vault.config.retention_days) * 24 * 3_600 * 1_000_000;
            if vault.store.prune(before).await.is_ok() {
                pruned_at = now;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(vault.config.sweep_interval_ms)) => {}
            _ = shutdown.wait_for(|is_over| *is_over) => return,
        }
    }
}

/// Works on rotations of keys until shutdown: beside the sweep, because one over many rows takes its time.
pub(crate) async fn rotations(vault: Arc<Vault>, mut shutdown: watch::Receiver<bool>) {
    let mut cleared_at = 0;
    loop {
        vault.sealing.forget_stale();
        let now = vault.now();
        let is_time_to_clear = now - cleared_at >= CLEAR_EVERY_MICROS;
        let work = async {
            rotate::work(&vault).await?;
            if is_time_to_clear { rotate::clear_away(&vault).await } else { Ok(()) }
        };
        if is_time_to_clear {
            cleared_at = now;
        }
        tokio::select! {
            worked = work => if let Err(error) = worked {
                tracing::warn!(code = error.code().as_str(), "a rotation of keys waits for the next round");
            },
            _ = shutdown.wait_for(|is_over| *is_over) => return,
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(vault.config.sweep_interval_ms)) => {}
            () = vault.rotation_asked.notified() => {}
            _ = shutdown.wait_for(|is_over| *is_over) => return,
        }
    }
}

/// One round.
pub(crate) async fn sweep(vault: &Arc<Vault>) -> Result<(), Error> {
    let now = vault.now();
    for grant in vault.store.left_behind().await? {
        let turn = vault.flights.turn(grant.id).await;
        soften(refresh::take_over(vault, grant, turn).await)?;
    }
    for grant in vault.store.unclaimed(now - seconds(vault.config.unclaimed_grant_seconds)).await? {
        let which = Which::Grant(grant.id);
        soften(revoke::revoke(vault, &grant.tenant, &which, "unclaimed").await.map(|_outcome| ()))?;
    }
    keep_alive(vault, now).await?;
    for grant in vault.store.upstream_due(now).await? {
        soften(revoke::one(vault, &grant.tenant, grant.id).await.map(|_is_done| ()))?;
    }
    Ok(())
}

/// Refreshes what would die unused, where the EHR's product is like that.
async fn keep_alive(vault: &Arc<Vault>, now: Micros) -> Result<(), Error> {
    for entry in vault.registry.entries() {
        // Where an override has expired, nothing is asked of the EHR until somebody stands for it again.
        let Ok(profile) = entry.endpoint.behaviour.now(now) else { continue };
        let Some(interval) = *profile.tokens.keep_alive_seconds else { continue };
        let before = now.saturating_sub(interval.saturating_mul(1_000_000));
        for grant in vault.store.idle(&entry.registration.id, before).await? {
            if grant.not_before <= now {
                let turn = vault.flights.turn(grant.id).await;
                soften(refresh::refresh(vault, grant, Trigger::KeepAlive, turn).await)?;
            }
        }
    }
    Ok(())
}

/// What is wrong with one grant must not keep the round from the next; what is wrong with all of them ends it.
fn soften(outcome: Result<(), Error>) -> Result<(), Error> {
    match outcome {
        Ok(()) => Ok(()),
        Err(
            error @ (Error::Database(_)
            | Error::Key(KeyError::Unavailable(_) | KeyError::Refused)
            | Error::Audit(_)),
        ) => Err(error),
        Err(error) => {
            tracing::warn!(code = error.code().as_str(), "a grant was left as it is in this round");
            Ok(())
        }
    }
}

fn seconds(seconds: u32) -> Micros {
    i64::from(seconds) * 1_000_000
}
