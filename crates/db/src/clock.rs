//! How far a server's clock is from ours.

use std::time::Duration;

use sallyport_model::Clock;

use crate::{Error, Handle, Pool, server_now};

impl Pool {
    /// How far the server's clock is from `own`, at least: the time of the question itself is left out. A file has no
    /// clock of its own.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn clock_skew(&self, own: &dyn Clock) -> Result<Duration, Error> {
        let Handle::Postgres(pool) = self.handle() else { return Ok(Duration::ZERO) };
        let before = own.now();
        let theirs: i64 = sqlx::query_scalar(concat!("SELECT ", server_now!())).fetch_one(pool).await?;
        let nearest = theirs.clamp(before, own.now().max(before));
        Ok(Duration::from_micros(nearest.abs_diff(theirs)))
    }
}
