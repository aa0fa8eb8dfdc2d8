//! Wrapped data keys. Whoever stores first wins; the others use what is stored.

use sallyport_db::{Error as DbError, on_pool};
use sallyport_model::{Micros, TenantId};
use uuid::Uuid;

use super::Database;

impl Database {
    /// The data key that seals now, with its wrapped form.
    pub(crate) async fn current_data_key(
        &self,
        tenant: &TenantId,
        purpose: &str,
    ) -> Result<Option<(Uuid, Vec<u8>)>, DbError> {
        on_pool!(self.always, |c| sqlx::query_as(
            "SELECT key_id, wrapped FROM data_keys WHERE tenant = $1 AND purpose = $2 \
             ORDER BY generation DESC LIMIT 1"
        )
        .bind(tenant.as_str())
        .bind(purpose)
        .fetch_optional(c)
        .await)
    }

    /// A data key by its id.
    pub(crate) async fn data_key(
        &self,
        tenant: &TenantId,
        purpose: &str,
        key: Uuid,
    ) -> Result<Option<Vec<u8>>, DbError> {
        on_pool!(self.always, |c| sqlx::query_scalar(
            "SELECT wrapped FROM data_keys WHERE tenant = $1 AND purpose = $2 AND key_id = $3"
        )
        .bind(tenant.as_str())
        .bind(purpose)
        .bind(key)
        .fetch_optional(c)
        .await)
    }

    /// Stores a tenant's first data key of a purpose, unless another process was faster.
    pub(crate) async fn add_data_key(
        &self,
        tenant: &TenantId,
        purpose: &str,
        key: (Uuid, &[u8]),
        now: Micros,
    ) -> Result<(), DbError> {
        on_pool!(self.always, |c| sqlx::query(
            "INSERT INTO data_keys (tenant, purpose, generation, key_id, wrapped, created_at) \
             VALUES ($1, $2, 1, $3, $4, $5) ON CONFLICT DO NOTHING"
        )
        .bind(tenant.as_str())
        .bind(purpose)
        .bind(key.0)
        .bind(key.1)
        .bind(now)
        .execute(c)
        .await
        .map(|_done| ()))
    }
}
