//! Dead letters: items that could not be done, tried again when somebody says so.

use std::sync::Arc;

use sallyport_model::{BatchId, Code, RunId};
use uuid::Uuid;

use crate::{
    error::Error,
    items,
    kinds::Item,
    records::{self, Because},
    run::RunState,
    store::{Letter, NewBatch},
    worker::Worker,
};

/// Makes a batch of each letter of a run, or of one of them. A run that is done opens again; one that was stopped has to be
/// retried.
pub(crate) async fn redrive(
    worker: &Arc<Worker>,
    run: RunId,
    letter: Option<Uuid>,
    because: &Because,
) -> Result<i64, Error> {
    let found = worker.run(run).await?;
    if found.state == RunState::Stopped {
        return Err(Code::RunStateRefused.into());
    }
    if worker.store.is_blocked(&found.run.blockable()).await? {
        return Err(Code::JobBlocked.into());
    }
    records::of_run(worker, &found.run, "redrive", because, None).await?;
    let letters = worker.store.letters(found.run.tenant.as_str(), Some(run)).await?;
    let mut redriven = 0;
    for found_letter in letters.iter().filter(|l| letter.is_none_or(|id| id == l.letter_id)) {
        let batch = batch_of(worker, &found.run.tenant, found_letter).await?;
        if worker.store.redrive(found_letter.letter_id, &batch, worker.now()).await? {
            redriven += 1;
        }
    }
    worker.wake.notify_one();
    Ok(redriven)
}

async fn batch_of(
    worker: &Worker,
    tenant: &sallyport_model::TenantId,
    letter: &Letter,
) -> Result<NewBatch, Error> {
    let place = (&letter.letter_id.as_bytes()[..], "item");
    let item = worker.sealing.open(tenant, letter.data_key_id, place, &letter.item_sealed).await?;
    let id = BatchId::new(worker.clock.as_ref());
    let sealer = worker.sealing.sealer(tenant).await?;
    let items = items::write(&[Item::new(item.expose())]);
    Ok(NewBatch {
        id,
        run: RunId::from_uuid(letter.run_id),
        tenant: tenant.as_str().to_owned(),
        seq: None,
        items: sealer.seal((id.uuid().as_bytes(), "items"), &items),
        item_count: 1,
        attempts: 0,
        due: None,
        checkpoint: None,
    })
}
