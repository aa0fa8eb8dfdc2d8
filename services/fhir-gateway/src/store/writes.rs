//! The ledger: a row before the EHR is called, taken by one process at a time, ended once.

mod entry;

use sallyport_db::{Error as DbError, on_pool, server_now};
use sallyport_model::{Code, EndpointId, GrantId, LaunchId, Micros, TenantId};
use uuid::Uuid;

use super::Database;
use entry::Row;
pub(crate) use entry::{Aim, End, Finding, LedgerError, NewWrite, State, Write};

macro_rules! columns {
    ($($lease:tt)*) => {
        concat!(
            "SELECT write_id, tenant, endpoint, registration, launch_id, grant_id, feature, proposal_id, operation, \
             resource_type, dedup_key, base_version, data_key_id, intent_sealed, result_sealed, state, finding, code, \
             epoch, looks, sent_at, created_at, lease_expires_at < ",
            $($lease)*,
            " AS is_lease_over FROM writes "
        )
    };
}

/// One text for each database: only they differ in where the time comes from.
macro_rules! select {
    ($self:expr, $condition:literal) => {
        $self.pool.sql(
            concat!(columns!(concat!("COALESCE($1, ", server_now!(), ")")), $condition),
            concat!(columns!("$1"), $condition),
        )
    };
}

impl Database {
    /// Removes writes that ended before `before`. What is not settled has not ended.
    pub(crate) async fn prune_writes(&self, before: Micros) -> Result<(), DbError> {
        on_pool!(self.pool, |c| sqlx::query("DELETE FROM writes WHERE ended_at < $1")
            .bind(before)
            .execute(c)
            .await
            .map(|_done| ()))
    }

