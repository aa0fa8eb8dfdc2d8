//! The sandbox's own clock: the system's time plus an offset that tests may push forward, so that expiry
//! of codes and tokens can be shown without waiting.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// Wall clock with an adjustable offset.
#[derive(Debug)]
pub struct Clock {
    offset_seconds: AtomicI64,
}

impl Clock {
    /// A clock that shows the system's time.
    #[must_use]
    pub fn system() -> Self {
        Self { offset_seconds: AtomicI64::new(0) }
    }

    /// The current instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let offset = SignedDuration::from_secs(self.offset_seconds.load(Ordering::Relaxed));
        let now = Timestamp::now();
        now.checked_add(offset).unwrap_or(now)
    }

    /// The current instant in whole seconds since the epoch, as JWTs count.
    #[must_use]
    pub fn now_seconds(&self) -> i64 {
        self.now().as_second()
    }

    /// Moves the clock forward (or back) by `seconds`; returns the whole offset.
    pub fn advance(&self, seconds: i64) -> i64 {
        let add = |old: i64| Some(old.saturating_add(seconds));
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let old = self.offset_seconds.fetch_update(set, fetch, add).unwrap_or_default();
        old.saturating_add(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advancing_moves_the_shown_time_by_that_much() {
        let clock = Clock::system();
        let before = clock.now_seconds();
        assert_eq!(clock.advance(90), 90);
        assert_eq!(clock.advance(10), 100);
        let moved = clock.now_seconds() - before;
        assert!((100..105).contains(&moved), "moved {moved} s");
    }
}
