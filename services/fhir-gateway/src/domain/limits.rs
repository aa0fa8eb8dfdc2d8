//! When an endpoint is left alone: its breaker, what its "come back later" means for everybody, its budget for retries.
//!
//! Everything here is of this replica; `circuit.rs` tells the others.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use sallyport_model::{Code, Micros};
use sallyport_resilience::{
    Admission, Breaker, Outcome, Permit as Pass, Policy, Priority, RetryBudget, State,
};
use sallyport_vendors::{
    Profile,
    limits::{Counts, Per, WindowKind},
};
use tokio::sync::Semaphore;

use crate::{config::Config, error::Refusal};

/// Longest pause that an EHR's `Retry-After` can order for people's calls to it. Jobs keep to the whole of it.
const LONGEST_PAUSE: Micros = 30_000_000;

/// Of a hundred calls so many may be made again, and so many a second beside them: an EHR that breaks down is not asked
/// twice as much.
const RETRY_PERCENT: u32 = 10;
const RETRY_PER_SECOND: u32 = 1;

/// Five failures in a row, or half of at least twenty calls in a minute, pause an endpoint for 5 s, doubling to 60 s.
const BREAKER: Policy = Policy {
    consecutive_failures: 5,
    failure_percent: 50,
    minimum_calls: 20,
    window: Duration::from_secs(60),
    open_for: Duration::from_secs(5),
    open_at_most: Duration::from_secs(60),
    probe_timeout: Duration::from_secs(30),
};

/// How often the other replicas' news is looked up.
const NEWS_EVERY: Micros = 1_000_000;

/// The limits of one endpoint.
pub(crate) struct EndpointLimits {
    /// Places for calls at the same time, and the share of them that background work may take.
    pub(super) calls: Arc<Semaphore>,
    pub(super) background: Arc<Semaphore>,
    breaker: Mutex<Breaker>,
    paused_until: AtomicI64,
    /// Until when jobs leave the EHR alone: its word in full.
    resting_until: AtomicI64,
    retries: Mutex<RetryBudget>,
    /// Until when the last opening lasted, here or elsewhere.
    opened_until: AtomicI64,
    /// The other replicas know of the opening.
    is_shared: AtomicBool,
    news_at: AtomicI64,
}

/// What a call changed that the other replicas should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// The breaker opened.
    Opened {
        /// When a probe may go.
        until: Micros,
    },
    /// A probe found the EHR back.
    Closed,
    /// The EHR wants no calls.
    Paused {
        /// When it may be called again.
        until: Micros,
    },
    /// The EHR wants no calls for longer than people can wait.
    Resting {
        /// When jobs may call it again.
        until: Micros,
    },
}

/// Leave to send one request; a send that is given up reports itself.
pub(crate) struct Sending<'l> {
    limits: &'l EndpointLimits,
    pass: Option<Pass>,
}

impl EndpointLimits {
    pub(crate) fn new(config: &Config, profile: &Profile) -> Self {
        let calls = at_once(config, profile);
        Self {
            calls: Arc::new(Semaphore::new(calls)),
            background: Arc::new(Semaphore::new((calls / 2).max(1))),
            breaker: Mutex::new(Breaker::new(BREAKER)),
            paused_until: AtomicI64::new(0),
            resting_until: AtomicI64::new(0),
            retries: Mutex::new(RetryBudget::new(RETRY_PERCENT, RETRY_PER_SECOND)),
            opened_until: AtomicI64::new(0),
            is_shared: AtomicBool::new(false),
            news_at: AtomicI64::new(i64::MIN),
        }
    }

