//! One store, two databases: a typed pool each for SQLite and Postgres behind [`Pool`] and [`Tx`], and the macros that
//! stamp one statement once per driver.
//!
//! Rules (docs/adr): the same SQL text with `$1` placeholders, UUID as UUID/BLOB, times as BIGINT microseconds, JSON as
//! TEXT, leases as rows, no LISTEN, arrays or advisory locks.

mod error;
mod migrate;
mod pool;
pub mod testing;

pub use error::Error;
pub use migrate::{Migrations, assert_twins};
pub use pool::{Pool, Tx};
pub use sqlx;

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
            $crate::Tx::Postgres(inner) => {
                let $conn = &mut **inner;
                $body.map_err($crate::Error::from)
            }
        }
    };
}

/// Runs one statement on the pool, on its own: `on_pool!(pool, |c| sqlx::query_as::<_, Row>("…").fetch_all(c).await)`.
#[macro_export]
macro_rules! on_pool {
    ($pool:expr, |$conn:ident| $body:expr) => {
        match &$pool {
            $crate::Pool::Sqlite(inner) => {
                let $conn = inner;
                $body.map_err($crate::Error::from)
            }
            $crate::Pool::Postgres(inner) => {
                let $conn = inner;
                $body.map_err($crate::Error::from)
            }
        }
    };
}
