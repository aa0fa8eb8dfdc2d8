//! Ending grants, and the gapless sequence that other services tail.

use sallyport_db::{Error as DbError, Tx, on_pool, on_tx};
use sallyport_model::{EndpointId, GrantId, LaunchId, Micros, RegistrationId, TenantId};
use sallyport_proto::{
    convert,
    types::v1::{RevocationEvent, revocation_event::What},
};
use uuid::Uuid;

use super::{Store, Upstream};
use crate::records::Whose;

/// How many rows one read gives.
const PAGE: i64 = 500;

/// A grant that was just revoked.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Revoked {
    /// Which.
    pub(crate) grant_id: Uuid,
    /// Whose launch.
    launch_id: Uuid,
    /// It is the registration's own.
    is_service: bool,
    /// At which endpoint.
    pub(crate) endpoint: String,
    /// By which registration.
    pub(crate) registration: String,
    /// When its access token dies by itself.
    pub(crate) access_expires_at: i64,
    /// `pending` where the EHR offers revocation.
    pub(crate) upstream: String,
}

impl Revoked {
    /// Whose it was.
    pub(crate) fn whose(&self) -> Whose {
        match self.is_service {
            false => Whose::Launch(LaunchId::from_uuid(self.launch_id)),
            true => Whose::Service,
        }
    }

    /// Whether the EHR is to be told.
    pub(crate) fn is_offered(&self) -> bool {
        self.upstream == Upstream::Pending.as_str()
    }
}

/// What to revoke, within one tenant.
#[derive(Debug, Clone)]
pub(crate) enum Which {
    /// One launch's grants.
    Launch(LaunchId),
    /// One grant.
    Grant(GrantId),
    /// A person's grants, by blind index.
    User([u8; 32]),
    /// All of the tenant's.
    Tenant,
    /// All at an endpoint.
    Endpoint(EndpointId),
    /// All that were given to a registration.
    Registration(RegistrationId),
}

impl Which {
    /// What its condition compares with.
    fn key(&self, tenant: &TenantId) -> Key {
        match self {
            Self::Launch(id) => Key::Id(id.uuid()),
            Self::Grant(id) => Key::Id(id.uuid()),
            Self::User(index) => Key::Bytes(index.to_vec()),
            Self::Tenant => Key::Text(tenant.as_str().to_owned()),
            Self::Endpoint(id) => Key::Text(id.as_str().to_owned()),
            Self::Registration(id) => Key::Text(id.as_str().to_owned()),
        }
    }
}

/// Grants of a selector in figures.
#[derive(Debug, Clone, Default, sqlx::FromRow)]
pub(crate) struct Figures {
    pub(crate) alive: i64,
    pub(crate) alive_of_services: i64,
    pub(crate) alive_offered: i64,
    pub(crate) revoked: i64,
    pub(crate) revoked_of_services: i64,
    pub(crate) confirmed: i64,
    pub(crate) pending: i64,
    pub(crate) failed: i64,
    pub(crate) not_offered: i64,
    pub(crate) without_token: i64,
    pub(crate) last_expires_at: i64,
}

/// The most ids of grants that are told.
const IDS: i64 = 1_000;

/// The statements that count, for one condition: figures, and the ids of persons' grants.
macro_rules! count {
    ($condition:literal) => {
        (
            concat!(
                "SELECT COALESCE(SUM(CASE WHEN state NOT IN ('revoked', 'dead') THEN 1 ELSE 0 END), 0) AS alive, \
                 COALESCE(SUM(CASE WHEN state NOT IN ('revoked', 'dead') AND service_scope IS NOT NULL THEN 1 ELSE 0 END), 0) \
                 AS alive_of_services, \
                 COALESCE(SUM(CASE WHEN state NOT IN ('revoked', 'dead') AND revocation_endpoint <> '' THEN 1 ELSE 0 END), 0) \
                 AS alive_offered, \
                 COALESCE(SUM(CASE WHEN state = 'revoked' THEN 1 ELSE 0 END), 0) AS revoked, \
                 COALESCE(SUM(CASE WHEN state = 'revoked' AND service_scope IS NOT NULL THEN 1 ELSE 0 END), 0) \
                 AS revoked_of_services, \
                 COALESCE(SUM(CASE WHEN state = 'revoked' AND upstream = 'done' THEN 1 ELSE 0 END), 0) AS confirmed, \
                 COALESCE(SUM(CASE WHEN state = 'revoked' AND upstream = 'pending' THEN 1 ELSE 0 END), 0) AS pending, \
                 COALESCE(SUM(CASE WHEN state = 'revoked' AND upstream = 'failed' THEN 1 ELSE 0 END), 0) AS failed, \
                 COALESCE(SUM(CASE WHEN state = 'revoked' AND upstream = 'not_offered' THEN 1 ELSE 0 END), 0) AS not_offered, \
                 COALESCE(SUM(CASE WHEN state = 'revoked' AND upstream = 'none' THEN 1 ELSE 0 END), 0) AS without_token, \
                 COALESCE(MAX(CASE WHEN state = 'revoked' AND upstream NOT IN ('done', 'none') THEN access_expires_at END), 0) \
                 AS last_expires_at \
                 FROM grants WHERE tenant = $1 AND (state <> 'revoked' OR ended_at >= $2) AND ",
                $condition
            ),
            concat!(
                "SELECT grant_id FROM grants WHERE tenant = $1 AND (state <> 'revoked' OR ended_at >= $2) \
                 AND service_scope IS NULL AND ",
                $condition,
                " ORDER BY grant_id LIMIT $4"
            ),
        )
    };
}

