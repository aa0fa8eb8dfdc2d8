//! A connection lent for one statement, and the bound on what it may take.

use std::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sqlx::{PgConnection, Postgres, Sqlite, pool::PoolConnection};

use crate::Error;

/// What [`on_pool!`](crate::on_pool) works on.
pub enum Lent {
    /// Of a file: the kernel answers.
    Sqlite(PoolConnection<Sqlite>),
    /// Of a server: it may not.
    Postgres(PostgresLent),
}

/// A server's connection. One that did not answer in time is closed, not given back: a late answer would be taken for
/// the next statement's, and a test of it would wait as long again.
pub struct PostgresLent {
    pub(crate) connection: PoolConnection<Postgres>,
    pub(crate) limit: Duration,
    pub(crate) is_lost: AtomicBool,
}

impl PostgresLent {
    /// To run one statement on.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// How long a statement may take.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Gives up the connection where the statement was not answered.
    pub fn settle<T>(&self, outcome: &Result<T, Error>) {
        if matches!(outcome, Err(Error::Late)) {
            self.is_lost.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for PostgresLent {
    fn drop(&mut self) {
        if self.is_lost.load(Ordering::Relaxed) {
            self.connection.close_on_drop();
        }
    }
}

/// Runs a statement for at most `limit`: the server ends it by then too (`statement_timeout`), but a server that
/// cannot be reached says nothing.
///
/// # Errors
/// [`Error::Late`]; the driver's.
pub async fn within<T>(
    limit: Duration,
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Error> {
    // A little longer than the server's own limit, so that its answer is heard.
    match tokio::time::timeout(limit + limit / 4, statement).await {
        Ok(outcome) => outcome.map_err(Error::from),
        Err(_late) => Err(Error::Late),
    }
}
