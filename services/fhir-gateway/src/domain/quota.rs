//! What an EHR takes, kept by all replicas together: its profile's windows as permits in the shared store.
//!
//! Permits are leased a few at a time, so that most calls ask nobody. A lease ends with its window; in a rolling window,
//! after a tenth of it. Never more than the EHR takes is given out: of a rolling window at most half comes at once, of
//! one by the clock a twentieth is kept back. Where authorization counts too, a tenth is left for the vault, which makes
//! those calls. Background work takes at most half of everything.
//!
//! While the store does not answer each replica keeps to half of every window by itself: two replicas together stay
//! within it, more may not. The EHR's own "too many" then pauses each of them.

use std::{sync::Arc, time::Duration};

use dashmap::DashMap;
use sallyport_kv::{InProcess, Kv, Permit, Rate};
use sallyport_model::{Clock, Code, Micros};
use sallyport_resilience::Priority;
use sallyport_vendors::{
    Profile,
    limits::{Counts, Window, WindowKind, until_next},
};

use super::{place::Place, store::Store};
use crate::error::Refusal;

/// How long a call waits for the store before it is counted here alone.
const STORE_WAIT: Duration = Duration::from_millis(100);

/// Of a window by the clock one in so many permits is kept back, because the limiter gives that many back while the
/// window lasts.
const KEPT_BACK: u32 = 20;

/// Of a window that authorization shares, one in so many is left for it.
const FOR_AUTHORIZATION: u32 = 10;

/// A lease is at most so many permits, and at most one in fifty of a window.
const LEASE_MOST: u32 = 10;

/// What is told when the EHR's windows are used up, as against our own places.
pub(crate) const USED_UP: &str = "this EHR takes no more calls at the moment";

/// Permits that were taken and not used yet.
#[derive(Clone, Copy)]
struct Lease {
    left: u32,
    until: Micros,
}

/// The windows of every endpoint.
pub(crate) struct Quotas {
    store: Store,
    /// What holds while the store is away.
    alone: InProcess,
    clock: Arc<dyn Clock>,
    leases: DashMap<String, Lease>,
}

/// A window as the limiter counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    rate: Rate,
    /// Which window by the clock; 0 for a rolling one.
    index: i64,
    /// Until a lease is worth nothing any more.
    ends_in: Duration,
}

impl Rule {
    /// `None` for what is not counted here: other calls, windows without a number, and calls at one time, which each
    /// replica keeps by itself (`limits.rs`).
    fn of(window: &Window, priority: Priority, now: Micros) -> Option<Self> {
        let calls = window.calls?;
        let calls = match window.counts {
            Counts::Fhir => calls,
            Counts::FhirAndAuth => calls.saturating_sub(calls.div_ceil(FOR_AUTHORIZATION)).max(1),
            Counts::Token | Counts::Bulk => return None,
        };
        let calls = match priority {
            Priority::Interactive => calls,
            Priority::Background => (calls / 2).max(1),
        };
        let span = Duration::from_secs(window.seconds.into());
        Some(match window.kind {
            WindowKind::Concurrent => return None,
            WindowKind::Rolling => {
                let burst = (calls / 2).max(1);
                let permits = calls.saturating_sub(burst).max(1);
                Self { rate: Rate { permits, per: span, burst }, index: 0, ends_in: span / 10 }
            }
            WindowKind::MinuteAligned | WindowKind::DayGmt => {
                let burst = calls.saturating_sub(calls.div_ceil(KEPT_BACK)).max(1);
                let rate = Rate { permits: calls, per: span.saturating_mul(KEPT_BACK), burst };
                let index = now.div_euclid(i64::from(window.seconds.max(1)).saturating_mul(1_000_000));
                Self { rate, index, ends_in: until_next(window.seconds, now) }
            }
        })
    }

    /// Half of it, for a replica that is alone.
    fn alone(self) -> Rate {
        let half = |n: u32| (n / 2).max(1);
        Rate { permits: half(self.rate.permits), burst: half(self.rate.burst), ..self.rate }
    }

    fn lease(self) -> u32 {
        (self.rate.burst / 50).clamp(1, LEASE_MOST)
    }

    /// How long to wait: no shorter than the limiter says, and by the clock until the window is over.
    fn wait(self, told: Duration) -> Duration {
        if self.index == 0 { told } else { self.ends_in }
    }
}

