//! Pools and transactions of either database.

use std::{path::Path, time::Duration};

use sqlx::{
    PgPool, Postgres, Sqlite, SqlitePool, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::Error;

/// How long a statement waits for a connection, or for SQLite's writer, before it is "unavailable".
const WAIT: Duration = Duration::from_secs(5);

/// SQLite connections: readers beside the one writer that WAL allows.
const SQLITE_CONNECTIONS: u32 = 4;

/// Postgres connections of one service's replica.
const POSTGRES_CONNECTIONS: u32 = 10;

/// A service's own database.
#[derive(Clone, Debug)]
pub enum Pool {
    /// One file.
    Sqlite(SqlitePool),
    /// One schema.
    Postgres(PgPool),
}

/// A transaction; dropped without [`Tx::commit`] it is rolled back.
pub enum Tx {
    /// Begun IMMEDIATE, so that a late lock error cannot happen.
    Sqlite(Transaction<'static, Sqlite>),
    /// Read committed.
    Postgres(Transaction<'static, Postgres>),
}

impl Pool {
    /// Opens or creates a file: WAL, every commit synced.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn sqlite(path: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(WAIT);
        create_private(path).map_err(sqlx::Error::Io)?;
        let pool = SqlitePoolOptions::new().max_connections(SQLITE_CONNECTIONS).acquire_timeout(WAIT);
        Ok(Self::Sqlite(pool.connect_with(options).await?))
    }

    /// Connects to a server, in a schema of this service's own, which is created if needed.
    ///
    /// # Errors
    /// [`Error::NotDurable`] when the server would confirm commits that it could lose; driver errors.
    pub async fn postgres(url: &str, schema: &str) -> Result<Self, Error> {
        if schema.is_empty()
            || !schema.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        {
            return Err(Error::SchemaName);
        }
        let options: PgConnectOptions = url.parse::<PgConnectOptions>()?.options([("search_path", schema)]);
        let pool = PgPoolOptions::new().max_connections(POSTGRES_CONNECTIONS).acquire_timeout(WAIT);
        let pool = pool.connect_with(options).await?;
        create_schema(&pool, schema).await?;
        for setting in ["fsync", "synchronous_commit"] {
            let value: String =
                sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(&pool).await?;
            if value == "off" {
                return Err(Error::NotDurable(setting));
            }
        }
        Ok(Self::Postgres(pool))
    }

    /// Begins a transaction that may write.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn begin(&self) -> Result<Tx, Error> {
        match self {
            Self::Sqlite(pool) => Ok(Tx::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?)),
            Self::Postgres(pool) => Ok(Tx::Postgres(pool.begin().await?)),
        }
    }

    /// Picks the text for this database, where one text cannot serve both.
    pub fn sql(&self, postgres: &'static str, sqlite: &'static str) -> &'static str {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres(_) => postgres,
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        crate::on_pool!(*self, |c| sqlx::query("SELECT 1").execute(c).await.map(|_| ()))
    }

    /// Closes every connection.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// Creates the file readable for nobody else, before SQLite does; its log beside it inherits that.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Creates the schema where it is missing: a role that may not create one can be given one that exists. Two replicas
/// may do so at once, and then one of them meets the other's row.
async fn create_schema(pool: &PgPool, schema: &str) -> Result<(), Error> {
    let exists: bool =
        sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL").bind(schema).fetch_one(pool).await?;
    if exists {
        return Ok(());
    }
    let create = sqlx::AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {schema}"));
    match sqlx::query(create).execute(pool).await.map_err(Error::from) {
        Err(error) if !error.is_unique_violation() => Err(error),
        _ => Ok(()),
    }
}

impl Tx {
    /// Makes everything since `begin` durable.
    ///
    /// # Errors
    /// When it could not be committed; then nothing happened.
    pub async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Picks the text for this database, where one text cannot serve both.
    pub fn sql(&self, postgres: &'static str, sqlite: &'static str) -> &'static str {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres(_) => postgres,
        }
    }
}
