//! A circuit breaker: stops calling an upstream that fails, and finds out with one call at a time when it is back.
//!
//! Closed → open when either policy trips → half-open when the pause is over: then exactly one probe runs; its success
//! closes, its failure opens again for twice as long, up to a cap. Every admission is a [`Permit`] of one generation,
//! so that a slow answer from before a change of state cannot change it again.

use std::time::Duration;

use sallyport_model::Micros;

use crate::{
    micros::{after, until},
    window::Window,
};

/// When to open and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Opens after so many failures in a row; 0 switches this rule off.
    pub consecutive_failures: u32,
    /// Opens when so many of a hundred calls in the window failed; 0 switches this rule off.
    pub failure_percent: u32,
    /// The failure rate says nothing below so many calls in the window.
    pub minimum_calls: u32,
    /// How far back calls count for the failure rate.
    pub window: Duration,
    /// The first pause.
    pub open_for: Duration,
    /// The longest pause, after failed probes.
    pub open_at_most: Duration,
    /// A probe that has not reported by then is taken for lost, and another may go.
    pub probe_timeout: Duration,
}

/// Why the breaker is open. Fixed words for metrics and pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TripReason {
    /// Too many failures in a row.
    ConsecutiveFailures,
    /// Too large a share of failures.
    FailureRate,
    /// The probe failed.
    ProbeFailed,
    /// An operator opened it; only an operator closes it.
    Forced,
    /// Another process that calls the same upstream opened its own.
    Elsewhere,
}

impl TripReason {
    /// A fixed word for metric labels.
    pub fn label(self) -> &'static str {
        match self {
            Self::ConsecutiveFailures => "consecutive_failures",
            Self::FailureRate => "failure_rate",
            Self::ProbeFailed => "probe_failed",
            Self::Forced => "forced",
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// How a call ended, for the breaker: an answer that says "you asked wrongly" (400, 403, 404) is a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream works.
    Success,
    /// The upstream does not work: no connection, time-out, 5xx.
    Failure,
    /// The caller gave up; this says nothing about the upstream.
    Abandoned,
}

/// Where the breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Calls pass.
    Closed,
    /// Calls are refused until `until` ([`Micros::MAX`] when forced).
    Open {
        /// When a probe may go.
        until: Micros,
        /// Why.
        reason: TripReason,
    },
    /// One probe runs or may run.
    HalfOpen {
        /// When the running probe is taken for lost; `None` when none runs.
        probe_until: Option<Micros>,
        /// Why it was opened.
        reason: TripReason,
    },
}

/// Leave to make one call. It is reported with [`Breaker::report`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "report how the call ended"]
pub struct Permit {
    generation: u64,
    is_probe: bool,
}

impl Permit {
    /// Whether this call finds out if the upstream is back: worth a log line.
    pub fn is_probe(&self) -> bool {
        self.is_probe
    }
}

/// The answer to "may I call?".
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// Call, then report.
    Allowed(Permit),
    /// Do not call.
    Refused {
        /// When asking again makes sense; [`Duration::MAX`] when an operator has to act.
        retry_after: Duration,
        /// Why.
        reason: TripReason,
    },
}

