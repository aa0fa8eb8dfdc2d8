//! Grants: inserted by an exchange, changed by refreshes (see `leases`), ended once.

use sallyport_db::{Error as DbError, on_pool, on_tx, server_now};
use sallyport_model::{EndpointId, GrantId, LaunchId, Micros, RegistrationId, TenantId};
use sqlx::FromRow;
use uuid::Uuid;

use super::{State, Store, Upstream, revocations::lock_head};
use crate::{error::Error, records::Whose};

/// Sealed tokens as they stand in a row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sealed {
    /// The data key that both are sealed under.
    pub(crate) data_key: Uuid,
    /// The access token.
    pub(crate) access: Option<Vec<u8>>,
    /// The refresh token.
    pub(crate) refresh: Option<Vec<u8>>,
}

/// A grant about to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewGrant {
    pub(crate) id: GrantId,
    pub(crate) tenant: TenantId,
    pub(crate) endpoint: EndpointId,
    pub(crate) registration: RegistrationId,
    pub(crate) launch: LaunchId,
    pub(crate) user_index: Option<[u8; 32]>,
    pub(crate) sealed: Sealed,
    pub(crate) access_expires_at: Micros,
    pub(crate) granted_scope: String,
    pub(crate) token_endpoint: String,
    pub(crate) issuer: String,
    pub(crate) revocation_endpoint: String,
    pub(crate) introspection_endpoint: String,
    /// What was asked for without a person; `None` for a person's grant.
    pub(crate) service_scope: Option<String>,
    pub(crate) now: Micros,
}

/// A stored grant.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) id: GrantId,
    pub(crate) tenant: TenantId,
    pub(crate) registration: RegistrationId,
    pub(crate) launch: LaunchId,
    pub(crate) state: State,
    pub(crate) version: i64,
    pub(crate) sealed: Sealed,
    pub(crate) access_expires_at: Micros,
    pub(crate) granted_scope: String,
    pub(crate) token_endpoint: String,
    pub(crate) issuer: String,
    pub(crate) revocation_endpoint: String,
    pub(crate) introspection_endpoint: String,
    /// What was asked for without a person; `None` for a person's grant.
    pub(crate) service_scope: Option<String>,
    pub(crate) refreshed_at: Micros,
    pub(crate) is_claimed: bool,
    pub(crate) failures: u32,
    pub(crate) not_before: Micros,
    pub(crate) lease_epoch: i64,
    /// The lease of its refresh has run out, by the database's clock.
    pub(crate) is_lease_over: bool,
    pub(crate) upstream_attempts: u32,
}

#[derive(FromRow)]
pub(super) struct Row {
    grant_id: Uuid,
    tenant: String,
    registration: String,
    launch_id: Uuid,
    state: String,
    version: i64,
    data_key_id: Uuid,
    access_sealed: Option<Vec<u8>>,
    refresh_sealed: Option<Vec<u8>>,
    access_expires_at: i64,
    granted_scope: String,
    token_endpoint: String,
    issuer: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    service_scope: Option<String>,
    refreshed_at: i64,
    claimed_at: Option<i64>,
    failures: i64,
    not_before: i64,
    lease_epoch: i64,
    upstream_attempts: i64,
    /// Asked for where it matters; `false` elsewhere.
    #[sqlx(default)]
    is_lease_over: bool,
}

/// The columns of [`Row`].
macro_rules! columns {
    () => {
        "grant_id, tenant, registration, launch_id, state, version, data_key_id, access_sealed, refresh_sealed, \
         access_expires_at, granted_scope, token_endpoint, issuer, revocation_endpoint, introspection_endpoint, \
         service_scope, refreshed_at, claimed_at, failures, not_before, lease_epoch, upstream_attempts"
    };
}

impl Grant {
    /// Whether there is a way to a new access token: a refresh token, or asking again.
    pub(crate) fn is_renewable(&self) -> bool {
        self.sealed.refresh.is_some() || self.service_scope.is_some()
    }

    /// Whose it is.
    pub(crate) fn whose(&self) -> Whose {
        match self.service_scope {
            None => Whose::Launch(self.launch),
            Some(_) => Whose::Service,
        }
    }
}

