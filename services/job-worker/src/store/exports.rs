//! Exports and their files: how far each is, committed with what was written.

use sallyport_db::{Error as DbError, Tx, on_pool, on_tx};
use sallyport_model::{Micros, RunId};
use uuid::Uuid;

use super::Store;
use crate::sealing::Sealed;

/// An export that was accepted by the EHR.
pub(crate) struct NewExport<'a> {
    pub(crate) run: RunId,
    pub(crate) tenant: &'a str,
    pub(crate) endpoint: &'a str,
    pub(crate) job: &'a str,
    pub(crate) status: &'a str,
    pub(crate) since: &'a str,
    pub(crate) key: Sealed,
    pub(crate) is_compressed: bool,
    pub(crate) started_at: Micros,
    pub(crate) expires_at: Micros,
}

/// An export as it stands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct ExportRow {
    pub(crate) state: String,
    pub(crate) status: String,
    pub(crate) key_sealed: Vec<u8>,
    pub(crate) data_key_id: Uuid,
    pub(crate) is_compressed: bool,
    pub(crate) failures: i64,
    pub(crate) code: String,
}

/// An export that has ended.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct EndedExport {
    pub(crate) run_id: Uuid,
    pub(crate) tenant: String,
    pub(crate) endpoint: String,
}

/// Which file of an export.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::FromRow)]
pub(crate) struct FileKey {
    pub(crate) part: i64,
    pub(crate) kind: String,
    pub(crate) position: i64,
}

/// A file that a manifest lists.
pub(crate) struct NewFile<'a> {
    pub(crate) key: FileKey,
    pub(crate) handle: &'a str,
    pub(crate) digest: &'a [u8],
    pub(crate) resource_type: &'a str,
    pub(crate) expected: i64,
    /// The same address stood in the manifest before.
    pub(crate) is_repeated: bool,
}

/// A file as it stands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct FileRow {
    #[sqlx(flatten)]
    pub(crate) key: FileKey,
    pub(crate) handle: String,
    /// How many lines the EHR says there are; -1 when it does not.
    pub(crate) expected: i64,
    pub(crate) state: String,
    pub(crate) source_offset: i64,
    pub(crate) length: i64,
    pub(crate) frames: i64,
    pub(crate) resources: i64,
    pub(crate) withheld: i64,
    pub(crate) etag: String,
    pub(crate) hash: Vec<u8>,
    pub(crate) failures: i64,
}

/// Files of an export, by what follows.
macro_rules! files_where {
    ($rest:literal) => {
        concat!(
            "SELECT part, kind, position, handle, expected, state, source_offset, length, frames, resources, withheld, \
             etag, hash, failures FROM export_files WHERE run_id = $1 ",
            $rest
        )
    };
}

/// Keeps that an export was accepted.
pub(crate) async fn begin_export(tx: &mut Tx, new: &NewExport<'_>) -> Result<(), DbError> {
    on_tx!(*tx, |c| {
        sqlx::query(
        "INSERT INTO exports (run_id, tenant, endpoint, job, state, status, since, transaction_time, key_sealed, \
         data_key_id, is_compressed, failures, hash, code, started_at, finished_at, expires_at) \
         VALUES ($1, $2, $3, $4, 'asked', $5, $6, '', $7, $8, $9, 0, NULL, '', $10, NULL, $11)"
    )
    .bind(new.run.uuid())
    .bind(new.tenant)
    .bind(new.endpoint)
    .bind(new.job)
    .bind(new.status)
    .bind(new.since)
    .bind(&new.key.bytes)
    .bind(new.key.data_key)
    .bind(new.is_compressed)
    .bind(new.started_at)
    .bind(new.expires_at)
    .execute(c)
    .await
    .map(|_done| ())
    })
}

/// Moves an export on.
pub(crate) async fn export_is(
    tx: &mut Tx,
    run: RunId,
    state: &str,
    transaction_time: Option<&str>,
) -> Result<(), DbError> {
    on_tx!(*tx, |c| {
        sqlx::query(
        "UPDATE exports SET state = $2, transaction_time = COALESCE($3, transaction_time), failures = 0 WHERE run_id = $1"
    )
    .bind(run.uuid())
    .bind(state)
    .bind(transaction_time)
    .execute(c)
    .await
    .map(|_done| ())
    })
}

/// Counts that the EHR's word about an export was a failure that may pass.
pub(crate) async fn export_failed_once(tx: &mut Tx, run: RunId, code: &str) -> Result<(), DbError> {
    on_tx!(*tx, |c| sqlx::query("UPDATE exports SET failures = failures + 1, code = $2 WHERE run_id = $1")
        .bind(run.uuid())
        .bind(code)
        .execute(c)
        .await
        .map(|_done| ()))
}

/// Ends an export.
pub(crate) async fn end_export(
    tx: &mut Tx,
    run: RunId,
    (state, code): (&str, &str),
    hash: Option<&[u8]>,
    now: Micros,
) -> Result<(), DbError> {
    on_tx!(*tx, |c| sqlx::query(
        "UPDATE exports SET state = $2, code = $3, hash = $4, finished_at = $5 WHERE run_id = $1"
    )
    .bind(run.uuid())
    .bind(state)
    .bind(code)
    .bind(hash)
    .bind(now)
    .execute(c)
    .await
    .map(|_done| ()))
}

