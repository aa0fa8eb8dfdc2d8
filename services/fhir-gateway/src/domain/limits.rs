//! How many calls run at once, when an endpoint is left alone, and what an EHR's "come back later" means for everybody.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;
use sallyport_egress::{EgressError, Instant, Response};
use sallyport_model::{Code, LaunchId, Micros};
use sallyport_resilience::{Admission, Breaker, Outcome, Permit as Pass, Policy, State};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{config::Config, error::Refusal};

/// Longest wait for a place; a page shows "busy" rather than hanging.
const WAIT: Duration = Duration::from_secs(2);

/// Longest pause that an EHR's `Retry-After` can order for all calls to it.
const LONGEST_PAUSE: Micros = 30_000_000;

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

/// The limits of one endpoint.
pub(crate) struct EndpointLimits {
    calls: Arc<Semaphore>,
    breaker: Mutex<Breaker>,
    paused_until: AtomicI64,
}

/// Leave to send one request; a send that is given up reports itself.
pub(crate) struct Sending<'l> {
    limits: &'l EndpointLimits,
    pass: Option<Pass>,
}

impl EndpointLimits {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            calls: Arc::new(Semaphore::new(config.concurrent_calls_per_endpoint)),
            breaker: Mutex::new(Breaker::new(BREAKER)),
            paused_until: AtomicI64::new(0),
        }
    }

    /// Asks to send a request now.
    pub(crate) fn admit(&self, now: Micros) -> Result<Sending<'_>, Refusal> {
        let pause = self.paused_until.load(Ordering::Acquire).saturating_sub(now);
        if pause > 0 {
            return Err(Refusal { retry_after: Some(seconds_up(pause)), ..Refusal::new(Code::UpstreamBusy) });
        }
        match self.breaker.lock().unwrap_or_else(PoisonError::into_inner).admit(now) {
            Admission::Allowed(pass) => Ok(Sending { limits: self, pass: Some(pass) }),
            Admission::Refused { retry_after, .. } => {
                let seconds = retry_after.as_secs().saturating_add(1).min(3_600);
                Err(Refusal { retry_after: Some(seconds), ..Refusal::new(Code::CircuitOpen) })
            }
        }
    }

    /// Whether calls are paused by the breaker.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.breaker.lock().unwrap_or_else(PoisonError::into_inner).state(), State::Closed)
    }

    fn report(&self, pass: Pass, outcome: Outcome, now: Micros) {
        let opened = self.breaker.lock().unwrap_or_else(PoisonError::into_inner).report(pass, outcome, now);
        if let Some(reason) = opened {
            tracing::warn!(
                code = Code::CircuitOpen.as_str(),
                reason = reason.label(),
                "calls to an endpoint are paused"
            );
        }
    }
}

impl Sending<'_> {
    /// Reports how it went.
    pub(crate) fn done(mut self, answered: &Result<Response, EgressError>, wait: Option<u64>, now: Micros) {
        let outcome = match answered {
            Ok(response) => match response.status.as_u16() {
                500 | 502..=504 => Outcome::Failure,
                _ => Outcome::Success,
            },
            Err(
                EgressError::Timeout
                | EgressError::Unreachable
                | EgressError::Interrupted
                | EgressError::Invalid,
            ) => Outcome::Failure,
            Err(
                EgressError::NotPinned
                | EgressError::AddressRefused
                | EgressError::TooLarge
                | EgressError::Redirect(_),
            ) => Outcome::Success,
        };
        if let Some(pass) = self.pass.take() {
            self.limits.report(pass, outcome, now);
        }
        let is_busy = answered.as_ref().is_ok_and(|response| matches!(response.status.as_u16(), 429 | 503));
        if let (true, Some(seconds)) = (is_busy, wait) {
            let pause =
                i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000).min(LONGEST_PAUSE);
            self.limits.paused_until.fetch_max(now.saturating_add(pause), Ordering::AcqRel);
        }
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.limits.report(pass, Outcome::Abandoned, 0);
        }
    }
}

/// Places taken by one call.
pub(crate) struct Permit {
    _launch: OwnedSemaphorePermit,
    _endpoint: OwnedSemaphorePermit,
}

/// The places of each launch.
pub(crate) struct LaunchLimits {
    each: usize,
    launches: DashMap<LaunchId, Arc<Semaphore>>,
}

