//! What a worker counts. Labels are words of ours: no id of a person, no run.

use sallyport_telemetry::metrics::{Counter, Gauge, Metrics};

/// The worker's metrics.
pub(crate) struct JobMetrics {
    /// Batches by how their lease ended.
    pub(crate) leases: Counter,
    /// Items by what came of them.
    pub(crate) items: Counter,
    /// Batches that wait in the outbox.
    pub(crate) outbox: Gauge,
    /// Leases taken back from the dead.
    pub(crate) reclaimed: Counter,
    /// Runs by how they ended or started.
    pub(crate) runs: Counter,
}

impl JobMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            leases: metrics.counter(
                "sallyport_job_leases_total",
                "Leases of batches, by how they ended: done, again, stale, waits.",
                &["outcome"],
            ),
            items: metrics.counter(
                "sallyport_job_items_total",
                "Items, by what came of them: done, again, quarantined.",
                &["kind", "outcome"],
            ),
            outbox: metrics.gauge("sallyport_job_outbox_depth", "Batches that wait to be taken.", &[]),
            reclaimed: metrics.counter(
                "sallyport_job_leases_reclaimed_total",
                "Leases taken back: own (after a restart), expired (of a worker that is dead or stands still).",
                &["whose"],
            ),
            runs: metrics.counter(
                "sallyport_job_runs_total",
                "Runs: started, done, stopped, missed (a scheduled start that was left out).",
                &["kind", "event"],
            ),
        }
    }
}
