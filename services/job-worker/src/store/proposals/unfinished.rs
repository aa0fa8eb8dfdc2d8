//! How an approval ends, told by whoever approves or, later, by whoever finds it in the ledger.

use sallyport_db::{Error as DbError, on_pool};
use sallyport_model::Micros;
use uuid::Uuid;

use super::{State, Store, touched};
use crate::sealing::Sealed;

/// How many are listed at a time.
const PAGE: i64 = 200;

/// What came of an approval.
pub(crate) struct End<'a> {
    pub(crate) to: State,
    /// `applied`, `unknown`, `refused` or `conflict`.
    pub(crate) outcome: &'a str,
    pub(crate) code: &'a str,
    pub(crate) result: Option<Sealed>,
    /// It counts only while the row was last touched then.
    pub(crate) touched_at: Option<Micros>,
}

/// An approval whose end nobody told. No patient is in it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Unfinished {
    #[sqlx(rename = "proposal_id")]
    pub(crate) id: Uuid,
    pub(crate) tenant: String,
    pub(crate) endpoint: String,
    pub(crate) job: String,
    pub(crate) outcome: String,
    pub(crate) code: String,
    pub(crate) decided_at: Micros,
    #[sqlx(rename = "updated_at")]
    pub(crate) touched_at: Micros,
}

impl Store {
    /// Keeps what came of an approval. Once applied it stays so; and what the EHR has is not open, whoever opened it again
    /// meanwhile. What is not known leaves the row as last touched: it is no end.
    pub(crate) async fn settle(&self, proposal: Uuid, end: &End<'_>, now: Micros) -> Result<bool, DbError> {
        let rows = on_pool!(self.pool, |c| {
            sqlx::query(
            "UPDATE proposals SET state = $2, outcome = $3, code = $4, result_sealed = $5, result_key_id = $6, \
             updated_at = CASE WHEN $3 = 'unknown' THEN updated_at WHEN updated_at >= $7 THEN updated_at + 1 ELSE $7 END \
             WHERE proposal_id = $1 AND ($8 = 0 OR updated_at = $8) AND ((state = 'approved' AND outcome <> 'applied') \
             OR ($3 = 'applied' AND state IN ('open', 'expired', 'withdrawn')))"
        )
        .bind(proposal)
        .bind(end.to.as_str())
        .bind(end.outcome)
        .bind(end.code)
        .bind(end.result.as_ref().map(|sealed| &sealed.bytes))
        .bind(end.result.as_ref().map(|sealed| sealed.data_key))
        .bind(now)
        .bind(end.touched_at.unwrap_or(0))
        .execute(c)
        .await
        .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }

    /// An approval comes again: what was listed of it before counts no more.
    pub(crate) async fn touch_approval(&self, proposal: Uuid, now: Micros) -> Result<(), DbError> {
        on_pool!(self.pool, |c| sqlx::query(concat!(
            "UPDATE proposals SET ",
            touched!("$2"),
            " WHERE proposal_id = $1 AND state = 'approved'"
        ))
        .bind(proposal)
        .bind(now)
        .execute(c)
        .await
        .map(|_done| ()))
    }

    /// Approvals whose end is not known and that nobody has touched since, in the order of their ids.
    pub(crate) async fn unfinished(
        &self,
        touched_before: Micros,
        after: Uuid,
    ) -> Result<Vec<Unfinished>, DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query_as(
            "SELECT proposal_id, tenant, endpoint, job, outcome, code, decided_at, updated_at FROM proposals \
             WHERE state = 'approved' AND outcome <> 'applied' AND updated_at <= $1 AND proposal_id > $2 \
             ORDER BY proposal_id LIMIT $3"
        )
        .bind(touched_before)
        .bind(after)
        .bind(PAGE)
        .fetch_all(c)
        .await
        })
    }

    /// One of them, as it is now.
    pub(crate) async fn unfinished_one(
        &self,
        tenant: &str,
        proposal: Uuid,
    ) -> Result<Option<Unfinished>, DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query_as(
            "SELECT proposal_id, tenant, endpoint, job, outcome, code, decided_at, updated_at FROM proposals \
             WHERE proposal_id = $1 AND tenant = $2 AND state = 'approved' AND outcome <> 'applied'"
        )
        .bind(proposal)
        .bind(tenant)
        .fetch_optional(c)
        .await
        })
    }
}
