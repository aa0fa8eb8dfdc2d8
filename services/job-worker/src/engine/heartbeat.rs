//! A lease's heartbeat: keeps it while the work is slow, and sees within a second when the run was paused, stopped or killed.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use sallyport_model::planted;
use tokio::time::Instant;

use crate::{
    batch::{Hold, lock},
    halt::Wait,
    store::Lease,
    worker::Worker,
};

/// The run is looked at at least this often.
const LOOK: Duration = Duration::from_secs(1);

/// Beats until the lease is lost or the task is ended.
pub(super) async fn run(worker: Arc<Worker>, lease: Lease, hold: Arc<Hold>) {
    let every = (worker.config.lease() / 3).min(LOOK);
    let mut renewed_at = Instant::now();
    let mut shutdown = worker.shutdown.clone();
    loop {
        let is_ending = tokio::select! {
            () = tokio::time::sleep(every) => false,
            _ = shutdown.wait_for(|over| *over) => true,
        };
        if is_ending {
            hold.stop.send_replace(true);
            // The lease is kept while the work comes to its end.
            tokio::time::sleep(every).await;
        }
        if renewed_at.elapsed() + every >= worker.config.lease() / 3
            && !renew(&worker, &lease, &hold, &mut renewed_at).await
        {
            hold.stop.send_replace(true);
            return;
        }
        if let Ok(Some(seen)) = worker.store.look(lease.run()).await {
            if seen.state != "running" && !planted!("job-fencing-ignored") {
                hold.stop.send_replace(true);
            }
            if seen.held_until > worker.now() {
                hold.close(seen.held_until, Wait::parse(&seen.held_for).unwrap_or(Wait::Vendor));
            }
        }
    }
}

/// `false` when the lease is somebody else's, or over before it could be renewed.
async fn renew(worker: &Worker, lease: &Lease, hold: &Hold, renewed_at: &mut Instant) -> bool {
    let asked_at = Instant::now();
    match worker.store.renew(lease.batch(), lease.epoch, worker.config.lease_micros()).await {
        Ok(Some(expires_at)) => {
            hold.expires_at.store(expires_at, Ordering::Release);
            *lock(&hold.valid_until) = asked_at + worker.config.lease();
            *renewed_at = asked_at;
            true
        }
        // A planted defect goes with the one in the store: nobody minds that the lease is somebody else's.
        Ok(None) if planted!("job-fencing-ignored") => true,
        Ok(None) => {
            *lock(&hold.valid_until) = asked_at;
            false
        }
        Err(_away) => Instant::now() < *lock(&hold.valid_until),
    }
}
