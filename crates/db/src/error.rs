//! What a database can answer, by what a caller can do about it.

use std::fmt;

use sallyport_model::Code;
use sqlx::{error::DatabaseError, migrate::MigrateError, postgres::PgDatabaseError, sqlite::SqliteError};

use crate::Missing;

/// A failed statement. Neither its text nor its `Debug` repeats a value from a row; the driver's own words are only in
/// [`source`](std::error::Error::source), for the operator who starts a process.
#[derive(thiserror::Error)]
pub enum Error {
    /// From the driver.
    #[error("the database refused a statement")]
    Driver(#[from] sqlx::Error),
    /// From a migration.
    #[error("a migration failed")]
    Migrate(#[from] MigrateError),
    /// The server does not keep what it has confirmed.
    #[error("the database runs with {0} off, so a commit would not be durable")]
    NotDurable(&'static str),
    /// So many migrations have to be applied first, by somebody else.
    #[error("{0} migrations are pending, apply them with sallyport migrate")]
    MigrationsPending(usize),
    /// The database is known not to be usable now, so the statement was not tried.
    #[error("the database cannot be used now: {0}")]
    Unready(Missing),
    /// The server did not answer within the statement's limit.
    #[error("the database did not answer in time")]
    Late,
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
            Self::Unready(_) | Self::Late => true,
            Self::Migrate(MigrateError::Execute(error)) => is_away(error),
            Self::Driver(error) => is_away(error),
            _ => false,
        }
    }

    /// The stable code for whoever is refused because of it.
    pub fn code(&self) -> Code {
        match self {
            Self::Unready(missing) => missing.code(),
            _ if self.is_unavailable() => Code::DependencyDown,
            _ => Code::Internal,
        }
    }
}

/// Whether the database could not be reached or was busy.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(e) => is_passing(e.as_ref()),
        _ => false,
    }
}

/// Whether the same statement could succeed later.
fn is_passing(error: &dyn DatabaseError) -> bool {
    let Some(code) = error.code() else { return false };
    if error.try_downcast_ref::<SqliteError>().is_some() {
        // The low byte is the primary code: BUSY, LOCKED, IOERR, FULL, CANTOPEN (sqlite.org/rescode.html).
        return code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13 | 14));
    }
    // Connection, rollback to resolve a conflict, resources, shut down, ended by a time limit (Postgres, appendix A).
    ["08", "40", "53", "57P", "57014", "25P03", "55P03"].iter().any(|class| code.starts_with(class))
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver(error) => {
                f.write_str("Driver(")?;
                describe(error, f)?;
            }
            Self::Migrate(MigrateError::Execute(error)) => {
                f.write_str("Migrate(")?;
                describe(error, f)?;
            }
            Self::Migrate(MigrateError::ExecuteMigration(error, version)) => {
                write!(f, "Migrate(version {version}, ")?;
                describe(error, f)?;
            }
            Self::Migrate(error) => write!(f, "Migrate({error:?}")?,
            Self::NotDurable(setting) => write!(f, "NotDurable({setting}")?,
            Self::MigrationsPending(count) => write!(f, "MigrationsPending({count}")?,
            Self::Unready(missing) => write!(f, "Unready({missing:?}")?,
            Self::Late => return f.write_str("Late"),
            Self::SchemaName => return f.write_str("SchemaName"),
        }
        f.write_str(")")
    }
}

/// Postgres' words on a failed row quote its values, a decoding error may too. Its class 42 (and SQLite's code 1) is
/// about the statement, whose text is ours.
fn describe(error: &sqlx::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        sqlx::Error::Database(e) => {
            let code = e.code().unwrap_or_default();
            let is_about_the_statement = match e.try_downcast_ref::<PgDatabaseError>() {
                Some(_) => code.starts_with("42"),
                None => code == "1",
            };
            write!(f, "code {code}")?;
            if let Some(constraint) = e.constraint() {
                write!(f, ", constraint {constraint}")?;
            }
            if is_about_the_statement {
                write!(f, ", {:?}", e.message())?;
            }
            Ok(())
        }
        sqlx::Error::ColumnDecode { index, .. } => write!(f, "column {index} cannot be decoded"),
        sqlx::Error::Decode(_) => f.write_str("a value cannot be decoded"),
        sqlx::Error::Encode(_) => f.write_str("a value cannot be encoded"),
        sqlx::Error::Configuration(_) => f.write_str("the database URL is malformed"),
        other => write!(f, "{other:?}"),
    }
}
