//! How many calls run at once: under one launch, at one endpoint, and of background work.

use std::{sync::Arc, time::Duration};

use dashmap::DashMap;
use sallyport_egress::Instant;
use sallyport_model::{Authority, Code};
use sallyport_resilience::Priority;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::EndpointLimits;
use crate::{config::Config, error::Refusal};

/// Longest wait for a place; a page shows "busy" rather than hanging.
const WAIT: Duration = Duration::from_secs(2);

/// Places taken by one call.
pub(crate) struct Permit {
    _launch: OwnedSemaphorePermit,
    _background: Option<OwnedSemaphorePermit>,
    _endpoint: OwnedSemaphorePermit,
}

/// The places of each launch and each run.
pub(crate) struct LaunchLimits {
    each: usize,
    launches: DashMap<Authority, Arc<Semaphore>>,
}

impl LaunchLimits {
    pub(crate) fn new(config: &Config) -> Self {
        Self { each: config.concurrent_calls_per_launch, launches: DashMap::new() }
    }

    /// Waits briefly for a place of the launch, then for one of the endpoint. Background work has half of an endpoint's
    /// places, so that people always find the other half.
    pub(crate) async fn enter(
        &self,
        authority: impl Into<Authority>,
        endpoint: &EndpointLimits,
        priority: Priority,
        deadline: Instant,
    ) -> Result<Permit, Refusal> {
        let own = self.launches.entry(authority.into());
        let own = Arc::clone(&own.or_insert_with(|| Arc::new(Semaphore::new(self.each))));
        let until = deadline.min(Instant::now() + WAIT);
        Ok(Permit {
            _launch: place(own, until).await?,
            _background: match priority {
                Priority::Interactive => None,
                Priority::Background => Some(place(Arc::clone(&endpoint.background), until).await?),
            },
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

#[cfg(test)]
mod tests {
    use sallyport_model::{LaunchId, TestClock};

    use super::*;

    fn endpoint(config: &Config) -> EndpointLimits {
        let vendor = sallyport_model::VendorId::parse("generic").unwrap();
        EndpointLimits::new(config, sallyport_vendors::profile(&vendor).unwrap())
    }

    #[tokio::test]
    async fn a_launch_cannot_use_up_its_endpoint() {
        let config =
            Config { concurrent_calls_per_launch: 1, concurrent_calls_per_endpoint: 2, ..Config::default() };
        let launches = LaunchLimits::new(&config);
        let endpoint = endpoint(&config);
        let clock = TestClock::at(1_700_000_000_000_000);
        let (a, b) = (LaunchId::new(&clock), LaunchId::new(&clock));
        let soon = || Instant::now() + Duration::from_millis(20);
        let held = launches.enter(a, &endpoint, Priority::Interactive, soon()).await.ok().unwrap();
        assert_eq!(
            launches.enter(a, &endpoint, Priority::Interactive, soon()).await.err().map(|r| r.code),
            Some(Code::LocalLimit)
        );
        assert!(launches.enter(b, &endpoint, Priority::Interactive, soon()).await.is_ok());
        drop(held);
        assert!(launches.enter(a, &endpoint, Priority::Interactive, soon()).await.is_ok());
        launches.sweep();
        assert!(launches.launches.is_empty());
    }

    #[tokio::test]
    async fn people_find_a_place_when_background_work_has_taken_its_half() {
        let config = Config { concurrent_calls_per_endpoint: 2, ..Config::default() };
        let launches = LaunchLimits::new(&config);
        let endpoint = endpoint(&config);
        let launch = LaunchId::new(&TestClock::at(1_700_000_000_000_000));
        let enter = async |priority| {
            launches.enter(launch, &endpoint, priority, Instant::now() + Duration::from_millis(20)).await
        };
        let _running = enter(Priority::Background).await.ok().unwrap();
        assert!(enter(Priority::Background).await.is_err());
        assert!(enter(Priority::Interactive).await.is_ok());
    }
}
