//! The admin port: health, metrics and this process's traces. Never reachable from outside.

use std::sync::Arc;

use axum::{Router, http::StatusCode, routing::get};

use crate::{SpanRing, metrics::Metrics, traces};

/// Says whether the process can serve, and what is missing otherwise.
pub type Ready = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What the two questions of an orchestrator are answered from.
#[derive(Clone)]
pub struct Probes {
    /// Whether it has started; stays true from then on.
    pub startup: Ready,
    /// Whether it can serve now.
    pub ready: Ready,
}

impl Probes {
    /// Of a process that listens only once it has started.
    pub fn of(ready: Ready) -> Self {
        Self { startup: Arc::new(|| Ok(())), ready }
    }
}

/// `/live`, `/ready`, `/startup`, `/metrics`, and the pages of the process's traces.
pub fn router(metrics: Metrics, ring: SpanRing, probes: Probes) -> Router {
    let check = |ready: Ready| {
        move || {
            let ready = Arc::clone(&ready);
            async move {
                match ready() {
                    Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
                    Err(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {missing}\n")),
                }
            }
        }
    };
    Router::new()
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(check(probes.ready)))
        .route("/startup", get(check(probes.startup)))
        .route("/metrics", get(move || std::future::ready(metrics.render())))
        .merge(traces::router(ring))
}
