//! What endpoints can do, and when that changes: snapshots, their differences, the features these touch, the rights that
//! follow. Looked at once a night, and whenever an operator asks.

pub(crate) mod asked;
pub(crate) mod classify;
pub(crate) mod diff;
pub(crate) mod looking;
pub(crate) mod observed;
pub(crate) mod probe;
pub(crate) mod rights;
pub(crate) mod snapshot;
mod standing;
mod touch;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use dashmap::DashMap;
use sallyport_clinical::FhirVersion;
use sallyport_model::{EndpointId, Micros, TenantId};
use tokio::sync::watch;

use crate::Gateway;
use observed::Observed;
use rights::Rights;
use snapshot::Snapshot;

use super::place::Place;

/// How often it is looked whether a probe is due, and samples are stored.
const TURN: Duration = Duration::from_secs(60);
const DAY: Micros = 86_400_000_000;
const HOUR: Micros = 3_600_000_000;

/// What is known of every endpoint.
pub(crate) struct Capabilities {
    rights: DashMap<(TenantId, EndpointId), Arc<Rights>>,
    pub(crate) observed: Observed,
    pub(crate) grants: looking::Grants,
}

impl Capabilities {
    pub(crate) fn new(sample_one_in: u64) -> Self {
        Self {
            rights: DashMap::new(),
            observed: Observed::new(sample_one_in),
            grants: looking::Grants::default(),
        }
    }

    /// What the endpoint offers by its statement and answers.
    pub(crate) fn rights(&self, place: &Place) -> Arc<Rights> {
        static NOTHING: OnceLock<Arc<Rights>> = OnceLock::new();
        let known = self.rights.get(&(place.tenant.clone(), place.endpoint.clone()));
        known.map_or_else(|| Arc::clone(NOTHING.get_or_init(Arc::default)), |known| Arc::clone(&known))
    }

    /// Takes over a snapshot.
    pub(crate) fn learn(&self, place: &Place, snapshot: &Snapshot) {
        self.rights.insert((place.tenant.clone(), place.endpoint.clone()), Arc::new(Rights::of(snapshot)));
    }

    /// The version of FHIR in which an endpoint answers: as configured, else as stated, else R4.
    pub(crate) fn fhir_version(&self, place: &Place) -> FhirVersion {
        place.configured_version.or_else(|| self.rights(place).fhir_version).unwrap_or_default()
    }
}

/// Takes over what other replicas, and earlier runs, have found.
async fn refresh(gateway: &Gateway) {
    for place in gateway.places.all() {
        match gateway.database.last_snapshot(&place.tenant, &place.endpoint).await {
            Ok(Some((_, body))) => {
                if let Ok(snapshot) = serde_json::from_str(&body) {
                    gateway.capabilities.learn(place, &snapshot);
                }
            }
            Ok(None) => {}
            Err(_) => return,
        }
    }
}

/// Stores what this replica has seen.
async fn flush(gateway: &Gateway) {
    for ((tenant, endpoint), sample) in gateway.capabilities.observed.take() {
        let Ok(body) = serde_json::to_string(&sample) else { continue };
        let at = gateway.clock.now();
        if gateway.database.add_observation(&tenant, &endpoint, at, &body).await.is_err() {
            gateway.capabilities.observed.put_back((tenant, endpoint), sample);
        }
    }
}

/// The probes that are due: each by one replica.
async fn probes(gateway: &Gateway) {
    for tenant in gateway.registry.tenants() {
        for endpoint in &tenant.endpoints {
            let now = gateway.clock.now();
            let next = next_night(now, gateway.config.probe_hour_utc, endpoint.id.as_str());
            let claimed = gateway.database.claim_probe(&tenant.id, &endpoint.id, now, next).await;
            if !matches!(claimed, Ok(true)) {
                continue;
            }
            if let Err(refusal) = Box::pin(probe::probe(gateway, tenant, endpoint)).await {
                tracing::warn!(
                    tenant.id = tenant.id.as_str(),
                    endpoint.id = endpoint.id.as_str(),
                    code = refusal.code.as_str(),
                    "a probe waits for its next turn"
                );
            }
        }
    }
}

/// The next time at that hour, spread over the hour so that one EHR's many endpoints are not looked at in one moment.
fn next_night(now: Micros, hour_utc: u32, endpoint: &str) -> Micros {
    let spread = endpoint.bytes().fold(7_i64, |sum, byte| (sum * 31 + i64::from(byte)) % 3_600) * 1_000_000;
    let at = now - now.rem_euclid(DAY) + i64::from(hour_utc) * HOUR + spread;
    if at > now { at } else { at + DAY }
}

/// Runs until shutdown.
pub(crate) async fn run(gateway: Arc<Gateway>, mut shutdown: watch::Receiver<bool>) {
    refresh(&gateway).await;
    loop {
        let is_over = tokio::select! {
            () = tokio::time::sleep(TURN) => false,
            _ = shutdown.wait_for(|over| *over) => true,
        };
        flush(&gateway).await;
        if is_over {
            return;
        }
        if gateway.config.probe_nightly {
            probes(&gateway).await;
        }
        refresh(&gateway).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_night_is_ahead_within_its_hour_and_not_the_same_for_all() {
        for now in [0, 8 * HOUR, 9 * HOUR + 1, DAY - 1, 20_000 * DAY + 5] {
            for endpoint in ["main", "sandbox"] {
                let next = next_night(now, 8, endpoint);
                assert!(next > now && next <= now + DAY, "{now} {next}");
                assert_eq!(next.rem_euclid(DAY) / HOUR, 8);
            }
        }
        assert_ne!(next_night(0, 8, "main"), next_night(0, 8, "sandbox"));
    }
}
