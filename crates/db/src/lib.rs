//! One store, two databases: a typed pool each for SQLite and Postgres behind [`Pool`] and [`Tx`], and the macros that
//! stamp one statement once per driver.
//!
//! Rules (docs/adr): the same SQL text with `$1` placeholders, UUID as UUID/BLOB, times as BIGINT microseconds, JSON as
//! TEXT, leases as rows, no LISTEN, arrays or advisory locks.

mod clock;
mod durable;
mod error;
mod lent;
mod migrate;
mod pool;
mod state;
mod tend;
pub mod testing;
mod tx;

pub use error::Error;
#[doc(hidden)]
pub use lent::{Lent, within};
pub use migrate::{Migrate, Migrations, assert_twins};
pub use pool::{Handle, Pool, Settings};
pub use sqlx;
pub use state::Missing;
pub use tend::Tending;
pub use tx::Tx;

/// The time of a Postgres server, in microseconds since the epoch, as SQL.
#[macro_export]
macro_rules! server_now {
    () => {
        "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
    };
}

/// Runs one statement in a transaction. What the body gives must be the same type for both drivers, so an `execute` is
/// mapped: `on_tx!(tx, |c| sqlx::query("… $1").bind(x).execute(c).await.map(|done| done.rows_affected()))`.
#[macro_export]
macro_rules! on_tx {
    ($tx:expr, |$conn:ident| $body:expr) => {
        match &mut $tx {
            $crate::Tx::Sqlite(inner) => {
                let $conn = &mut **inner;
                $body.map_err($crate::Error::from)
            }
            $crate::Tx::Postgres(inner) => match inner.lent() {
                Err(closed) => Err(closed),
                Ok(lent) => {
                    let limit = lent.limit();
                    let outcome = {
                        let $conn = lent.connection();
                        $crate::within(limit, async { $body }).await
                    };
                    lent.settle(&outcome);
                    outcome
                }
            },
        }
    };
}

/// Runs one statement on the pool, on its own: `on_pool!(pool, |c| sqlx::query_as::<_, Row>("…").fetch_all(c).await)`.
#[macro_export]
macro_rules! on_pool {
    ($pool:expr, |$conn:ident| $body:expr) => {
        match $pool.lend().await {
            Err(none) => Err(none),
            Ok($crate::Lent::Sqlite(mut lent)) => {
                let $conn = &mut *lent;
                $body.map_err($crate::Error::from)
            }
            Ok($crate::Lent::Postgres(mut lent)) => {
                let limit = lent.limit();
                let outcome = {
                    let $conn = lent.connection();
                    $crate::within(limit, async { $body }).await
                };
                lent.settle(&outcome);
                outcome
            }
        }
    };
}
