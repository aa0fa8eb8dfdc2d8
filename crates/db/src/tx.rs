//! Transactions of either database.

use std::sync::atomic::Ordering;

use sqlx::{Executor, Sqlite, Transaction};

use crate::{
    Error,
    lent::{PostgresLent, within},
};

/// A transaction; dropped without [`Tx::commit`] it is rolled back.
pub enum Tx {
    /// Begun IMMEDIATE, so that a late lock error cannot happen.
    Sqlite(Transaction<'static, Sqlite>),
    /// Read committed.
    Postgres(PostgresTx),
}

/// A transaction at a server, each of its statements bounded.
pub struct PostgresTx {
    /// Empty only while it is dropped.
    lent: Option<PostgresLent>,
    is_over: bool,
}

impl PostgresTx {
    pub(crate) async fn begin(mut lent: PostgresLent) -> Result<Self, Error> {
        let limit = lent.limit;
        let begun = within(limit, lent.connection().execute("BEGIN")).await;
        lent.settle(&begun);
        begun?;
        Ok(Self { lent: Some(lent), is_over: false })
    }

    /// To run one statement on.
    ///
    /// # Errors
    /// Never before the drop.
    #[doc(hidden)]
    pub fn lent(&mut self) -> Result<&mut PostgresLent, Error> {
        self.lent.as_mut().ok_or(Error::Driver(sqlx::Error::PoolClosed))
    }

    async fn commit(mut self) -> Result<(), Error> {
        let lent = self.lent()?;
        let limit = lent.limit;
        let committed = within(limit, lent.connection().execute("COMMIT")).await;
        lent.settle(&committed);
        committed?;
        self.is_over = true;
        Ok(())
    }
}

impl Drop for PostgresTx {
    fn drop(&mut self) {
        let Some(mut lent) = self.lent.take() else { return };
        if self.is_over || lent.is_lost.load(Ordering::Relaxed) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            lent.is_lost.store(true, Ordering::Relaxed);
            return;
        };
        runtime.spawn(async move {
            let limit = lent.limit;
            let done = within(limit, lent.connection().execute("ROLLBACK")).await;
            // A connection that could not roll back is closed, and the server rolls back.
            lent.is_lost.store(done.is_err(), Ordering::Relaxed);
        });
    }
}

impl Tx {
    /// Makes everything since `begin` durable.
    ///
    /// # Errors
    /// When it could not be committed; then nothing happened, unless the connection was lost while the server was
    /// committing ([`Error::is_unavailable`]): what was written must be looked up before it is written again.
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
