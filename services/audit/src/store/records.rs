//! Appending: a record with its subjects, or a quarantined hash.

use sallyport_audit_client::Identity;
use sallyport_db::{Error, Tx, on_tx};
use sallyport_proto::audit::v1::Record;
use uuid::Uuid;

use super::Store;

/// One record as it is stored.
pub(crate) struct Row<'a> {
    pub(crate) identity: &'a Identity,
    /// Where it came from; its identifying fields are read by nobody here.
    pub(crate) record: &'a Record,
    pub(crate) spool: Uuid,
    pub(crate) sequence: i64,
    pub(crate) digest: &'a [u8],
    pub(crate) sealed: &'a [u8],
    pub(crate) now: i64,
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

impl Store {
    /// The transport digests of stored records that share this one's place or identity.
    pub(crate) async fn stored_digests(
        tx: &mut Tx,
        identity: &Identity,
        spool: Uuid,
        sequence: i64,
    ) -> Result<Vec<Vec<u8>>, Error> {
        on_tx!(*tx, |c| {
            sqlx::query_scalar(
                "SELECT transport_digest FROM records \
                 WHERE (spool_id = $1 AND spool_sequence = $2) OR (tenant = $3 AND record_id = $4 AND phase = $5)",
            )
            .bind(spool)
            .bind(sequence)
            .bind(identity.tenant.as_str())
            .bind(identity.record.uuid())
            .bind(i32::from(identity.phase))
            .fetch_all(c)
            .await
        })
    }

    /// Appends; `false` when another replica stored the same at the same moment.
    pub(crate) async fn append(tx: &mut Tx, row: &Row<'_>) -> Result<bool, Error> {
        let (record, identity) = (row.record, row.identity);
        let resource_types = record.resource_types.join(" ");
        on_tx!(*tx, |c| {
            sqlx::query(
                "INSERT INTO records (tenant, record_id, phase, kind, recorded_at, stored_at, service, spool_id, \
                 spool_sequence, transport_digest, endpoint, registration, purpose, feature, policy_decision, \
                 interaction, resource_types, released, withheld, outcome, code, http_status, upstream_status, \
                 request_id, launch_id, grant_id, run_id, job, trace_id, sealed) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, \
                 $21, $22, $23, $24, $25, $26, $27, $28, $29, $30) ON CONFLICT DO NOTHING",
            )
            .bind(identity.tenant.as_str())
            .bind(identity.record.uuid())
            .bind(i32::from(identity.phase))
            .bind(i32::from(identity.kind))
            .bind(identity.recorded_at)
            .bind(row.now)
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
            .bind(resource_types.as_str())
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
            .bind(row.sealed)
            .execute(c)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Notes that a record is about `subject`.
    pub(crate) async fn append_subject(tx: &mut Tx, identity: &Identity, subject: Uuid) -> Result<(), Error> {
        on_tx!(*tx, |c| {
            sqlx::query(
                "INSERT INTO record_subjects (subject_id, recorded_at, tenant, record_id, phase) \
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            )
            .bind(subject)
            .bind(identity.recorded_at)
            .bind(identity.tenant.as_str())
            .bind(identity.record.uuid())
            .bind(i32::from(identity.phase))
            .execute(c)
            .await
            .map(|_done| ())
        })
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

/// An id of a checked record: 16 bytes, or absent.
fn optional(bytes: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(bytes).ok()
}
