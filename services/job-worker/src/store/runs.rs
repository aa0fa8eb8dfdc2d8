//! Runs: made once with their planning batch, read for every lease.

use sallyport_db::{Error as DbError, on_pool, on_tx};
use sallyport_model::{GrantId, Micros, RunId, TenantId};
use uuid::Uuid;

use super::{NewBatch, Store};
use crate::sealing::Sealed;

/// A run to be made.
pub(crate) struct NewRun<'a> {
    pub(crate) id: RunId,
    pub(crate) tenant: &'a TenantId,
    pub(crate) job: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) endpoint: &'a str,
    pub(crate) vendor: &'a str,
    pub(crate) registration: &'a str,
    pub(crate) feature: &'a str,
    pub(crate) identity: &'a str,
    pub(crate) pin: &'a str,
    pub(crate) parallel: u32,
    /// A user's grant, with who the user is; a service's is opened when the run is planned.
    pub(crate) grant: Option<(GrantId, Sealed, &'a str)>,
    pub(crate) by: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) scheduled_for: Option<Micros>,
    pub(crate) now: Micros,
}

/// A run as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct RunRow {
    pub(crate) run_id: Uuid,
    pub(crate) tenant: String,
    pub(crate) job: String,
    pub(crate) kind: String,
    pub(crate) endpoint: String,
    pub(crate) vendor: String,
    pub(crate) pin: String,
    pub(crate) state: String,
    pub(crate) code: String,
    pub(crate) scope: String,
    pub(crate) is_planned: i64,
    pub(crate) parallel: i64,
    pub(crate) grant_id: Option<Uuid>,
    pub(crate) user_sealed: Option<Vec<u8>>,
    pub(crate) data_key_id: Option<Uuid>,
    pub(crate) pinned_scope: String,
    pub(crate) started_by: String,
    pub(crate) reason: String,
    pub(crate) created_at: i64,
    pub(crate) ended_at: Option<i64>,
    pub(crate) calls: i64,
}

/// The columns of [`RunRow`].
macro_rules! run_columns {
    () => {
        "run_id, tenant, job, kind, endpoint, vendor, pin, state, code, scope, is_planned, parallel, grant_id, user_sealed, \
         data_key_id, pinned_scope, started_by, reason, created_at, ended_at, calls"
    };
}

impl Store {
    /// Makes a run together with the batch that plans it, ready in the outbox. `false` when this moment of its schedule has
    /// a run already.
    pub(crate) async fn add_run(&self, run: &NewRun<'_>, planning: &NewBatch) -> Result<bool, DbError> {
        let mut tx = self.pool.begin().await?;
        let grant = run.grant.as_ref();
        let rows = on_tx!(tx, |c| {
            sqlx::query(
            "INSERT INTO runs (run_id, tenant, job, kind, endpoint, vendor, registration, feature, identity, pin, state, code, \
             scope, is_planned, parallel, not_before, wait, grant_id, user_sealed, data_key_id, pinned_scope, started_by, \
             reason, scheduled_for, created_at, ended_at, calls) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'running', '', '', 0, $11, 0, '', $12, $13, $14, $15, $16, $17, \
             $18, $19, NULL, 0) ON CONFLICT DO NOTHING"
        )
        .bind(run.id.uuid())
        .bind(run.tenant.as_str())
        .bind(run.job)
        .bind(run.kind)
        .bind(run.endpoint)
        .bind(run.vendor)
        .bind(run.registration)
        .bind(run.feature)
        .bind(run.identity)
        .bind(run.pin)
        .bind(i64::from(run.parallel))
        .bind(grant.map(|(id, _, _)| id.uuid()))
        .bind(grant.map(|(_, user, _)| user.bytes.as_slice()))
        .bind(grant.map(|(_, user, _)| user.data_key))
        .bind(grant.map_or("", |(_, _, scope)| scope))
        .bind(run.by)
        .bind(run.reason)
        .bind(run.scheduled_for)
        .bind(run.now)
        .execute(c)
        .await
        .map(|done| done.rows_affected())
        })?;
        if rows == 0 {
            return Ok(false);
        }
        super::batches::insert(&mut tx, planning, run.now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// A run by its id.
    pub(crate) async fn run(&self, id: RunId) -> Result<Option<RunRow>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_as(concat!(
            "SELECT ",
            run_columns!(),
            " FROM runs WHERE run_id = $1"
        ))
        .bind(id.uuid())
        .fetch_optional(c)
        .await)
    }

