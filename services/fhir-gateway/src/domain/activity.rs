//! What people did, reported to launch-auth in batches: it keeps their sessions alive. Timers and polling do not count.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sallyport_model::{LaunchId, Micros};
use sallyport_proto::{
    convert,
    launch::v1::{
        ReportActivityRequest, launch_auth_client::LaunchAuthClient,
        report_activity_request::Activity as Item,
    },
};
use sallyport_rpc::Transport;
use tokio::sync::{Notify, watch};

/// A session that would end sooner than this is reported at once.
const URGENT: Micros = 90_000_000;

/// Activity not reported yet.
#[derive(Clone, Default)]
pub(crate) struct Activity {
    waiting: Arc<Mutex<HashMap<LaunchId, Micros>>>,
    urgent: Arc<Notify>,
}

impl Activity {
    /// A person did something under this launch.
    pub(crate) fn note(&self, launch: LaunchId, now: Micros, expires_at: Micros) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let at = waiting.entry(launch).or_insert(now);
        *at = now.max(*at);
        if expires_at.saturating_sub(now) < URGENT {
            self.urgent.notify_one();
        }
    }

    /// Reports until shutdown, then once more.
    pub(crate) async fn run(self, launch: Transport, every: Duration, mut shutdown: watch::Receiver<bool>) {
        let client = LaunchAuthClient::new(launch);
        loop {
            let is_over = tokio::select! {
                () = tokio::time::sleep(every) => false,
                () = self.urgent.notified() => false,
                _ = shutdown.wait_for(|over| *over) => true,
            };
            self.flush(&client).await;
            if is_over {
                return;
            }
        }
    }

    async fn flush(&self, client: &LaunchAuthClient<Transport>) {
        let batch = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if batch.is_empty() {
            return;
        }
        let activities = batch
            .iter()
            .map(|(launch, at)| Item { launch_id: convert::id_bytes(launch.uuid()), last_active_at: *at })
            .collect();
        if client.clone().report_activity(ReportActivityRequest { activities }).await.is_err() {
            // Kept for the next round: a session must not end because launch-auth was away for a moment.
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            for (launch, at) in batch {
                let newest = waiting.entry(launch).or_insert(at);
                *newest = at.max(*newest);
            }
        }
    }
}
