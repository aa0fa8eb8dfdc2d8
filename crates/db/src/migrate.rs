//! Migrations: twin folders with the same numbers and names, applied on a throw-away connection.

use sqlx::{Connection, migrate::Migrator};

use crate::{Error, Pool};

/// A service's migrations, `sqlx::migrate!("migrations/sqlite")` and its twin.
#[derive(Clone, Copy)]
pub struct Migrations {
    /// For SQLite.
    pub sqlite: &'static Migrator,
    /// For Postgres.
    pub postgres: &'static Migrator,
}

impl Pool {
    /// Applies what is missing. A failed run must not leave its advisory lock in the pool, so it uses a connection of
    /// its own and closes it. Migrations that a newer version of the program has applied are left alone: they only
    /// expand, and during a roll-out (or after a roll-back) the older program has to run on them.
    ///
    /// # Errors
    /// When a migration fails or was changed after it was applied.
    pub async fn migrate(&self, migrations: Migrations) -> Result<(), Error> {
        match self {
            Self::Sqlite(pool) => tolerant(migrations.sqlite).run(pool).await?,
            Self::Postgres(pool) => {
                let mut connection = pool.acquire().await?.detach();
                let result = tolerant(migrations.postgres).run(&mut connection).await;
                let closed = connection.close().await;
                result?;
                closed?;
            }
        }
        Ok(())
    }
}

/// The same migrations, for a database that may have more of them.
fn tolerant(migrations: &Migrator) -> Migrator {
    let mut migrator = Migrator::with_migrations(migrations.iter().cloned().collect());
    migrator.set_ignore_missing(true);
    migrator
}

/// Asserts that both databases have the same migrations, by number and name.
///
/// # Panics
/// When they differ.
pub fn assert_twins(migrations: Migrations) {
    let list = |m: &Migrator| m.iter().map(|m| (m.version, m.description.to_string())).collect::<Vec<_>>();
    assert_eq!(list(migrations.sqlite), list(migrations.postgres), "the migration folders are not twins");
}
