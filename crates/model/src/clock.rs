//! Time as an argument: everything that asks "when" takes a [`Clock`], so that tests can turn it.

use std::sync::atomic::{AtomicI64, Ordering};

/// Microseconds since the Unix epoch: what databases and protobuf messages carry (Postgres keeps no more).
pub type Micros = i64;

/// A moment as people and reports read it: RFC 3339 in UTC, with what there is of a second. Empty for one beyond the years
/// that have four digits.
pub fn moment(micros: Micros) -> String {
    jiff::Timestamp::from_microsecond(micros).map(|at| at.to_string()).unwrap_or_default()
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_utc_and_one_beyond_all_years_not_at_all() {
        assert_eq!(moment(1_790_000_000_000_000), "2026-09-21T14:13:20Z");
        assert_eq!(moment(1_790_000_000_250_000), "2026-09-21T14:13:20.25Z");
        assert_eq!(moment(i64::MAX), "");
    }
}
