//! How far runs are.

use sallyport_db::{Error as DbError, on_pool};
use sallyport_model::{Micros, RunId};

use super::Store;

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, sqlx::FromRow)]
pub(crate) struct Progress {
    /// Batches in all, done, and in hand.
    pub(crate) batches: i64,
    pub(crate) batches_done: i64,
    pub(crate) batches_leased: i64,
    /// Items in all and done (those in quarantine are).
    pub(crate) items: i64,
    pub(crate) items_done: i64,
    /// Time under leases that came to something, in microseconds.
    pub(crate) busy_us: i64,
}

/// Why a run waits.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Waiting {
    pub(crate) until: i64,
    pub(crate) wait: String,
}

/// What a crawl has kept.
#[derive(Debug, Clone, Copy, Default, sqlx::FromRow)]
pub(crate) struct Results {
    pub(crate) rows: i64,
    pub(crate) resources: i64,
    pub(crate) subjects: i64,
    /// Rows that the run wrote more than once: always 0.
    pub(crate) doubled: i64,
    /// When the oldest full reading among them was; 0 where there is none.
    pub(crate) oldest_full_read: i64,
}

impl Store {
    /// How far a run is.
    pub(crate) async fn progress(&self, run: RunId) -> Result<Progress, DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query_as(
            "SELECT count(*) AS batches, \
             CAST(COALESCE(SUM(CASE WHEN state = 'done' THEN 1 ELSE 0 END), 0) AS BIGINT) AS batches_done, \
             CAST(COALESCE(SUM(CASE WHEN state = 'leased' THEN 1 ELSE 0 END), 0) AS BIGINT) AS batches_leased, \
             CAST(COALESCE(SUM(item_count), 0) AS BIGINT) AS items, \
             CAST(COALESCE(SUM(position), 0) AS BIGINT) AS items_done, \
             CAST(COALESCE(SUM(busy_us), 0) AS BIGINT) AS busy_us FROM batches WHERE run_id = $1"
        )
        .bind(run.uuid())
        .fetch_one(c)
        .await
        })
    }

    /// Items of a run that wait in quarantine.
    pub(crate) async fn quarantined(&self, run: RunId) -> Result<i64, DbError> {
        on_pool!(self.pool, |c| sqlx::query_scalar(
            "SELECT count(*) FROM quarantine WHERE run_id = $1 AND state = 'waiting'"
        )
        .bind(run.uuid())
        .fetch_one(c)
        .await)
    }

    /// What holds a run up: the run's own hours, its endpoint's closed window, or else its next batch's time.
    pub(crate) async fn waiting(&self, run: RunId, now: Micros) -> Result<Option<(Micros, String)>, DbError> {
        let found: Option<Waiting> = on_pool!(self.pool, |c| {
            sqlx::query_as(
            "SELECT until, wait FROM ( \
               SELECT not_before AS until, wait, 1 AS rank FROM runs WHERE run_id = $1 AND not_before > $2 \
               UNION ALL SELECT h.until, h.wait, 2 FROM holds h JOIN runs r ON r.tenant = h.tenant \
                 AND r.endpoint = h.endpoint WHERE r.run_id = $1 AND h.until > $2 \
               UNION ALL SELECT MIN(not_before), MIN(wait), 3 FROM batches WHERE run_id = $1 AND state = 'ready' \
                 AND not_before > $2 AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.run_id = $1 \
                 AND (b.state = 'leased' OR (b.state = 'ready' AND b.not_before <= $2))) HAVING count(*) > 0 \
             ) AS waits ORDER BY rank LIMIT 1"
        )
        .bind(run.uuid())
        .bind(now)
        .fetch_optional(c)
        .await
        })?;
        Ok(found.map(|waiting| (waiting.until, waiting.wait)))
    }

    /// What a run has kept.
    pub(crate) async fn results_of(&self, run: RunId) -> Result<Results, DbError> {
        on_pool!(self.pool, |c| sqlx::query_as(
            "SELECT count(*) AS rows, CAST(COALESCE(SUM(resources), 0) AS BIGINT) AS resources, \
             count(DISTINCT subject) AS subjects, \
             CAST(COALESCE(SUM(CASE WHEN writes > 1 THEN 1 ELSE 0 END), 0) AS BIGINT) AS doubled, \
             COALESCE(MIN(full_read_at), 0) AS oldest_full_read FROM results WHERE run_id = $1"
        )
        .bind(run.uuid())
        .fetch_one(c)
        .await)
    }

    /// How many batches wait in the outbox.
    pub(crate) async fn outbox_depth(&self) -> Result<i64, DbError> {
        on_pool!(self.pool, |c| sqlx::query_scalar("SELECT count(*) FROM outbox").fetch_one(c).await)
    }
}
