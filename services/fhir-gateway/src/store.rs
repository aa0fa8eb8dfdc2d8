//! This service's database, one SQL text for both kinds: the write ledger and its keys. Reads of charts never touch it.

mod capability;
mod writes;

use std::sync::Arc;

use sallyport_db::{Migrations, Pool};
use sallyport_model::{Clock, Micros};

pub(crate) use capability::KeptFinding;
pub(crate) use writes::{Aim, End, Finding, LedgerError, NewWrite, State, Write};

/// Both folders of migrations.
pub const MIGRATIONS: Migrations = Migrations {
    sqlite: &sqlx::migrate!("migrations/sqlite"),
    postgres: &sqlx::migrate!("migrations/postgres"),
};

/// This service's database.
#[derive(Clone)]
pub(crate) struct Database {
    pool: Pool,
    /// For what must be kept while the clocks disagree: how a write ended.
    always: Pool,
    clock: Arc<dyn Clock>,
}

impl Database {
    /// Over a migrated pool.
    pub(crate) fn new(pool: Pool, clock: Arc<dyn Clock>) -> Self {
        Self { always: pool.regardless(), pool, clock }
    }

    /// What to bind for the time that leases go by: the database's, so that replicas with different clocks agree.
    fn lease_time(&self) -> Option<Micros> {
        self.pool.stated_time(self.clock.as_ref())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_databases_have_the_same_migrations() {
        sallyport_db::assert_twins(super::MIGRATIONS);
    }
}
