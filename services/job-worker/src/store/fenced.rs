//! What only the holder of a lease may do: commit effects together with the checkpoint, end a batch, give it back.
//!
//! The fence is the batch's row: the first statement of the transaction takes it with the epoch of the lease, so that nobody can
//! lease the batch again before the commit, and whoever leased it before has already lost the epoch.

use sallyport_db::{Error as DbError, Tx, on_tx};
use sallyport_model::{BatchId, Micros, RunId, planted};
use uuid::Uuid;

use super::{NewBatch, Store, batches};
use crate::{halt::Wait, sealing::Sealed};

/// How a lease ends.
pub(crate) enum Ending<'a> {
    /// The batch goes on later, from its checkpoint.
    Again {
        /// Not before.
        due: Micros,
        /// Why; nothing where it may start at once.
        wait: Option<Wait>,
        /// The stable code of what went wrong; empty where nothing did.
        code: &'a str,
        /// Failures of the present item that count.
        attempts: i64,
    },
    /// All its items are done.
    Done,
}

impl Store {
    /// Begins a transaction that holds the lease's fence, and reads whether the run may go on. `None`: the lease is
    /// somebody else's.
    pub(crate) async fn fence(
        &self,
        batch: BatchId,
        run: RunId,
        epoch: i64,
    ) -> Result<Option<(Tx, bool)>, DbError> {
        let mut tx = self.pool.begin().await?;
        // A planted defect: any worker may write, whichever lease it once had and whatever became of the run.
        let ignored = planted!("job-fencing-ignored");
        let rows = on_tx!(tx, |c| {
            sqlx::query(
            "UPDATE batches SET deaths = 0 WHERE batch_id = $1 AND ((state = 'leased' AND epoch = $2) OR $3)"
        )
        .bind(batch.uuid())
        .bind(epoch)
        .bind(ignored)
        .execute(c)
        .await
        .map(|done| done.rows_affected())
        })?;
        if rows == 0 {
            return Ok(None);
        }
        let state: String = on_tx!(tx, |c| sqlx::query_scalar("SELECT state FROM runs WHERE run_id = $1")
            .bind(run.uuid())
            .fetch_one(c)
            .await)?;
        Ok(Some((tx, state == "running" || ignored)))
    }
}

/// Moves past an item that is done.
pub(crate) async fn advance(tx: &mut Tx, batch: BatchId, position: i64, busy_us: i64) -> Result<(), DbError> {
    on_tx!(*tx, |c| sqlx::query(
        "UPDATE batches SET position = $2, checkpoint = NULL, attempts = 0, code = '', wait = '', \
         busy_us = busy_us + $3 WHERE batch_id = $1"
    )
    .bind(batch.uuid())
    .bind(position)
    .bind(busy_us)
    .execute(c)
    .await
    .map(|_done| ()))
}

/// Keeps what the kind has so far within an item.
pub(crate) async fn checkpoint(
    tx: &mut Tx,
    batch: BatchId,
    sealed: &[u8],
    busy_us: i64,
) -> Result<(), DbError> {
    on_tx!(*tx, |c| sqlx::query(
        "UPDATE batches SET checkpoint = $2, busy_us = busy_us + $3 WHERE batch_id = $1"
    )
    .bind(batch.uuid())
    .bind(sealed)
    .bind(busy_us)
    .execute(c)
    .await
    .map(|_done| ()))
}

/// Adds batches after the run's present ones.
pub(crate) async fn add(tx: &mut Tx, more: &[NewBatch], now: Micros) -> Result<(), DbError> {
    for batch in more {
        batches::insert(tx, batch, now).await?;
    }
    Ok(())
}

/// The run's batches are known.
pub(crate) async fn planned(tx: &mut Tx, run: RunId) -> Result<(), DbError> {
    on_tx!(*tx, |c| sqlx::query("UPDATE runs SET is_planned = 1 WHERE run_id = $1")
        .bind(run.uuid())
        .execute(c)
        .await
        .map(|_done| ()))
}

/// Counts calls that were made for the run.
pub(crate) async fn count_calls(tx: &mut Tx, run: RunId, calls: i64) -> Result<(), DbError> {
    if calls == 0 {
        return Ok(());
    }
    on_tx!(*tx, |c| sqlx::query("UPDATE runs SET calls = calls + $2 WHERE run_id = $1")
        .bind(run.uuid())
        .bind(calls)
        .execute(c)
        .await
        .map(|_done| ()))
}

/// Sets an item aside.
pub(crate) async fn set_aside(
    tx: &mut Tx,
    (letter, run, tenant): (Uuid, RunId, &str),
    item: &Sealed,
    (code, attempts): (&str, i64),
    now: Micros,
) -> Result<(), DbError> {
    on_tx!(*tx, |c| {
        sqlx::query(
        "INSERT INTO quarantine (letter_id, run_id, tenant, item_sealed, data_key_id, code, attempts, state, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'waiting', $8)"
    )
    .bind(letter)
    .bind(run.uuid())
    .bind(tenant)
    .bind(&item.bytes)
    .bind(item.data_key)
    .bind(code)
    .bind(attempts)
    .bind(now)
    .execute(c)
    .await
    .map(|_done| ())
    })
}

/// Ends the lease. A run whose last batch is done is done. `true` when it is.
pub(crate) async fn end(
    tx: &mut Tx,
    batch: BatchId,
    run: RunId,
    ending: &Ending<'_>,
    now: Micros,
) -> Result<bool, DbError> {
    let (state, due, wait, code, attempts) = match ending {
        Ending::Done => ("done", 0, "", "", 0),
        Ending::Again { due, wait, code, attempts } => {
            ("ready", *due, wait.map_or("", Wait::as_str), *code, *attempts)
        }
    };
    on_tx!(*tx, |c| {
        sqlx::query(
        "UPDATE batches SET state = $2, lease_owner = NULL, lease_expires_at = 0, not_before = $3, wait = $4, code = $5, \
         attempts = $6 WHERE batch_id = $1"
    )
    .bind(batch.uuid())
    .bind(state)
    .bind(due)
    .bind(wait)
    .bind(code)
    .bind(attempts)
    .execute(c)
    .await
    .map(|_done| ())
    })?;
    if let Ending::Again { due, .. } = ending {
        batches::announce(tx, batch, *due).await?;
        return Ok(false);
    }
    // The run's row is taken first, so that of two last batches the later one sees the other done.
    on_tx!(*tx, |c| sqlx::query("UPDATE runs SET wait = wait WHERE run_id = $1")
        .bind(run.uuid())
        .execute(c)
        .await
        .map(|_done| ()))?;
    let rows = on_tx!(*tx, |c| sqlx::query(
        "UPDATE runs SET state = 'done', ended_at = $2, not_before = 0, wait = '' WHERE run_id = $1 \
         AND state = 'running' AND is_planned = 1 \
         AND NOT EXISTS (SELECT 1 FROM batches WHERE run_id = $1 AND state <> 'done')"
    )
    .bind(run.uuid())
    .bind(now)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}
