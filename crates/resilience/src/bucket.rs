//! A token bucket for one upstream, with a part that only interactive work may use.
//!
//! Arithmetic is exact: a permit costs as many units as there are microseconds in the rate's period, and every
//! microsecond adds as many units as the rate has permits.

use std::time::Duration;

use sallyport_model::Micros;

use crate::{
    Priority,
    micros::{after, micros, until},
};

/// So many permits in so long, and how many may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Permits per period; 0 means none, ever.
    pub permits: u32,
    /// The period.
    pub per: Duration,
    /// The most that may be taken at once after a pause.
    pub burst: u32,
}

/// The bucket.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    rate: Rate,
    /// Whole permits that background work must leave for interactive work.
    reserve: u32,
    units: u128,
    counted_at: Micros,
    /// Set by an upstream that said when to come back; then nothing passes before.
    paused_until: Micros,
}

impl TokenBucket {
    /// A full bucket whose last `reserve` permits are for interactive work alone.
    pub fn new(rate: Rate, reserve: u32, now: Micros) -> Self {
        let mut bucket = Self { rate, reserve, units: 0, counted_at: now, paused_until: Micros::MIN };
        bucket.units = bucket.capacity();
        bucket
    }

    /// Takes `permits`, or says how long until they could be there if nobody else takes any.
    ///
    /// # Errors
    /// The time to wait; [`Duration::MAX`] when it can never be (more than the bucket holds).
    pub fn take(&mut self, priority: Priority, permits: u32, now: Micros) -> Result<(), Duration> {
        self.refill(now);
        let pause = until(self.paused_until, now);
        let needed = self.cost(permits).saturating_add(match priority {
            Priority::Interactive => 0,
            Priority::Background => self.cost(self.reserve),
        });
        if needed > self.capacity() {
            return Err(Duration::MAX);
        }
        if needed > self.units {
            return Err(pause.max(self.time_for(needed - self.units)));
        }
        if !pause.is_zero() {
            return Err(pause);
        }
        self.units -= self.cost(permits);
        Ok(())
    }

    /// The upstream refused with a time to come back (already capped, see [`retry_after`](crate::retry_after)):
    /// nothing passes until then, and what had been saved up is gone, so that the return is not a burst.
    pub fn pause(&mut self, wait: Duration, now: Micros) {
        self.refill(now);
        self.paused_until = self.paused_until.max(after(now, wait));
        self.units = 0;
    }

    fn refill(&mut self, now: Micros) {
        // A clock that went back adds nothing and takes nothing.
        let elapsed = u128::try_from(now.saturating_sub(self.counted_at)).unwrap_or(0);
        self.counted_at = self.counted_at.max(now);
        let added = elapsed.saturating_mul(self.rate.permits.into());
        self.units = self.units.saturating_add(added).min(self.capacity());
    }

    fn cost(&self, permits: u32) -> u128 {
        u128::from(micros(self.rate.per).unsigned_abs().max(1)) * u128::from(permits)
    }

    fn capacity(&self) -> u128 {
        self.cost(self.rate.burst)
    }

    fn time_for(&self, units: u128) -> Duration {
        match self.rate.permits {
            0 => Duration::MAX,
            permits => {
                Duration::from_micros(u64::try_from(units.div_ceil(permits.into())).unwrap_or(u64::MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEN_A_SECOND: Rate = Rate { permits: 10, per: Duration::from_secs(1), burst: 5 };

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let mut bucket = TokenBucket::new(TEN_A_SECOND, 0, 0);
        for _ in 0..5 {
            assert_eq!(bucket.take(Priority::Interactive, 1, 0), Ok(()));
        }
        assert_eq!(bucket.take(Priority::Interactive, 1, 0), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(Priority::Interactive, 1, 99_999), Err(Duration::from_micros(1)));
        assert_eq!(bucket.take(Priority::Interactive, 1, 100_000), Ok(()));
    }

    #[test]
    fn background_work_leaves_the_reserve() {
        let mut bucket = TokenBucket::new(TEN_A_SECOND, 3, 0);
        assert_eq!(bucket.take(Priority::Background, 1, 0), Ok(()));
        assert_eq!(bucket.take(Priority::Background, 1, 0), Ok(()));
        assert_eq!(bucket.take(Priority::Background, 1, 0), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(Priority::Interactive, 3, 0), Ok(()));
    }

    #[test]
    fn a_pause_holds_everybody_and_ends_without_a_burst() {
        let mut bucket = TokenBucket::new(TEN_A_SECOND, 0, 0);
        bucket.pause(Duration::from_secs(2), 0);
        assert_eq!(bucket.take(Priority::Interactive, 1, 1_000_000), Err(Duration::from_secs(1)));
        bucket.pause(Duration::from_secs(1), 1_999_950);
        assert_eq!(
            bucket.take(Priority::Interactive, 5, 2_999_950),
            Ok(()),
            "one second at ten a second fills the five"
        );
    }

    #[test]
    fn what_can_never_be_says_so() {
        let mut bucket = TokenBucket::new(TEN_A_SECOND, 5, 0);
        assert_eq!(bucket.take(Priority::Interactive, 6, 0), Err(Duration::MAX));
        assert_eq!(bucket.take(Priority::Background, 1, 0), Err(Duration::MAX), "the reserve is everything");
    }

    #[test]
    fn a_rate_of_nothing_permits_nothing_after_the_burst() {
        let none = Rate { permits: 0, per: Duration::from_secs(1), burst: 1 };
        let mut bucket = TokenBucket::new(none, 0, 0);
        assert_eq!(bucket.take(Priority::Interactive, 1, 0), Ok(()));
        assert_eq!(bucket.take(Priority::Interactive, 1, i64::MAX), Err(Duration::MAX));
    }

    proptest! {
        #[test]
        fn never_more_than_burst_plus_rate_passes(
            permits in 1_u32..1_000,
            burst in 1_u32..100,
            steps in proptest::collection::vec((0_i64..50_000, any::<bool>()), 1..300),
        ) {
            let rate = Rate { permits, per: Duration::from_secs(1), burst };
            let mut bucket = TokenBucket::new(rate, 0, 0);
            let (mut now, mut passed) = (0_i64, 0_u128);
            for (step, interactive) in steps {
                now += step;
                let priority = if interactive { Priority::Interactive } else { Priority::Background };
                passed += u128::from(bucket.take(priority, 1, now).is_ok());
            }
            let allowed = u128::from(burst) + u128::from(now.unsigned_abs()) * u128::from(permits) / 1_000_000;
            prop_assert!(passed <= allowed, "{passed} of {allowed}");
        }

        #[test]
        fn waiting_as_told_is_enough(permits in 1_u32..1_000, burst in 1_u32..50, drained in 0_u32..50) {
            let rate = Rate { permits, per: Duration::from_secs(1), burst };
            let mut bucket = TokenBucket::new(rate, 0, 0);
            for _ in 0..drained {
                let _maybe_refused = bucket.take(Priority::Interactive, 1, 0);
            }
            if let Err(wait) = bucket.take(Priority::Interactive, 1, 0) {
                let then = i64::try_from(wait.as_micros()).unwrap();
                prop_assert!(bucket.take(Priority::Interactive, 1, then - 1).is_err());
                prop_assert!(bucket.take(Priority::Interactive, 1, then).is_ok());
            }
        }
    }
}
