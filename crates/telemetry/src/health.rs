//! The admin port: health, metrics and this process's traces. Never reachable from outside.

use std::sync::Arc;

use axum::{Json, Router, extract::Path, http::StatusCode, routing::get};

use crate::{SpanRing, metrics::Metrics};

/// Says whether the process can serve, and what is missing otherwise.
pub type Ready = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// `/live`, `/ready`, `/startup`, `/metrics`, `/traces/{trace_id}`.
pub fn router(metrics: Metrics, ring: SpanRing, ready: Ready) -> Router {
    let check = move || {
        let ready = Arc::clone(&ready);
        async move {
            match ready() {
                Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
                Err(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {missing}\n")),
            }
        }
    };
    Router::new()
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(check.clone()))
        .route("/startup", get(check))
        .route("/metrics", get(move || std::future::ready(metrics.render())))
        .route(
            "/traces/{trace_id}",
            get(move |Path(id): Path<String>| std::future::ready(Json(ring.trace(&id)))),
        )
}