impl TryFrom<Row> for Grant {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: GrantId::from_uuid(row.grant_id),
            tenant: TenantId::parse(&row.tenant).map_err(|_alphabet| Error::Malformed("grants.tenant"))?,
            registration: RegistrationId::parse(&row.registration)
                .map_err(|_alphabet| Error::Malformed("grants.registration"))?,
            launch: LaunchId::from_uuid(row.launch_id),
            state: State::parse(&row.state).ok_or(Error::Malformed("grants.state"))?,
            version: row.version,
            sealed: Sealed {
                data_key: row.data_key_id,
                access: row.access_sealed,
                refresh: row.refresh_sealed,
            },
            access_expires_at: row.access_expires_at,
            granted_scope: row.granted_scope,
            token_endpoint: row.token_endpoint,
            issuer: row.issuer,
            revocation_endpoint: row.revocation_endpoint,
            introspection_endpoint: row.introspection_endpoint,
            service_scope: row.service_scope,
            refreshed_at: row.refreshed_at,
            is_claimed: row.claimed_at.is_some(),
            failures: u32::try_from(row.failures).unwrap_or(u32::MAX),
            not_before: row.not_before,
            lease_epoch: row.lease_epoch,
            is_lease_over: row.is_lease_over,
            upstream_attempts: u32::try_from(row.upstream_attempts).unwrap_or(u32::MAX),
        })
    }
}

impl Store {
    /// Stores a grant as active. `false`, and nothing stored as usable, when its launch was revoked meanwhile: the row
    /// is then revoked from the start, with its tokens kept for the revocation at the EHR.
    pub(crate) async fn insert_grant(&self, new: &NewGrant, refuse: Option<&str>) -> Result<bool, DbError> {
        let mut tx = self.always.begin().await?;
        lock_head(&mut tx).await?;
        let revoked: i64 = on_tx!(tx, |c| sqlx::query_scalar(
            "SELECT count(*) FROM revocations WHERE kind = 'launch' AND id = $1"
        )
        .bind(new.launch.uuid())
        .fetch_one(c)
        .await)?;
        let reason = refuse.or((revoked > 0).then_some("launch_revoked"));
        let (state, ended_at) = match reason {
            None => (State::Active, None),
            Some(_) => (State::Revoked, Some(new.now)),
        };
        let upstream = match reason {
            None => "none",
            Some(_) if new.revocation_endpoint.is_empty() => Upstream::NotOffered.as_str(),
            Some(_) => Upstream::Pending.as_str(),
        };
        // Without a service to revoke them at, tokens of a grant that is not usable are not worth keeping.
        let is_kept = upstream != Upstream::NotOffered.as_str();
        on_tx!(tx, |c| {
            sqlx::query(
            "INSERT INTO grants (grant_id, tenant, endpoint, registration, launch_id, user_index, state, reason, \
             version, data_key_id, access_sealed, refresh_sealed, access_expires_at, granted_scope, token_endpoint, \
             issuer, revocation_endpoint, introspection_endpoint, created_at, refreshed_at, ended_at, failures, \
             not_before, lease_epoch, lease_expires_at, upstream, upstream_attempts, upstream_at, service_scope) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $18, $19, \
             0, 0, 0, 0, $20, 0, 0, $21)"
        )
        .bind(new.id.uuid())
        .bind(new.tenant.as_str())
        .bind(new.endpoint.as_str())
        .bind(new.registration.as_str())
        .bind(new.launch.uuid())
        .bind(new.user_index.map(|index| index.to_vec()))
        .bind(state.as_str())
        .bind(reason.unwrap_or_default())
        .bind(new.sealed.data_key)
        .bind(new.sealed.access.as_deref().filter(|_| is_kept))
        .bind(new.sealed.refresh.as_deref().filter(|_| is_kept))
        .bind(new.access_expires_at)
        .bind(&new.granted_scope)
        .bind(&new.token_endpoint)
        .bind(&new.issuer)
        .bind(&new.revocation_endpoint)
        .bind(&new.introspection_endpoint)
        .bind(new.now)
        .bind(ended_at)
        .bind(upstream)
        .bind(new.service_scope.as_deref())
        .execute(c)
        .await
        .map(|_done| ())
        })?;
        tx.commit().await?;
        Ok(reason.is_none())
    }

    /// Whether a tenant's grant is that person's.
    pub(crate) async fn is_of_user(
        &self,
        tenant: &TenantId,
        id: GrantId,
        user_index: &[u8; 32],
    ) -> Result<bool, DbError> {
        let found: i64 = on_pool!(self.pool, |c| sqlx::query_scalar(
            "SELECT count(*) FROM grants WHERE tenant = $1 AND grant_id = $2 AND user_index = $3"
        )
        .bind(tenant.as_str())
        .bind(id.uuid())
        .bind(&user_index[..])
        .fetch_one(c)
        .await)?;
        Ok(found == 1)
    }

    /// A tenant's grant. The tenant is part of the key: another tenant's grant does not exist.
    pub(crate) async fn grant(&self, tenant: &TenantId, id: GrantId) -> Result<Option<Grant>, Error> {
        let statement = self.pool.sql(
            concat!(
                "SELECT ",
                columns!(),
                ", lease_expires_at < COALESCE($3, ",
                server_now!(),
                ") AS is_lease_over FROM grants WHERE tenant = $1 AND grant_id = $2"
            ),
            concat!(
                "SELECT ",
                columns!(),
                ", lease_expires_at < $3 AS is_lease_over FROM grants WHERE tenant = $1 AND grant_id = $2"
            ),
        );
        let row: Option<Row> = on_pool!(self.pool, |c| sqlx::query_as(statement)
            .bind(tenant.as_str())
            .bind(id.uuid())
            .bind(self.lease_time())
            .fetch_optional(c)
            .await)?;
        row.map(Grant::try_from).transpose()
    }

