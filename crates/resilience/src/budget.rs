//! A budget for retries: a share of the calls made, plus a few per second so that a quiet service may retry at all.
//!
//! When everything fails, retries multiply the load exactly when the upstream can bear it least; the budget bounds the
//! factor, whatever each caller's own backoff says.

use std::time::Duration;

use sallyport_model::Micros;

use crate::window::Window;

/// How far back calls earn retries.
const WINDOW: Duration = Duration::from_secs(10);

/// Retries allowed to all callers of one upstream together.
#[derive(Debug, Clone)]
pub struct RetryBudget {
    percent: u64,
    per_second: u64,
    /// Calls and retries.
    window: Window,
}

impl RetryBudget {
    /// `percent` retries per hundred calls, and `per_second` beside them.
    pub fn new(percent: u32, per_second: u32) -> Self {
        Self { percent: percent.into(), per_second: per_second.into(), window: Window::new(WINDOW) }
    }

    /// A first attempt was made: it earns its share.
    pub fn call(&mut self, now: Micros) {
        self.window.add(now, 1, 0);
    }

    /// Whether one more retry fits. `true` spends it.
    #[must_use = "a retry that was refused must not be made"]
    pub fn retry(&mut self, now: Micros) -> bool {
        let (calls, retries) = self.window.sums(now);
        let earned = calls.saturating_mul(self.percent) / 100;
        let allowed = earned.saturating_add(self.per_second.saturating_mul(WINDOW.as_secs()));
        let fits = retries < allowed;
        if fits {
            self.window.add(now, 0, 1);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_calls_only_the_floor_may_retry() {
        let mut budget = RetryBudget::new(20, 1);
        assert_eq!((0..100).filter(|_| budget.retry(0)).count(), 10);
        assert!(budget.retry(10_000_000), "the next window has its own");
    }

    #[test]
    fn an_empty_budget_allows_nothing() {
        let mut budget = RetryBudget::new(0, 0);
        budget.call(0);
        assert!(!budget.retry(0));
    }

    proptest! {
        #[test]
        fn retries_stay_within_their_share(calls in 0_u64..5_000, percent in 0_u32..200) {
            let mut budget = RetryBudget::new(percent, 0);
            for _ in 0..calls {
                budget.call(1);
            }
            let made = (0..20_000).filter(|_| budget.retry(2)).count();
            prop_assert_eq!(made as u64, calls * u64::from(percent) / 100);
        }
    }
}
