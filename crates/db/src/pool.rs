//! A service's own database: opened without waiting for it, lent connection by connection, refused while it is known
//! to be away.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use sallyport_model::{Clock, Micros};
use sqlx::{
    PgPool, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    Error, Migrate, Tx,
    lent::{Lent, PostgresLent},
    state::{Admission, State},
};

/// How long a statement waits for a connection, or for SQLite's writer, before it is "unavailable".
const SQLITE_WAIT: Duration = Duration::from_secs(5);

/// SQLite connections: readers beside the one writer that WAL allows.
const SQLITE_CONNECTIONS: u32 = 4;

/// A connection that lay longer than this is asked whether it lives before it is lent: a restarted server or a
/// firewall may have ended it. Busy ones are not, which saves a round trip per statement.
const TRUST_IDLE: Duration = Duration::from_secs(1);

/// How long that question may take.
const TRUST_WAIT: Duration = Duration::from_secs(1);

/// How a server is used.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Who applies migrations.
    pub migrate: Migrate,
    /// Connections of this replica, one more for the watch ([`Pool::tend`]).
    pub connections: u32,
    /// How long a statement waits for a connection before it is "unavailable".
    pub wait: Duration,
    /// How long a statement may take, here and at the server. A connection that does not answer by then is given up,
    /// so that a network that swallows packets fails statements and not the process.
    pub statement: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            migrate: Migrate::AtStart,
            connections: 10,
            wait: Duration::from_secs(2),
            statement: Duration::from_secs(5),
        }
    }
}

/// A service's own database. Clones share connections and what is known about the database.
#[derive(Clone)]
pub struct Pool {
    handle: Handle,
    pub(crate) settings: Settings,
    pub(crate) state: Arc<State>,
    pub(crate) time: Time,
    pub(crate) schema: Option<Arc<str>>,
    admission: Admission,
}

/// The driver's pool.
#[derive(Clone, Debug)]
pub enum Handle {
    /// One file.
    Sqlite(SqlitePool),
    /// One schema.
    Postgres(PgPool),
}

