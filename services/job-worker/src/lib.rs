//! job-worker: schedules, runs, batches, checkpoints. For now it starts, reports its health and takes no work.

use sallyport_telemetry::metrics::Metrics;

/// What the composer hands over.
pub struct Ports {
    /// Where its counters go.
    pub metrics: Metrics,
}

/// Its part of the process: no routes yet, a ready flag that the health endpoints read.
pub struct Service {
    /// Whether it could take work; it has no dependency that could say no.
    pub is_ready: bool,
}

/// Builds the service.
pub fn build(ports: &Ports) -> Service {
    ports.metrics.set_info("sallyport_job_worker_info", "the job worker takes no work in this version");
    Service { is_ready: true }
}
