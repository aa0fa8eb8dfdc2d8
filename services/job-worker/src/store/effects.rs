//! What a run has had for effects: proposals, an export, results.

use sallyport_db::{Error as DbError, on_pool};
use sallyport_model::{Micros, RunId};
use uuid::Uuid;

use super::{Store, proposals::TAKEN_BACK};

/// How many proposals a plan names.
pub(crate) const PLAN_MAX: usize = 1_000;

/// A proposal of a run, without what it says. The result is sealed.
#[derive(sqlx::FromRow)]
pub(crate) struct ProposalEffect {
    pub(crate) proposal_id: Uuid,
    pub(crate) rule: String,
    pub(crate) resource_type: String,
    pub(crate) state: String,
    pub(crate) outcome: String,
    pub(crate) code: String,
    pub(crate) decided_at: i64,
    pub(crate) result_sealed: Option<Vec<u8>>,
    pub(crate) result_key_id: Option<Uuid>,
}

/// The export of a run.
#[derive(sqlx::FromRow)]
pub(crate) struct ExportEffect {
    pub(crate) state: String,
    pub(crate) files: i64,
    pub(crate) resources: i64,
    pub(crate) expires_at: i64,
}

/// What is kept of patients, of one type.
#[derive(sqlx::FromRow)]
pub(crate) struct ResultEffect {
    pub(crate) resource_type: String,
    pub(crate) subjects: i64,
    pub(crate) resources: i64,
    pub(crate) expires_at: i64,
}

impl Store {
    /// Proposals that a run made or was the last to find still so, the newest first, one more than a plan names.
    pub(crate) async fn proposals_of_run(
        &self,
        run: RunId,
        now: Micros,
    ) -> Result<Vec<ProposalEffect>, DbError> {
        self.expire_proposals(now).await?;
        on_pool!(self.pool, |c| {
            sqlx::query_as(
            "SELECT proposal_id, rule, resource_type, state, outcome, code, decided_at, result_sealed, result_key_id \
             FROM proposals WHERE run_id = $1 ORDER BY created_at DESC, proposal_id LIMIT $2"
        )
        .bind(run.uuid())
        .bind(i64::try_from(PLAN_MAX).unwrap_or(i64::MAX - 1) + 1)
        .fetch_all(c)
        .await
        })
    }

    /// What a run proposed and nobody has decided on.
    pub(crate) async fn open_proposals_of_run(&self, run: RunId, now: Micros) -> Result<Vec<Uuid>, DbError> {
        self.expire_proposals(now).await?;
        on_pool!(self.pool, |c| sqlx::query_scalar(
            "SELECT proposal_id FROM proposals WHERE run_id = $1 AND state = 'open' ORDER BY proposal_id"
        )
        .bind(run.uuid())
        .fetch_all(c)
        .await)
    }

    /// Withdraws one of them. `false` when somebody has decided on it, or another run has found it, meanwhile.
    pub(crate) async fn withdraw_one(
        &self,
        proposal: Uuid,
        run: RunId,
        now: Micros,
    ) -> Result<bool, DbError> {
        let rows = on_pool!(self.pool, |c| {
            sqlx::query(
                "UPDATE proposals SET state = 'withdrawn', outcome = $4, code = '', updated_at = $3 \
             WHERE proposal_id = $1 AND run_id = $2 AND state = 'open'",
            )
            .bind(proposal)
            .bind(run.uuid())
            .bind(now)
            .bind(TAKEN_BACK)
            .execute(c)
            .await
            .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }

    /// A run's export, as far as it is still kept.
    pub(crate) async fn export_of_run(&self, run: RunId) -> Result<Option<ExportEffect>, DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query_as(
            "SELECT state, (SELECT count(*) FROM export_files f WHERE f.run_id = e.run_id) AS files, \
             CAST(COALESCE((SELECT sum(resources) FROM export_files f WHERE f.run_id = e.run_id), 0) AS BIGINT) AS resources, \
             expires_at FROM exports e WHERE run_id = $1"
        )
        .bind(run.uuid())
        .fetch_optional(c)
        .await
        })
    }

    /// What is kept of patients that a run was the last to write.
    pub(crate) async fn results_by_type(&self, run: RunId) -> Result<Vec<ResultEffect>, DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query_as(
            "SELECT resource_type, count(*) AS subjects, CAST(sum(resources) AS BIGINT) AS resources, \
             max(expires_at) AS expires_at FROM results WHERE run_id = $1 GROUP BY resource_type ORDER BY resource_type"
        )
        .bind(run.uuid())
        .fetch_all(c)
        .await
        })
    }
}
