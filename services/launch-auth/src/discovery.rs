//! Discovery documents, cached per endpoint: one fetch at a time, revalidated by ETag, and held against what was pinned
//! at registration (invariant 5: a discovered change is a finding, never followed).

mod fetch;
mod pin;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use sallyport_egress::Egress;
use sallyport_model::{Clock, Code, EndpointId, Micros, TenantId};
use sallyport_registry::{Endpoint, Environment, Tenant};
use sallyport_smart::discovery::{Fault, Requirements, Smart};

use crate::Config;

pub(crate) use pin::{Pinned, pin};

/// A failure is remembered this long, so that a queue of launches does not wait for it one after the other.
const FAILURE_MICROS: Micros = 2_000_000;

/// Documents are used at least this long: frameworks send `no-store` for everything, and discovery stands on the launch
/// path. Where codes go is pinned in any case.
const TTL_MIN_SECONDS: u32 = 60;

/// And at most this long, whatever the EHR says.
const TTL_MAX_SECONDS: u32 = 24 * 3_600;

struct Cached {
    smart: Arc<Smart>,
    etag: Option<String>,
    fresh_until: Micros,
    stale_until: Micros,
}

#[derive(Default)]
struct Slot {
    cached: Option<Cached>,
    failed_until: Option<Micros>,
}

type Slots = HashMap<(TenantId, EndpointId, String), Arc<tokio::sync::Mutex<Slot>>>;

/// What EHRs say about their authorization servers.
pub(crate) struct Discovery {
    egress: Egress,
    clock: Arc<dyn Clock>,
    timeout: std::time::Duration,
    ttl_seconds: u32,
    stale_micros: Micros,
    slots: Mutex<Slots>,
}

impl Discovery {
    pub(crate) fn new(egress: Egress, clock: Arc<dyn Clock>, config: &Config) -> Self {
        Self {
            egress,
            clock,
            timeout: std::time::Duration::from_millis(config.discovery_timeout_ms),
            ttl_seconds: config.discovery_ttl_seconds,
            stale_micros: i64::from(config.discovery_stale_seconds) * 1_000_000,
            slots: Mutex::default(),
        }
    }

    /// The description of the endpoint at `base`, which is its registered base.
    ///
    /// # Errors
    /// `launch.discovery_failed` when neither the EHR nor the cache has a usable one.
    pub(crate) async fn describe(
        &self,
        tenant: &Tenant,
        endpoint: &Endpoint,
        base: &str,
    ) -> Result<Arc<Smart>, Code> {
        let slot = {
            let key = (tenant.id.clone(), endpoint.id.clone(), base.to_owned());
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(key).or_default())
        };
        // Whoever comes second waits here for the first one's answer.
        let mut slot = slot.lock().await;
        let now = self.clock.now();
        if let Some(cached) = &slot.cached
            && now < cached.fresh_until
        {
            return Ok(Arc::clone(&cached.smart));
        }
        if slot.failed_until.is_some_and(|until| now < until) {
            return slot.stale(now).ok_or(Code::LaunchDiscoveryFailed);
        }
        let etag = slot.cached.as_ref().and_then(|c| c.etag.clone());
        match self.fetch(tenant.environment, endpoint, base, etag).await {
            Ok(fetched) => {
                slot.failed_until = None;
                Ok(self.keep(&mut slot, fetched))
            }
            Err(reason) => {
                tracing::warn!(
                    tenant.id = tenant.id.as_str(),
                    endpoint.id = endpoint.id.as_str(),
                    reason = %reason,
                    "discovery failed"
                );
                slot.failed_until = Some(now.saturating_add(FAILURE_MICROS));
                slot.stale(now).ok_or(Code::LaunchDiscoveryFailed)
            }
        }
    }

    fn keep(&self, slot: &mut Slot, fetched: fetch::Fetched) -> Arc<Smart> {
        let ttl = fetched.max_age_seconds.unwrap_or(self.ttl_seconds).clamp(TTL_MIN_SECONDS, TTL_MAX_SECONDS);
        let fresh_until = self.clock.now().saturating_add(i64::from(ttl) * 1_000_000);
        let stale_until = fresh_until.saturating_add(self.stale_micros);
        let smart = match (fetched.smart, slot.cached.take()) {
            (Some(smart), _) => Arc::new(smart),
            (None, Some(cached)) => cached.smart,
            // A 304 is only taken as an answer to an ETag, which only a cached document has.
            (None, None) => Arc::new(fetch::nothing()),
        };
        let cached = Cached { smart: Arc::clone(&smart), etag: fetched.etag, fresh_until, stale_until };
        slot.cached = Some(cached);
        smart
    }
}

impl Slot {
    fn stale(&self, now: Micros) -> Option<Arc<Smart>> {
        self.cached.as_ref().filter(|c| now < c.stale_until).map(|c| Arc::clone(&c.smart))
    }
}

/// What a tenant's launches insist on.
pub(crate) fn requirements(environment: Environment, pkce: bool) -> Requirements {
    Requirements { pkce, loopback_http: environment == Environment::Sandbox, authorize: true }
}

/// What a fault of the description means to the person.
pub(crate) fn code_of(fault: Fault) -> Code {
    match fault {
        Fault::S256Absent | Fault::PlainOffered => Code::LaunchPkceUnsupported,
        Fault::NotJson
        | Fault::BaseInvalid
        | Fault::EndpointMissing(_)
        | Fault::EndpointInvalid(_)
        | Fault::NotHttps(_)
        | Fault::NoOauthUris => Code::LaunchDiscoveryFailed,
    }
}
