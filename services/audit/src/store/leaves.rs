//! Records as leaves: from the row that is about to be appended, and from the row that is stored, to the same bytes.
//! A column that is not in here would not be proven; a test goes over the schema.

use std::{borrow::Cow, collections::HashMap};

use sallyport_audit_proof::{LEAF_VERSION, Leaf};
use sallyport_db::{Error, Tx, on_pool, on_tx};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Store,
    records::{Row, optional},
};

/// A whole row of `records`.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Logged {
    tenant: String,
    record_id: Uuid,
    phase: i32,
    kind: i32,
    recorded_at: i64,
    stored_at: i64,
    service: String,
    spool_id: Uuid,
    spool_sequence: i64,
    transport_digest: Vec<u8>,
    endpoint: String,
    registration: String,
    purpose: String,
    feature: String,
    policy_decision: String,
    interaction: String,
    resource_types: String,
    released: i32,
    withheld: i32,
    outcome: i32,
    code: String,
    http_status: i32,
    upstream_status: i32,
    request_id: Option<Uuid>,
    launch_id: Option<Uuid>,
    grant_id: Option<Uuid>,
    run_id: Option<Uuid>,
    job: String,
    trace_id: String,
    sealed: Vec<u8>,
    log_index: Option<i64>,
    adopted_at: Option<i64>,
}

const COLUMNS: &str = "r.tenant, r.record_id, r.phase, r.kind, r.recorded_at, r.stored_at, r.service, r.spool_id, \
    r.spool_sequence, r.transport_digest, r.endpoint, r.registration, r.purpose, r.feature, r.policy_decision, \
    r.interaction, r.resource_types, r.released, r.withheld, r.outcome, r.code, r.http_status, r.upstream_status, \
    r.request_id, r.launch_id, r.grant_id, r.run_id, r.job, r.trace_id, r.sealed";

/// The leaf of a row that is about to be appended at `index`.
pub(crate) fn leaf_of(row: &Row<'_>, index: u64, now: i64) -> Vec<u8> {
    let (identity, record) = (row.identity, row.record);
    let mut subjects = row.about.clone();
    subjects.sort_unstable();
    subjects.dedup();
    let id = |bytes: &[u8]| optional(bytes).map(|id| Cow::from(id.to_string()));
    Leaf {
        v: LEAF_VERSION,
        tenant: identity.tenant.as_str().into(),
        log_index: index,
        adopted_at: None,
        record_id: identity.record.uuid().to_string().into(),
        phase: identity.phase.into(),
        kind: identity.kind.into(),
        recorded_at: identity.recorded_at,
        stored_at: now,
        service: record.service.as_str().into(),
        spool_id: row.spool.to_string().into(),
        spool_sequence: row.sequence,
        transport_digest: base64(row.digest),
        endpoint: record.endpoint.as_str().into(),
        registration: record.registration.as_str().into(),
        purpose: record.purpose.as_str().into(),
        feature: record.feature.as_str().into(),
        policy_decision: record.policy_decision.as_str().into(),
        interaction: record.interaction.as_str().into(),
        resource_types: record.resource_types.join(" ").into(),
        released: record.released,
        withheld: record.withheld,
        outcome: record.outcome,
        code: record.code.as_str().into(),
        http_status: record.http_status,
        upstream_status: record.upstream_status,
        request_id: id(&record.request_id),
        launch_id: id(&record.launch_id),
        grant_id: id(&record.grant_id),
        run_id: id(&record.run_id),
        job: record.job.as_str().into(),
        trace_id: record.trace_id.as_str().into(),
        sealed: base64(&row.sealed),
        subjects: subjects.iter().map(|id| Cow::from(id.to_string())).collect(),
    }
    .to_bytes()
}

impl Logged {
    /// The leaf of a stored row. `subjects` are whom it is filed under.
    pub(crate) fn leaf(&self, index: i64, adopted_at: Option<i64>, subjects: &[String]) -> Vec<u8> {
        let id = |id: &Option<Uuid>| id.map(|id| Cow::from(id.to_string()));
        Leaf {
            v: LEAF_VERSION,
            tenant: self.tenant.as_str().into(),
            // A place below zero is nobody's; it becomes one that is out of place.
            log_index: u64::try_from(index).unwrap_or(u64::MAX),
            adopted_at,
            record_id: self.record_id.to_string().into(),
            phase: self.phase,
            kind: self.kind,
            recorded_at: self.recorded_at,
            stored_at: self.stored_at,
            service: self.service.as_str().into(),
            spool_id: self.spool_id.to_string().into(),
            spool_sequence: self.spool_sequence,
            transport_digest: base64(&self.transport_digest),
            endpoint: self.endpoint.as_str().into(),
            registration: self.registration.as_str().into(),
            purpose: self.purpose.as_str().into(),
            feature: self.feature.as_str().into(),
            policy_decision: self.policy_decision.as_str().into(),
            interaction: self.interaction.as_str().into(),
            resource_types: self.resource_types.as_str().into(),
            released: self.released,
            withheld: self.withheld,
            outcome: self.outcome,
            code: self.code.as_str().into(),
            http_status: self.http_status,
            upstream_status: self.upstream_status,
            request_id: id(&self.request_id),
            launch_id: id(&self.launch_id),
            grant_id: id(&self.grant_id),
            run_id: id(&self.run_id),
            job: self.job.as_str().into(),
            trace_id: self.trace_id.as_str().into(),
            sealed: base64(&self.sealed),
            subjects: subjects.iter().map(|id| Cow::from(id.as_str())).collect(),
        }
        .to_bytes()
    }
}