impl LaunchLimits {
    pub(crate) fn new(config: &Config) -> Self {
        Self { each: config.concurrent_calls_per_launch, launches: DashMap::new() }
    }

    /// Waits briefly for a place of the launch, then for one of the endpoint.
    pub(crate) async fn enter(
        &self,
        launch: LaunchId,
        endpoint: &EndpointLimits,
        deadline: Instant,
    ) -> Result<Permit, Refusal> {
        let own =
            Arc::clone(&self.launches.entry(launch).or_insert_with(|| Arc::new(Semaphore::new(self.each))));
        let until = deadline.min(Instant::now() + WAIT);
        Ok(Permit {
            _launch: place(own, until).await?,
            _endpoint: place(Arc::clone(&endpoint.calls), until).await?,
        })
    }

    /// Forgets launches that have no call running.
    pub(crate) fn sweep(&self) {
        self.launches.retain(|_, places| Arc::strong_count(places) > 1);
    }
}

async fn place(semaphore: Arc<Semaphore>, until: Instant) -> Result<OwnedSemaphorePermit, Refusal> {
    let busy = || Refusal { retry_after: Some(1), ..Refusal::new(Code::LocalLimit) };
    match tokio::time::timeout_at(until, semaphore.acquire_owned()).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) | Err(_) => Err(busy()),
    }
}

fn seconds_up(micros: Micros) -> u64 {
    u64::try_from(micros.saturating_add(999_999).div_euclid(1_000_000)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use sallyport_egress::{Bytes, HeaderMap, StatusCode};
    use sallyport_model::TestClock;

    use super::*;

    fn answered(status: u16) -> Result<Response, EgressError> {
        let status = StatusCode::from_u16(status).unwrap();
        Ok(Response { status, headers: HeaderMap::new(), body: Bytes::new(), wire_bytes: 0 })
    }

    #[test]
    fn five_failures_pause_an_endpoint_and_a_probe_opens_it_again() {
        let limits = EndpointLimits::new(&Config::default());
        for _ in 0..5 {
            limits.admit(0).ok().unwrap().done(&Err(EgressError::Timeout), None, 0);
        }
        let refused = limits.admit(1_000_000).err().unwrap();
        assert_eq!((refused.code, refused.retry_after), (Code::CircuitOpen, Some(5)));
        assert!(limits.is_open());
        limits.admit(5_000_000).ok().unwrap().done(&answered(200), None, 5_000_000);
        assert!(!limits.is_open());
    }

    #[test]
    fn answers_that_say_no_are_no_failures() {
        let limits = EndpointLimits::new(&Config::default());
        for _ in 0..50 {
            limits.admit(0).ok().unwrap().done(&answered(404), None, 0);
        }
        assert!(!limits.is_open());
    }

    #[test]
    fn retry_after_holds_for_every_call_up_to_its_cap() {
        let limits = EndpointLimits::new(&Config::default());
        limits.admit(0).ok().unwrap().done(&answered(429), Some(7), 0);
        let refused = limits.admit(1_000_000).err().unwrap();
        assert_eq!((refused.code, refused.retry_after), (Code::UpstreamBusy, Some(6)));
        assert!(limits.admit(7_000_000).is_ok());
        limits.admit(7_000_000).ok().unwrap().done(&answered(503), Some(86_400), 7_000_000);
        assert!(limits.admit(37_000_000).is_ok());
    }

    #[tokio::test]
    async fn a_launch_cannot_use_up_its_endpoint() {
        let config =
            Config { concurrent_calls_per_launch: 1, concurrent_calls_per_endpoint: 2, ..Config::default() };
        let (launches, endpoint) = (LaunchLimits::new(&config), EndpointLimits::new(&config));
        let clock = TestClock::at(1_700_000_000_000_000);
        let (a, b) = (LaunchId::new(&clock), LaunchId::new(&clock));
        let soon = || Instant::now() + Duration::from_millis(20);
        let held = launches.enter(a, &endpoint, soon()).await.ok().unwrap();
        assert_eq!(launches.enter(a, &endpoint, soon()).await.err().map(|r| r.code), Some(Code::LocalLimit));
        assert!(launches.enter(b, &endpoint, soon()).await.is_ok());
        drop(held);
        assert!(launches.enter(a, &endpoint, soon()).await.is_ok());
        launches.sweep();
        assert!(launches.launches.is_empty());
    }
}
