//! Leases of batches, by the database's clock: taken, renewed, taken back from the dead.

use sallyport_db::{Error as DbError, on_pool, on_tx, server_now};
use sallyport_model::{BatchId, Micros, RunId};
use uuid::Uuid;

use super::{Store, batches};

/// A batch in the hands of this worker.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Lease {
    pub(crate) batch_id: Uuid,
    pub(crate) run_id: Uuid,
    pub(crate) seq: i64,
    pub(crate) items_sealed: Vec<u8>,
    pub(crate) data_key_id: Uuid,
    pub(crate) item_count: i64,
    pub(crate) position: i64,
    pub(crate) checkpoint: Option<Vec<u8>>,
    pub(crate) attempts: i64,
    pub(crate) deaths: i64,
    pub(crate) epoch: i64,
    pub(crate) lease_expires_at: i64,
}

/// What a heartbeat learns.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Seen {
    /// The run's state.
    pub(crate) state: String,
    /// The endpoint's closed window, 0 where there is none.
    pub(crate) held_until: i64,
    /// Why it is closed.
    pub(crate) held_for: String,
}

impl Lease {
    /// The batch.
    pub(crate) fn batch(&self) -> BatchId {
        BatchId::from_uuid(self.batch_id)
    }

    /// Its run.
    pub(crate) fn run(&self) -> RunId {
        RunId::from_uuid(self.run_id)
    }
}

impl Store {
    /// Takes a batch that is ready, if its run may go on and has not as many batches in hand as it may. Its outbox row goes
    /// in the same transaction.
    pub(crate) async fn lease(
        &self,
        batch: BatchId,
        worker: Uuid,
        length: Micros,
        now: Micros,
    ) -> Result<Option<Lease>, DbError> {
        let mut tx = self.pool.begin().await?;
        // A planted defect: a batch that somebody has in hand is taken all the same.
        let taken = planted_taken();
        let statement = self.pool.sql(
            concat!(
                "UPDATE batches SET state = 'leased', epoch = epoch + 1, lease_owner = $2, \
                 lease_expires_at = COALESCE($3, ",
                server_now!(),
                ") + $4 WHERE batch_id = $1 AND (state = 'ready' OR (state = 'leased' AND $6)) AND not_before <= $5 \
                 AND EXISTS (SELECT 1 FROM runs r WHERE r.run_id = batches.run_id AND r.state = 'running' \
                 AND r.not_before <= $5 AND r.parallel > (SELECT count(*) FROM batches b \
                 WHERE b.run_id = r.run_id AND b.state = 'leased')) \
                 RETURNING batch_id, run_id, seq, items_sealed, data_key_id, item_count, position, checkpoint, \
                 attempts, deaths, epoch, lease_expires_at"
            ),
            "UPDATE batches SET state = 'leased', epoch = epoch + 1, lease_owner = $2, lease_expires_at = $3 + $4 \
             WHERE batch_id = $1 AND (state = 'ready' OR (state = 'leased' AND $6)) AND not_before <= $5 \
             AND EXISTS (SELECT 1 FROM runs r WHERE r.run_id = batches.run_id AND r.state = 'running' \
             AND r.not_before <= $5 AND r.parallel > (SELECT count(*) FROM batches b \
             WHERE b.run_id = r.run_id AND b.state = 'leased')) \
             RETURNING batch_id, run_id, seq, items_sealed, data_key_id, item_count, position, checkpoint, \
             attempts, deaths, epoch, lease_expires_at",
        );
        let lease: Option<Lease> = on_tx!(tx, |c| sqlx::query_as(statement)
            .bind(batch.uuid())
            .bind(worker)
            .bind(self.lease_time())
            .bind(length)
            .bind(now)
            .bind(taken)
            .fetch_optional(c)
            .await)?;
        let removal = match lease {
            Some(_) => "DELETE FROM outbox WHERE batch_id = $1",
            // Not now: it is published again when it may be.
            None => "UPDATE outbox SET published_at = NULL, published_by = NULL WHERE batch_id = $1",
        };
        on_tx!(tx, |c| sqlx::query(removal).bind(batch.uuid()).execute(c).await.map(|_done| ()))?;
        tx.commit().await?;
        Ok(lease)
    }

