//! Links and sessions of those who use the console.

use sallyport_db::{Error, on_pool, on_tx};
use sallyport_model::{
    Micros, TenantId,
    operator::{Role, Tenants},
};
use uuid::Uuid;

use super::{Store, malformed};

/// The most sessions that are listed.
const LISTED: i64 = 500;

/// How tenants stand in a row when it is all of them; no tenant has that name.
const ALL: &str = "*";

/// For whom a link is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) tenants: Tenants,
}

/// A session at the console.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OperatorSession {
    pub(crate) id: Uuid,
    pub(crate) person: Person,
    /// How it was opened: a word of ours.
    pub(crate) opened_by: String,
    pub(crate) created_at: Micros,
    pub(crate) last_active_at: Micros,
    pub(crate) absolute_expires_at: Micros,
    pub(crate) is_ended: bool,
}

type PersonRow = (String, String, String);

#[derive(sqlx::FromRow)]
struct Row {
    session_id: Uuid,
    name: String,
    role: String,
    tenants: String,
    opened_by: String,
    created_at: Micros,
    last_active_at: Micros,
    absolute_expires_at: Micros,
    ended_at: Option<Micros>,
}

const COLUMNS: &str = "session_id, name, role, tenants, opened_by, created_at, last_active_at, \
                       absolute_expires_at, ended_at";

fn person((name, role, tenants): PersonRow) -> Result<Person, Error> {
    let tenants = match tenants.as_str() {
        ALL => Tenants::All,
        names => Tenants::Some(
            names
                .split_whitespace()
                .map(|name| TenantId::parse(name).map_err(|_alphabet| malformed("tenants")))
                .collect::<Result<_, _>>()?,
        ),
    };
    Ok(Person { name, role: Role::parse(&role).ok_or_else(|| malformed("role"))?, tenants })
}

fn tenants_text(tenants: &Tenants) -> String {
    match tenants {
        Tenants::All => ALL.to_owned(),
        Tenants::Some(names) => names.iter().map(TenantId::as_str).collect::<Vec<_>>().join(" "),
    }
}

impl TryFrom<Row> for OperatorSession {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.session_id,
            person: person((row.name, row.role, row.tenants))?,
            opened_by: row.opened_by,
            created_at: row.created_at,
            last_active_at: row.last_active_at,
            absolute_expires_at: row.absolute_expires_at,
            is_ended: row.ended_at.is_some(),
        })
    }
}

impl Store {
    /// Keeps a link.
    pub(crate) async fn keep_link(
        &self,
        digest: &[u8; 32],
        person: &Person,
        (now, expires_at): (Micros, Micros),
    ) -> Result<(), Error> {
        let tenants = tenants_text(&person.tenants);
        on_pool!(self.pool, |c| sqlx::query(
            "INSERT INTO operator_links (link_digest, name, role, tenants, created_at, expires_at, used_at) \
             VALUES ($1, $2, $3, $4, $5, $6, NULL)"
        )
        .bind(digest.as_slice())
        .bind(&person.name)
        .bind(person.role.as_str())
        .bind(&tenants)
        .bind(now)
        .bind(expires_at)
        .execute(c)
        .await
        .map(|_done| ()))
    }

    /// For whom a link is that can still be used.
    pub(crate) async fn link(&self, digest: &[u8; 32], now: Micros) -> Result<Option<Person>, Error> {
        let row: Option<PersonRow> = on_pool!(self.pool, |c| sqlx::query_as(
            "SELECT name, role, tenants FROM operator_links \
             WHERE link_digest = $1 AND used_at IS NULL AND expires_at > $2"
        )
        .bind(digest.as_slice())
        .bind(now)
        .fetch_optional(c)
        .await)?;
        row.map(person).transpose()
    }

