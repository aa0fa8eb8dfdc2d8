//! Breaker and pause of an endpoint, told to the other replicas: when one finds that an EHR fails, all leave it alone,
//! and when it may be back, one of them finds out.
//!
//! The store is asked at most once a second for an endpoint that is being called. While it does not answer each replica
//! has its own breaker, its own pause and its own probe.

use std::time::Duration;

use sallyport_kv::{Permit, Rate};
use sallyport_model::{Code, Micros};
use sallyport_resilience::Priority;

use super::{
    limits::{Change, Sending},
    place::Place,
    store::Store,
};
use crate::error::Refusal;

/// How long a call waits for the store.
const STORE_WAIT: Duration = Duration::from_millis(100);

/// An opening is remembered for so long after its pause, so that no replica takes the EHR for well that has not probed.
const REMEMBERED: Duration = Duration::from_secs(300);

/// A probe that a replica began and never ended is another's after so long.
const PROBE: Rate = Rate { permits: 1, per: Duration::from_secs(30), burst: 1 };

/// What replicas tell each other about endpoints.
pub(crate) struct Circuits {
    store: Store,
}

impl Circuits {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Asks to send a request now: what the others found counts like what was found here.
    ///
    /// A job asks every time: it has the time, and an EHR that named one wants none of them before it.
    pub(crate) async fn admit<'p>(
        &self,
        place: &'p Place,
        now: Micros,
        priority: Priority,
    ) -> Result<Sending<'p>, Refusal> {
        if place.limits.is_news_due(now) || priority == Priority::Background {
            self.learn(place).await;
        }
        let sending = place.limits.admit(now, priority)?;
        let Some(opening) = sending.probes_after() else { return Ok(sending) };
        let key = format!("{}:probe:{opening}", name(place));
        let permit = self.store.ask(STORE_WAIT, |kv| async move { kv.permit(&key, PROBE).await }).await;
        match permit {
            Some(Permit::RetryAfter(_)) if !sallyport_model::planted!("probe-by-every-replica") => {
                // Dropped unreported: the place of the probe is free again.
                drop(sending);
                Err(Refusal { retry_after: Some(1), ..Refusal::new(Code::CircuitOpen) })
            }
            _ => Ok(sending),
        }
    }

    /// Tells the others what a call changed.
    pub(crate) async fn tell(&self, place: &Place, change: Change, now: Micros) {
        let name = name(place);
        let told = match change {
            Change::Closed => {
                let key = format!("{name}:open");
                self.store.ask(STORE_WAIT, |kv| async move { kv.delete(&key).await }).await
            }
            Change::Opened { until } => self.set(format!("{name}:open"), until, now).await,
            Change::Paused { until } => self.set(format!("{name}:pause"), until, now).await,
            Change::Resting { until } => self.set(format!("{name}:rest"), until, now).await,
        };
        if told.is_some() {
            place.limits.told(change);
        }
    }

    async fn set(&self, key: String, until: Micros, now: Micros) -> Option<()> {
        let pause = u64::try_from(until.saturating_sub(now)).unwrap_or(0);
        let ttl = Duration::from_micros(pause).saturating_add(REMEMBERED);
        let value = until.to_string().into_bytes();
        self.store.ask(STORE_WAIT, |kv| async move { kv.set(&key, value, ttl).await }).await
    }

    async fn learn(&self, place: &Place) {
        let name = name(place);
        let (open, pause, rest) = (format!("{name}:open"), format!("{name}:pause"), format!("{name}:rest"));
        let news = self.store.ask(STORE_WAIT, |kv| async move {
            let (open, pause, rest) = tokio::join!(kv.get(&open), kv.get(&pause), kv.get(&rest));
            Ok((open?, pause?, rest?))
        });
        let Some((open, pause, rest)) = news.await else { return };
        if let Some(until) = rest.as_deref().and_then(instant) {
            place.limits.rests(until);
        }
        place.limits.learned(open.as_deref().and_then(instant), pause.as_deref().and_then(instant));
    }
}

fn name(place: &Place) -> String {
    format!("gateway:circuit:{}:{}", place.tenant, place.endpoint)
}

fn instant(bytes: &[u8]) -> Option<Micros> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}
