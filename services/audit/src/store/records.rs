//! Appending: records with their subjects, or quarantined hashes.

use sallyport_audit_client::Identity;
use sallyport_db::{Error, Tx, on_tx};
use sallyport_proto::audit::v1::Record;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Store,
    bulk::{marks, rows, rows_per_statement},
};

/// One record as it is stored.
pub(crate) struct Row<'a> {
    pub(crate) identity: &'a Identity,
    /// Where it came from; its identifying fields are read by nobody here.
    pub(crate) record: &'a Record,
    pub(crate) spool: Uuid,
    pub(crate) sequence: i64,
    pub(crate) digest: &'a [u8],
    pub(crate) sealed: Vec<u8>,
    /// Whom it is filed under.
    pub(crate) about: Vec<Uuid>,
    /// Its place in the tenant's log.
    pub(crate) log_index: Option<i64>,
}

/// What is kept of something that cannot be taken.
#[derive(Debug, Clone)]
pub(crate) struct Poison {
    pub(crate) digest: Vec<u8>,
    pub(crate) reason: &'static str,
    pub(crate) message: Uuid,
    pub(crate) spool: Option<Uuid>,
    pub(crate) sequence: Option<i64>,
    pub(crate) bytes: usize,
}

/// A stored record's places: in its spool, and by id.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Mark {
    pub(crate) tenant: String,
    pub(crate) record_id: Uuid,
    pub(crate) phase: i32,
    pub(crate) spool_id: Uuid,
    pub(crate) spool_sequence: i64,
    pub(crate) transport_digest: Vec<u8>,
}

const MARK: &str = "SELECT tenant, record_id, phase, spool_id, spool_sequence, transport_digest FROM records";

const COLUMNS: usize = 31;

impl Store {
    /// Stored records with a place in `spool` from `first` to `last`.
    pub(crate) async fn marks_in_spool(
        tx: &mut Tx,
        spool: Uuid,
        first: i64,
        last: i64,
    ) -> Result<Vec<Mark>, Error> {
        let text = format!("{MARK} WHERE spool_id = $1 AND spool_sequence BETWEEN $2 AND $3");
        on_tx!(*tx, |c| {
            sqlx::query_as(AssertSqlSafe(text.clone())).bind(spool).bind(first).bind(last).fetch_all(c).await
        })
    }

    /// Stored records of `tenant` with one of these ids.
    pub(crate) async fn marks_by_id(tx: &mut Tx, tenant: &str, ids: &[Uuid]) -> Result<Vec<Mark>, Error> {
        let mut found = Vec::new();
        for ids in ids.chunks(rows_per_statement(1)) {
            let text = format!("{MARK} WHERE tenant = $1 AND record_id IN ({})", marks(1, ids.len()));
            let some: Vec<Mark> = on_tx!(*tx, |c| {
                let mut query = sqlx::query_as(AssertSqlSafe(text.clone())).bind(tenant);
                for id in ids {
                    query = query.bind(*id);
                }
                query.fetch_all(c).await
            })?;
            found.extend(some);
        }
        Ok(found)
    }

    /// Appends all of them with their subjects. How many records were new: fewer when another replica stored some at
    /// the same moment.
    pub(crate) async fn append(tx: &mut Tx, all: &[Row<'_>], now: i64) -> Result<usize, Error> {
        let mut appended = 0;
        for some in all.chunks(rows_per_statement(COLUMNS)) {
            appended += append_records(tx, some, now).await?;
        }
        let about: Vec<_> = all
            .iter()
            .flat_map(|row| row.about.iter().map(move |subject| (row.identity, *subject)))
            .collect();
        for some in about.chunks(rows_per_statement(5)) {
            append_subjects(tx, some).await?;
        }
        Ok(appended)
    }

    /// Keeps the hash of something that cannot be taken; `false` when it is there already.
    pub(crate) async fn quarantine(tx: &mut Tx, poison: &Poison, now: i64) -> Result<bool, Error> {
        let bytes = i64::try_from(poison.bytes).unwrap_or(i64::MAX);
        on_tx!(*tx, |c| {
            sqlx::query(
                "INSERT INTO quarantine (digest, reason, message_id, spool_id, spool_sequence, bytes, received_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
            )
            .bind(poison.digest.as_slice())
            .bind(poison.reason)
            .bind(poison.message)
            .bind(poison.spool)
            .bind(poison.sequence)
            .bind(bytes)
            .bind(now)
            .execute(c)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }
}

async fn append_records(tx: &mut Tx, some: &[Row<'_>], now: i64) -> Result<usize, Error> {
    let text = format!(
        "INSERT INTO records (tenant, record_id, phase, kind, recorded_at, stored_at, service, spool_id, \
         spool_sequence, transport_digest, endpoint, registration, purpose, feature, policy_decision, interaction, \
         resource_types, released, withheld, outcome, code, http_status, upstream_status, request_id, launch_id, \
         grant_id, run_id, job, trace_id, sealed, log_index) VALUES {} ON CONFLICT DO NOTHING",
        rows(0, some.len(), COLUMNS)
    );
    let done = on_tx!(*tx, |c| {
        let mut query = sqlx::query(AssertSqlSafe(text.clone()));
        for row in some {
            let (identity, record) = (row.identity, row.record);
            query = query
                .bind(identity.tenant.as_str())
                .bind(identity.record.uuid())
                .bind(i32::from(identity.phase))
                .bind(i32::from(identity.kind))
                .bind(identity.recorded_at)
                .bind(now)
                .bind(record.service.as_str())
                .bind(row.spool)
                .bind(row.sequence)
                .bind(row.digest)
                .bind(record.endpoint.as_str())
                .bind(record.registration.as_str())
                .bind(record.purpose.as_str())
                .bind(record.feature.as_str())
                .bind(record.policy_decision.as_str())
                .bind(record.interaction.as_str())
                .bind(record.resource_types.join(" "))
                .bind(record.released)
                .bind(record.withheld)
                .bind(record.outcome)
                .bind(record.code.as_str())
                .bind(record.http_status)
                .bind(record.upstream_status)
                .bind(optional(&record.request_id))
                .bind(optional(&record.launch_id))
                .bind(optional(&record.grant_id))
                .bind(optional(&record.run_id))
                .bind(record.job.as_str())
                .bind(record.trace_id.as_str())
                .bind(row.sealed.as_slice())
                .bind(row.log_index);
        }
        query.execute(c).await.map(|done| done.rows_affected())
    })?;
    Ok(usize::try_from(done).unwrap_or(0))
}

async fn append_subjects(tx: &mut Tx, some: &[(&Identity, Uuid)]) -> Result<(), Error> {
    let text = format!(
        "INSERT INTO record_subjects (subject_id, recorded_at, tenant, record_id, phase) VALUES {} \
         ON CONFLICT DO NOTHING",
        rows(0, some.len(), 5)
    );
    on_tx!(*tx, |c| {
        let mut query = sqlx::query(AssertSqlSafe(text.clone()));
        for (identity, subject) in some {
            query = query
                .bind(*subject)
                .bind(identity.recorded_at)
                .bind(identity.tenant.as_str())
                .bind(identity.record.uuid())
                .bind(i32::from(identity.phase));
        }
        query.execute(c).await.map(|_done| ())
    })
}

/// An id of a checked record: 16 bytes, or absent.
pub(super) fn optional(bytes: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(bytes).ok()
}
