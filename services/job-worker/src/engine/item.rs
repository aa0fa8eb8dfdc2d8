//! One item: its effects and the checkpoint in one transaction; one that fails is set apart, so that its neighbours go on.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use sallyport_model::{BatchId, Code, RecordId, planted};

use crate::{
    batch::{Batch, Fenced},
    gateway::is_for_good,
    halt::{Halt, Wait},
    items,
    kinds::{Done, Fault, Item, Kind},
    store::{self, Ending, NewBatch},
    worker::Worker,
};

/// So many workers died at this item: it is taken for the reason.
const DEADLY: i64 = 20;

/// Does one item, or sets it apart.
pub(super) async fn work(
    worker: &Arc<Worker>,
    batch: &mut Batch,
    kind: &Arc<dyn Kind>,
    item: &Item,
) -> Result<(), Halt> {
    let outcome = if batch.lease().deaths >= DEADLY {
        Err(Fault::Item(Code::JobItemDeadly))
    } else {
        let work = AssertUnwindSafe(kind.item(batch, item)).catch_unwind();
        work.await.unwrap_or(Err(Fault::Item(Code::JobItemPanicked)))
    };
    let (word, code) = match outcome {
        Ok(done) => {
            commit(worker, batch, done).await?;
            ("done", None)
        }
        Err(Fault::Halt(halt)) => return Err(halt),
        Err(Fault::Item(code)) => (failed(worker, batch, item, code).await?, Some(code)),
    };
    worker.metrics.items.inc(&[batch.run().job.kind.as_str(), word]);
    if let Some(code) = code {
        tracing::warn!(code = code.as_str(), outcome = word, "an item of a job was not done");
    }
    Ok(())
}

/// Effects, further batches and the checkpoint, together.
async fn commit(worker: &Arc<Worker>, batch: &mut Batch, done: Done) -> Result<(), Halt> {
    let mut more = Vec::new();
    let size = usize::try_from(batch.run().job.batch_size).unwrap_or(1);
    for items in done.more.chunks(size) {
        more.push(new_batch(worker, batch, items));
    }
    let mut tx = done.effects.into_tx();
    if planted!("job-checkpoint-apart") {
        // A planted defect: what was done is durable before it is known to be done.
        tx.commit().await?;
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        tx = batch.begin().await?.into_tx();
    }
    store::add(&mut tx, &more, worker.now()).await?;
    advance(worker, batch, tx).await
}

/// Moves past the item and ends the batch where it was the last one.
async fn advance(worker: &Arc<Worker>, batch: &mut Batch, mut tx: sallyport_db::Tx) -> Result<(), Halt> {
    let (id, run, busy) = (batch.id(), batch.run_id(), batch.busy());
    store::advance(&mut tx, id, batch.lease().position + 1, busy).await?;
    store::count_calls(&mut tx, run, batch.gateway().calls_made()).await?;
    let mut is_over = false;
    if batch.rest().len() == 1 {
        is_over = store::end(&mut tx, id, run, &Ending::Done, worker.now()).await?;
    }
    tx.commit().await?;
    batch.advanced();
    if is_over {
        worker.metrics.runs.inc(&[batch.run().job.kind.as_str(), "done"]);
    }
    Ok(())
}

/// An item that failed: tried again alone after a pause, until it is put into quarantine.
async fn failed(
    worker: &Arc<Worker>,
    batch: &mut Batch,
    item: &Item,
    code: Code,
) -> Result<&'static str, Halt> {
    let attempts = batch.lease().attempts + 1;
    let is_alone = batch.lease().item_count == 1;
    if is_for_good(code) || code == Code::JobItemDeadly || attempts >= i64::from(batch.run().job.attempts) {
        let mut effects = batch.begin().await?;
        quarantine(worker, batch, &mut effects, item, (code, attempts)).await?;
        advance(worker, batch, effects.into_tx()).await?;
        return Ok("quarantined");
    }
    let due = worker.now() + worker.config.backoff_micros(attempts);
    if is_alone {
        return Err(Halt::Item { due, code, attempts });
    }
    let mut tx = batch.begin().await?.into_tx();
    let alone = NewBatch {
        attempts,
        due: Some((due, Wait::Retry)),
        checkpoint: batch.checkpoint().map(<[u8]>::to_vec),
        ..new_batch(worker, batch, std::slice::from_ref(item))
    };
    store::add(&mut tx, &[alone.sealed_checkpoint(batch)], worker.now()).await?;
    advance(worker, batch, tx).await?;
    Ok("again")
}

async fn quarantine(
    worker: &Arc<Worker>,
    batch: &Batch,
    effects: &mut Fenced,
    item: &Item,
    (code, attempts): (Code, i64),
) -> Result<(), Halt> {
    let letter = RecordId::new(worker.clock.as_ref()).uuid();
    let sealed = batch.seal((letter.as_bytes(), "item"), item.expose());
    let place = (letter, batch.run_id(), batch.run().tenant.as_str());
    store::set_aside(effects.tx(), place, &sealed, (code.as_str(), attempts), worker.now()).await?;
    Ok(())
}

/// A further batch of the same run.
pub(super) fn new_batch(worker: &Worker, batch: &Batch, items: &[Item]) -> NewBatch {
    let id = BatchId::new(worker.clock.as_ref());
    NewBatch {
        id,
        run: batch.run_id(),
        tenant: batch.run().tenant.as_str().to_owned(),
        seq: None,
        items: batch.seal((id.uuid().as_bytes(), "items"), &items::write(items)),
        item_count: i64::try_from(items.len()).unwrap_or(i64::MAX),
        attempts: 0,
        due: None,
        checkpoint: None,
    }
}

impl NewBatch {
    /// With its checkpoint sealed for its own row.
    fn sealed_checkpoint(self, batch: &Batch) -> Self {
        let checkpoint =
            self.checkpoint.map(|bytes| batch.seal((self.id.uuid().as_bytes(), "checkpoint"), &bytes).bytes);
        Self { checkpoint, ..self }
    }
}