/// Keeps a file that a manifest lists; one that is known gets its new handle, and nothing of what was read is lost.
pub(crate) async fn file_listed(tx: &mut Tx, run: RunId, new: &NewFile<'_>) -> Result<(), DbError> {
    let state = if new.is_repeated { "repeated" } else { "waiting" };
    on_tx!(*tx, |c| {
        sqlx::query(
        "INSERT INTO export_files (run_id, part, kind, position, handle, digest, resource_type, expected, state, \
         source_offset, length, frames, resources, withheld, etag, hash, failures, code) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, 0, 0, 0, '', $10, 0, '') \
         ON CONFLICT (run_id, part, kind, position) DO UPDATE SET handle = excluded.handle"
    )
    .bind(run.uuid())
    .bind(new.key.part)
    .bind(&new.key.kind)
    .bind(new.key.position)
    .bind(new.handle)
    .bind(new.digest)
    .bind(new.resource_type)
    .bind(new.expected)
    .bind(state)
    .bind(&[0_u8; 32][..])
    .execute(c)
    .await
    .map(|_done| ())
    })
}

/// Keeps how far a file is: the frame that was synced and where its source goes on, or that it has ended.
pub(crate) async fn file_is(tx: &mut Tx, run: RunId, file: &FileRow, code: &str) -> Result<(), DbError> {
    on_tx!(*tx, |c| {
        sqlx::query(
        "UPDATE export_files SET state = $5, source_offset = $6, length = $7, frames = $8, resources = $9, withheld = $10, \
         etag = $11, hash = $12, failures = $13, code = $14 \
         WHERE run_id = $1 AND part = $2 AND kind = $3 AND position = $4"
    )
    .bind(run.uuid())
    .bind(file.key.part)
    .bind(&file.key.kind)
    .bind(file.key.position)
    .bind(&file.state)
    .bind(file.source_offset)
    .bind(file.length)
    .bind(file.frames)
    .bind(file.resources)
    .bind(file.withheld)
    .bind(&file.etag)
    .bind(&file.hash)
    .bind(file.failures)
    .bind(code)
    .execute(c)
    .await
    .map(|_done| ())
    })
}

/// Keeps where a line did not come.
pub(crate) async fn line_withheld(
    tx: &mut Tx,
    run: RunId,
    key: &FileKey,
    (at, length): (i64, i64),
    code: &str,
) -> Result<(), DbError> {
    on_tx!(*tx, |c| {
        sqlx::query(
        "INSERT INTO export_withheld (run_id, part, kind, position, at, length, code) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (run_id, part, kind, position, at) DO NOTHING"
    )
    .bind(run.uuid())
    .bind(key.part)
    .bind(&key.kind)
    .bind(key.position)
    .bind(at)
    .bind(length)
    .bind(code)
    .execute(c)
    .await
    .map(|_done| ())
    })
}

impl Store {
    /// A run's export.
    pub(crate) async fn export(&self, run: RunId) -> Result<Option<ExportRow>, DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query_as(
            "SELECT state, status, key_sealed, data_key_id, is_compressed, failures, code FROM exports WHERE run_id = $1"
        )
        .bind(run.uuid())
        .fetch_optional(c)
        .await
        })
    }

    /// The next file of an export to be fetched.
    pub(crate) async fn next_file(&self, run: RunId) -> Result<Option<FileRow>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_as(files_where!(
            "AND state = 'waiting' ORDER BY part, kind DESC, position LIMIT 1"
        ))
        .bind(run.uuid())
        .fetch_optional(c)
        .await)
    }

    /// Every file of an export that counts, in order.
    pub(crate) async fn files(&self, run: RunId) -> Result<Vec<FileRow>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_as(files_where!(
            "AND state <> 'repeated' ORDER BY part, kind, position"
        ))
        .bind(run.uuid())
        .fetch_all(c)
        .await)
    }

    /// Up to when the last whole export of a job knew everything, in the server's own words.
    pub(crate) async fn last_transaction_time(
        &self,
        tenant: &str,
        job: &str,
    ) -> Result<Option<String>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_scalar(
            "SELECT transaction_time FROM exports WHERE tenant = $1 AND job = $2 AND state = 'done' \
             ORDER BY finished_at DESC LIMIT 1"
        )
        .bind(tenant)
        .bind(job)
        .fetch_optional(c)
        .await)
    }

    /// Exports that have ended and whose lifetime is over.
    pub(crate) async fn exports_expired(&self, now: Micros) -> Result<Vec<EndedExport>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_as(
            "SELECT run_id, tenant, endpoint FROM exports WHERE finished_at IS NOT NULL AND expires_at <= $1"
        )
        .bind(now)
        .fetch_all(c)
        .await)
    }

    /// A tenant's exports that have ended.
    pub(crate) async fn exports_ended(&self, tenant: &str) -> Result<Vec<EndedExport>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_as(
            "SELECT run_id, tenant, endpoint FROM exports WHERE finished_at IS NOT NULL AND tenant = $1"
        )
        .bind(tenant)
        .fetch_all(c)
        .await)
    }

    /// Removes what is known of an export, the key of its files last.
    pub(crate) async fn forget_export(&self, run: Uuid) -> Result<(), DbError> {
        for statement in [
            "DELETE FROM export_withheld WHERE run_id = $1",
            "DELETE FROM export_files WHERE run_id = $1",
            "DELETE FROM exports WHERE run_id = $1",
        ] {
            on_pool!(self.pool, |c| sqlx::query(statement).bind(run).execute(c).await.map(|_done| ()))?;
        }
        Ok(())
    }
}
