//! Subjects: who records are about, found by blind index, with the keys that make their ids readable.

use sallyport_db::{Error, Tx, on_pool, on_tx};
use uuid::Uuid;

use super::Store;

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SubjectKind {
    /// A patient at an endpoint.
    Patient,
    /// A user, by issuer and subject.
    User,
    /// The tenant's own, for ids that are nobody's.
    Tenant,
}

impl SubjectKind {
    /// In the column, and the domain of the blind index.
    fn number(self) -> i32 {
        match self {
            Self::Patient => 1,
            Self::User => 2,
            Self::Tenant => 3,
        }
    }

    pub(crate) fn domain(self) -> &'static str {
        match self {
            Self::Patient => "audit patient",
            Self::User => "audit user",
            Self::Tenant => "audit tenant",
        }
    }
}

/// A subject with its key, sealed under the tenant's.
pub(crate) struct SubjectRow {
    pub(crate) id: Uuid,
    pub(crate) tenant: String,
    pub(crate) kind: SubjectKind,
    pub(crate) endpoint: String,
    pub(crate) blind: Vec<u8>,
    pub(crate) wrapped: Vec<u8>,
}

/// How many ids one statement asks for.
const CHUNK: usize = 200;

impl Store {
    /// The living subject with that blind index, and its sealed key.
    pub(crate) async fn subject(
        tx: &mut Tx,
        tenant: &str,
        kind: SubjectKind,
        endpoint: &str,
        blind: &[u8],
    ) -> Result<Option<(Uuid, Vec<u8>)>, Error> {
        on_tx!(*tx, |c| {
            sqlx::query_as(
                "SELECT subject_id, wrapped FROM subject_keys \
                 WHERE tenant = $1 AND kind = $2 AND blind = $3 AND endpoint = $4 AND wrapped IS NOT NULL",
            )
            .bind(tenant)
            .bind(kind.number())
            .bind(blind)
            .bind(endpoint)
            .fetch_optional(c)
            .await
        })
    }

    /// Keeps a new subject; `false` when somebody was faster.
    pub(crate) async fn keep_subject(tx: &mut Tx, row: &SubjectRow, now: i64) -> Result<bool, Error> {
        on_tx!(*tx, |c| {
            sqlx::query(
                "INSERT INTO subject_keys (subject_id, tenant, kind, endpoint, blind, wrapped, created_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
            )
            .bind(row.id)
            .bind(row.tenant.as_str())
            .bind(row.kind.number())
            .bind(row.endpoint.as_str())
            .bind(row.blind.as_slice())
            .bind(row.wrapped.as_slice())
            .bind(now)
            .execute(c)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// The subjects with that blind index at any endpoint.
    pub(crate) async fn subjects(
        &self,
        tenant: &str,
        kind: SubjectKind,
        blind: &[u8],
    ) -> Result<Vec<Uuid>, Error> {
        on_pool!(self.pool, |c| {
            sqlx::query_scalar(
                "SELECT subject_id FROM subject_keys WHERE tenant = $1 AND kind = $2 AND blind = $3",
            )
            .bind(tenant)
            .bind(kind.number())
            .bind(blind)
            .fetch_all(c)
            .await
        })
    }

    /// The sealed keys of `ids` that still have one.
    pub(crate) async fn subject_keys(&self, ids: &[Uuid]) -> Result<Vec<(Uuid, Vec<u8>)>, Error> {
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let marks: Vec<_> = (1..=chunk.len()).map(|n| format!("${n}")).collect();
            let text = format!(
                "SELECT subject_id, wrapped FROM subject_keys WHERE wrapped IS NOT NULL AND subject_id IN ({})",
                marks.join(", ")
            );
            let rows: Vec<(Uuid, Vec<u8>)> = on_pool!(self.pool, |c| {
                let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text.clone()));
                for id in chunk {
                    query = query.bind(*id);
                }
                query.fetch_all(c).await
            })?;
            found.extend(rows);
        }
        Ok(found)
    }

    /// Destroys a subject's key and the index that leads to it. How many were destroyed.
    pub(crate) async fn destroy_subject(
        &self,
        tenant: &str,
        kind: SubjectKind,
        endpoint: &str,
        blind: &[u8],
        now: i64,
    ) -> Result<u64, Error> {
        on_pool!(self.pool, |c| {
            sqlx::query(
                "UPDATE subject_keys SET wrapped = NULL, blind = NULL, destroyed_at = $5 \
                 WHERE tenant = $1 AND kind = $2 AND blind = $3 AND endpoint = $4",
            )
            .bind(tenant)
            .bind(kind.number())
            .bind(blind)
            .bind(endpoint)
            .bind(now)
            .execute(c)
            .await
            .map(|done| done.rows_affected())
        })
    }
}
