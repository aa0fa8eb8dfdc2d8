//! Sealed signing keys, and data keys that nothing is sealed under. Whoever stores first wins; the others use what is stored.

use sallyport_db::{Error as DbError, on_pool};
use sallyport_model::{Micros, RegistrationId};
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

impl Store {
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
