//! Names and labels of the audit service's metrics.

use sallyport_model::Micros;
use sallyport_proto::audit::v1::{Kind, Phase};
use sallyport_telemetry::metrics::{Counter, Histogram, Metrics};

#[derive(Clone)]
pub(crate) struct AuditMetrics {
    stored: Counter,
    duplicates: Counter,
    quarantined: Counter,
    failures: Counter,
    lag: Histogram,
    queries: Counter,
}

impl AuditMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            stored: metrics.counter(
                "sallyport_audit_records_stored_total",
                "Audit records appended to the log.",
                &["kind", "phase"],
            ),
            duplicates: metrics.counter(
                "sallyport_audit_duplicates_total",
                "Audit records that arrived again and were not stored twice.",
                &[],
            ),
            quarantined: metrics.counter(
                "sallyport_audit_quarantined_total",
                "Messages or records that could not be taken; each is a finding.",
                &["reason"],
            ),
            failures: metrics.counter(
                "sallyport_audit_append_failures_total",
                "Attempts to store a message that will be repeated.",
                &["reason"],
            ),
            lag: metrics.histogram(
                "sallyport_audit_lag_seconds",
                "From the recording of an event to its being stored.",
                &[],
            ),
            queries: metrics.counter(
                "sallyport_audit_queries_total",
                "Queries of the log by outcome.",
                &["outcome"],
            ),
        }
    }

    pub(crate) fn stored(&self, kind: Kind, phase: Phase, lag: Micros) {
        self.stored.inc(&[kind.as_str_name(), phase.as_str_name()]);
        // Exact far beyond any lag that matters.
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a lag fit into a double")]
        self.lag.observe(&[], lag.max(0) as f64 / 1_000_000.0);
    }

    pub(crate) fn duplicate(&self) {
        self.duplicates.inc(&[]);
    }

    pub(crate) fn quarantined(&self, reason: &str) {
        self.quarantined.inc(&[reason]);
    }

    pub(crate) fn failed(&self, reason: &'static str) {
        self.failures.inc(&[reason]);
    }

    pub(crate) fn queried(&self, outcome: &'static str) {
        self.queries.inc(&[outcome]);
    }
}
