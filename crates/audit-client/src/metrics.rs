//! The spool's metrics. Every name carries the service as its first label, because one process may hold several spools.

use std::time::Duration;

use sallyport_model::ServiceName;
use sallyport_proto::audit::v1::{Kind, Phase, Record};
use sallyport_telemetry::metrics::{Counter, Gauge, Histogram, Metrics};

/// Labels of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Labels {
    kind: &'static str,
    phase: &'static str,
}

impl Labels {
    pub(crate) fn of(record: &Record) -> Self {
        let kind = Kind::try_from(record.kind).unwrap_or_default();
        let phase = Phase::try_from(record.phase).unwrap_or_default();
        Self { kind: kind.as_str_name(), phase: phase.as_str_name() }
    }
}

pub(crate) struct SpoolMetrics {
    service: &'static str,
    records: Counter,
    refusals: Counter,
    syncs: Histogram,
    depth: Gauge,
    bytes: Gauge,
    batches: Counter,
}

impl SpoolMetrics {
    pub(crate) fn new(metrics: &Metrics, service: ServiceName) -> Self {
        Self {
            service: service.as_str(),
            records: metrics.counter(
                "sallyport_audit_spool_records_total",
                "Audit records made durable in the spool.",
                &["service", "kind", "phase"],
            ),
            refusals: metrics.counter(
                "sallyport_audit_spool_refusals_total",
                "Audit records that could not be made durable, so that a call was refused.",
                &["service", "reason"],
            ),
            syncs: metrics.histogram(
                "sallyport_audit_spool_fdatasync_seconds",
                "Duration of each fdatasync on the spool; one covers a group of records.",
                &["service"],
            ),
            depth: metrics.gauge(
                "sallyport_audit_spool_depth",
                "Durable audit records that the queue has not accepted yet.",
                &["service"],
            ),
            bytes: metrics.gauge(
                "sallyport_audit_spool_bytes",
                "Bytes of the spool's segments.",
                &["service"],
            ),
            batches: metrics.counter(
                "sallyport_audit_relay_batches_total",
                "Attempts to hand a batch of audit records to the queue.",
                &["service", "outcome"],
            ),
        }
    }

    pub(crate) fn durable(&self, labels: Labels) {
        self.records.inc(&[self.service, labels.kind, labels.phase]);
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.refusals.inc(&[self.service, reason]);
    }

    pub(crate) fn synced(&self, took: Duration) {
        self.syncs.observe(&[self.service], took.as_secs_f64());
    }

    pub(crate) fn level(&self, depth: u64, bytes: u64) {
        self.depth.set(&[self.service], i64::try_from(depth).unwrap_or(i64::MAX));
        self.bytes.set(&[self.service], i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub(crate) fn published(&self, outcome: &'static str) {
        self.batches.inc(&[self.service, outcome]);
    }
}
