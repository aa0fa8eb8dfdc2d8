//! What crawls have read, sealed: the latest of each type for each patient.

use sallyport_db::{Error as DbError, Tx, on_pool, on_tx};
use sallyport_model::{Micros, RunId};
use uuid::Uuid;

use super::Store;
use crate::sealing::Sealed;

/// One type of one patient, to be kept.
pub(crate) struct Kept<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) job: &'a str,
    pub(crate) subject: [u8; 32],
    pub(crate) resource_type: &'a str,
    pub(crate) run: RunId,
    pub(crate) sealed: Sealed,
    pub(crate) resources: i64,
    pub(crate) read_at: Micros,
    pub(crate) full_read_at: Micros,
    /// The server's time up to which changes are known; empty where it cannot be asked for changes.
    pub(crate) watermark: &'a str,
    /// Why it is not everything, as stable codes with commas; empty when it is.
    pub(crate) partial: &'a str,
    pub(crate) expires_at: Micros,
}

/// What an earlier run has kept.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Snapshot {
    pub(crate) sealed: Vec<u8>,
    pub(crate) data_key_id: Uuid,
    pub(crate) full_read_at: i64,
    pub(crate) watermark: String,
}

/// What a job has kept about a patient.
#[derive(sqlx::FromRow)]
pub(crate) struct KeptAbout {
    pub(crate) job: String,
    pub(crate) run_id: Uuid,
    pub(crate) sealed: Vec<u8>,
    pub(crate) data_key_id: Uuid,
    pub(crate) read_at: i64,
}

/// Keeps one type of one patient in place of what an earlier run read. A second time in the same run is counted: it should
/// never happen.
pub(crate) async fn keep(tx: &mut Tx, kept: &Kept<'_>) -> Result<(), DbError> {
    on_tx!(*tx, |c| {
        sqlx::query(
        "INSERT INTO results (tenant, job, subject, resource_type, run_id, sealed, data_key_id, resources, read_at, \
         full_read_at, watermark, partial, writes, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13) \
         ON CONFLICT (tenant, job, subject, resource_type) DO UPDATE SET sealed = excluded.sealed, \
         data_key_id = excluded.data_key_id, resources = excluded.resources, read_at = excluded.read_at, \
         full_read_at = excluded.full_read_at, watermark = excluded.watermark, partial = excluded.partial, \
         expires_at = excluded.expires_at, \
         writes = CASE WHEN results.run_id = excluded.run_id THEN results.writes + 1 ELSE 1 END, run_id = excluded.run_id"
    )
    .bind(kept.tenant)
    .bind(kept.job)
    .bind(&kept.subject[..])
    .bind(kept.resource_type)
    .bind(kept.run.uuid())
    .bind(&kept.sealed.bytes)
    .bind(kept.sealed.data_key)
    .bind(kept.resources)
    .bind(kept.read_at)
    .bind(kept.full_read_at)
    .bind(kept.watermark)
    .bind(kept.partial)
    .bind(kept.expires_at)
    .execute(c)
    .await
    .map(|_done| ())
    })
}

impl Store {
    /// What was kept of one type of one patient.
    pub(crate) async fn snapshot(
        &self,
        (tenant, job): (&str, &str),
        subject: &[u8; 32],
        resource_type: &str,
        now: Micros,
    ) -> Result<Option<Snapshot>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_as(
            "SELECT sealed, data_key_id, full_read_at, watermark FROM results \
             WHERE tenant = $1 AND job = $2 AND subject = $3 AND resource_type = $4 AND expires_at > $5"
        )
        .bind(tenant)
        .bind(job)
        .bind(&subject[..])
        .bind(resource_type)
        .bind(now)
        .fetch_optional(c)
        .await)
    }

    /// What every job of a tenant has kept about a patient under one name, the newest first.
    pub(crate) async fn kept_about(
        &self,
        tenant: &str,
        subject: &[u8; 32],
        kept_as: &str,
        now: Micros,
    ) -> Result<Vec<KeptAbout>, DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query_as(
            "SELECT job, run_id, sealed, data_key_id, read_at FROM results \
             WHERE tenant = $1 AND subject = $2 AND resource_type = $3 AND expires_at > $4 ORDER BY read_at DESC, job"
        )
        .bind(tenant)
        .bind(&subject[..])
        .bind(kept_as)
        .bind(now)
        .fetch_all(c)
        .await
        })
    }

    /// Removes results whose lifetime is over. Gives how many.
    pub(crate) async fn expire_results(&self, now: Micros) -> Result<u64, DbError> {
        on_pool!(self.pool, |c| sqlx::query("DELETE FROM results WHERE expires_at <= $1")
            .bind(now)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))
    }

    /// Removes what is kept of a tenant, or of one patient of it. Gives how many rows.
    pub(crate) async fn erase_results(
        &self,
        tenant: &str,
        subjects: Option<&[[u8; 32]]>,
    ) -> Result<u64, DbError> {
        let Some(subjects) = subjects else {
            return on_pool!(self.pool, |c| sqlx::query("DELETE FROM results WHERE tenant = $1")
                .bind(tenant)
                .execute(c)
                .await
                .map(|done| done.rows_affected()));
        };
        let mut count = 0;
        for subject in subjects {
            count += on_pool!(self.pool, |c| sqlx::query(
                "DELETE FROM results WHERE tenant = $1 AND subject = $2"
            )
            .bind(tenant)
            .bind(&subject[..])
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        }
        Ok(count)
    }
}
