//! The outbox: which batches are handed to the queue next. Fair over tenants: each has at most a few on their way, and whoever
//! has fewest comes first, so that ten thousand waiting batches of one delay another's first by no more than what is in hand.

use std::collections::HashMap;

use sallyport_db::{Error as DbError, on_pool};
use sallyport_model::{BatchId, Micros};
use uuid::Uuid;

use super::Store;

/// How much may be on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// Messages of one tenant that nobody has taken yet.
    pub(crate) per_tenant: i64,
    /// Published so long ago and not taken: the queue has lost it.
    pub(crate) lost_after: Micros,
}

#[derive(sqlx::FromRow)]
struct Due {
    batch_id: Uuid,
    run_id: Uuid,
    tenant: String,
    parallel: i64,
}

impl Store {
    /// Claims the batches to be published now, in the order in which they should be.
    pub(crate) async fn claim_due(
        &self,
        worker: Uuid,
        window: Window,
        now: Micros,
    ) -> Result<Vec<BatchId>, DbError> {
        let stale = now - window.lost_after;
        let due: Vec<Due> = on_pool!(self.pool, |c| {
            sqlx::query_as(
            "SELECT batch_id, run_id, tenant, parallel FROM ( \
               SELECT o.batch_id, o.run_id, o.tenant, r.parallel, o.due_at, \
                 row_number() OVER (PARTITION BY o.run_id ORDER BY o.due_at, o.batch_id) AS place \
               FROM outbox o JOIN runs r ON r.run_id = o.run_id \
               LEFT JOIN holds h ON h.tenant = r.tenant AND h.endpoint = r.endpoint \
               WHERE r.state = 'running' AND r.not_before <= $1 AND o.due_at <= $1 AND COALESCE(h.until, 0) <= $1 \
                 AND (o.published_at IS NULL OR o.published_at < $2)) AS ready \
             WHERE place <= parallel ORDER BY due_at, batch_id LIMIT 1000"
        )
        .bind(now)
        .bind(stale)
        .fetch_all(c)
        .await
        })?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let mut waiting: HashMap<String, i64> = self.untaken(stale).await?.into_iter().collect();
        let mut in_hand: HashMap<Uuid, i64> = self.in_hand(stale).await?.into_iter().collect();
        let mut claimed = Vec::new();
        for batch in due {
            let of_tenant = waiting.entry(batch.tenant).or_default();
            let of_run = in_hand.entry(batch.run_id).or_default();
            if *of_tenant >= window.per_tenant || *of_run >= batch.parallel {
                continue;
            }
            if self.claim(batch.batch_id, worker, stale, now).await? {
                *of_tenant += 1;
                *of_run += 1;
                claimed.push(BatchId::from_uuid(batch.batch_id));
            }
        }
        Ok(claimed)
    }

    /// By tenant: what was published and not taken.
    async fn untaken(&self, stale: Micros) -> Result<Vec<(String, i64)>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_as(
            "SELECT tenant, count(*) FROM outbox WHERE published_at >= $1 GROUP BY tenant"
        )
        .bind(stale)
        .fetch_all(c)
        .await)
    }

    /// By run: what was published or is worked on.
    async fn in_hand(&self, stale: Micros) -> Result<Vec<(Uuid, i64)>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_as(
            "SELECT run_id, count(*) FROM (SELECT run_id FROM batches WHERE state = 'leased' \
             UNION ALL SELECT run_id FROM outbox WHERE published_at >= $1) AS taken GROUP BY run_id"
        )
        .bind(stale)
        .fetch_all(c)
        .await)
    }

    async fn claim(&self, batch: Uuid, worker: Uuid, stale: Micros, now: Micros) -> Result<bool, DbError> {
        let rows = on_pool!(self.pool, |c| sqlx::query(
            "UPDATE outbox SET published_at = $2, published_by = $3 \
             WHERE batch_id = $1 AND (published_at IS NULL OR published_at < $4)"
        )
        .bind(batch)
        .bind(now)
        .bind(worker)
        .bind(stale)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(rows == 1)
    }

    /// The queue did not take it: it is published again in the next round.
    pub(crate) async fn unpublish(&self, batch: BatchId) -> Result<(), DbError> {
        on_pool!(self.pool, |c| sqlx::query(
            "UPDATE outbox SET published_at = NULL, published_by = NULL WHERE batch_id = $1"
        )
        .bind(batch.uuid())
        .execute(c)
        .await
        .map(|_done| ()))
    }

    /// Whether another tenant has a batch that could start now.
    pub(crate) async fn others_wait(&self, tenant: &str, now: Micros) -> Result<bool, DbError> {
        let waiting: i64 = on_pool!(self.pool, |c| sqlx::query_scalar(
            "SELECT count(*) FROM (SELECT 1 FROM outbox o JOIN runs r ON r.run_id = o.run_id \
             LEFT JOIN holds h ON h.tenant = r.tenant AND h.endpoint = r.endpoint \
             WHERE o.tenant <> $1 AND o.due_at <= $2 AND r.state = 'running' AND r.not_before <= $2 \
             AND COALESCE(h.until, 0) <= $2 LIMIT 1) AS one"
        )
        .bind(tenant)
        .bind(now)
        .fetch_one(c)
        .await)?;
        Ok(waiting > 0)
    }
}
