//! Time as an argument: everything that asks "when" takes a [`Clock`], so that tests can turn it.

use std::sync::atomic::{AtomicI64, Ordering};

/// Microseconds since the Unix epoch: what databases and protobuf messages carry (Postgres keeps no more).
pub type Micros = i64;

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// Now, in microseconds since the epoch.
    fn now(&self) -> Micros;

    /// Now, in whole seconds since the epoch (JWT claims, cookies).
    fn now_seconds(&self) -> i64 {
        self.now().div_euclid(1_000_000)
    }
}

/// The machine's wall clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    fn now(&self) -> Micros {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A clock that a test sets and advances.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl TestClock {
    /// A clock standing at `micros`.
    pub fn at(micros: Micros) -> Self {
        Self(AtomicI64::new(micros))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: std::time::Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Micros {
        self.0.load(Ordering::SeqCst)
    }
}
