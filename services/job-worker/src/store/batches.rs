//! Batches: inserted in the transaction that made them, each with its row in the outbox.

use sallyport_db::{Error as DbError, Tx, on_tx};
use sallyport_model::{BatchId, Micros, RunId};

use crate::{halt::Wait, sealing::Sealed};

/// A batch to be made.
pub(crate) struct NewBatch {
    pub(crate) id: BatchId,
    pub(crate) run: RunId,
    pub(crate) tenant: String,
    /// Its place in the run; `None` for the next free one.
    pub(crate) seq: Option<i64>,
    pub(crate) items: Sealed,
    pub(crate) item_count: i64,
    pub(crate) attempts: i64,
    /// When it may start, and why not sooner.
    pub(crate) due: Option<(Micros, Wait)>,
    /// What was saved within its first item, sealed under the same key as the items.
    pub(crate) checkpoint: Option<Vec<u8>>,
}

/// Inserts a batch and its outbox row.
pub(super) async fn insert(tx: &mut Tx, batch: &NewBatch, now: Micros) -> Result<(), DbError> {
    let (due, wait) = batch.due.map_or((now, ""), |(due, wait)| (due, wait.as_str()));
    on_tx!(*tx, |c| {
        sqlx::query(
        "INSERT INTO batches (batch_id, run_id, tenant, seq, state, items_sealed, data_key_id, item_count, position, \
         checkpoint, attempts, deaths, epoch, lease_owner, lease_expires_at, not_before, wait, code, busy_us) \
         VALUES ($1, $2, $3, COALESCE($4, (SELECT MAX(seq) + 1 FROM batches WHERE run_id = $2)), 'ready', $5, $6, $7, 0, \
         $11, $8, 0, 0, NULL, 0, $9, $10, '', 0)"
    )
    .bind(batch.id.uuid())
    .bind(batch.run.uuid())
    .bind(&batch.tenant)
    .bind(batch.seq)
    .bind(&batch.items.bytes)
    .bind(batch.items.data_key)
    .bind(batch.item_count)
    .bind(batch.attempts)
    .bind(due)
    .bind(wait)
    .bind(batch.checkpoint.as_deref())
    .execute(c)
    .await
    .map(|_done| ())
    })?;
    announce(tx, batch.id, due).await
}

/// Puts a batch that is ready into the outbox.
pub(super) async fn announce(tx: &mut Tx, batch: BatchId, due: Micros) -> Result<(), DbError> {
    on_tx!(*tx, |c| {
        sqlx::query(
        "INSERT INTO outbox (batch_id, run_id, tenant, due_at, published_at, published_by) \
         SELECT batch_id, run_id, tenant, $2, NULL, NULL FROM batches WHERE batch_id = $1 \
         ON CONFLICT (batch_id) DO UPDATE SET due_at = excluded.due_at, published_at = NULL, published_by = NULL"
    )
    .bind(batch.uuid())
    .bind(due)
    .execute(c)
    .await
    .map(|_done| ())
    })
}
