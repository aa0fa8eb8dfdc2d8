//! The store that replicas share, as calls may use it: never waited for long, and left alone after it failed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use sallyport_kv::{Kv, Unavailable};
use sallyport_model::Clock;

use crate::metrics::GatewayMetrics;

/// A store that failed is left alone for so long.
const REST_MICROS: i64 = 1_000_000;

/// The store.
#[derive(Clone)]
pub(crate) struct Store {
    kv: Arc<dyn Kv>,
    clock: Arc<dyn Clock>,
    metrics: Arc<GatewayMetrics>,
    rests_until: Arc<AtomicI64>,
}

impl Store {
    pub(crate) fn new(kv: Arc<dyn Kv>, clock: Arc<dyn Clock>, metrics: Arc<GatewayMetrics>) -> Self {
        Self { kv, clock, metrics, rests_until: Arc::new(AtomicI64::new(i64::MIN)) }
    }

    /// What it answers within `wait`; `None` when it does not, or failed a moment ago.
    pub(crate) async fn ask<T, F>(
        &self,
        wait: Duration,
        work: impl FnOnce(Arc<dyn Kv>) -> F + Send,
    ) -> Option<T>
    where
        F: Future<Output = Result<T, Unavailable>> + Send,
    {
        if self.clock.now() < self.rests_until.load(Ordering::Acquire) {
            return None;
        }
        self.metrics.hop("kv");
        let answered = tokio::time::timeout(wait, work(Arc::clone(&self.kv))).await;
        if let Ok(Ok(answer)) = answered {
            return Some(answer);
        }
        self.rests_until.store(self.clock.now().saturating_add(REST_MICROS), Ordering::Release);
        None
    }
}
