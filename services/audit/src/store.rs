//! The audit database: append-only records, subjects and their keys, quarantine. The only SQL of this service.

mod bulk;
mod keys;
mod leaves;
mod log;
mod read;
mod records;
mod reviews;

use std::sync::LazyLock;

use async_trait::async_trait;
use sallyport_data_keys::{Error as KeysError, WrappedKey, WrappedKeys};
use sallyport_db::{Error, Migrations, Pool, Tx, on_pool};
use sqlx::migrate::Migrator;
use uuid::Uuid;

use crate::domain::PURPOSE;

pub(crate) use keys::{SubjectKind, SubjectRow};
pub(crate) use leaves::leaf_of;
pub(crate) use read::{ActivityRow, After, CountRow, Filter};
pub(crate) use records::{Poison, Row};

static SQLITE: LazyLock<Migrator> = LazyLock::new(|| sqlx::migrate!("./migrations/sqlite"));
static POSTGRES: LazyLock<Migrator> = LazyLock::new(|| sqlx::migrate!("./migrations/postgres"));

/// This service's migrations.
pub fn migrations() -> Migrations {
    Migrations { sqlite: &SQLITE, postgres: &POSTGRES }
}

/// A tenant's data key as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct TenantKey {
    pub(crate) tenant: String,
    pub(crate) key_id: Uuid,
    pub(crate) wrapped: Vec<u8>,
    pub(crate) created_at: i64,
}

/// The database of this service.
#[derive(Clone)]
pub(crate) struct Store {
    pool: Pool,
}

impl Store {
    pub(crate) fn new(pool: Pool) -> Self {
        Self { pool }
    }

    pub(crate) async fn begin(&self) -> Result<Tx, Error> {
        self.pool.begin().await
    }

    /// The tenant's wrapped data key and its id.
    pub(crate) async fn tenant_key(&self, tenant: &str) -> Result<Option<(Uuid, Vec<u8>)>, Error> {
        on_pool!(self.pool, |c| {
            sqlx::query_as("SELECT key_id, wrapped FROM tenant_keys WHERE tenant = $1")
                .bind(tenant)
                .fetch_optional(c)
                .await
        })
    }

    /// Every tenant's data key.
    pub(crate) async fn tenant_keys(&self) -> Result<Vec<TenantKey>, Error> {
        on_pool!(self.pool, |c| {
            sqlx::query_as("SELECT tenant, key_id, wrapped, created_at FROM tenant_keys ORDER BY tenant")
                .fetch_all(c)
                .await
        })
    }

    /// Keeps a tenant's first data key; an earlier one stays.
    pub(crate) async fn keep_tenant_key(
        &self,
        tenant: &str,
        key_id: Uuid,
        wrapped: &[u8],
        now: i64,
    ) -> Result<(), Error> {
        on_pool!(self.pool, |c| {
            sqlx::query(
                "INSERT INTO tenant_keys (tenant, key_id, wrapped, created_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (tenant) DO NOTHING",
            )
            .bind(tenant)
            .bind(key_id)
            .bind(wrapped)
            .bind(now)
            .execute(c)
            .await
            .map(|_done| ())
        })
    }
}

#[async_trait]
impl WrappedKeys for Store {
    async fn all(&self) -> Result<Vec<WrappedKey>, KeysError> {
        let keys = self.tenant_keys().await?.into_iter().map(|key| WrappedKey {
            tenant: key.tenant,
            purpose: PURPOSE.to_owned(),
            // A tenant has one for ever: it keys the blind indexes.
            generation: 1,
            key_id: key.key_id,
            wrapped: key.wrapped,
            created_at: key.created_at,
        });
        Ok(keys.collect())
    }

    async fn replace_wrapping(&self, key: &WrappedKey, wrapped: &[u8]) -> Result<bool, KeysError> {
        let rows = on_pool!(self.pool, |c| {
            sqlx::query("UPDATE tenant_keys SET wrapped = $3 WHERE tenant = $1 AND wrapped = $2")
                .bind(&key.tenant)
                .bind(&key.wrapped)
                .bind(wrapped)
                .execute(c)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }
}