    /// Notes that somebody asked for the grant's token: its launch got the answer.
    pub(crate) async fn claim(&self, id: GrantId, now: Micros) -> Result<(), DbError> {
        on_pool!(self.pool, |c| sqlx::query(
            "UPDATE grants SET claimed_at = $2 WHERE grant_id = $1 AND claimed_at IS NULL"
        )
        .bind(id.uuid())
        .bind(now)
        .execute(c)
        .await
        .map(|_done| ()))
    }

    /// Active grants that nobody asked for since before `created_before`.
    pub(crate) async fn unclaimed(&self, created_before: Micros) -> Result<Vec<Grant>, Error> {
        let rows: Vec<Row> = on_pool!(self.pool, |c| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM grants WHERE state = 'active' AND claimed_at IS NULL AND created_at < $1 LIMIT 100"
        ))
        .bind(created_before)
        .fetch_all(c)
        .await)?;
        rows.into_iter().map(Grant::try_from).collect()
    }

    /// Active grants of a registration with a refresh token, last refreshed before `refreshed_before`.
    pub(crate) async fn idle(
        &self,
        registration: &RegistrationId,
        refreshed_before: Micros,
    ) -> Result<Vec<Grant>, Error> {
        let rows: Vec<Row> = on_pool!(self.pool, |c| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM grants WHERE state = 'active' AND refresh_sealed IS NOT NULL AND registration = $1 \
             AND refreshed_at < $2 ORDER BY refreshed_at LIMIT 100"
        ))
        .bind(registration.as_str())
        .bind(refreshed_before)
        .fetch_all(c)
        .await)?;
        rows.into_iter().map(Grant::try_from).collect()
    }

    /// Grants whose revocation at the EHR is due.
    pub(crate) async fn upstream_due(&self, now: Micros) -> Result<Vec<Grant>, Error> {
        let rows: Vec<Row> = on_pool!(self.pool, |c| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM grants WHERE upstream = 'pending' AND upstream_at <= $1 ORDER BY upstream_at LIMIT 100"
        ))
        .bind(now)
        .fetch_all(c)
        .await)?;
        rows.into_iter().map(Grant::try_from).collect()
    }

    /// Grants whose refresh was left behind by a dead process.
    pub(crate) async fn left_behind(&self) -> Result<Vec<Grant>, Error> {
        let statement = self.pool.sql(
            concat!(
                "SELECT ",
                columns!(),
                " FROM grants WHERE state = 'refreshing' AND lease_expires_at < COALESCE($1, ",
                server_now!(),
                ") LIMIT 100"
            ),
            concat!(
                "SELECT ",
                columns!(),
                " FROM grants WHERE state = 'refreshing' AND lease_expires_at < $1 LIMIT 100"
            ),
        );
        let rows: Vec<Row> =
            on_pool!(self.pool, |c| sqlx::query_as(statement).bind(self.lease_time()).fetch_all(c).await)?;
        rows.into_iter().map(Grant::try_from).collect()
    }

    /// Takes a due revocation for this process until `until`; `false` when another has it.
    pub(crate) async fn take_upstream(
        &self,
        id: GrantId,
        now: Micros,
        until: Micros,
    ) -> Result<bool, DbError> {
        let rows = on_pool!(self.pool, |c| sqlx::query(
            "UPDATE grants SET upstream_at = $3, upstream_attempts = upstream_attempts + 1 \
             WHERE grant_id = $1 AND upstream = 'pending' AND upstream_at <= $2"
        )
        .bind(id.uuid())
        .bind(now)
        .bind(until)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(rows == 1)
    }

    /// Notes how a revocation at the EHR went. When it is over, the sealed tokens are removed.
    pub(crate) async fn settle_upstream(
        &self,
        id: GrantId,
        outcome: Upstream,
        next: Micros,
    ) -> Result<(), DbError> {
        on_pool!(self.pool, |c| sqlx::query(
            "UPDATE grants SET upstream = $2, upstream_at = $3, \
             access_sealed = CASE WHEN $2 = 'pending' THEN access_sealed END, \
             refresh_sealed = CASE WHEN $2 = 'pending' THEN refresh_sealed END WHERE grant_id = $1"
        )
        .bind(id.uuid())
        .bind(outcome.as_str())
        .bind(next)
        .execute(c)
        .await
        .map(|_done| ()))
    }
}
