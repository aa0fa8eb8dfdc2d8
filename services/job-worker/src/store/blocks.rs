//! Kill switches that stay set until somebody lifts them.

use sallyport_db::{Error as DbError, on_pool};

use super::Store;

impl Store {
    /// Whether nothing may start for this tenant or vendor.
    pub(crate) async fn is_blocked(&self, tenant: &str, vendor: &str) -> Result<bool, DbError> {
        let found: i64 = on_pool!(self.pool, |c| {
            sqlx::query_scalar(
            "SELECT count(*) FROM blocks WHERE (what = 'tenant' AND name = $1) OR (what = 'vendor' AND name = $2)"
        )
        .bind(tenant)
        .bind(vendor)
        .fetch_one(c)
        .await
        })?;
        Ok(found > 0)
    }

    /// Lets runs start again. `false` when there was no block.
    pub(crate) async fn unblock(&self, what: &str, name: &str) -> Result<bool, DbError> {
        let rows = on_pool!(self.pool, |c| sqlx::query("DELETE FROM blocks WHERE what = $1 AND name = $2")
            .bind(what)
            .bind(name)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(rows == 1)
    }
}