impl Quotas {
    pub(crate) fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { store, alone: InProcess::new(Arc::clone(&clock)), clock, leases: DashMap::new() }
    }

    /// Takes one call out of every window, or says when there is one again.
    pub(crate) async fn take(
        &self,
        place: &Place,
        profile: &Profile,
        priority: Priority,
    ) -> Result<(), Refusal> {
        if sallyport_model::planted!("ehr-limit-ignored") {
            return Ok(());
        }
        // Background work is counted among all calls, and by itself beside them.
        let shares: &[Priority] = match priority {
            Priority::Interactive => &[Priority::Interactive],
            Priority::Background => &[Priority::Background, Priority::Interactive],
        };
        for share in shares {
            for (n, window) in profile.limits.windows.iter().enumerate() {
                let now = self.clock.now();
                let Some(rule) = Rule::of(window, *share, now) else { continue };
                let who = match share {
                    Priority::Interactive => "all",
                    Priority::Background => "background",
                };
                let key =
                    format!("gateway:quota:{}:{}:{n}:{who}:{}", place.tenant, place.endpoint, rule.index);
                if let Permit::RetryAfter(wait) = self.one(&key, rule, now).await {
                    let seconds =
                        rule.wait(wait).as_secs().saturating_add(1).min(*profile.limits.wait_cap_seconds);
                    let what = Some(USED_UP);
                    return Err(Refusal {
                        what,
                        retry_after: Some(seconds),
                        ..Refusal::new(Code::LocalLimit)
                    });
                }
            }
        }
        Ok(())
    }

    /// Forgets leases that have ended.
    pub(crate) fn sweep(&self) {
        let now = self.clock.now();
        self.leases.retain(|_, lease| lease.left > 0 && now < lease.until);
    }

    async fn one(&self, key: &str, rule: Rule, now: Micros) -> Permit {
        if self.spend(key, now) {
            return Permit::Allowed;
        }
        let lease = rule.lease();
        let asked = self.store.ask(STORE_WAIT, |kv| async move {
            match kv.permits(key, rule.rate, lease).await? {
                // What is left may be less than a lease.
                Permit::RetryAfter(_) if lease > 1 => Ok((kv.permits(key, rule.rate, 1).await?, 1)),
                permit => Ok((permit, lease)),
            }
        });
        match asked.await {
            Some((Permit::Allowed, taken)) => {
                self.keep(key, taken.saturating_sub(1), rule, now);
                Permit::Allowed
            }
            Some((refused, _)) => refused,
            // Memory always answers.
            None => self.alone.permits(key, rule.alone(), 1).await.unwrap_or(Permit::Allowed),
        }
    }

    fn spend(&self, key: &str, now: Micros) -> bool {
        let Some(mut lease) = self.leases.get_mut(key) else { return false };
        let is_good = lease.left > 0 && now < lease.until;
        if is_good {
            lease.left -= 1;
        }
        is_good
    }

    fn keep(&self, key: &str, left: u32, rule: Rule, now: Micros) {
        let until = now.saturating_add(Micros::try_from(rule.ends_in.as_micros()).unwrap_or(Micros::MAX));
        let mut lease = self.leases.entry(key.to_owned()).or_insert(Lease { left: 0, until });
        let before = if now < lease.until { lease.left } else { 0 };
        *lease = Lease { left: left.saturating_add(before), until };
    }
}

#[cfg(test)]
mod tests {
    use sallyport_model::TestClock;
    use sallyport_vendors::limits::Per;

    use super::*;

    fn window(kind: WindowKind, calls: u32, seconds: u32, counts: Counts) -> Window {
        Window { kind, calls: Some(calls), seconds, counts, per: Per::Base }
    }

    /// How many of many calls pass, made as fast as can be for `micros`.
    async fn passed(window: Window, start: Micros, micros: i64) -> u32 {
        let clock = Arc::new(TestClock::at(start));
        let store = InProcess::new(clock.clone());
        let (mut passed, step) = (0, micros / 2_000);
        for _ in 0..2_000 {
            let rule = Rule::of(&window, Priority::Interactive, clock.now()).unwrap();
            let permit = store.permits(&rule.index.to_string(), rule.rate, 1).await.unwrap();
            passed += u32::from(permit == Permit::Allowed);
            clock.advance(Duration::from_micros(step.unsigned_abs()));
        }
        passed
    }

    #[tokio::test]
    async fn no_window_ever_gives_more_than_the_ehr_takes() {
        let minute = window(WindowKind::MinuteAligned, 250, 60, Counts::Fhir);
        let day = window(WindowKind::DayGmt, 500, 86_400, Counts::Fhir);
        let rolling = window(WindowKind::Rolling, 500, 1, Counts::Fhir);
        for (window, calls, span) in [(minute, 250, 60), (day, 500, 86_400), (rolling, 500, 1)] {
            let passed = passed(window, 1_760_054_400_000_000, span * 1_000_000 - 1).await;
            assert!(passed <= calls && passed * 10 >= calls * 9, "{window:?}: {passed}");
        }
        assert!(passed(window(WindowKind::Rolling, 1, 60, Counts::Fhir), 0, 59_999_999).await == 1);
    }

    #[test]
    fn authorization_and_background_have_their_shares() {
        let both = window(WindowKind::MinuteAligned, 250, 60, Counts::FhirAndAuth);
        let burst = |priority| Rule::of(&both, priority, 0).unwrap().rate.burst;
        assert_eq!((burst(Priority::Interactive), burst(Priority::Background)), (213, 106));
        let token = window(WindowKind::Rolling, 5, 60, Counts::Token);
        assert_eq!(Rule::of(&token, Priority::Interactive, 0), None);
    }
}