/// Whose clock the database has.
#[derive(Clone)]
pub(crate) enum Time {
    /// The server's own.
    Server,
    /// That of whoever asks: a file has no clock, and a test without replicas has one clock only.
    OfCaller,
    /// A test's.
    Stated(Arc<dyn Clock>),
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
            .busy_timeout(SQLITE_WAIT);
        create_private(path).map_err(sqlx::Error::Io)?;
        let pool = SqlitePoolOptions::new().max_connections(SQLITE_CONNECTIONS).acquire_timeout(SQLITE_WAIT);
        let handle = Handle::Sqlite(pool.connect_with(options).await?);
        Ok(Self::over(handle, Settings::default(), Time::OfCaller, None))
    }

    /// With another policy for migrations.
    #[must_use]
    pub fn with_migrate(self, migrate: Migrate) -> Self {
        Self { settings: Settings { migrate, ..self.settings }, ..self }
    }

    /// A schema of this service's own on a server, which need not be there yet: statements are "unavailable" until it
    /// is. The schema is created by [`Pool::migrate`].
    ///
    /// # Errors
    /// When the URL or the schema's name is malformed.
    pub fn postgres(url: &str, schema: &str, settings: Settings) -> Result<Self, Error> {
        let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if schema.is_empty() || !schema.bytes().all(is_name) {
            return Err(Error::SchemaName);
        }
        let limit = settings.statement.as_millis().to_string();
        let options = url.parse::<PgConnectOptions>()?.options([
            ("search_path", schema),
            ("statement_timeout", &limit),
            ("idle_in_transaction_session_timeout", &limit),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(settings.connections)
            .acquire_timeout(settings.wait)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for < TRUST_IDLE {
                        return Ok(true);
                    }
                    let ping = tokio::time::timeout(TRUST_WAIT, sqlx::Connection::ping(connection));
                    ping.await.unwrap_or_else(|_late| Err(late())).map(|()| true)
                })
            });
        let handle = Handle::Postgres(pool.connect_lazy_with(options));
        Ok(Self::over(handle, settings, Time::Server, Some(schema.into())))
    }

    fn over(handle: Handle, settings: Settings, time: Time, schema: Option<Arc<str>>) -> Self {
        Self { handle, settings, state: Arc::default(), time, schema, admission: Admission::Careful }
    }

    /// The same database as another replica sees it: connections and knowledge of its own.
    pub fn replica(&self) -> Self {
        let handle = match &self.handle {
            Handle::Sqlite(pool) => {
                Handle::Sqlite(pool.options().clone().connect_lazy_with((*pool.connect_options()).clone()))
            }
            Handle::Postgres(pool) => {
                Handle::Postgres(pool.options().clone().connect_lazy_with((*pool.connect_options()).clone()))
            }
        };
        Self { handle, state: Arc::default(), ..self.clone() }
    }

    /// For work that must be finished or is safe at any time: it goes on while the clocks disagree
    /// ([`Missing::ClockSkew`](crate::Missing::ClockSkew)), such as storing a token that was just refreshed, or a revocation.
    #[must_use]
    pub fn regardless(&self) -> Self {
        Self { admission: Admission::Regardless, ..self.clone() }
    }

    /// For looking whether it can be used.
    pub(crate) fn unguarded(&self) -> Self {
        Self { admission: Admission::Unguarded, ..self.clone() }
    }

    /// In tests: the clock that stands for the server's own.
    #[must_use]
    pub fn with_database_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { time: Time::Stated(clock), ..self }
    }

    /// In tests: the database has whatever time its caller has.
    #[must_use]
    pub fn with_callers_clock(self) -> Self {
        Self { time: Time::OfCaller, ..self }
    }

    /// Undoes the two above.
    #[must_use]
    pub fn with_servers_clock(self) -> Self {
        Self { time: Time::Server, ..self }
    }

    /// What to bind where a statement needs the database's time: `COALESCE($n, …)` with
    /// [`server_now!`](crate::server_now) for the rest. Nothing where the server itself is to be asked.
    pub fn stated_time(&self, own: &dyn Clock) -> Option<Micros> {
        match &self.time {
            Time::Server => None,
            Time::OfCaller => Some(own.now()),
            Time::Stated(clock) => Some(clock.now()),
        }
    }

    /// Whether a statement would be tried.
    ///
    /// # Errors
    /// [`Error::Unready`].
    pub fn usable(&self) -> Result<(), Error> {
        self.state.admit(self.admission)
    }

    /// Begins a transaction that may write.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn begin(&self) -> Result<Tx, Error> {
        self.usable()?;
        match &self.handle {
            Handle::Sqlite(pool) => Ok(Tx::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?)),
            Handle::Postgres(pool) => {
                Ok(Tx::Postgres(crate::tx::PostgresTx::begin(self.lend_postgres(pool).await?).await?))
            }
        }
    }

    /// Lends a connection for one statement.
    ///
    /// # Errors
    /// When none can be had.
    #[doc(hidden)]
    pub async fn lend(&self) -> Result<Lent, Error> {
        self.usable()?;
        match &self.handle {
            Handle::Sqlite(pool) => Ok(Lent::Sqlite(pool.acquire().await?)),
            Handle::Postgres(pool) => Ok(Lent::Postgres(self.lend_postgres(pool).await?)),
        }
    }

    async fn lend_postgres(&self, pool: &PgPool) -> Result<PostgresLent, Error> {
        let connection = pool.acquire().await?;
        Ok(PostgresLent { connection, limit: self.settings.statement, is_lost: AtomicBool::new(false) })
    }

    /// The driver's pool, for what only one of the databases can do.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Picks the text for this database, where one text cannot serve both.
    pub fn sql(&self, postgres: &'static str, sqlite: &'static str) -> &'static str {
        match &self.handle {
            Handle::Sqlite(_) => sqlite,
            Handle::Postgres(_) => postgres,
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
        match &self.handle {
            Handle::Sqlite(pool) => pool.close().await,
            Handle::Postgres(pool) => pool.close().await,
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The driver's own text may hold the URL's password.
        f.write_str(self.sql("Pool(postgres)", "Pool(sqlite)"))
    }
}

/// What the driver says when nothing came.
fn late() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}

/// Creates the file readable for nobody else, before SQLite does; its log beside it inherits that.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
