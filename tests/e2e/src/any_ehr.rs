//! EHRs that nobody here wrote, reached by configuration alone, and the life of what they grant: a SMART server with
//! other habits than our sandbox's, a second endpoint beside the first, tokens that expire and die, a killed process.

pub mod configuration;
pub mod foreign;
pub mod grants;
pub mod killed;
pub mod registering;
pub mod second_endpoint;
pub mod sessions;
pub mod walking;

use std::time::Duration;

use tokio::time::Instant;

/// Asks until the answer is there; the deadline is for a product that never gives it.
///
/// # Errors
/// What was still missing at the deadline.
pub async fn eventually<T, F, W>(what: &str, within: Duration, mut ask: F) -> anyhow::Result<T>
where
    F: FnMut() -> W,
    W: Future<Output = anyhow::Result<Option<T>>>,
{
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = ask().await? {
            return Ok(found);
        }
        anyhow::ensure!(Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