    /// Enters a write as approved, unless the same one is there already.
    pub(crate) async fn enter_write(&self, new: &NewWrite) -> Result<(), DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query(
            "INSERT INTO writes (write_id, tenant, endpoint, registration, launch_id, grant_id, feature, proposal_id, \
             operation, resource_type, dedup_key, payload_hash, base_version, patient_index, data_key_id, \
             intent_sealed, state, finding, code, epoch, lease_expires_at, attempts, looks, sent_at, look_at, \
             created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
             'approved', '', '', 0, 0, 0, 0, 0, $17, $18, $18) ON CONFLICT DO NOTHING"
        )
        .bind(new.id)
        .bind(new.tenant.as_str())
        .bind(new.endpoint.as_str())
        .bind(new.registration.as_str())
        .bind(new.launch.uuid())
        .bind(new.grant.uuid())
        .bind(new.feature.as_str())
        .bind(new.proposal)
        .bind(&new.aim.operation)
        .bind(&new.aim.resource_type)
        .bind(&new.dedup_key)
        .bind(new.aim.payload_hash.to_vec())
        .bind(&new.aim.base_version)
        .bind(new.aim.patient_index.to_vec())
        .bind(new.data_key)
        .bind(&new.intent_sealed)
        .bind(new.now + new.lease)
        .bind(new.now)
        .execute(c)
        .await
        .map(|_done| ())
        })
    }

    /// The write under a key.
    pub(crate) async fn write_by_key(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        dedup_key: &str,
    ) -> Result<Option<Write>, LedgerError> {
        let statement = select!(self, "WHERE tenant = $2 AND endpoint = $3 AND dedup_key = $4");
        let row: Option<Row> = on_pool!(self.pool, |c| sqlx::query_as(statement)
            .bind(self.lease_time())
            .bind(tenant.as_str())
            .bind(endpoint.as_str())
            .bind(dedup_key)
            .fetch_optional(c)
            .await)?;
        row.map(Write::try_from).transpose()
    }

    /// Another write of the same thing for the same patient, from whichever session, that was never answered for: its
    /// outcome is not known, or was found only when nobody waited any more.
    pub(crate) async fn unsettled_twin(&self, new: &NewWrite) -> Result<Option<Write>, LedgerError> {
        let statement = select!(
            self,
            "WHERE tenant = $2 AND endpoint = $3 AND patient_index = $4 AND payload_hash = $5 AND base_version = $6 \
             AND operation = $7 AND dedup_key <> $8 AND (state IN ('executing', 'unknown') OR (state = 'reconciled' AND finding = 'applied')) \
             ORDER BY created_at LIMIT 1"
        );
        let row: Option<Row> = on_pool!(self.pool, |c| sqlx::query_as(statement)
            .bind(self.lease_time())
            .bind(new.tenant.as_str())
            .bind(new.endpoint.as_str())
            .bind(new.aim.patient_index.to_vec())
            .bind(new.aim.payload_hash.to_vec())
            .bind(&new.aim.base_version)
            .bind(&new.aim.operation)
            .bind(&new.dedup_key)
            .fetch_optional(c)
            .await)?;
        row.map(Write::try_from).transpose()
    }

    /// A launch's writes, the newest first.
    pub(crate) async fn writes_of(
        &self,
        tenant: &TenantId,
        launch: LaunchId,
    ) -> Result<Vec<Write>, LedgerError> {
        let statement = select!(
            self,
            "WHERE tenant = $2 AND launch_id = $3 ORDER BY created_at DESC, write_id DESC LIMIT 200"
        );
        let rows: Vec<Row> = on_pool!(self.pool, |c| sqlx::query_as(statement)
            .bind(self.lease_time())
            .bind(tenant.as_str())
            .bind(launch.uuid())
            .fetch_all(c)
            .await)?;
        rows.into_iter().map(Write::try_from).collect()
    }

    /// Everything that was ever approved of a proposal, the oldest first.
    pub(crate) async fn writes_of_proposal(
        &self,
        tenant: &TenantId,
        proposal: Uuid,
    ) -> Result<Vec<Write>, LedgerError> {
        let statement = select!(self, "WHERE tenant = $2 AND proposal_id = $3 ORDER BY created_at, write_id");
        let rows: Vec<Row> = on_pool!(self.pool, |c| sqlx::query_as(statement)
            .bind(self.lease_time())
            .bind(tenant.as_str())
            .bind(proposal)
            .fetch_all(c)
            .await)?;
        rows.into_iter().map(Write::try_from).collect()
    }

    /// Writes that somebody has to look for: those whose outcome is not known, and those of processes that are gone.
    pub(crate) async fn writes_due(&self, now: Micros) -> Result<Vec<Write>, LedgerError> {
        let statement = select!(
            self,
            "WHERE state IN ('approved', 'executing', 'unknown') AND look_at <= $2 ORDER BY look_at LIMIT 50"
        );
        let rows: Vec<Row> = on_pool!(self.pool, |c| sqlx::query_as(statement)
            .bind(self.lease_time())
            .bind(now)
            .fetch_all(c)
            .await)?;
        rows.into_iter().map(Write::try_from).collect()
    }

    /// Takes a write as it was read, to send it (`is_send`) or to look for it. `None` when somebody else was faster;
    /// otherwise the epoch under which its turn is ended.
    pub(crate) async fn take_write(
        &self,
        write: &Write,
        (launch, grant): (LaunchId, GrantId),
        is_send: bool,
        lease: Micros,
        now: Micros,
    ) -> Result<Option<i64>, DbError> {
        let statement = self.pool.sql(
            concat!(
                "UPDATE writes SET state = CASE WHEN $1 = 1 THEN 'executing' ELSE 'unknown' END, epoch = epoch + 1, \
                 lease_expires_at = COALESCE($2, ",
                server_now!(),
                ") + $3, attempts = attempts + $1, sent_at = CASE WHEN $1 = 1 THEN $4 ELSE sent_at END, \
                 look_at = $4 + $3, launch_id = $5, grant_id = $6, updated_at = $4, finding = '' \
                 WHERE write_id = $7 AND epoch = $8 AND (state <> 'executing' OR lease_expires_at < COALESCE($2, ",
                server_now!(),
                "))"
            ),
            "UPDATE writes SET state = CASE WHEN $1 = 1 THEN 'executing' ELSE 'unknown' END, epoch = epoch + 1, \
             lease_expires_at = $2 + $3, attempts = attempts + $1, sent_at = CASE WHEN $1 = 1 THEN $4 ELSE sent_at END, \
             look_at = $4 + $3, launch_id = $5, grant_id = $6, updated_at = $4, finding = '' \
             WHERE write_id = $7 AND epoch = $8 AND (state <> 'executing' OR lease_expires_at < $2)",
        );
        let taken = on_pool!(self.pool, |c| sqlx::query(statement)
            .bind(i64::from(is_send))
            .bind(self.lease_time())
            .bind(lease)
            .bind(now)
            .bind(launch.uuid())
            .bind(grant.uuid())
            .bind(write.id)
            .bind(write.epoch)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok((taken == 1).then_some(write.epoch + 1))
    }

    /// Ends a turn with a write, unless another process took it over meanwhile.
    pub(crate) async fn end_turn(
        &self,
        write: Uuid,
        epoch: i64,
        end: &End,
        now: Micros,
    ) -> Result<bool, DbError> {
        let is_open = matches!(end.state, State::Approved | State::Executing | State::Unknown);
        let looked = i64::from(matches!(end.state, State::Unknown | State::Reconciled));
        let ended = on_pool!(self.always, |c| {
            sqlx::query(
            "UPDATE writes SET state = $1, finding = $2, code = $3, result_sealed = COALESCE($4, result_sealed), \
             look_at = $5, looks = looks + $6, lease_expires_at = 0, updated_at = $7, ended_at = $8 \
             WHERE write_id = $9 AND epoch = $10"
        )
        .bind(end.state.as_str())
        .bind(end.finding.map_or("", Finding::as_str))
        .bind(end.code.map_or("", Code::as_str))
        .bind(end.result_sealed.as_deref())
        .bind(end.look_at)
        .bind(looked)
        .bind(now)
        .bind((!is_open).then_some(now))
        .bind(write)
        .bind(epoch)
        .execute(c)
        .await
        .map(|done| done.rows_affected())
        })?;
        Ok(ended == 1)
    }

    /// How many writes are in doubt.
    pub(crate) async fn writes_in_doubt(&self) -> Result<i64, DbError> {
        on_pool!(self.pool, |c| sqlx::query_scalar("SELECT count(*) FROM writes WHERE state = 'unknown'")
            .fetch_one(c)
            .await)
    }
}
