//! Kill switches that stay set until somebody lifts them.

use sallyport_db::{Error as DbError, on_pool};

use super::Store;

/// Everything by which a job can be kept from starting.
pub(crate) struct Blockable<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) vendor: &'a str,
    pub(crate) endpoint: &'a str,
    pub(crate) registration: &'a str,
}

impl Store {
    /// Whether nothing may start for this tenant, vendor, endpoint of the tenant, or registration.
    pub(crate) async fn is_blocked(&self, at: &Blockable<'_>) -> Result<bool, DbError> {
        let found: i64 = on_pool!(self.pool, |c| {
            sqlx::query_scalar(
            "SELECT count(*) FROM blocks WHERE (what = 'tenant' AND name = $1) OR (what = 'vendor' AND name = $2) \
             OR (what = 'endpoint' AND name = $3) OR (what = 'registration' AND name = $4)"
        )
        .bind(at.tenant)
        .bind(at.vendor)
        .bind(format!("{}/{}", at.tenant, at.endpoint))
        .bind(at.registration)
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