impl Store {
    /// The leaves from place `from` up to, not including, `until`, with their places, as the rows of today make them.
    pub(crate) async fn leaves(
        &self,
        tenant: &str,
        from: i64,
        until: i64,
    ) -> Result<Vec<(i64, Vec<u8>)>, Error> {
        let placed = format!(
            "SELECT {COLUMNS}, r.log_index, CAST(NULL AS BIGINT) AS adopted_at FROM records r \
             WHERE r.tenant = $1 AND r.log_index >= $2 AND r.log_index < $3"
        );
        let adopted = format!(
            "SELECT {COLUMNS}, a.log_index, a.adopted_at FROM log_adopted a JOIN records r \
             ON r.tenant = a.tenant AND r.record_id = a.record_id AND r.phase = a.phase \
             WHERE a.tenant = $1 AND a.log_index >= $2 AND a.log_index < $3"
        );
        let mut rows: Vec<Logged> = Vec::new();
        for text in [placed, adopted] {
            let some: Vec<Logged> = on_pool!(self.pool, |c| {
                sqlx::query_as(AssertSqlSafe(text.clone()))
                    .bind(tenant)
                    .bind(from)
                    .bind(until)
                    .fetch_all(c)
                    .await
            })?;
            rows.extend(some);
        }
        rows.sort_by_key(|row| row.log_index);
        let subjects = self.subjects_of(tenant, &rows).await?;
        Ok(rows
            .iter()
            .map(|row| {
                let index = row.log_index.unwrap_or(-1);
                let filed = subjects.get(&(row.record_id, row.phase)).map_or(&[][..], Vec::as_slice);
                (index, row.leaf(index, row.adopted_at, filed))
            })
            .collect())
    }

    /// Rows by id, for adoption: in the order of `ids`.
    pub(crate) async fn whole_rows(
        tx: &mut Tx,
        tenant: &str,
        ids: &[(Uuid, i32)],
    ) -> Result<Vec<Logged>, Error> {
        let text = format!(
            "SELECT {COLUMNS}, r.log_index, CAST(NULL AS BIGINT) AS adopted_at FROM records r \
             WHERE r.tenant = $1 AND r.record_id = $2 AND r.phase = $3"
        );
        let mut rows = Vec::with_capacity(ids.len());
        for (id, phase) in ids {
            rows.push(on_tx!(*tx, |c| {
                sqlx::query_as(AssertSqlSafe(text.clone()))
                    .bind(tenant)
                    .bind(*id)
                    .bind(*phase)
                    .fetch_one(c)
                    .await
            })?);
        }
        Ok(rows)
    }

    /// Whom rows are filed under, in the form of leaves.
    pub(crate) async fn subjects_of(
        &self,
        tenant: &str,
        rows: &[Logged],
    ) -> Result<HashMap<(Uuid, i32), Vec<String>>, Error> {
        let mut ids: Vec<Uuid> = rows.iter().map(|row| row.record_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let times: HashMap<_, _> =
            rows.iter().map(|row| ((row.record_id, row.phase), row.recorded_at)).collect();
        let mut subjects: HashMap<_, Vec<String>> = HashMap::new();
        for (record, phase, subject, at) in self.filed_under(tenant, &ids).await? {
            // The time is a copy of the record's own, and told only where it is not.
            let is_copy = times.get(&(record, phase)).is_none_or(|time| *time == at);
            let text = if is_copy { subject.to_string() } else { format!("{subject}@{at}") };
            subjects.entry((record, phase)).or_default().push(text);
        }
        subjects.values_mut().for_each(|subjects| subjects.sort_unstable());
        Ok(subjects)
    }
}

fn base64(bytes: &[u8]) -> Cow<'static, str> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(bytes).into()
}
