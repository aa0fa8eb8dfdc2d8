//! A run's first batch: what the run consists of, cut into batches, in one transaction.

use std::sync::Arc;

use sallyport_model::Code;

use super::item::new_batch;
use crate::{
    batch::Batch,
    halt::Halt,
    kinds::{Fault, Kind},
    store::{self, Ending},
    worker::Worker,
};

/// Plans the run. A plan that cannot be made ends the run: there is no other item that could go on.
pub(super) async fn plan(worker: &Arc<Worker>, batch: &mut Batch, kind: &dyn Kind) -> Result<(), Halt> {
    batch.go_on()?;
    let run = batch.shared_run();
    let plan = match kind.plan(&run, batch.gateway()).await {
        Ok(plan) if plan.items.is_empty() => return Err(stopped(Code::JobCohortEmpty)),
        Ok(plan) => plan,
        Err(Fault::Halt(halt)) => return Err(halt),
        Err(Fault::Item(code)) => return Err(stopped(code)),
    };
    let size = usize::try_from(run.job.batch_size).unwrap_or(1);
    let batches: Vec<_> = plan.items.chunks(size).map(|items| new_batch(worker, batch, items)).collect();
    let mut tx = batch.begin().await?.into_tx();
    let busy = batch.busy();
    store::advance(&mut tx, batch.id(), 0, busy).await?;
    store::add(&mut tx, &batches, worker.now()).await?;
    store::planned(&mut tx, batch.run_id()).await?;
    store::count_calls(&mut tx, batch.run_id(), batch.gateway().calls_made()).await?;
    store::end(&mut tx, batch.id(), batch.run_id(), &Ending::Done, worker.now()).await?;
    tx.commit().await?;
    Ok(())
}

fn stopped(code: Code) -> Halt {
    Halt::Authority { code, scope: String::new() }
}
