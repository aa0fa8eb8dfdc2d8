//! Wrapped data keys and sealed signing keys. Whoever stores first wins; the others use what is stored.

use sallyport_db::{Error as DbError, on_pool};
use sallyport_model::{Micros, RegistrationId, TenantId};
use uuid::Uuid;

use super::Store;

/// A signing key as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct StoredKey {
    /// Whose key: part of the associated data.
    pub(crate) tenant: String,
    /// Which data key it is sealed under.
    pub(crate) data_key_id: Uuid,
    /// PKCS#8, sealed.
    pub(crate) sealed: Vec<u8>,
}

/// A data key as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct WrappedKey {
    pub(crate) tenant: String,
    pub(crate) purpose: String,
    pub(crate) generation: i64,
    pub(crate) key_id: Uuid,
    pub(crate) wrapped: Vec<u8>,
    pub(crate) created_at: i64,
}

impl Store {
    /// Every data key, those of one tenant and purpose together, the oldest generation first. There are a few for each
    /// tenant.
    pub(crate) async fn data_keys(&self) -> Result<Vec<WrappedKey>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_as(
            "SELECT tenant, purpose, generation, key_id, wrapped, created_at FROM data_keys \
             ORDER BY tenant, purpose, generation"
        )
        .fetch_all(c)
        .await)
    }

    /// Stores another wrapping of a data key, if it is still wrapped as it was read.
    pub(crate) async fn replace_wrapping(&self, key: &WrappedKey, wrapped: &[u8]) -> Result<bool, DbError> {
        let rows = on_pool!(self.pool, |c| sqlx::query(
            "UPDATE data_keys SET wrapped = $2 WHERE key_id = $1 AND wrapped = $3"
        )
        .bind(key.key_id)
        .bind(wrapped)
        .bind(&key.wrapped)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(rows == 1)
    }

    /// Removes a data key that nothing is sealed under.
    pub(crate) async fn retire_data_key(&self, key: Uuid) -> Result<bool, DbError> {
        let rows = on_pool!(self.pool, |c| sqlx::query(
            "DELETE FROM data_keys WHERE key_id = $1 \
             AND NOT EXISTS (SELECT 1 FROM grants WHERE data_key_id = $1) \
             AND NOT EXISTS (SELECT 1 FROM signing_keys WHERE data_key_id = $1)"
        )
        .bind(key)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(rows == 1)
    }

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

    /// A data key by its id, for what an older one sealed.
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

    /// Stores a generation of a tenant's data key of a purpose, unless another process was faster.
    pub(crate) async fn add_data_key(
        &self,
        (tenant, purpose): (&TenantId, &str),
        generation: i64,
        key: (Uuid, &[u8]),
        now: Micros,
    ) -> Result<(), DbError> {
        on_pool!(self.always, |c| sqlx::query(
            "INSERT INTO data_keys (tenant, purpose, generation, key_id, wrapped, created_at) \
             VALUES ($1, $2, $6, $3, $4, $5) ON CONFLICT DO NOTHING"
        )
        .bind(tenant.as_str())
        .bind(purpose)
        .bind(key.0)
        .bind(key.1)
        .bind(now)
        .bind(generation)
        .execute(c)
        .await
        .map(|_done| ()))
    }

    /// A registration's stored signing key.
    pub(crate) async fn signing_key(
        &self,
        registration: &RegistrationId,
    ) -> Result<Option<StoredKey>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_as(
            "SELECT tenant, data_key_id, sealed FROM signing_keys WHERE registration = $1"
        )
        .bind(registration.as_str())
        .fetch_optional(c)
        .await)
    }

    /// Stores a registration's signing key, unless another process was faster.
    pub(crate) async fn add_signing_key(
        &self,
        registration: &RegistrationId,
        key: &StoredKey,
        now: Micros,
    ) -> Result<(), DbError> {
        on_pool!(self.pool, |c| sqlx::query(
            "INSERT INTO signing_keys (registration, tenant, data_key_id, sealed, created_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING"
        )
        .bind(registration.as_str())
        .bind(&key.tenant)
        .bind(key.data_key_id)
        .bind(&key.sealed)
        .bind(now)
        .execute(c)
        .await
        .map(|_done| ()))
    }

    /// Stores a signing key in place of `old`, unless another process was faster.
    pub(crate) async fn replace_signing_key(
        &self,
        registration: &RegistrationId,
        old: &StoredKey,
        key: &StoredKey,
        now: Micros,
    ) -> Result<(), DbError> {
        on_pool!(self.pool, |c| sqlx::query(
            "UPDATE signing_keys SET data_key_id = $1, sealed = $2, created_at = $3 \
             WHERE registration = $4 AND tenant = $5 AND sealed = $6"
        )
        .bind(key.data_key_id)
        .bind(&key.sealed)
        .bind(now)
        .bind(registration.as_str())
        .bind(&key.tenant)
        .bind(&old.sealed)
        .execute(c)
        .await
        .map(|_done| ()))
    }
}
