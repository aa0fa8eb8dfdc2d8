//! A refresh under way: taken, renewed, and ended in exactly one of the ways a refresh can end.
//!
//! `refreshing` is the journal: it is committed before anything is sent. A lease that runs out in that state belongs
//! to a process that died with the outcome unknown. Leases go by the database's clock, in the statement itself: replicas
//! whose clocks differ must not think each other dead (docs/adr/0023).

use sallyport_db::{Error as DbError, on_pool, server_now};
use sallyport_model::{GrantId, Micros};

use super::{Grant, Sealed, Store};

/// What a successful refresh changes.
#[derive(Debug, Clone)]
pub(crate) struct Renewed {
    /// Both tokens, the refresh token being the new one or, when none came, the old one.
    pub(crate) sealed: Sealed,
    /// When the access token dies.
    pub(crate) access_expires_at: Micros,
    /// What is granted from now on.
    pub(crate) granted_scope: String,
}

impl Store {
    /// Takes the lease and journals the refresh, if the grant is still as it was read. `dead_lease` allows to take it
    /// from a process that let it run out.
    pub(crate) async fn take_lease(
        &self,
        grant: &Grant,
        dead_lease: bool,
        length: Micros,
    ) -> Result<bool, DbError> {
        let from = if dead_lease { "refreshing" } else { "active" };
        let statement = self.pool.sql(
            concat!(
                "UPDATE grants SET state = 'refreshing', lease_epoch = lease_epoch + 1, \
                 lease_expires_at = COALESCE($5, ",
                server_now!(),
                ") + $6 WHERE grant_id = $1 AND state = $2 AND version = $3 AND lease_epoch = $4 \
                 AND lease_expires_at < COALESCE($5, ",
                server_now!(),
                ")"
            ),
            "UPDATE grants SET state = 'refreshing', lease_epoch = lease_epoch + 1, lease_expires_at = $5 + $6 \
             WHERE grant_id = $1 AND state = $2 AND version = $3 AND lease_epoch = $4 AND lease_expires_at < $5",
        );
        let rows = on_pool!(self.pool, |c| {
            sqlx::query(statement)
                .bind(grant.id.uuid())
                .bind(from)
                .bind(grant.version)
                .bind(grant.lease_epoch)
                .bind(self.lease_time())
                .bind(length)
                .execute(c)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }

    /// Keeps the lease while the token endpoint is slow; `false` when it is not ours any more.
    pub(crate) async fn renew_lease(&self, id: GrantId, epoch: i64, length: Micros) -> Result<bool, DbError> {
        let statement = self.pool.sql(
            concat!(
                "UPDATE grants SET lease_expires_at = COALESCE($3, ",
                server_now!(),
                ") + $4 WHERE grant_id = $1 AND state = 'refreshing' AND lease_epoch = $2"
            ),
            "UPDATE grants SET lease_expires_at = $3 + $4 \
             WHERE grant_id = $1 AND state = 'refreshing' AND lease_epoch = $2",
        );
        let rows = on_pool!(self.always, |c| sqlx::query(statement)
            .bind(id.uuid())
            .bind(epoch)
            .bind(self.lease_time())
            .bind(length)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(rows == 1)
    }

    /// Commits what the token endpoint gave. A grant that was called `uncertain` meanwhile is certain again: nobody
    /// else can have refreshed it. `false` when it was revoked.
    pub(crate) async fn commit_refresh(
        &self,
        grant: &Grant,
        renewed: &Renewed,
        now: Micros,
    ) -> Result<bool, DbError> {
        let rows = on_pool!(self.always, |c| {
            sqlx::query(
            "UPDATE grants SET state = 'active', reason = '', ended_at = NULL, version = version + 1, \
             access_sealed = $3, refresh_sealed = $4, access_expires_at = $5, granted_scope = $6, refreshed_at = $7, \
             data_key_id = $8, failures = 0, not_before = 0, lease_expires_at = 0 \
             WHERE grant_id = $1 AND version = $2 AND state IN ('active', 'refreshing', 'uncertain')"
        )
        .bind(grant.id.uuid())
        .bind(grant.version)
        .bind(renewed.sealed.access.as_deref())
        .bind(renewed.sealed.refresh.as_deref())
        .bind(renewed.access_expires_at)
        .bind(&renewed.granted_scope)
        .bind(now)
        .bind(renewed.sealed.data_key)
        .execute(c)
        .await
        .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }

    /// Whether these very tokens are the grant's: a commit whose answer was lost on the way had happened.
    pub(crate) async fn holds(&self, id: GrantId, sealed: &Sealed) -> Result<bool, DbError> {
        let found: i64 = on_pool!(self.always, |c| sqlx::query_scalar(
            "SELECT count(*) FROM grants WHERE grant_id = $1 AND state = 'active' AND access_sealed = $2"
        )
        .bind(id.uuid())
        .bind(sealed.access.as_deref())
        .fetch_one(c)
        .await)?;
        Ok(found == 1)
    }

    /// Keeps tokens that came for a grant revoked meanwhile, only so that they can be revoked at the EHR too.
    pub(crate) async fn keep_for_revocation(&self, id: GrantId, sealed: &Sealed) -> Result<(), DbError> {
        on_pool!(self.always, |c| {
            sqlx::query(
            "UPDATE grants SET access_sealed = $2, refresh_sealed = $3, data_key_id = $4, upstream_at = 0, \
             upstream_attempts = 0, \
             upstream = CASE WHEN revocation_endpoint = '' THEN 'not_offered' ELSE 'pending' END \
             WHERE grant_id = $1 AND state = 'revoked'"
        )
        .bind(id.uuid())
        .bind(sealed.access.as_deref())
        .bind(sealed.refresh.as_deref())
        .bind(sealed.data_key)
        .execute(c)
        .await
        .map(|_done| ())
        })
    }

    /// The token endpoint failed without touching the grant: it stays as it is and rests until `not_before`.
    pub(crate) async fn postpone(&self, id: GrantId, epoch: i64, not_before: Micros) -> Result<(), DbError> {
        on_pool!(self.always, |c| {
            sqlx::query(
            "UPDATE grants SET state = 'active', failures = failures + 1, not_before = $3, lease_expires_at = 0 \
             WHERE grant_id = $1 AND lease_epoch = $2 AND state = 'refreshing'"
        )
        .bind(id.uuid())
        .bind(epoch)
        .bind(not_before)
        .execute(c)
        .await
        .map(|_done| ())
        })
    }

    /// A refresh whose process let its lease run out: what it sent may have worked, and must not be sent again. `false`
    /// when that process lives, or another has settled it.
    pub(crate) async fn abandon(&self, id: GrantId, epoch: i64, now: Micros) -> Result<bool, DbError> {
        let statement = self.pool.sql(
            concat!(
                "UPDATE grants SET state = 'uncertain', reason = 'left_behind', ended_at = $3, lease_expires_at = 0 \
                 WHERE grant_id = $1 AND lease_epoch = $2 AND state = 'refreshing' AND lease_expires_at < COALESCE($4, ",
                server_now!(),
                ")"
            ),
            "UPDATE grants SET state = 'uncertain', reason = 'left_behind', ended_at = $3, lease_expires_at = 0 \
             WHERE grant_id = $1 AND lease_epoch = $2 AND state = 'refreshing' AND lease_expires_at < $4",
        );
        let rows = on_pool!(self.pool, |c| sqlx::query(statement)
            .bind(id.uuid())
            .bind(epoch)
            .bind(now)
            .bind(self.lease_time())
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(rows == 1)
    }

    /// The outcome is not known and must not be tried again. The old tokens stay sealed, for a revocation.
    pub(crate) async fn make_uncertain(
        &self,
        id: GrantId,
        epoch: i64,
        reason: &str,
        now: Micros,
    ) -> Result<bool, DbError> {
        let rows = on_pool!(self.always, |c| sqlx::query(
            "UPDATE grants SET state = 'uncertain', reason = $3, ended_at = $4, lease_expires_at = 0 \
             WHERE grant_id = $1 AND lease_epoch = $2 AND state = 'refreshing'"
        )
        .bind(id.uuid())
        .bind(epoch)
        .bind(reason)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(rows == 1)
    }

    /// The EHR ended the grant: its tokens are worth nothing and are removed.
    pub(crate) async fn bury(
        &self,
        id: GrantId,
        epoch: i64,
        reason: &str,
        now: Micros,
    ) -> Result<(), DbError> {
        on_pool!(self.always, |c| sqlx::query(
            "UPDATE grants SET state = 'dead', reason = $3, ended_at = $4, lease_expires_at = 0, \
             access_sealed = NULL, refresh_sealed = NULL \
             WHERE grant_id = $1 AND lease_epoch = $2 AND state = 'refreshing'"
        )
        .bind(id.uuid())
        .bind(epoch)
        .bind(reason)
        .bind(now)
        .execute(c)
        .await
        .map(|_done| ()))
    }
}
