//! The table `data_keys`. Whoever stores first wins; the others use what is stored.

use async_trait::async_trait;
use sallyport_db::{Error as DbError, Pool, on_pool};
use sallyport_model::{Micros, TenantId};
use uuid::Uuid;

use crate::{Error, WrappedKeys};

/// A data key as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct WrappedKey {
    /// Whose values it seals.
    pub tenant: String,
    /// What for.
    pub purpose: String,
    /// 1 for the first; a successor has one more.
    pub generation: i64,
    /// Names it where it has sealed something.
    pub key_id: Uuid,
    /// As the key-encryption key wrapped it.
    pub wrapped: Vec<u8>,
    /// When it was made.
    pub created_at: Micros,
}

/// The table in a service's database.
#[derive(Clone)]
pub struct KeyTable {
    pool: Pool,
}

impl KeyTable {
    /// Keys are read and made while the clocks disagree too: what must be kept then has to be sealed.
    pub fn new(pool: &Pool) -> Self {
        Self { pool: pool.regardless() }
    }

    /// Every data key, those of one tenant and purpose together, the oldest generation first. There are a few for each
    /// tenant.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn all(&self) -> Result<Vec<WrappedKey>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_as(
            "SELECT tenant, purpose, generation, key_id, wrapped, created_at FROM data_keys \
             ORDER BY tenant, purpose, generation"
        )
        .fetch_all(c)
        .await)
    }

    /// The data key that seals now, with its wrapped form.
    pub(crate) async fn current(
        &self,
        tenant: &TenantId,
        purpose: &str,
    ) -> Result<Option<(Uuid, Vec<u8>)>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_as(
            "SELECT key_id, wrapped FROM data_keys WHERE tenant = $1 AND purpose = $2 \
             ORDER BY generation DESC LIMIT 1"
        )
        .bind(tenant.as_str())
        .bind(purpose)
        .fetch_optional(c)
        .await)
    }

    /// A data key by its id, for what an older one sealed.
    pub(crate) async fn by_id(
        &self,
        tenant: &TenantId,
        purpose: &str,
        key: Uuid,
    ) -> Result<Option<Vec<u8>>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_scalar(
            "SELECT wrapped FROM data_keys WHERE tenant = $1 AND purpose = $2 AND key_id = $3"
        )
        .bind(tenant.as_str())
        .bind(purpose)
        .bind(key)
        .fetch_optional(c)
        .await)
    }

    /// Stores a generation of a tenant's data key of a purpose, unless another process was faster.
    pub(crate) async fn add(
        &self,
        (tenant, purpose): (&TenantId, &str),
        generation: i64,
        key: (Uuid, &[u8]),
        now: Micros,
    ) -> Result<(), DbError> {
        on_pool!(self.pool, |c| sqlx::query(
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
}

#[async_trait]
impl WrappedKeys for KeyTable {
    async fn all(&self) -> Result<Vec<WrappedKey>, Error> {
        Ok(Self::all(self).await?)
    }

    async fn replace_wrapping(&self, key: &WrappedKey, wrapped: &[u8]) -> Result<bool, Error> {
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
}
