//! A store of short-lived values and permits: a cache and a limiter, never the only copy of a truth.
//!
//! A trait because two adapters differ in kind: this process's memory, a shared server for several replicas.
//! Nothing is stored here that would be a secret in the clear: a shared server is outside the house.

mod gcra;
mod in_process;
mod redis;

use std::time::Duration;

pub use in_process::InProcess;
pub use redis::{Redis, Settings, SettingsError};

/// Why the store did not answer. Callers go on without it, more carefully.
#[derive(Debug, thiserror::Error)]
#[error("the key-value store does not answer")]
pub struct Unavailable;

/// How fast something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Permits given back in each `per`; 0 allows nothing.
    pub permits: u32,
    /// The span in which they come back.
    pub per: Duration,
    /// How many may be taken at once after a pause.
    pub burst: u32,
}

/// What a limiter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Go on.
    Allowed,
    /// Not before this much time has passed; [`Duration::MAX`] when never.
    RetryAfter(Duration),
}

/// The port.
#[async_trait::async_trait]
pub trait Kv: Send + Sync + 'static {
    /// The value of a key, unless it expired.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable>;

    /// Sets a value that expires by itself, or sooner when room is needed.
    async fn set(&self, key: &str, value: Vec<u8>, ttl: Duration) -> Result<(), Unavailable>;

    /// Forgets a key.
    async fn delete(&self, key: &str) -> Result<(), Unavailable>;

    /// Takes one permit of a key's rate (generic cell rate algorithm).
    async fn permit(&self, key: &str, rate: Rate) -> Result<Permit, Unavailable> {
        self.permits(key, rate, 1).await
    }

    /// Takes `count` permits together or none of them: a replica leases some and spends them without asking again.
    async fn permits(&self, key: &str, rate: Rate, count: u32) -> Result<Permit, Unavailable>;
}
