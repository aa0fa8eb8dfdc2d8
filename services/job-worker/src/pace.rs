//! A run's own pace: so many calls a minute over all workers, taken in lots from the shared limiter. Without the shared one
//! each worker goes at half the pace, which two replicas together do not exceed.

use std::{collections::HashMap, sync::Arc, time::Duration};

use sallyport_kv::{InProcess, Kv, Permit, Rate};
use sallyport_model::Clock;
use tokio::sync::Mutex;

use crate::run::Run;

/// How many turns are taken at once: a quarter of a second's, so that the limiter costs a round trip for many calls.
const LOTS_PER_SECOND: u32 = 4;

/// Gives turns.
#[derive(Clone)]
pub(crate) struct Pace {
    shared: Arc<dyn Kv>,
    own: Arc<InProcess>,
    /// Turns in hand, by job.
    lots: Arc<Mutex<HashMap<String, u32>>>,
}

impl Pace {
    pub(crate) fn new(shared: Arc<dyn Kv>, clock: Arc<dyn Clock>) -> Self {
        Self { shared, own: Arc::new(InProcess::new(clock)), lots: Arc::default() }
    }

    /// Takes a turn; otherwise says how long to wait.
    pub(crate) async fn turn(&self, run: &Run) -> Option<Duration> {
        let per_minute = run.job.calls_per_minute?;
        let key = format!("job-pace:{}:{}", run.tenant, run.job_id);
        let mut lots = self.lots.lock().await;
        let left = lots.entry(key.clone()).or_default();
        if *left > 0 {
            *left -= 1;
            return None;
        }
        let lot = (per_minute / 60 / LOTS_PER_SECOND).max(1);
        let rate = Rate { permits: per_minute, per: Duration::from_secs(60), burst: lot };
        let permit = match self.shared.permits(&key, rate, lot).await {
            Ok(permit) => permit,
            Err(_away) => {
                let half = Rate { permits: (per_minute / 2).max(1), ..rate };
                self.own.permits(&key, half, lot).await.unwrap_or(Permit::RetryAfter(Duration::from_secs(1)))
            }
        };
        match permit {
            Permit::Allowed => {
                *left = lot - 1;
                None
            }
            Permit::RetryAfter(wait) => Some(wait),
        }
    }
}