/// The statement that revokes, for one condition.
macro_rules! revoke {
    ($condition:literal) => {
        concat!(
            "UPDATE grants SET state = 'revoked', reason = $2, ended_at = $3, upstream_at = 0, upstream_attempts = 0, \
             upstream = CASE WHEN access_sealed IS NULL AND refresh_sealed IS NULL THEN 'none' \
             WHEN revocation_endpoint = '' THEN 'not_offered' ELSE 'pending' END, \
             access_sealed = CASE WHEN revocation_endpoint = '' THEN NULL ELSE access_sealed END, \
             refresh_sealed = CASE WHEN revocation_endpoint = '' THEN NULL ELSE refresh_sealed END \
             WHERE tenant = $1 AND state <> 'revoked' AND ",
            $condition,
            " RETURNING grant_id, launch_id, service_scope IS NOT NULL AS is_service, endpoint, registration, access_expires_at, upstream"
        )
    };
}

impl Store {
    /// Revokes at once: the rows and the sequence commit together. Revoking again finds nothing.
    pub(crate) async fn revoke(
        &self,
        tenant: &TenantId,
        which: &Which,
        reason: &str,
        now: Micros,
    ) -> Result<Vec<Revoked>, DbError> {
        let mut tx = self.always.begin().await?;
        lock_head(&mut tx).await?;
        let key = which.key(tenant);
        let statement = match which {
            Which::Launch(_) => revoke!("launch_id = $4"),
            Which::Grant(_) => revoke!("grant_id = $4"),
            Which::User(_) => revoke!("user_index = $4"),
            Which::Tenant => revoke!("tenant = $4"),
            Which::Endpoint(_) => revoke!("endpoint = $4"),
            Which::Registration(_) => revoke!("registration = $4"),
        };
        let revoked: Vec<Revoked> = match key {
            Key::Id(id) => on_tx!(tx, |c| sqlx::query_as(statement)
                .bind(tenant.as_str())
                .bind(reason)
                .bind(now)
                .bind(id)
                .fetch_all(c)
                .await)?,
            Key::Bytes(bytes) => on_tx!(tx, |c| sqlx::query_as(statement)
                .bind(tenant.as_str())
                .bind(reason)
                .bind(now)
                .bind(bytes)
                .fetch_all(c)
                .await)?,
            Key::Text(text) => on_tx!(tx, |c| sqlx::query_as(statement)
                .bind(tenant.as_str())
                .bind(reason)
                .bind(now)
                .bind(text)
                .fetch_all(c)
                .await)?,
        };
        if let Which::Launch(id) = which
            && !is_anothers(&mut tx, tenant, *id).await?
        {
            // Even without a grant: one that is being exchanged right now must not come alive afterwards.
            append(&mut tx, "launch", id.uuid(), now).await?;
        }
        for grant in &revoked {
            append(&mut tx, "grant", grant.grant_id, now).await?;
        }
        tx.commit().await?;
        Ok(revoked)
    }

