//! Rows that are sealed under a data key, read and written in batches while everything else goes on.

use sallyport_db::{Error as DbError, on_pool};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::Store;

/// How many rows one statement changes. Small, so that nobody waits long for any of them.
pub(crate) const BATCH: usize = 200;

/// The parameters of one row in a batch.
const PER_ROW: usize = 5;

/// A grant's sealed tokens with what is needed to open them.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct SealedRow {
    pub(crate) grant_id: Uuid,
    pub(crate) access_sealed: Option<Vec<u8>>,
    pub(crate) refresh_sealed: Option<Vec<u8>>,
}

/// A signing key sealed under a data key.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct SealedKeyRow {
    pub(crate) registration: String,
    pub(crate) sealed: Vec<u8>,
}

impl Store {
    /// The next grants under a data key.
    pub(crate) async fn grants_under(&self, key: Uuid, after: Uuid) -> Result<Vec<SealedRow>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_as(
            "SELECT grant_id, access_sealed, refresh_sealed FROM grants \
             WHERE data_key_id = $1 AND grant_id > $2 ORDER BY grant_id LIMIT $3"
        )
        .bind(key)
        .bind(after)
        .bind(i64::try_from(BATCH).unwrap_or(i64::MAX))
        .fetch_all(c)
        .await)
    }

    /// Replaces the sealed tokens of those rows that are still as they were read: pairs of old and new. How many.
    pub(crate) async fn reseal_grants(
        &self,
        from: Uuid,
        to: Uuid,
        pairs: &[(SealedRow, SealedRow)],
    ) -> Result<u64, DbError> {
        if pairs.is_empty() {
            return Ok(0);
        }
        let unchanged = match sallyport_model::planted!("reseal-overwrites") {
            false => {
                "AND grants.access_sealed IS NOT DISTINCT FROM v.column4 \
                 AND grants.refresh_sealed IS NOT DISTINCT FROM v.column5"
            }
            true => "",
        };
        // The columns of VALUES have these names on both databases.
        let text = format!(
            "UPDATE grants SET data_key_id = $2, access_sealed = v.column2, refresh_sealed = v.column3 \
             FROM (VALUES {}) AS v WHERE grants.grant_id = v.column1 AND grants.data_key_id = $1 {unchanged}",
            places(2, pairs.len())
        );
        on_pool!(self.pool, |c| {
            let mut query = sqlx::query(AssertSqlSafe(text.clone())).bind(from).bind(to);
            for (old, new) in pairs {
                query = query
                    .bind(old.grant_id)
                    .bind(new.access_sealed.as_deref())
                    .bind(new.refresh_sealed.as_deref())
                    .bind(old.access_sealed.as_deref())
                    .bind(old.refresh_sealed.as_deref());
            }
            query.execute(c).await.map(|done| done.rows_affected())
        })
    }

    /// The signing keys under a data key.
    pub(crate) async fn signing_keys_under(&self, key: Uuid) -> Result<Vec<SealedKeyRow>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_as(
            "SELECT registration, sealed FROM signing_keys WHERE data_key_id = $1 ORDER BY registration"
        )
        .bind(key)
        .fetch_all(c)
        .await)
    }

    /// Replaces a sealed signing key if it is still as it was read.
    pub(crate) async fn reseal_signing_key(
        &self,
        row: &SealedKeyRow,
        to: Uuid,
        sealed: &[u8],
    ) -> Result<bool, DbError> {
        let rows = on_pool!(self.pool, |c| {
            sqlx::query(
            "UPDATE signing_keys SET data_key_id = $2, sealed = $3 WHERE registration = $1 AND sealed = $4"
        )
        .bind(&row.registration)
        .bind(to)
        .bind(sealed)
        .bind(&row.sealed)
        .execute(c)
        .await
        .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }

    /// How many rows are sealed under a data key.
    pub(crate) async fn rows_under(&self, key: Uuid) -> Result<i64, DbError> {
        on_pool!(self.pool, |c| sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM grants WHERE data_key_id = $1) + \
             (SELECT count(*) FROM signing_keys WHERE data_key_id = $1)"
        )
        .bind(key)
        .fetch_one(c)
        .await)
    }
}

/// `($3, $4, …), (…)`: the places of a batch after `before` other parameters.
fn places(before: usize, rows: usize) -> String {
    let row = |row: usize| {
        let first = before + row * PER_ROW;
        let marks: Vec<String> = (1..=PER_ROW).map(|column| format!("${}", first + column)).collect();
        format!("({})", marks.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
