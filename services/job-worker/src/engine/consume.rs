//! The consumer of batches: takes one from the queue when a slot is free, leases it, acks. From the lease on the row is what
//! counts; a message is a hint, and one too many does no harm.

use std::{sync::Arc, time::Duration};

use sallyport_model::BatchId;
use sallyport_queue::Delivery;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::Instant,
};
use uuid::Uuid;

use super::{BATCHES, run_batch};
use crate::worker::Worker;

/// After the queue could not be consumed.
const RETRY: Duration = Duration::from_millis(200);

/// Consumes until shutdown, then waits for what is in hand.
pub(super) async fn run(worker: Arc<Worker>) {
    let mut shutdown = worker.shutdown.clone();
    let slots = Arc::new(Semaphore::new(usize::try_from(worker.config.slots).unwrap_or(1)));
    let mut in_hand = JoinSet::new();
    if !reclaim(&worker).await {
        return;
    }
    tokio::select! {
        () = consume(&worker, &slots, &mut in_hand) => {}
        _ = shutdown.wait_for(|over| *over) => {}
    }
    while in_hand.join_next().await.is_some() {}
}

/// What this worker had in hand when it died goes on at once. Not before the database can be asked; `false` at shutdown.
async fn reclaim(worker: &Worker) -> bool {
    loop {
        if worker.is_ending() {
            return false;
        }
        match worker.store.reclaim_own(worker.id, worker.now()).await {
            Ok(count) => {
                for _ in 0..count {
                    worker.metrics.reclaimed.inc(&["own"]);
                }
                return true;
            }
            Err(_away) => tokio::time::sleep(RETRY).await,
        }
    }
}

/// Takes nothing while it is not known which grants are revoked: it would only have to be put back.
async fn known(worker: &Worker) {
    while !worker.revoked.is_fresh() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn consume(worker: &Arc<Worker>, slots: &Arc<Semaphore>, in_hand: &mut JoinSet<()>) {
    loop {
        if let Ok(mut consumer) = worker.queue.consume(BATCHES).await {
            loop {
                let Ok(slot) = Arc::clone(slots).acquire_owned().await else { return };
                while in_hand.try_join_next().is_some() {}
                known(worker).await;
                let Some(delivery) = consumer.next().await else { break };
                if let Some(work) = take(worker, delivery, slot).await {
                    in_hand.spawn(work);
                }
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Leases what a message names. Whatever comes of that, the message has done its work.
async fn take(
    worker: &Arc<Worker>,
    delivery: Delivery,
    slot: OwnedSemaphorePermit,
) -> Option<impl Future<Output = ()> + Send + use<>> {
    let batch = Uuid::from_slice(&delivery.message.body).ok().map(BatchId::from_uuid);
    let asked_at = Instant::now();
    let leased = match batch {
        Some(batch) => worker.store.lease(batch, worker.id, worker.config.lease_micros(), worker.now()).await,
        None => Ok(None),
    };
    delivery.ack().await;
    let lease = leased.ok().flatten()?;
    let worker = Arc::clone(worker);
    Some(async move {
        run_batch::run(&worker, lease, asked_at).await;
        drop(slot);
        worker.wake.notify_one();
    })
}
