//! What a database can answer, by what a caller can do about it.

/// A failed statement. The text is the driver's: for operators, never for clients.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// From the driver.
    #[error("the database refused a statement")]
    Driver(#[from] sqlx::Error),
    /// From a migration.
    #[error("a migration failed")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The server does not keep what it has confirmed.
    #[error("the database runs with {0} off, so a commit would not be durable")]
    NotDurable(&'static str),
    /// Names of schemas are ours, not input.
    #[error("not a schema name")]
    SchemaName,
}

impl Error {
    /// A row with that key exists.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Driver(sqlx::Error::Database(e)) if e.is_unique_violation())
    }

    /// Trying again later can help: the server is away, full or busy.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Driver(
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed,
            ) => true,
            // 5 SQLITE_BUSY, 6 SQLITE_LOCKED, 13 SQLITE_FULL; 53… insufficient resources, 57P0… shutdown, 08… connection.
            Self::Driver(sqlx::Error::Database(e)) => e.code().is_some_and(|code| {
                matches!(code.as_ref(), "5" | "6" | "13")
                    || ["53", "57P", "08", "40"].iter().any(|class| code.starts_with(class))
            }),
            _ => false,
        }
    }
}