    /// Keeps a lease. Gives its new end, or nothing when it is not ours any more.
    pub(crate) async fn renew(
        &self,
        batch: BatchId,
        epoch: i64,
        length: Micros,
    ) -> Result<Option<Micros>, DbError> {
        let statement = self.pool.sql(
            concat!(
                "UPDATE batches SET lease_expires_at = COALESCE($3, ",
                server_now!(),
                ") + $4 WHERE batch_id = $1 AND epoch = $2 AND state = 'leased' RETURNING lease_expires_at"
            ),
            "UPDATE batches SET lease_expires_at = $3 + $4 \
             WHERE batch_id = $1 AND epoch = $2 AND state = 'leased' RETURNING lease_expires_at",
        );
        on_pool!(self.pool, |c| sqlx::query_scalar(statement)
            .bind(batch.uuid())
            .bind(epoch)
            .bind(self.lease_time())
            .bind(length)
            .fetch_optional(c)
            .await)
    }

    /// How things stand for a run whose batch is in hand.
    pub(crate) async fn look(&self, run: RunId) -> Result<Option<Seen>, DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query_as(
            "SELECT r.state, COALESCE(h.until, 0) AS held_until, COALESCE(h.wait, '') AS held_for FROM runs r \
             LEFT JOIN holds h ON h.tenant = r.tenant AND h.endpoint = r.endpoint WHERE r.run_id = $1"
        )
        .bind(run.uuid())
        .fetch_optional(c)
        .await
        })
    }

    /// Takes back what this worker had in hand when it died; it goes on at once. Gives how many.
    pub(crate) async fn reclaim_own(&self, worker: Uuid, now: Micros) -> Result<usize, DbError> {
        let mine: Vec<(Uuid, i64, i64)> = on_pool!(self.pool, |c| {
            sqlx::query_as(
            "SELECT batch_id, epoch, lease_expires_at FROM batches WHERE state = 'leased' AND lease_owner = $1"
        )
        .bind(worker)
        .fetch_all(c)
        .await
        })?;
        let count = self.take_back(mine, now).await?;
        // What it had handed to a queue that died with it.
        on_pool!(self.pool, |c| sqlx::query(
            "UPDATE outbox SET published_at = NULL, published_by = NULL WHERE published_by = $1"
        )
        .bind(worker)
        .execute(c)
        .await
        .map(|_done| ()))?;
        Ok(count)
    }

    /// Takes back what workers had in hand that let their lease run out. Gives how many.
    pub(crate) async fn reclaim_expired(&self, now: Micros) -> Result<usize, DbError> {
        let statement = self.pool.sql(
            concat!(
                "SELECT batch_id, epoch, lease_expires_at FROM batches WHERE state = 'leased' AND lease_expires_at < COALESCE($1, ",
                server_now!(),
                ") LIMIT 1000"
            ),
            "SELECT batch_id, epoch, lease_expires_at FROM batches WHERE state = 'leased' AND lease_expires_at < $1 LIMIT 1000",
        );
        let expired: Vec<(Uuid, i64, i64)> =
            on_pool!(self.pool, |c| sqlx::query_as(statement).bind(self.lease_time()).fetch_all(c).await)?;
        self.take_back(expired, now).await
    }

    async fn take_back(&self, leases: Vec<(Uuid, i64, i64)>, now: Micros) -> Result<usize, DbError> {
        let mut count = 0;
        for (batch, epoch, expires_at) in leases {
            let mut tx = self.pool.begin().await?;
            let rows = on_tx!(tx, |c| {
                sqlx::query(
                "UPDATE batches SET state = 'ready', epoch = epoch + 1, lease_owner = NULL, lease_expires_at = 0, \
                 not_before = 0, wait = '', deaths = deaths + 1 WHERE batch_id = $1 AND epoch = $2 AND state = 'leased' \
                 AND lease_expires_at = $3"
            )
            .bind(batch)
            .bind(epoch)
            .bind(expires_at)
            .execute(c)
            .await
            .map(|done| done.rows_affected())
            })?;
            if rows == 1 {
                batches::announce(&mut tx, BatchId::from_uuid(batch), now).await?;
                count += 1;
            }
            tx.commit().await?;
        }
        Ok(count)
    }
}

fn planted_taken() -> bool {
    sallyport_model::planted!("job-batch-leased-twice")
}
