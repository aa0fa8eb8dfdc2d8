//! In the background: sessions whose time is over are ended, grants that the vault has not confirmed are tried again,
//! old rows go. Any number of replicas may do it; each session is ended once.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{App, end};
use crate::{error::unavailable, store::EndReason};

/// Whoever ends a session asks the vault at once; only what is still open after its deadline is tried again.
const RETRY_AFTER_MICROS: i64 = 30 * 1_000_000;

/// Old rows go once an hour.
const PRUNE_EVERY_MICROS: i64 = 3_600 * 1_000_000;

const DAY_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// One round.
pub(crate) async fn sweep(app: &App) {
    let now = app.clock.now();
    match app.store.expired(app.clock.as_ref(), app.config.idle_micros()).await {
        Ok(sessions) => {
            for session in &sessions {
                end::end(app, session, EndReason::Expired, None).await;
            }
        }
        Err(error) => {
            unavailable(&error);
        }
    }
    match app.store.ended_with_live_grant(now.saturating_sub(RETRY_AFTER_MICROS)).await {
        Ok(sessions) => {
            for session in &sessions {
                end::revoke_grant(app, session, "the session ended").await;
            }
        }
        Err(error) => {
            unavailable(&error);
        }
    }
}

/// Removes old rows. A launch is over after minutes; two days also cover every session that a revocation could end.
async fn prune(app: &App) {
    let now = app.clock.now();
    let launched_before = now.saturating_sub(2 * DAY_MICROS);
    let ended_before = now.saturating_sub(i64::from(app.config.retention_days) * DAY_MICROS);
    if let Err(error) = app.store.prune(launched_before, ended_before).await {
        unavailable(&error);
    }
}

/// Rounds until the process ends.
pub(crate) async fn run(app: Arc<App>, mut shutdown: watch::Receiver<bool>) {
    let interval = Duration::from_millis(app.config.sweep_interval_ms);
    let mut prune_at = 0;
    while !*shutdown.borrow() {
        sweep(&app).await;
        let now = app.clock.now();
        if now >= prune_at {
            prune(&app).await;
            prune_at = now.saturating_add(PRUNE_EVERY_MICROS);
        }
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            _changed_or_closed = shutdown.changed() => {}
        }
        if shutdown.has_changed().is_err() {
            return;
        }
    }
}
