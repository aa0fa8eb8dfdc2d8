//! Connects, and connects again: the one place that makes connections.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use sallyport_resilience::Backoff;
use sallyport_telemetry::metrics::Gauge;
use tokio::sync::{oneshot, watch};

use super::{Settings, connection::Link};

/// Between attempts: up to 3 s, so that a broker that is back is used soon.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(3));

/// Keeps `links` supplied until the sender of `unused` is gone.
pub(super) async fn run(
    settings: Arc<Settings>,
    links: watch::Sender<Option<Arc<Link>>>,
    mut unused: oneshot::Receiver<()>,
    connected: Gauge,
) {
    connected.set(&[], 0);
    let mut attempt = 0;
    loop {
        let opened = tokio::select! {
            opened = Link::open(&settings) => opened,
            _gone = &mut unused => return,
        };
        let failure = match opened {
            Ok(link) => {
                tracing::info!("the message broker is connected");
                attempt = 0;
                connected.set(&[], 1);
                links.send_replace(Some(Arc::clone(&link)));
                let failure = tokio::select! {
                    failure = link.lost() => Some(failure),
                    _gone = &mut unused => None,
                };
                links.send_replace(None);
                connected.set(&[], 0);
                let Some(failure) = failure else { return link.close().await };
                failure
            }
            Err(failure) => failure,
        };
        tracing::warn!(reason = failure.0, attempt, "the message broker is away");
        tokio::select! {
            () = tokio::time::sleep(BACKOFF.delay(attempt, jitter())) => {}
            _gone = &mut unused => return,
        }
        attempt = attempt.saturating_add(1);
    }
}

/// Spreads replicas that lost the same broker; needs to be unlike, not unguessable.
pub(super) fn jitter() -> u64 {
    RandomState::new().hash_one(0)
}
