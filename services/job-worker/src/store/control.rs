//! What people and the engine do to runs as a whole.

use sallyport_db::{Error as DbError, on_pool, on_tx};
use sallyport_model::{Micros, RunId};
use uuid::Uuid;

use super::Store;
use crate::run::RunState;

/// A change of a run's state.
pub(crate) struct Change<'a> {
    /// From one of these.
    pub(crate) from: &'a [RunState],
    /// To this.
    pub(crate) to: RunState,
    /// The stable code that says why; empty where nothing is wrong.
    pub(crate) code: &'a str,
    /// The scope that is missing, or empty.
    pub(crate) scope: &'a str,
}

/// Which runs, by what their rows say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// tenant, vendor, endpoint, registration or grant
    pub(crate) what: &'static str,
    /// Its name; of an endpoint `tenant/endpoint`, of a grant the tenant.
    pub(crate) name: String,
    pub(crate) grant: Option<Uuid>,
}

/// The condition that a run is of a place, over `what`, `name` and `grant` as the first three marks.
macro_rules! of_place {
    () => {
        "(($1 = 'tenant' AND tenant = $2) OR ($1 = 'vendor' AND vendor = $2) \
         OR ($1 = 'endpoint' AND tenant || '/' || endpoint = $2) OR ($1 = 'registration' AND registration = $2) \
         OR ($1 = 'grant' AND tenant = $2 AND grant_id = $3))"
    };
}

impl Store {
    /// Changes a run's state, if it is one that the change starts from. Workers see it at their next commit, at the latest
    /// with their next heartbeat.
    pub(crate) async fn change(&self, run: RunId, change: &Change<'_>, now: Micros) -> Result<bool, DbError> {
        let from = |n: usize| change.from.get(n).map_or("", |state| state.as_str());
        let ended = matches!(change.to, RunState::Stopped | RunState::Done).then_some(now);
        let rows = on_pool!(self.pool, |c| sqlx::query(
            "UPDATE runs SET state = $2, code = $3, scope = $4, ended_at = $5, not_before = 0, wait = '' \
             WHERE run_id = $1 AND state IN ($6, $7, $8)"
        )
        .bind(run.uuid())
        .bind(change.to.as_str())
        .bind(change.code)
        .bind(change.scope)
        .bind(ended)
        .bind(from(0))
        .bind(from(1))
        .bind(from(2))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(rows == 1)
    }

    /// A running run whose batches are all done is done.
    pub(crate) async fn finish(&self, run: RunId, now: Micros) -> Result<(), DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query(
            "UPDATE runs SET state = 'done', ended_at = $2 WHERE run_id = $1 AND state = 'running' AND is_planned = 1 \
             AND NOT EXISTS (SELECT 1 FROM batches WHERE run_id = $1 AND state <> 'done')"
        )
        .bind(run.uuid())
        .bind(now)
        .execute(c)
        .await
        .map(|_done| ())
        })
    }

    /// Removes what is left of the work of runs that ended before then, and the runs themselves as far as nothing that outlives
    /// them (an export, a proposal) refers to them.
    pub(crate) async fn prune(&self, before: Micros) -> Result<(), DbError> {
        let mut tx = self.pool.begin().await?;
        for statement in [
            "DELETE FROM quarantine WHERE run_id IN (SELECT run_id FROM runs WHERE ended_at < $1)",
            "DELETE FROM outbox WHERE run_id IN (SELECT run_id FROM runs WHERE ended_at < $1)",
            "DELETE FROM batches WHERE run_id IN (SELECT run_id FROM runs WHERE ended_at < $1)",
        ] {
            on_tx!(tx, |c| sqlx::query(statement).bind(before).execute(c).await.map(|_done| ()))?;
        }
        tx.commit().await?;
        let ended: Vec<Uuid> = on_pool!(self.pool, |c| sqlx::query_scalar(
            "SELECT run_id FROM runs WHERE ended_at < $1 ORDER BY ended_at LIMIT 1000"
        )
        .bind(before)
        .fetch_all(c)
        .await)?;
        for run in ended {
            let removed: Result<(), DbError> =
                on_pool!(self.pool, |c| sqlx::query("DELETE FROM runs WHERE run_id = $1")
                    .bind(run)
                    .execute(c)
                    .await
                    .map(|_done| ()));
            match removed {
                Err(error) if error.is_unavailable() => return Err(error),
                // A row that refers to it keeps it.
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Stops every open run of a place, and keeps new ones from starting where it can be blocked. Gives how many were
    /// stopped.
    pub(crate) async fn block(
        &self,
        place: &Place,
        (by, reason): (&str, &str),
        code: &str,
        now: Micros,
    ) -> Result<u64, DbError> {
        let mut tx = self.pool.begin().await?;
        if place.grant.is_none() {
            on_tx!(tx, |c| sqlx::query(
                "INSERT INTO blocks (what, name, set_by, reason, created_at) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (what, name) DO UPDATE SET set_by = excluded.set_by, reason = excluded.reason, \
                 created_at = excluded.created_at"
            )
            .bind(place.what)
            .bind(&place.name)
            .bind(by)
            .bind(reason)
            .bind(now)
            .execute(c)
            .await
            .map(|_done| ()))?;
        }
        let stopped = on_tx!(tx, |c| {
            sqlx::query(concat!(
                "UPDATE runs SET state = 'stopped', code = $4, scope = '', ended_at = $5, not_before = 0, wait = '' \
                 WHERE state IN ('running', 'paused') AND ",
                of_place!()
            ))
            .bind(place.what)
            .bind(&place.name)
            .bind(place.grant)
            .bind(code)
            .bind(now)
            .execute(c)
            .await
            .map(|done| done.rows_affected())
        })?;
        tx.commit().await?;
        Ok(stopped)
    }

    /// How many runs of a place are open.
    pub(crate) async fn count_open(&self, place: &Place) -> Result<i64, DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query_scalar(concat!(
                "SELECT count(*) FROM runs WHERE state IN ('running', 'paused') AND ",
                of_place!()
            ))
            .bind(place.what)
            .bind(&place.name)
            .bind(place.grant)
            .fetch_one(c)
            .await
        })
    }

    /// How many runs of a place were stopped with that code since then.
    pub(crate) async fn count_stopped(
        &self,
        place: &Place,
        code: &str,
        since: Micros,
    ) -> Result<i64, DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query_scalar(concat!(
                "SELECT count(*) FROM runs WHERE state = 'stopped' AND code = $4 AND ended_at >= $5 AND ",
                of_place!()
            ))
            .bind(place.what)
            .bind(&place.name)
            .bind(place.grant)
            .bind(code)
            .bind(since)
            .fetch_one(c)
            .await
        })
    }
}
