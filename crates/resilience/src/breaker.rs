//! A circuit breaker per endpoint: closed, open, half-open with exactly one probe.

use std::time::Duration;

use sallyport_model::Micros;

/// What an answer says about the health of whoever gave it. A refusal (4xx) is an answer like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It works.
    Success,
    /// It does not: no answer, 5xx, nonsense.
    Failure,
}

/// Why a breaker opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TripReason {
    /// So many failures in a row.
    Consecutive,
    /// So large a share of the last answers.
    Rate,
    /// The single probe failed.
    Probe,
}

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct BreakerPolicy {
    /// Failures in a row that open it.
    pub consecutive: u32,
    /// Share of failures among the last answers that opens it, in percent.
    pub rate_percent: u32,
    /// How many answers the share is taken over; fewer do not decide.
    pub window: u32,
    /// How long it stays open before a probe, in the first place; doubles with each failed probe.
    pub open_for: Duration,
    /// The longest it stays open.
    pub open_cap: Duration,
    /// A probe that has not answered by then is taken for lost, and another may go.
    pub probe_timeout: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            consecutive: 5,
            rate_percent: 50,
            window: 20,
            open_for: Duration::from_secs(2),
            open_cap: Duration::from_secs(30),
            probe_timeout: Duration::from_secs(30),
        }
    }
}

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Calls pass.
    Closed,
    /// Calls are refused until then.
    Open {
        /// When one probe may go.
        until: Micros,
        /// Why.
        reason: TripReason,
    },
    /// One probe is out since then.
    HalfOpen {
        /// When it went.
        since: Micros,
    },
}

/// Whether a call may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Go; report the answer.
    Call,
    /// Go as the one probe; report the answer.
    Probe,
    /// Not now; after this time a probe may go.
    Refuse(Duration),
}

/// The state machine.
#[derive(Debug, Clone)]
pub struct Breaker {
    policy: BreakerPolicy,
    state: State,
    failures_in_row: u32,
    /// The last answers, oldest first in the high bits; a set bit is a failure.
    history: u64,
    seen: u32,
    trips: u32,
}

impl Breaker {
    /// A closed breaker. The window is at most 64 answers.
    pub fn new(policy: BreakerPolicy) -> Self {
        let policy = BreakerPolicy { window: policy.window.clamp(1, 64), ..policy };
        Self { policy, state: State::Closed, failures_in_row: 0, history: 0, seen: 0, trips: 0 }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Asks for one call at `now`.
    pub fn admit(&mut self, now: Micros) -> Admission {
        match self.state {
            State::Closed => Admission::Call,
            State::Open { until, .. } if now >= until => self.probe(now),
            State::Open { until, .. } => Admission::Refuse(duration(until - now)),
            State::HalfOpen { since } => {
                let lost = since.saturating_add(micros(self.policy.probe_timeout));
                if now >= lost { self.probe(now) } else { Admission::Refuse(duration(lost - now)) }
            }
        }
    }

    fn probe(&mut self, now: Micros) -> Admission {
        self.state = State::HalfOpen { since: now };
        Admission::Probe
    }

    /// Reports the answer of an admitted call. Late answers of calls from before it opened change nothing.
    pub fn report(&mut self, admission: Admission, class: Class, now: Micros) {
        match (admission, self.state) {
            (Admission::Probe, State::HalfOpen { .. }) => match class {
                Class::Success => *self = Self::new(self.policy),
                Class::Failure => self.trip(TripReason::Probe, now),
            },
            (Admission::Call, State::Closed) => self.count(class, now),
            _ => {}
        }
    }

    fn count(&mut self, class: Class, now: Micros) {
        let failed = class == Class::Failure;
        self.failures_in_row = if failed { self.failures_in_row + 1 } else { 0 };
        self.history = (self.history << 1) | u64::from(failed);
        self.seen = (self.seen + 1).min(self.policy.window);
        let mask = if self.policy.window == 64 { u64::MAX } else { (1 << self.policy.window) - 1 };
        let failures = (self.history & mask).count_ones();
        if self.failures_in_row >= self.policy.consecutive {
            self.trip(TripReason::Consecutive, now);
        } else if self.seen == self.policy.window
            && failures * 100 >= self.policy.rate_percent * self.policy.window
        {
            self.trip(TripReason::Rate, now);
        }
    }

    fn trip(&mut self, reason: TripReason, now: Micros) {
        let open = self.policy.open_for.saturating_mul(2_u32.saturating_pow(self.trips.min(16)));
        let until = now.saturating_add(micros(open.min(self.policy.open_cap)));
        self.trips += 1;
        self.failures_in_row = 0;
        self.history = 0;
        self.seen = 0;
        self.state = State::Open { until, reason };
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fail(breaker: &mut Breaker, times: u32, now: Micros) {
        for _ in 0..times {
            let admission = breaker.admit(now);
            breaker.report(admission, Class::Failure, now);
        }
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_one_probe_closes_it() {
        let mut breaker = Breaker::new(BreakerPolicy::default());
        fail(&mut breaker, 5, 0);
        assert!(matches!(breaker.state(), State::Open { reason: TripReason::Consecutive, .. }));
        assert!(matches!(breaker.admit(1), Admission::Refuse(_)));
        assert_eq!(breaker.admit(2_000_000), Admission::Probe);
        assert!(matches!(breaker.admit(2_000_001), Admission::Refuse(_)), "only one probe at a time");
        breaker.report(Admission::Probe, Class::Success, 2_100_000);
        assert_eq!(breaker.admit(2_100_001), Admission::Call);
    }

    #[test]
    fn a_failed_probe_opens_it_for_longer() {
        let mut breaker = Breaker::new(BreakerPolicy::default());
        fail(&mut breaker, 5, 0);
        assert_eq!(breaker.admit(2_000_000), Admission::Probe);
        breaker.report(Admission::Probe, Class::Failure, 2_000_000);
        assert!(matches!(breaker.state(), State::Open { until: 6_000_000, reason: TripReason::Probe }));
    }

    #[test]
    fn a_large_share_of_failures_opens_it_without_a_row() {
        let mut breaker = Breaker::new(BreakerPolicy::default());
        for n in 0..20 {
            let admission = breaker.admit(0);
            breaker.report(admission, if n % 2 == 0 { Class::Failure } else { Class::Success }, 0);
        }
        assert!(matches!(breaker.state(), State::Open { reason: TripReason::Rate, .. }));
    }

    proptest! {
        #[test]
        fn never_two_probes_within_the_probe_timeout(steps in prop::collection::vec((0_i64..3_000_000, any::<bool>()), 1..200)) {
            let policy = BreakerPolicy::default();
            let mut breaker = Breaker::new(policy);
            let mut now = 0;
            let mut last_probe: Option<i64> = None;
            for (step, success) in steps {
                now += step;
                let admission = breaker.admit(now);
                if admission == Admission::Probe {
                    if let Some(last) = last_probe {
                        prop_assert!(now - last >= micros(policy.probe_timeout));
                    }
                    last_probe = Some(now);
                    // Half of the probes never answer.
                    if step % 2 == 0 { continue; }
                    last_probe = None;
                }
                let class = if success { Class::Success } else { Class::Failure };
                breaker.report(admission, class, now);
            }
        }
    }
}
