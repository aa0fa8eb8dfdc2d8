//! What operators watch: refreshes by outcome, key service calls, how slow the token endpoints are.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use sallyport_telemetry::metrics::{Counter, Gauge, Histogram, Metrics};

/// This service's metrics.
#[derive(Clone)]
pub(crate) struct VaultMetrics {
    /// Code exchanges by outcome (`success` or the stable code).
    pub(crate) exchanges: Counter,
    /// Grants that jobs asked for, by outcome.
    pub(crate) client_credentials: Counter,
    /// Refreshes by trigger and outcome.
    pub(crate) refreshes: Counter,
    /// Access tokens asked for, by outcome.
    pub(crate) access_tokens: Counter,
    /// Grants revoked, by what came of it at the EHR.
    pub(crate) revocations: Counter,
    /// Calls to the key-encryption key.
    pub(crate) kek_calls: Counter,
    /// What rotations of keys have done, by what and outcome.
    pub(crate) rotation: Counter,
    /// Refreshes under way.
    pub(crate) in_flight: InFlight,
    /// Seconds that sign-in services took, by operation and outcome.
    pub(crate) upstream: Histogram,
}

/// How many are under way now.
#[derive(Clone)]
pub(crate) struct InFlight {
    gauge: Gauge,
    count: Arc<AtomicI64>,
}

/// One that is under way, until it is dropped.
pub(crate) struct UnderWay(InFlight);

impl InFlight {
    pub(crate) fn enter(&self) -> UnderWay {
        self.gauge.set(&[], self.count.fetch_add(1, Ordering::SeqCst) + 1);
        UnderWay(self.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.gauge.set(&[], self.0.count.fetch_sub(1, Ordering::SeqCst) - 1);
    }
}

impl VaultMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            exchanges: metrics.counter(
                "sallyport_vault_exchanges_total",
                "Authorization codes redeemed, by outcome.",
                &["outcome"],
            ),
            client_credentials: metrics.counter(
                "sallyport_vault_client_credentials_total",
                "Grants that jobs asked for, by outcome.",
                &["outcome"],
            ),
            refreshes: metrics.counter(
                "sallyport_vault_refreshes_total",
                "Refreshes, by trigger and outcome.",
                &["trigger", "outcome"],
            ),
            access_tokens: metrics.counter(
                "sallyport_vault_access_tokens_total",
                "Access tokens asked for, by outcome.",
                &["outcome"],
            ),
            revocations: metrics.counter(
                "sallyport_vault_upstream_revocations_total",
                "Revocations at the EHR (RFC 7009), by outcome.",
                &["outcome"],
            ),
            kek_calls: metrics.counter(
                "sallyport_vault_kek_calls_total",
                "Calls to the key-encryption key, by operation and outcome.",
                &["operation", "outcome"],
            ),
            rotation: metrics.counter(
                "sallyport_vault_rotation_total",
                "Keys and rows that rotations have worked on, by kind and outcome.",
                &["kind", "outcome"],
            ),
            in_flight: InFlight {
                gauge: metrics.gauge(
                    "sallyport_vault_refreshes_in_flight",
                    "Refreshes that this process has under way.",
                    &[],
                ),
                count: Arc::default(),
            },
            upstream: metrics.histogram(
                "sallyport_vault_token_endpoint_seconds",
                "How long sign-in services took, by operation and outcome.",
                &["operation", "outcome"],
            ),
        }
    }
}
