//! Dead letters: seen, and given another try as batches of their own.

use sallyport_db::{Error as DbError, on_pool, on_tx};
use sallyport_model::{Micros, RunId};
use uuid::Uuid;

use super::{NewBatch, Store, batches};

/// An item that was set aside.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Letter {
    pub(crate) letter_id: Uuid,
    pub(crate) run_id: Uuid,
    pub(crate) tenant: String,
    pub(crate) item_sealed: Vec<u8>,
    pub(crate) data_key_id: Uuid,
    pub(crate) code: String,
    pub(crate) attempts: i64,
    pub(crate) created_at: i64,
}

impl Store {
    /// What waits in quarantine: of one run, or of a tenant's runs.
    pub(crate) async fn letters(&self, tenant: &str, run: Option<RunId>) -> Result<Vec<Letter>, DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query_as(
            "SELECT letter_id, run_id, tenant, item_sealed, data_key_id, code, attempts, created_at FROM quarantine \
             WHERE state = 'waiting' AND ($1 = '' OR tenant = $1) AND ($2 IS NULL OR run_id = $2) \
             ORDER BY created_at, letter_id LIMIT 10000"
        )
        .bind(tenant)
        .bind(run.map(|run| run.uuid()))
        .fetch_all(c)
        .await
        })
    }

    /// Makes a batch of a letter and opens its run again; one transaction, so that it is tried once more and not twice.
    pub(crate) async fn redrive(&self, letter: Uuid, batch: &NewBatch, now: Micros) -> Result<bool, DbError> {
        let mut tx = self.pool.begin().await?;
        let rows = on_tx!(tx, |c| sqlx::query(
            "UPDATE quarantine SET state = 'redriven' WHERE letter_id = $1 AND state = 'waiting'"
        )
        .bind(letter)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
        if rows == 0 {
            return Ok(false);
        }
        on_tx!(tx, |c| sqlx::query(
            "UPDATE runs SET state = 'running', ended_at = NULL WHERE run_id = $1 AND state = 'done'"
        )
        .bind(batch.run.uuid())
        .execute(c)
        .await
        .map(|_done| ()))?;
        batches::insert(&mut tx, batch, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}
