//! This service's numbers.

use sallyport_telemetry::metrics::{Counter, Metrics};

/// Counters by outcome: `ok`, or the stable code of a refusal.
#[derive(Clone)]
pub(crate) struct Numbers {
    /// Launches sent on to an EHR, or refused.
    pub(crate) launches: Counter,
    /// Answers that opened a session, or were refused.
    pub(crate) callbacks: Counter,
    /// Sessions ended, by reason.
    pub(crate) sessions_ended: Counter,
}

impl Numbers {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            launches: metrics.counter(
                "sallyport_launches_total",
                "Launches by kind (ehr, standalone, unknown) and outcome code.",
                &["kind", "outcome"],
            ),
            callbacks: metrics.counter(
                "sallyport_callbacks_total",
                "Answers of authorization servers by outcome code.",
                &["outcome"],
            ),
            sessions_ended: metrics.counter(
                "sallyport_sessions_ended_total",
                "Sessions ended, by reason.",
                &["reason"],
            ),
        }
    }
}
