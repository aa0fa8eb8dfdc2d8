//! Takes leases back from workers that are dead or stand still, and removes runs, results and exports whose lifetime is over.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{kinds::bulk_export::forgetting, worker::Worker};

/// Between two looks for what has expired.
const EXPIRE_EVERY: Duration = Duration::from_secs(60);

/// Sweeps until shutdown.
pub(super) async fn run(worker: Arc<Worker>) {
    let mut shutdown = worker.shutdown.clone();
    let every = (worker.config.lease() / 4).clamp(Duration::from_millis(100), Duration::from_secs(5));
    let mut expired_at: Option<Instant> = None;
    loop {
        match worker.store.reclaim_expired(worker.now()).await {
            Ok(0) => {}
            Ok(count) => {
                for _ in 0..count {
                    worker.metrics.reclaimed.inc(&["expired"]);
                }
                tracing::warn!(count, "leases of batches ran out and were taken back");
                worker.wake.notify_one();
            }
            Err(error) => tracing::debug!(code = error.code().as_str(), "leases could not be looked at"),
        }
        if let Ok(depth) = worker.store.outbox_depth().await {
            worker.metrics.outbox.set(&[], depth);
        }
        if expired_at.is_none_or(|at| at.elapsed() >= EXPIRE_EVERY) && expire(&worker).await.is_ok() {
            expired_at = Some(Instant::now());
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = shutdown.wait_for(|over| *over) => return,
        }
    }
}

async fn expire(worker: &Worker) -> Result<(), sallyport_db::Error> {
    let now = worker.now();
    worker.store.expire_results(now).await?;
    forgetting::expire(&worker.store, &worker.config.exports_folder, now).await?;
    let before = now - i64::from(worker.config.retention_days) * 86_400 * 1_000_000;
    worker.store.expire_proposals(now).await?;
    worker.store.prune_proposals(before).await?;
    worker.store.prune(before).await
}