/// The breaker of one upstream.
#[derive(Debug)]
pub struct Breaker {
    policy: Policy,
    state: State,
    generation: u64,
    failures_in_a_row: u32,
    /// Calls and failures.
    window: Window,
    /// Failed probes since it last closed.
    failed_probes: u32,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            state: State::Closed,
            generation: 0,
            failures_in_a_row: 0,
            window: Window::new(policy.window),
            failed_probes: 0,
        }
    }

    /// Where it stands; an open breaker whose pause is over shows as open until somebody asks to call.
    pub fn state(&self) -> State {
        self.state
    }

    /// Asks to make a call.
    pub fn admit(&mut self, now: Micros) -> Admission {
        match self.state {
            State::Closed => Admission::Allowed(self.permit(false)),
            State::Open { until: end, reason } if reason == TripReason::Forced || now < end => {
                let retry_after = if reason == TripReason::Forced { Duration::MAX } else { until(end, now) };
                Admission::Refused { retry_after, reason }
            }
            State::HalfOpen { probe_until: Some(end), reason } if now < end => {
                Admission::Refused { retry_after: until(end, now), reason }
            }
            // A probe that was lost must not be able to report any more: its successor has a new generation.
            State::Open { reason, .. } | State::HalfOpen { reason, .. } => {
                let probe_until = Some(after(now, self.policy.probe_timeout));
                self.enter(State::HalfOpen { probe_until, reason });
                Admission::Allowed(self.permit(true))
            }
        }
    }

    /// Tells how a call ended. Answers why the breaker opened, when this report opened it.
    #[expect(clippy::needless_pass_by_value, reason = "a permit is reported once")]
    pub fn report(&mut self, permit: Permit, outcome: Outcome, now: Micros) -> Option<TripReason> {
        if permit.generation != self.generation {
            return None;
        }
        match (self.state, outcome) {
            (State::Closed, Outcome::Success) => {
                self.failures_in_a_row = 0;
                self.window.add(now, 1, 0);
                None
            }
            (State::Closed, Outcome::Failure) => {
                self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
                self.window.add(now, 1, 1);
                let reason = self.tripped(now)?;
                self.open(reason, now);
                Some(reason)
            }
            (State::HalfOpen { .. }, Outcome::Success) => {
                self.close();
                None
            }
            (State::HalfOpen { .. }, Outcome::Failure) => {
                self.failed_probes = self.failed_probes.saturating_add(1);
                self.open(TripReason::ProbeFailed, now);
                Some(TripReason::ProbeFailed)
            }
            // The place is free again: the next call probes, now.
            (State::HalfOpen { reason, .. }, Outcome::Abandoned) => {
                self.enter(State::HalfOpen { probe_until: None, reason });
                None
            }
            (State::Closed, Outcome::Abandoned) | (State::Open { .. }, _) => None,
        }
    }

    /// An operator stops all calls until [`Breaker::close`].
    pub fn force_open(&mut self) {
        self.enter(State::Open { until: Micros::MAX, reason: TripReason::Forced });
    }

    /// Another process that calls the same upstream has opened its breaker until then. What an operator forced stays.
    pub fn follow(&mut self, until: Micros) {
        if !matches!(self.state, State::Open { reason: TripReason::Forced, .. }) {
            self.enter(State::Open { until, reason: TripReason::Elsewhere });
        }
    }

    /// Closes it and forgets what it counted: for operators, and for a probe that succeeded.
    pub fn close(&mut self) {
        self.failures_in_a_row = 0;
        self.failed_probes = 0;
        self.window.clear();
        self.enter(State::Closed);
    }

    fn open(&mut self, reason: TripReason, now: Micros) {
        let factor = 1_u32.checked_shl(self.failed_probes).unwrap_or(u32::MAX);
        let pause = self.policy.open_for.saturating_mul(factor).min(self.policy.open_at_most);
        self.enter(State::Open { until: after(now, pause), reason });
    }

    fn tripped(&self, now: Micros) -> Option<TripReason> {
        let Policy { consecutive_failures, failure_percent, minimum_calls, .. } = self.policy;
        if consecutive_failures > 0 && self.failures_in_a_row >= consecutive_failures {
            return Some(TripReason::ConsecutiveFailures);
        }
        let (calls, failures) = self.window.sums(now);
        let enough = calls >= u64::from(minimum_calls.max(1));
        let too_many = failures.saturating_mul(100) >= calls.saturating_mul(failure_percent.into());
        (failure_percent > 0 && enough && too_many).then_some(TripReason::FailureRate)
    }

    fn enter(&mut self, state: State) {
        self.generation = self.generation.wrapping_add(1);
        self.state = state;
    }

    fn permit(&self, is_probe: bool) -> Permit {
        Permit { generation: self.generation, is_probe }
    }
}

#[cfg(test)]
mod tests;
