//! The consumer of `audit.records`: one message at a time, acked after the commit, held while the database is away.

use std::{sync::Arc, time::Duration};

use sallyport_queue::{AUDIT_RECORDS, Delivery, Queue};
use tokio::sync::watch;

use crate::{
    domain::{
        Domain,
        append::{Taken, append},
    },
    proof::Proof,
};

/// Between attempts to store the same message: 50 ms, doubling to 5 s.
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// Consumes, once the log's keys are proven, until `shutdown` turns true. A message in hand is then given back undone.
pub(crate) async fn run(
    domain: Arc<Domain>,
    queue: Arc<dyn Queue>,
    mut proof: Proof,
    mut shutdown: watch::Receiver<bool>,
) {
    let work = async {
        if proof.made().await {
            consume(&domain, queue.as_ref()).await;
        }
    };
    tokio::select! {
        () = work => {}
        _ended = shutdown.wait_for(|stop| *stop) => {}
    }
}

async fn consume(domain: &Domain, queue: &dyn Queue) {
    loop {
        match queue.consume(AUDIT_RECORDS).await {
            Ok(mut consumer) => {
                while let Some(delivery) = consumer.next().await {
                    take(domain, delivery).await;
                }
            }
            Err(error) => tracing::warn!(reason = %error, "audit records cannot be received"),
        }
        tokio::time::sleep(FIRST_RETRY).await;
    }
}

async fn take(domain: &Domain, delivery: Delivery) {
    let mut pause = FIRST_RETRY;
    loop {
        match append(domain, &delivery.message).await {
            Ok(Taken::Done) => return delivery.ack().await,
            Ok(Taken::Unreadable) => {
                domain.metrics.failed("key");
                tracing::error!(
                    reason = "key",
                    "audit records were sealed under a key-encryption key that is not ours, check the key service"
                );
                return delivery.reject().await;
            }
            Err(error) => {
                // Held, not rejected: the records are safe with their publisher, and the order is kept.
                domain.metrics.failed(error.label());
                if error.is_transient() {
                    tracing::warn!(reason = error.label(), "audit records wait for the store");
                } else {
                    tracing::error!(reason = error.label(), "audit records cannot be stored");
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_RETRY);
    }
}
