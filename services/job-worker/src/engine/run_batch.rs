//! One batch from its lease to the end of it: authority, items one by one, and whatever stops them.

use std::{sync::Arc, time::Duration};

use sallyport_model::{Code, Secret};
use tokio::{task::JoinHandle, time::Instant};
use tracing::Instrument;

use super::{authority, heartbeat, item, planning, settle};
use crate::{
    batch::{Batch, Hold, Parts, go_on},
    gateway::Gateway,
    halt::{Halt, Wait},
    items,
    kinds::{self, Kind},
    run::RunState,
    store::Lease,
    worker::Worker,
};

/// How a batch came to its end under this lease.
pub(super) enum End {
    /// Every item is done; committed already.
    Done,
    /// Others have waited long enough.
    Turn,
    /// Something stands in the way.
    Halted(Halt),
}

/// Ends a task with whoever started it.
struct Ended(JoinHandle<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Works on a leased batch and puts it back if it is not done.
pub(super) async fn run(worker: &Arc<Worker>, lease: Lease, asked_at: Instant) {
    let span = tracing::info_span!("job-worker.batch.run", outcome = tracing::field::Empty);
    let hold = Arc::new(Hold::new(lease.lease_expires_at, asked_at + worker.config.lease()));
    let beat = heartbeat::run(Arc::clone(worker), lease.clone(), Arc::clone(&hold));
    let _beat = Ended(tokio::spawn(beat));
    let end = async {
        let mut batch = match opened(worker, &lease, &hold).await {
            Ok(batch) => batch,
            Err(halt) => return settle::unopened(worker, &lease, halt).await,
        };
        let end = until_stopped(worker, &mut batch).await;
        settle::batch(worker, batch, end).await
    }
    .instrument(span.clone())
    .await;
    span.record("outcome", end);
    worker.metrics.leases.inc(&[end]);
}

/// Everything that the work stands on. What cannot be had stops it before it has begun.
async fn opened(worker: &Arc<Worker>, lease: &Lease, hold: &Arc<Hold>) -> Result<Batch, Halt> {
    let found = worker.run(lease.run()).await?;
    if found.state != RunState::Running {
        return Err(Halt::Asked);
    }
    let mut run = found.run;
    if !run.job.is_on {
        return Err(Halt::Authority { code: Code::JobOff, scope: String::new() });
    }
    if let Some(seen) = worker.store.look(lease.run()).await?
        && seen.held_until > worker.now()
    {
        hold.close(seen.held_until, Wait::parse(&seen.held_for).unwrap_or(Wait::Vendor));
    }
    // Before anything is asked of the EHR, its token endpoint included.
    go_on(&run, hold, &worker.revoked, worker.now())?;
    if run.grant.is_none() {
        authority::open(worker, &mut run).await?;
    }
    let run = Arc::new(run);
    let row = lease.batch_id;
    let place = (&row.as_bytes()[..], "items");
    let sealed = worker.sealing.open(&run.tenant, lease.data_key_id, place, &lease.items_sealed).await?;
    let items = items::read(sealed.expose()).ok_or(Halt::Failed(Code::Internal))?;
    let checkpoint = match &lease.checkpoint {
        None => None,
        Some(sealed) => {
            let place = (&row.as_bytes()[..], "checkpoint");
            let bytes: Secret<Vec<u8>> =
                worker.sealing.open(&run.tenant, lease.data_key_id, place, sealed).await?;
            Some(bytes.expose().clone())
        }
    };
    let gateway = Gateway {
        client: worker.gateway.clone(),
        run: Arc::clone(&run),
        batch: row,
        hold: Arc::clone(hold),
        revoked: worker.revoked.clone(),
        pace: worker.pace.clone(),
        store: worker.store.clone(),
        clock: Arc::clone(&worker.clock),
        calls: Arc::default(),
    };
    let parts = Parts {
        store: worker.store.clone(),
        sealing: worker.sealing.clone(),
        sealer: worker.sealing.sealer(&run.tenant).await?,
        gateway,
        hold: Arc::clone(hold),
        revoked: worker.revoked.clone(),
        clock: Arc::clone(&worker.clock),
        audit: worker.audit.clone(),
        exports: worker.config.exports_folder.as_path().into(),
        frame_bytes: worker.config.export_frame_bytes,
    };
    Ok(Batch::new(run, lease.clone(), items, checkpoint, parts))
}

/// Works until the end, or until it was told to stop and did not notice within the grace.
async fn until_stopped(worker: &Arc<Worker>, batch: &mut Batch) -> End {
    let mut stop = batch.parts.hold.stop.subscribe();
    let grace = Duration::from_millis(worker.config.stop_grace_ms);
    let stopped = async move {
        // A sender that is gone means the same.
        drop(stop.wait_for(|stop| *stop).await);
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        end = work(worker, batch) => end,
        () = stopped => End::Halted(Halt::Asked),
    }
}

async fn work(worker: &Arc<Worker>, batch: &mut Batch) -> End {
    let Some(kind) = kinds::kind_of(batch.run().job.kind) else {
        return End::Halted(Halt::Authority { code: Code::JobKindMissing, scope: String::new() });
    };
    let done = match batch.lease().seq {
        0 => planning::plan(worker, batch, kind.as_ref()).await.map(|()| End::Done),
        _ => items(worker, batch, kind).await,
    };
    done.unwrap_or_else(End::Halted)
}

async fn items(worker: &Arc<Worker>, batch: &mut Batch, kind: Arc<dyn Kind>) -> Result<End, Halt> {
    let since = Instant::now();
    let slice = Duration::from_millis(worker.config.slice_ms);
    let mut asked_at = since;
    while let Some(next) = batch.rest().first().cloned() {
        batch.go_on()?;
        if asked_at.elapsed() >= slice {
            asked_at = Instant::now();
            if worker.store.others_wait(batch.run().tenant.as_str(), worker.now()).await? {
                return Ok(End::Turn);
            }
        }
        item::work(worker, batch, &kind, &next).await?;
    }
    Ok(End::Done)
}
