//! How long to wait before the next attempt: exponential, with full jitter.
//!
//! Full jitter (uniform between nothing and the ceiling) spreads the clients that failed at the same moment best;
//! the ceiling doubles up to a cap.

use std::time::Duration;

use crate::micros::micros;

/// Delays of a series of attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
}

impl Backoff {
    /// Ceilings `base`, 2 × `base`, 4 × `base`, … up to `cap`.
    pub const fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap }
    }

    /// The longest delay before attempt number `attempt`, counted from 0 for the first *re*try.
    pub fn ceiling(&self, attempt: u32) -> Duration {
        let factor = 1_u64.checked_shl(attempt).unwrap_or(u64::MAX);
        let wanted = u128::from(factor).saturating_mul(self.base.as_micros()).min(self.cap.as_micros());
        Duration::from_micros(u64::try_from(wanted).unwrap_or(u64::MAX))
    }

    /// The delay before retry number `attempt`: uniform in `0..=ceiling`, by a uniformly random `random`.
    pub fn delay(&self, attempt: u32, random: u64) -> Duration {
        let steps = u128::from(micros(self.ceiling(attempt)).unsigned_abs()) + 1;
        let chosen = (steps * u128::from(random)) >> 64;
        Duration::from_micros(u64::try_from(chosen).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(3));

    #[test]
    fn ceilings_double_up_to_the_cap() {
        let ceilings: Vec<u128> = (0..7).map(|n| BACKOFF.ceiling(n).as_millis()).collect();
        assert_eq!(ceilings, [100, 200, 400, 800, 1600, 3000, 3000]);
    }

    #[test]
    fn the_whole_range_is_used() {
        assert_eq!(BACKOFF.delay(3, 0), Duration::ZERO);
        assert_eq!(BACKOFF.delay(3, u64::MAX), Duration::from_millis(800));
        assert_eq!(BACKOFF.delay(3, u64::MAX / 2), Duration::from_millis(400));
    }

    proptest! {
        #[test]
        fn no_delay_exceeds_its_ceiling_nor_the_cap(
            base in 0_u64..u64::MAX, cap in 0_u64..u64::MAX, attempt: u32, random: u64,
        ) {
            let backoff = Backoff::new(Duration::from_millis(base), Duration::from_millis(cap));
            let delay = backoff.delay(attempt, random);
            prop_assert!(delay <= backoff.ceiling(attempt));
            prop_assert!(backoff.ceiling(attempt) <= Duration::from_millis(cap));
        }

        #[test]
        fn more_randomness_never_means_a_shorter_delay(attempt in 0_u32..40, a: u64, b: u64) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(BACKOFF.delay(attempt, low) <= BACKOFF.delay(attempt, high));
        }
    }
}
