//! Subjects: who records are about, found by blind index, with the keys that make their ids readable.

use sallyport_db::{Error, Tx, on_pool, on_tx};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Store,
    bulk::{marks, rows, rows_per_statement},
};

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
    /// In the column.
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Patient => 1,
            Self::User => 2,
            Self::Tenant => 3,
        }
    }

    /// The domain of the blind index: equal ids of different kinds have different indexes.
    pub(crate) fn domain(self) -> &'static str {
        match self {
            Self::Patient => "audit patient",
            Self::User => "audit user",
            Self::Tenant => "audit tenant",
        }
    }
}

/// A living subject with its key, sealed under the tenant's.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct SubjectRow {
    pub(crate) subject_id: Uuid,
    pub(crate) kind: i32,
    pub(crate) endpoint: String,
    pub(crate) blind: Vec<u8>,
    pub(crate) wrapped: Vec<u8>,
}

const COLUMNS: usize = 7;

impl Store {
    /// The tenant's living subjects with one of these blind indexes, at any endpoint.
    pub(crate) async fn living(
        tx: &mut Tx,
        tenant: &str,
        blinds: &[&[u8]],
    ) -> Result<Vec<SubjectRow>, Error> {
        let mut found = Vec::with_capacity(blinds.len());
        for blinds in blinds.chunks(rows_per_statement(1)) {
            let text = format!(
                "SELECT subject_id, kind, endpoint, blind, wrapped FROM subject_keys \
                 WHERE tenant = $1 AND kind IN (1, 2, 3) AND blind IN ({}) AND wrapped IS NOT NULL",
                marks(1, blinds.len())
            );
            let some: Vec<SubjectRow> = on_tx!(*tx, |c| {
                let mut query = sqlx::query_as(AssertSqlSafe(text.clone())).bind(tenant);
                for blind in blinds {
                    query = query.bind(*blind);
                }
                query.fetch_all(c).await
            })?;
            found.extend(some);
        }
        Ok(found)
    }

    /// Keeps new subjects. How many were new: fewer when another replica was faster with some.
    pub(crate) async fn keep_subjects(
        tx: &mut Tx,
        tenant: &str,
        subjects: &[SubjectRow],
        now: i64,
    ) -> Result<usize, Error> {
        let mut kept = 0;
        for some in subjects.chunks(rows_per_statement(COLUMNS)) {
            let text = format!(
                "INSERT INTO subject_keys (subject_id, tenant, kind, endpoint, blind, wrapped, created_at) \
                 VALUES {} ON CONFLICT DO NOTHING",
                rows(0, some.len(), COLUMNS)
            );
            let done = on_tx!(*tx, |c| {
                let mut query = sqlx::query(AssertSqlSafe(text.clone()));
                for row in some {
                    query = query
                        .bind(row.subject_id)
                        .bind(tenant)
                        .bind(row.kind)
                        .bind(row.endpoint.as_str())
                        .bind(row.blind.as_slice())
                        .bind(row.wrapped.as_slice())
                        .bind(now);
                }
                query.execute(c).await.map(|done| done.rows_affected())
            })?;
            kept += usize::try_from(done).unwrap_or(0);
        }
        Ok(kept)
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
        for ids in ids.chunks(rows_per_statement(1)) {
            let text = format!(
                "SELECT subject_id, wrapped FROM subject_keys WHERE wrapped IS NOT NULL AND subject_id IN ({})",
                marks(0, ids.len())
            );
            let some: Vec<(Uuid, Vec<u8>)> = on_pool!(self.pool, |c| {
                let mut query = sqlx::query_as(AssertSqlSafe(text.clone()));
                for id in ids {
                    query = query.bind(*id);
                }
                query.fetch_all(c).await
            })?;
            found.extend(some);
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