    /// Asks to send a request now.
    pub(crate) fn admit(&self, now: Micros, priority: Priority) -> Result<Sending<'_>, Refusal> {
        let mut until = self.paused_until.load(Ordering::Acquire);
        if priority == Priority::Background && !sallyport_model::planted!("background-pause-cut") {
            until = until.max(self.resting_until.load(Ordering::Acquire));
        }
        let pause = until.saturating_sub(now);
        if pause > 0 {
            return Err(Refusal { retry_after: Some(seconds_up(pause)), ..Refusal::new(Code::UpstreamBusy) });
        }
        match self.breaker().admit(now) {
            Admission::Allowed(pass) => {
                self.retries.lock().unwrap_or_else(PoisonError::into_inner).call(now);
                Ok(Sending { limits: self, pass: Some(pass) })
            }
            Admission::Refused { retry_after, .. } => {
                let seconds = retry_after.as_secs().saturating_add(1).min(3_600);
                Err(Refusal { retry_after: Some(seconds), ..Refusal::new(Code::CircuitOpen) })
            }
        }
    }

    /// Whether a call that failed may be made once more.
    pub(crate) fn may_retry(&self, now: Micros) -> bool {
        self.retries.lock().unwrap_or_else(PoisonError::into_inner).retry(now)
            || sallyport_model::planted!("retry-without-budget")
    }

    /// Whether calls are paused by the breaker.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.breaker().state(), State::Closed)
    }

    /// Whether it is time to hear what other replicas found. `true` once for each time.
    pub(crate) fn is_news_due(&self, now: Micros) -> bool {
        let last = self.news_at.load(Ordering::Acquire);
        let is_due = now.saturating_sub(last) >= NEWS_EVERY;
        is_due && self.news_at.compare_exchange(last, now, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Takes over what other replicas found: until when an opening lasts (`None`: there is none, or it is over), and
    /// until when the EHR wants no calls.
    pub(crate) fn learned(&self, open: Option<Micros>, paused: Option<Micros>) {
        if let Some(until) = paused {
            self.paused_until.fetch_max(until, Ordering::AcqRel);
        }
        let mut breaker = self.breaker();
        match open {
            Some(until) => {
                self.is_shared.store(true, Ordering::Release);
                let is_news = self.opened_until.swap(until, Ordering::AcqRel) != until;
                if matches!(breaker.state(), State::Closed) || (is_news && !is_probing(&breaker)) {
                    breaker.follow(until);
                }
            }
            // Only what was shared can have been taken back.
            None if self.is_shared.swap(false, Ordering::AcqRel) => breaker.close(),
            None => {}
        }
    }

    /// Takes over until when another replica was told to leave the EHR alone.
    pub(crate) fn rests(&self, until: Micros) {
        self.resting_until.fetch_max(until, Ordering::AcqRel);
    }

    /// The other replicas know it now.
    pub(crate) fn told(&self, change: Change) {
        match change {
            Change::Opened { .. } => self.is_shared.store(true, Ordering::Release),
            Change::Closed => self.is_shared.store(false, Ordering::Release),
            Change::Paused { .. } | Change::Resting { .. } => {}
        }
    }

    fn report(&self, pass: Pass, outcome: Outcome, now: Micros) -> Option<Change> {
        let mut breaker = self.breaker();
        let was_open = !matches!(breaker.state(), State::Closed);
        let opened = breaker.report(pass, outcome, now);
        if let Some(reason) = opened {
            tracing::warn!(
                code = Code::CircuitOpen.as_str(),
                reason = reason.label(),
                "calls to an endpoint are paused"
            );
        }
        match breaker.state() {
            State::Open { until, .. } if opened.is_some() => {
                self.opened_until.store(until, Ordering::Release);
                Some(Change::Opened { until })
            }
            State::Closed if was_open => Some(Change::Closed),
            _ => None,
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sending<'_> {
    /// When this request finds out whether the EHR is back: until when the opening lasted.
    pub(crate) fn probes_after(&self) -> Option<Micros> {
        let is_probe = self.pass.as_ref().is_some_and(Pass::is_probe);
        is_probe.then(|| self.limits.opened_until.load(Ordering::Acquire))
    }

    /// Reports how it went, and for how long the EHR wants no calls. Gives what the other replicas should know.
    pub(crate) fn done(mut self, health: Outcome, pause: Option<Duration>, now: Micros) -> Vec<Change> {
        let mut changes = Vec::new();
        if let Some(pass) = self.pass.take() {
            changes.extend(self.limits.report(pass, health, now));
        }
        if let Some(pause) = pause {
            let pause = Micros::try_from(pause.as_micros()).unwrap_or(Micros::MAX);
            let until = now.saturating_add(pause.min(LONGEST_PAUSE));
            self.limits.paused_until.fetch_max(until, Ordering::AcqRel);
            changes.push(Change::Paused { until });
            if pause > LONGEST_PAUSE {
                let until = now.saturating_add(pause);
                self.limits.rests(until);
                changes.push(Change::Resting { until });
            }
        }
        changes
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.limits.report(pass, Outcome::Abandoned, 0);
        }
    }
}

fn is_probing(breaker: &Breaker) -> bool {
    matches!(breaker.state(), State::HalfOpen { probe_until: Some(_), .. })
}

/// Calls at one time: ours, or fewer where the product says so. Each replica keeps to it by itself, so an operator of
/// several sets the configured number lower. What a product takes of one person is kept by the launch's own limit.
fn at_once(config: &Config, profile: &Profile) -> usize {
    let windows = profile.limits.windows.iter();
    let known = windows
        .filter(|w| w.kind == WindowKind::Concurrent && w.counts == Counts::Fhir && w.per != Per::User);
    let least = known.filter_map(|window| usize::try_from(window.calls?).ok()).min();
    config.concurrent_calls_per_endpoint.min(least.unwrap_or(usize::MAX))
}

fn seconds_up(micros: Micros) -> u64 {
    u64::try_from(micros.saturating_add(999_999).div_euclid(1_000_000)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use Priority::{Background, Interactive};

    use super::*;

    fn limits() -> EndpointLimits {
        let vendor = sallyport_model::VendorId::parse("generic").unwrap();
        EndpointLimits::new(&Config::default(), sallyport_vendors::profile(&vendor).unwrap())
    }

    #[test]
    fn five_failures_pause_an_endpoint_and_a_probe_opens_it_again() {
        let limits = limits();
        for _ in 0..5 {
            limits.admit(0, Interactive).ok().unwrap().done(Outcome::Failure, None, 0);
        }
        let refused = limits.admit(1_000_000, Interactive).err().unwrap();
        assert_eq!((refused.code, refused.retry_after), (Code::CircuitOpen, Some(5)));
        assert!(limits.is_open());
        limits.admit(5_000_000, Interactive).ok().unwrap().done(Outcome::Success, None, 5_000_000);
        assert!(!limits.is_open());
    }

    #[test]
    fn retry_after_holds_for_every_call_up_to_its_cap() {
        let limits = limits();
        limits.admit(0, Interactive).ok().unwrap().done(Outcome::Success, Some(Duration::from_secs(7)), 0);
        let refused = limits.admit(1_000_000, Interactive).err().unwrap();
        assert_eq!((refused.code, refused.retry_after), (Code::UpstreamBusy, Some(6)));
        assert!(limits.admit(7_000_000, Interactive).is_ok());
        limits.admit(7_000_000, Interactive).ok().unwrap().done(
            Outcome::Failure,
            Some(Duration::from_secs(86_400)),
            7_000_000,
        );
        assert!(limits.admit(37_000_000, Interactive).is_ok());
    }

    #[test]
    fn jobs_keep_to_the_whole_of_a_long_pause_and_people_to_its_beginning() {
        let limits = limits();
        let five_hours = Duration::from_secs(18_000);
        let changes = limits.admit(0, Background).ok().unwrap().done(Outcome::Success, Some(five_hours), 0);
        let (paused, resting) =
            (Change::Paused { until: 30_000_000 }, Change::Resting { until: 18_000_000_000 });
        assert_eq!(changes, [paused, resting]);
        assert!(limits.admit(30_000_000, Interactive).is_ok());
        let refused = limits.admit(30_000_000, Background).err().unwrap();
        assert_eq!((refused.code, refused.retry_after), (Code::UpstreamBusy, Some(17_970)));
        assert!(limits.admit(17_999_999_999, Background).is_err());
        assert!(limits.admit(18_000_000_000, Background).is_ok());
    }

    #[test]
    fn what_another_replica_found_counts_and_can_be_taken_back() {
        let limits = limits();
        assert!(limits.is_news_due(0) && !limits.is_news_due(999_999) && limits.is_news_due(1_000_000));
        limits.learned(Some(5_000_000), Some(2_000_000));
        assert_eq!(limits.admit(1_000_000, Interactive).err().map(|r| r.code), Some(Code::UpstreamBusy));
        assert_eq!(limits.admit(2_000_000, Interactive).err().map(|r| r.code), Some(Code::CircuitOpen));
        let probe = limits.admit(5_000_000, Interactive).ok().unwrap();
        assert_eq!(probe.probes_after(), Some(5_000_000));
        drop(probe);
        assert!(limits.is_open(), "a probe that was given up says nothing");
        limits.learned(None, None);
        assert!(!limits.is_open());
    }

    #[test]
    fn a_breaker_of_our_own_that_nobody_heard_of_stays_open() {
        let limits = limits();
        let changes: Vec<Change> = (0..5)
            .flat_map(|_| limits.admit(0, Interactive).ok().unwrap().done(Outcome::Failure, None, 0))
            .collect();
        assert_eq!(changes, [Change::Opened { until: 5_000_000 }]);
        limits.learned(None, None);
        assert!(limits.is_open());
        let changes =
            limits.admit(5_000_000, Interactive).ok().unwrap().done(Outcome::Success, None, 5_000_000);
        assert_eq!(changes, [Change::Closed]);
    }

    #[test]
    fn retries_have_a_budget() {
        let limits = limits();
        assert_eq!((0..100).filter(|_| limits.may_retry(0)).count(), 10);
    }
}
