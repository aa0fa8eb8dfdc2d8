//! Migrations: twin folders with the same numbers and names, applied on a throw-away connection, by whom the policy
//! says.

use sqlx::{
    Connection, PgConnection,
    migrate::{MigrateError, Migrator},
    postgres::PgConnectOptions,
};

use crate::{Error, Handle, Missing, Pool, on_pool};

/// A service's migrations, `sqlx::migrate!("migrations/sqlite")` and its twin.
#[derive(Clone, Copy)]
pub struct Migrations {
    /// For SQLite.
    pub sqlite: &'static Migrator,
    /// For Postgres.
    pub postgres: &'static Migrator,
}

/// Who applies migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrate {
    /// Whichever replica starts first.
    AtStart,
    /// An operator, by a command and perhaps with another role; a service that finds some missing waits, not ready.
    Refuse,
}

impl Pool {
    /// Brings the schema to what this program needs: applies what is missing, or refuses where the policy is that
    /// somebody else does. Migrations that a newer version of the program has applied are left alone: they only expand,
    /// and during a roll-out (or after a roll-back) the older program has to run on them.
    ///
    /// # Errors
    /// [`Error::MigrationsPending`]; when a migration fails or was changed after it was applied.
    pub async fn migrate(&self, migrations: Migrations) -> Result<(), Error> {
        let outcome = match self.settings.migrate {
            Migrate::AtStart => self.apply(migrations).await,
            Migrate::Refuse => match self.pending(migrations).await {
                Ok(0) => Ok(()),
                Ok(count) => Err(Error::MigrationsPending(count)),
                Err(error) => Err(error),
            },
        };
        self.state.prepared(match &outcome {
            Ok(()) => Ok(()),
            Err(Error::MigrationsPending(count)) => Err(Missing::MigrationsPending(*count)),
            Err(_other) => Err(Missing::Unprepared),
        });
        outcome
    }

    /// [`Pool::migrate`] for a service's start: a database that is away, or waits for its migrations, is no reason to
    /// give up. Statements are refused and the service is not ready until [`Pool::tend`] has found it prepared.
    ///
    /// # Errors
    /// What waiting does not cure.
    pub async fn prepare(&self, migrations: Migrations) -> Result<(), Error> {
        match self.migrate(migrations).await {
            Err(error) if error.is_unavailable() => {
                tracing::warn!(reason = "unavailable", "the service starts without its database");
                Ok(())
            }
            Err(Error::MigrationsPending(count)) => {
                tracing::error!(
                    count,
                    "migrations are pending, the service is not ready until they are applied"
                );
                Ok(())
            }
            other => other,
        }
    }

    /// Applies what is missing, whatever the policy: for the operator's command. A failed run must not leave its
    /// advisory lock in the pool, so it uses a connection of its own and closes it.
    ///
    /// # Errors
    /// When a migration fails or was changed after it was applied.
    pub async fn apply(&self, migrations: Migrations) -> Result<(), Error> {
        match self.handle() {
            Handle::Sqlite(pool) => {
                let mut connection = pool.acquire().await?;
                tolerant(migrations.sqlite).run_direct(None, &mut *connection, false).await?;
            }
            Handle::Postgres(pool) => {
                // However long a migration takes, and however long another replica's does that this one waits for.
                let unhurried: PgConnectOptions = (*pool.connect_options())
                    .clone()
                    .options([("statement_timeout", "0"), ("idle_in_transaction_session_timeout", "0")]);
                let connecting =
                    tokio::time::timeout(self.settings.statement, PgConnection::connect_with(&unhurried));
                let mut connection = connecting.await.map_err(|_late| Error::Late)??;
                let result = async {
                    if let Some(schema) = &self.schema {
                        create_schema(&mut connection, schema).await?;
                    }
                    crate::durable::check(&mut connection).await?;
                    tolerant(migrations.postgres)
                        .run_direct(None, &mut connection, false)
                        .await
                        .map_err(Error::from)
                }
                .await;
                let closed = connection.close().await;
                result?;
                closed?;
            }
        }
        Ok(())
    }

    /// How many migrations the schema lacks.
    ///
    /// # Errors
    /// When one was changed after it was applied, or failed half-way; driver errors.
    pub async fn pending(&self, migrations: Migrations) -> Result<usize, Error> {
        if let Handle::Postgres(pool) = self.handle() {
            let mut connection = pool.acquire().await?;
            crate::durable::check(&mut connection).await?;
        }
        let pool = self.unguarded();
        let is_there: bool = on_pool!(pool, |c| sqlx::query_scalar(self.sql(
            "SELECT to_regclass('_sqlx_migrations') IS NOT NULL",
            "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations')"
        ))
        .fetch_one(c)
        .await)?;
        let applied: Vec<(i64, Vec<u8>, bool)> = if is_there {
            on_pool!(pool, |c| sqlx::query_as("SELECT version, checksum, success FROM _sqlx_migrations")
                .fetch_all(c)
                .await)?
        } else {
            Vec::new()
        };
        let wanted = match self.handle() {
            Handle::Sqlite(_) => migrations.sqlite,
            Handle::Postgres(_) => migrations.postgres,
        };
        let mut missing = 0;
        for migration in wanted.iter() {
            match applied.iter().find(|(version, _, _)| *version == migration.version) {
                None => missing += 1,
                Some((version, _, false)) => return Err(MigrateError::Dirty(*version).into()),
                Some((version, checksum, true)) if *checksum != *migration.checksum => {
                    return Err(MigrateError::VersionMismatch(*version).into());
                }
                Some(_) => {}
            }
        }
        Ok(missing)
    }
}

/// The same migrations, for a database that may have more of them.
fn tolerant(migrations: &Migrator) -> Migrator {
    let mut migrator = Migrator::with_migrations(migrations.iter().cloned().collect());
    migrator.set_ignore_missing(true);
    migrator
}

/// Creates the schema where it is missing: a role that may not create one can be given one that exists. Two replicas
/// may do so at once, and then one of them meets the other's row.
async fn create_schema(connection: &mut PgConnection, schema: &str) -> Result<(), Error> {
    let exists: bool = sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL")
        .bind(schema)
        .fetch_one(&mut *connection)
        .await?;
    if exists {
        return Ok(());
    }
    let create = sqlx::AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {schema}"));
    match sqlx::query(create).execute(connection).await.map_err(Error::from) {
        Err(error) if !error.is_unique_violation() => Err(error),
        _ => Ok(()),
    }
}

/// Asserts that both databases have the same migrations, by number and name.
///
/// # Panics
/// When they differ.
pub fn assert_twins(migrations: Migrations) {
    let list = |m: &Migrator| m.iter().map(|m| (m.version, m.description.to_string())).collect::<Vec<_>>();
    assert_eq!(list(migrations.sqlite), list(migrations.postgres), "the migration folders are not twins");
}
