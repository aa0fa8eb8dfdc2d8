//! Names and labels of the audit service's metrics.

use sallyport_model::Micros;
use sallyport_proto::audit::v1::{Kind, Phase};
use sallyport_telemetry::metrics::{Counter, Gauge, Histogram, Metrics};

#[derive(Clone)]
pub(crate) struct AuditMetrics {
    stored: Counter,
    duplicates: Counter,
    quarantined: Counter,
    failures: Counter,
    lag: Histogram,
    queries: Counter,
    adopted: Counter,
    checkpoints: Counter,
    refusals: Counter,
    age: Gauge,
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
            adopted: metrics.counter(
                "sallyport_audit_adopted_total",
                "Records taken into the log after they had been stored without it.",
                &[],
            ),
            checkpoints: metrics.counter(
                "sallyport_audit_checkpoints_total",
                "Checkpoints of the log that were signed and published.",
                &[],
            ),
            refusals: metrics.counter(
                "sallyport_audit_checkpoint_refusals_total",
                "Checkpoints that were not signed; shorter, changed and foreign mean that the log was tampered with.",
                &["reason"],
            ),
            age: metrics.gauge(
                "sallyport_audit_checkpoint_age_seconds",
                "How long the oldest records without a checkpoint have been waiting for one, by the newest checkpoint.",
                &[],
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

    pub(crate) fn adopted(&self, count: u64) {
        self.adopted.add(&[], count);
    }

    pub(crate) fn checkpoint_signed(&self) {
        self.checkpoints.inc(&[]);
    }

    pub(crate) fn checkpoint_refused(&self, reason: &'static str) {
        self.refusals.inc(&[reason]);
    }

    pub(crate) fn checkpoint_age(&self, micros: Micros) {
        self.age.set(&[], micros / 1_000_000);
    }
}
