//! Closed windows: of an endpoint (it said when to come back, a limit is used up, its breaker is open) and of a run (its hours
//! are over).

use sallyport_db::{Error as DbError, on_pool};
use sallyport_model::{Micros, RunId};

use super::Store;
use crate::halt::Wait;

impl Store {
    /// Closes an endpoint until then; a later end that stands already stays.
    pub(crate) async fn hold(
        &self,
        (tenant, endpoint): (&str, &str),
        until: Micros,
        why: Wait,
    ) -> Result<(), DbError> {
        on_pool!(self.pool, |c| sqlx::query(
            "INSERT INTO holds (tenant, endpoint, until, wait) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (tenant, endpoint) DO UPDATE SET until = excluded.until, wait = excluded.wait \
             WHERE holds.until < excluded.until"
        )
        .bind(tenant)
        .bind(endpoint)
        .bind(until)
        .bind(why.as_str())
        .execute(c)
        .await
        .map(|_done| ()))
    }

    /// Lets a run wait as a whole.
    pub(crate) async fn postpone(&self, run: RunId, until: Micros, why: Wait) -> Result<(), DbError> {
        on_pool!(self.pool, |c| sqlx::query("UPDATE runs SET not_before = $2, wait = $3 WHERE run_id = $1")
            .bind(run.uuid())
            .bind(until)
            .bind(why.as_str())
            .execute(c)
            .await
            .map(|_done| ()))
    }
}
