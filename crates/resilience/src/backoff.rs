//! How long to wait before the next try.

use std::time::Duration;

/// Exponential with full jitter: the n-th wait is uniform in `0..=min(cap, base · 2ⁿ)`.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// The first wait's upper end.
    pub base: Duration,
    /// No wait is longer.
    pub cap: Duration,
}

impl Backoff {
    /// The wait before try `attempt` (0 is the first retry), with `random` in `0.0..1.0`.
    pub fn wait(&self, attempt: u32, random: f64) -> Duration {
        let ceiling =
            self.base.checked_mul(2_u32.saturating_pow(attempt.min(31))).unwrap_or(self.cap).min(self.cap);
        ceiling.mul_f64(random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_wait_is_longer_than_the_cap(attempt in 0_u32..u32::MAX, random in 0.0..1.0_f64) {
            let backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(30) };
            prop_assert!(backoff.wait(attempt, random) <= backoff.cap);
        }
    }

    #[test]
    fn waits_double_until_the_cap() {
        let backoff = Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(5) };
        let waits: Vec<u64> = (0..4).map(|n| backoff.wait(n, 1.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 5]);
    }
}