    /// Uses a link up and opens the session, in one transaction; `None` where somebody was faster, or it is too old.
    pub(crate) async fn open_by_link(
        &self,
        link: &[u8; 32],
        (id, secret): (Uuid, &[u8; 32]),
        (now, absolute_expires_at): (Micros, Micros),
    ) -> Result<Option<OperatorSession>, Error> {
        let mut tx = self.pool.begin().await?;
        let row: Option<PersonRow> = on_tx!(tx, |c| sqlx::query_as(
            "UPDATE operator_links SET used_at = $2 \
             WHERE link_digest = $1 AND used_at IS NULL AND expires_at > $2 RETURNING name, role, tenants"
        )
        .bind(link.as_slice())
        .bind(now)
        .fetch_optional(c)
        .await)?;
        let Some(row) = row else { return Ok(None) };
        let session = OperatorSession {
            id,
            person: person(row)?,
            opened_by: "link".to_owned(),
            created_at: now,
            last_active_at: now,
            absolute_expires_at,
            is_ended: false,
        };
        let tenants = tenants_text(&session.person.tenants);
        on_tx!(tx, |c| {
            sqlx::query(
            "INSERT INTO operator_sessions (session_id, secret_digest, name, role, tenants, opened_by, created_at, \
             last_active_at, absolute_expires_at, ended_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, NULL)"
        )
        .bind(id)
        .bind(secret.as_slice())
        .bind(&session.person.name)
        .bind(session.person.role.as_str())
        .bind(&tenants)
        .bind(&session.opened_by)
        .bind(now)
        .bind(absolute_expires_at)
        .execute(c)
        .await
        .map(|_done| ())
        })?;
        tx.commit().await?;
        Ok(Some(session))
    }

    /// The session that a secret opens, ended or not.
    pub(crate) async fn operator_session(&self, secret: &[u8; 32]) -> Result<Option<OperatorSession>, Error> {
        let text = format!("SELECT {COLUMNS} FROM operator_sessions WHERE secret_digest = $1");
        let row: Option<Row> = on_pool!(self.always, |c| sqlx::query_as(sqlx::AssertSqlSafe(text.clone()))
            .bind(secret.as_slice())
            .fetch_optional(c)
            .await)?;
        row.map(OperatorSession::try_from).transpose()
    }

    /// A person did something there. Told late, the newer time stays.
    pub(crate) async fn touch_operator(&self, id: Uuid, now: Micros) -> Result<(), Error> {
        on_pool!(self.pool, |c| sqlx::query(
            "UPDATE operator_sessions SET last_active_at = $2 \
             WHERE session_id = $1 AND last_active_at < $2 AND ended_at IS NULL"
        )
        .bind(id)
        .bind(now)
        .execute(c)
        .await
        .map(|_done| ()))
    }

    /// Sessions that nobody ended and whose longest time is not over, the newest first.
    pub(crate) async fn operator_sessions(&self, now: Micros) -> Result<Vec<OperatorSession>, Error> {
        let text = format!(
            "SELECT {COLUMNS} FROM operator_sessions WHERE ended_at IS NULL AND absolute_expires_at > $1 \
             ORDER BY created_at DESC, session_id DESC LIMIT $2"
        );
        let rows: Vec<Row> = on_pool!(self.always, |c| sqlx::query_as(sqlx::AssertSqlSafe(text.clone()))
            .bind(now)
            .bind(LISTED)
            .fetch_all(c)
            .await)?;
        rows.into_iter().map(OperatorSession::try_from).collect()
    }

    /// Ends one session; whether it was open.
    pub(crate) async fn end_operator(&self, id: Uuid, now: Micros) -> Result<bool, Error> {
        let rows = on_pool!(self.always, |c| sqlx::query(
            "UPDATE operator_sessions SET ended_at = $2 WHERE session_id = $1 AND ended_at IS NULL"
        )
        .bind(id)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    /// Ends every session of a name that lives, and uses up the links that were made for it; how many sessions that were.
    pub(crate) async fn end_operators_named(
        &self,
        name: &str,
        (now, idle_since): (Micros, Micros),
    ) -> Result<u64, Error> {
        let mut tx = self.always.begin().await?;
        let ended = on_tx!(tx, |c| sqlx::query(
            "UPDATE operator_sessions SET ended_at = $2 WHERE name = $1 AND ended_at IS NULL \
             AND absolute_expires_at > $2 AND last_active_at > $3"
        )
        .bind(name)
        .bind(now)
        .bind(idle_since)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
        on_tx!(tx, |c| sqlx::query(
            "UPDATE operator_links SET used_at = $2 WHERE name = $1 AND used_at IS NULL"
        )
        .bind(name)
        .bind(now)
        .execute(c)
        .await
        .map(|_done| ()))?;
        tx.commit().await?;
        Ok(ended)
    }
}
