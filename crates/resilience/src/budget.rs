//! Retries may add so much load and no more.

/// A retry budget: each first try earns a share of a retry, up to a reserve.
#[derive(Debug, Clone)]
pub struct RetryBudget {
    percent: u32,
    reserve: u32,
    /// In hundredths of a retry.
    balance: u32,
}

impl RetryBudget {
    /// Retries are at most `percent` of first tries, after a reserve of `reserve`.
    pub fn new(percent: u32, reserve: u32) -> Self {
        Self { percent, reserve, balance: reserve * 100 }
    }

    /// A first try.
    pub fn first_try(&mut self) {
        self.balance = (self.balance + self.percent).min(self.reserve * 100);
    }

    /// Whether one retry may be made; takes it.
    pub fn take(&mut self) -> bool {
        match self.balance.checked_sub(100) {
            Some(rest) => {
                self.balance = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_stay_within_their_share() {
        let mut budget = RetryBudget::new(10, 2);
        let mut retries = 0;
        for _ in 0..1_000 {
            budget.first_try();
            if budget.take() {
                retries += 1;
            }
        }
        assert!(retries <= 102, "{retries}");
    }
}
