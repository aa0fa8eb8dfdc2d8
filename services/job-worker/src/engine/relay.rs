//! The outbox's relay: claims what is due, fairly over tenants, and hands it to the queue. What the queue does not take is
//! claimed again in the next round; what it took and lost, when nobody has taken it for long enough.

use std::{sync::Arc, time::Duration};

use sallyport_model::BatchId;
use sallyport_queue::Message;
use tokio::task::JoinSet;

use super::BATCHES;
use crate::{store::Window, worker::Worker};

/// Messages of one tenant that nobody has taken yet. One is enough to keep a slot busy, and keeps the queue short for others.
const PER_TENANT: i64 = 2;

/// Relays until shutdown.
pub(super) async fn run(worker: Arc<Worker>) {
    let mut shutdown = worker.shutdown.clone();
    let mut publishing = JoinSet::new();
    let mut is_away = false;
    loop {
        is_away = !round(&worker, &mut publishing, is_away).await;
        while publishing.try_join_next().is_some() {}
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(worker.config.relay_interval_ms)) => {}
            () = worker.wake.notified() => {}
            _ = shutdown.wait_for(|over| *over) => return,
        }
    }
}

/// `false` while the database is away; that is told once.
async fn round(worker: &Arc<Worker>, publishing: &mut JoinSet<()>, was_away: bool) -> bool {
    let window = Window {
        per_tenant: PER_TENANT,
        lost_after: i64::try_from(worker.config.lost_after_ms).unwrap_or(i64::MAX / 2_000) * 1_000,
    };
    let due = match worker.store.claim_due(worker.id, window, worker.now()).await {
        Ok(due) => due,
        Err(error) => {
            if !was_away {
                tracing::warn!(code = error.code().as_str(), "batches wait for the database");
            }
            return false;
        }
    };
    for batch in due {
        // A queue in this process answers when the batch was taken, so each is handed over on its own.
        publishing.spawn(publish(Arc::clone(worker), batch));
    }
    true
}

async fn publish(worker: Arc<Worker>, batch: BatchId) {
    let message = Message::new(batch.uuid(), batch.uuid().as_bytes().to_vec());
    if let Err(error) = worker.queue.publish(BATCHES, message).await {
        tracing::debug!(reason = error.label(), "the queue did not take a batch");
        // Where the database is away too, the batch counts as lost after a while and is published again all the same.
        let _claimed_again_later = worker.store.unpublish(batch).await;
    }
}