    /// The newest runs of a tenant, or of every tenant where none is named; of one job where one is named.
    pub(crate) async fn runs(&self, tenant: &str, job: &str, limit: i64) -> Result<Vec<RunRow>, DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query_as(concat!(
            "SELECT ",
            run_columns!(),
            " FROM runs WHERE ($1 = '' OR tenant = $1) AND ($2 = '' OR job = $2) ORDER BY created_at DESC LIMIT $3"
        ))
        .bind(tenant)
        .bind(job)
        .bind(limit)
        .fetch_all(c)
        .await
        })
    }

    /// How many runs of a job are not over.
    pub(crate) async fn open_runs(&self, tenant: &TenantId, job: &str) -> Result<i64, DbError> {
        on_pool!(self.pool, |c| sqlx::query_scalar(
            "SELECT count(*) FROM runs WHERE tenant = $1 AND job = $2 AND state IN ('running', 'paused')"
        )
        .bind(tenant.as_str())
        .bind(job)
        .fetch_one(c)
        .await)
    }

    /// When a job's schedule last started a run; `None` when it never did.
    pub(crate) async fn last_scheduled(
        &self,
        tenant: &TenantId,
        job: &str,
    ) -> Result<Option<Micros>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_scalar(
            "SELECT MAX(scheduled_for) FROM runs WHERE tenant = $1 AND job = $2"
        )
        .bind(tenant.as_str())
        .bind(job)
        .fetch_one(c)
        .await)
    }

    /// The grant that a registration holds for itself for a feature, with what was granted.
    pub(crate) async fn service_grant(
        &self,
        registration: &str,
        feature: &str,
    ) -> Result<Option<(Uuid, String)>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_as(
            "SELECT grant_id, granted_scope FROM service_grants WHERE registration = $1 AND feature = $2"
        )
        .bind(registration)
        .bind(feature)
        .fetch_optional(c)
        .await)
    }

    /// Keeps a grant that was just opened, in place of an older one.
    pub(crate) async fn keep_service_grant(
        &self,
        (tenant, registration, feature): (&str, &str, &str),
        grant: GrantId,
        granted_scope: &str,
        now: Micros,
    ) -> Result<(), DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query(
            "INSERT INTO service_grants (registration, feature, tenant, grant_id, granted_scope, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (registration, feature) DO UPDATE \
             SET grant_id = excluded.grant_id, granted_scope = excluded.granted_scope, created_at = excluded.created_at"
        )
        .bind(registration)
        .bind(feature)
        .bind(tenant)
        .bind(grant.uuid())
        .bind(granted_scope)
        .bind(now)
        .execute(c)
        .await
        .map(|_done| ())
        })
    }

    /// Forgets a grant that is worth nothing any more; the next run opens another.
    pub(crate) async fn forget_service_grant(&self, grant: GrantId) -> Result<(), DbError> {
        on_pool!(self.pool, |c| sqlx::query("DELETE FROM service_grants WHERE grant_id = $1")
            .bind(grant.uuid())
            .execute(c)
            .await
            .map(|_done| ()))
    }

    /// Gives a run its authority. What it pinned when it first had one stays.
    pub(crate) async fn authorise(&self, run: RunId, grant: GrantId, pinned: &str) -> Result<(), DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query(
            "UPDATE runs SET grant_id = $2, pinned_scope = CASE WHEN pinned_scope = '' THEN $3 ELSE pinned_scope END \
             WHERE run_id = $1"
        )
        .bind(run.uuid())
        .bind(grant.uuid())
        .bind(pinned)
        .execute(c)
        .await
        .map(|_done| ())
        })
    }
}
