//! What operators watch: refreshes by outcome, key service calls, how slow the token endpoints are.

use sallyport_telemetry::metrics::{Counter, Histogram, Metrics};

/// This service's metrics.
#[derive(Clone)]
pub(crate) struct VaultMetrics {
    /// Code exchanges by outcome (`success` or the stable code).
    pub(crate) exchanges: Counter,
    /// Refreshes by trigger and outcome.
    pub(crate) refreshes: Counter,
    /// Access tokens asked for, by outcome.
    pub(crate) access_tokens: Counter,
    /// Grants revoked, by what came of it at the EHR.
    pub(crate) revocations: Counter,
    /// Calls to the key-encryption key.
    pub(crate) kek_calls: Counter,
    /// Seconds that sign-in services took, by operation and outcome.
    pub(crate) upstream: Histogram,
}

impl VaultMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            exchanges: metrics.counter(
                "sallyport_vault_exchanges_total",
                "Authorization codes redeemed, by outcome.",
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
            upstream: metrics.histogram(
                "sallyport_vault_token_endpoint_seconds",
                "How long sign-in services took, by operation and outcome.",
                &["operation", "outcome"],
            ),
        }
    }
}
