//! The rows of grants, keys and revocations, one SQL text for both databases. Rows stay private to this module and
//! become states that cannot be wrong.

mod grants;
mod keys;
mod leases;
mod resealing;
mod revocations;
mod rotations;
mod states;

use std::sync::Arc;

use sallyport_db::{Error as DbError, Migrations, Pool, on_pool, on_tx};
use sallyport_model::{Clock, Micros};

pub(crate) use grants::{Grant, NewGrant, Sealed};
pub(crate) use keys::StoredKey;
pub(crate) use leases::Renewed;
pub(crate) use resealing::{SealedKeyRow, SealedRow};
pub(crate) use revocations::{Revoked, Which};
pub(crate) use rotations::{Rotation, Wanted};
pub(crate) use states::{State, Upstream};

/// Both folders of migrations.
pub const MIGRATIONS: Migrations = Migrations {
    sqlite: &sqlx::migrate!("migrations/sqlite"),
    postgres: &sqlx::migrate!("migrations/postgres"),
};

/// This service's database.
#[derive(Clone)]
pub(crate) struct Store {
    pool: Pool,
    /// For what must be finished, or is safe, while the clocks disagree: storing what an EHR has already given,
    /// revocations and the reading of them.
    always: Pool,
    clock: Arc<dyn Clock>,
}

impl Store {
    /// Over a migrated pool.
    pub(crate) fn new(pool: Pool, clock: Arc<dyn Clock>) -> Self {
        Self { always: pool.regardless(), pool, clock }
    }

    /// Whether new work may begin.
    pub(crate) fn usable(&self) -> Result<(), DbError> {
        self.pool.usable()
    }

    /// What to bind for the time that leases go by: the database's, so that replicas with different clocks agree.
    fn lease_time(&self) -> Option<Micros> {
        self.pool.stated_time(self.clock.as_ref())
    }

    /// Removes what nobody needs any more: grants that ended long ago and are done with at the EHR, revocations older
    /// than any reader.
    pub(crate) async fn prune(&self, before: i64) -> Result<(), DbError> {
        let mut tx = self.pool.begin().await?;
        on_tx!(tx, |c| sqlx::query("DELETE FROM grants WHERE ended_at < $1 AND upstream <> 'pending'")
            .bind(before)
            .execute(c)
            .await
            .map(|_done| ()))?;
        on_tx!(tx, |c| sqlx::query("DELETE FROM revocations WHERE created_at < $1")
            .bind(before)
            .execute(c)
            .await
            .map(|_done| ()))?;
        tx.commit().await
    }

    /// How many rows a statement without a result touched.
    async fn count_of(&self, ended_state: State) -> Result<i64, DbError> {
        on_pool!(self.pool, |c| sqlx::query_scalar("SELECT count(*) FROM grants WHERE state = $1")
            .bind(ended_state.as_str())
            .fetch_one(c)
            .await)
    }

    /// How many grants wait for a person to launch again because an outcome is not known.
    pub(crate) async fn uncertain(&self) -> Result<i64, DbError> {
        self.count_of(State::Uncertain).await
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_databases_have_the_same_migrations() {
        sallyport_db::assert_twins(super::MIGRATIONS);
    }
}