    /// The grants that `which` covers and that are alive, or were revoked since then; with the ids of persons' grants.
    pub(crate) async fn figures(
        &self,
        tenant: &TenantId,
        which: &Which,
        since: Micros,
    ) -> Result<(Figures, Vec<Uuid>), DbError> {
        let (statement, ids) = match which {
            Which::Launch(_) => count!("launch_id = $3"),
            Which::Grant(_) => count!("grant_id = $3"),
            Which::User(_) => count!("user_index = $3"),
            Which::Tenant => count!("tenant = $3"),
            Which::Endpoint(_) => count!("endpoint = $3"),
            Which::Registration(_) => count!("registration = $3"),
        };
        let key = which.key(tenant);
        let figures = on_pool!(self.always, |c| {
            let query = sqlx::query_as(statement).bind(tenant.as_str()).bind(since);
            let query = match &key {
                Key::Id(id) => query.bind(*id),
                Key::Bytes(bytes) => query.bind(bytes.as_slice()),
                Key::Text(text) => query.bind(text.as_str()),
            };
            query.fetch_one(c).await
        })?;
        let is_told = matches!(which, Which::Launch(_) | Which::Grant(_) | Which::User(_));
        if !is_told {
            return Ok((figures, Vec::new()));
        }
        let ids = on_pool!(self.always, |c| {
            let query = sqlx::query_scalar(ids).bind(tenant.as_str()).bind(since);
            let query = match &key {
                Key::Id(id) => query.bind(*id),
                Key::Bytes(bytes) => query.bind(bytes.as_slice()),
                Key::Text(text) => query.bind(text.as_str()),
            };
            query.bind(IDS).fetch_all(c).await
        })?;
        Ok((figures, ids))
    }

    /// The rows after `after`, and the highest number they cover. The head is read first: a row committed between the
    /// two reads waits for the next page.
    pub(crate) async fn revocations_after(&self, after: i64) -> Result<(Vec<RevocationEvent>, i64), DbError> {
        let head: i64 =
            on_pool!(self.always, |c| sqlx::query_scalar("SELECT head FROM revocation_head WHERE id = 1")
                .fetch_one(c)
                .await)?;
        if head <= after {
            return Ok((Vec::new(), head));
        }
        let rows: Vec<(i64, String, Uuid)> = on_pool!(self.always, |c| sqlx::query_as(
            "SELECT sequence, kind, id FROM revocations WHERE sequence > $1 AND sequence <= $2 \
             ORDER BY sequence LIMIT $3",
        )
        .bind(after)
        .bind(head)
        .bind(PAGE)
        .fetch_all(c)
        .await)?;
        let is_cut = i64::try_from(rows.len()).unwrap_or(PAGE) == PAGE;
        let covered = rows.last().map_or(head, |(last, _, _)| if is_cut { *last } else { head });
        let events = rows.into_iter().map(|(sequence, kind, id)| {
            let id = convert::id_bytes(id);
            let what = if kind == "launch" { What::Launch(id) } else { What::Grant(id) };
            RevocationEvent { sequence, what: Some(what) }
        });
        Ok((events.collect(), covered))
    }
}

/// Whether a launch has its grants in another tenant: then it is not this one's to end, and is not told as ended.
async fn is_anothers(tx: &mut Tx, tenant: &TenantId, launch: LaunchId) -> Result<bool, DbError> {
    let theirs: i64 = on_tx!(*tx, |c| sqlx::query_scalar(
        "SELECT COUNT(*) FROM grants WHERE launch_id = $1 AND tenant <> $2"
    )
    .bind(launch.uuid())
    .bind(tenant.as_str())
    .fetch_one(c)
    .await)?;
    Ok(theirs > 0)
}

/// What a condition compares with.
enum Key {
    Id(Uuid),
    Bytes(Vec<u8>),
    Text(String),
}

/// Locks the head row until the commit. Taken first by whoever revokes and whoever stores a new grant, so that the two
/// see each other and cannot wait for each other.
pub(super) async fn lock_head(tx: &mut Tx) -> Result<(), DbError> {
    on_tx!(*tx, |c| sqlx::query("UPDATE revocation_head SET head = head WHERE id = 1")
        .execute(c)
        .await
        .map(|_done| ()))
}

/// Appends within the transaction that revokes.
async fn append(tx: &mut Tx, kind: &'static str, id: Uuid, now: Micros) -> Result<(), DbError> {
    let sequence: i64 = on_tx!(*tx, |c| sqlx::query_scalar(
        "UPDATE revocation_head SET head = head + 1 WHERE id = 1 RETURNING head"
    )
    .fetch_one(c)
    .await)?;
    on_tx!(*tx, |c| sqlx::query(
        "INSERT INTO revocations (sequence, kind, id, created_at) VALUES ($1, $2, $3, $4)"
    )
    .bind(sequence)
    .bind(kind)
    .bind(id)
    .bind(now)
    .execute(c)
    .await
    .map(|_done| ()))
}
