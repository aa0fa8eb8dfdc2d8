//! The front door: one origin, each service's routes under their prefix, and an app team's own front end at
//! `/app/{launch}/`. In one process it holds the services' own routers; alone it forwards to them.

mod forward;
mod own_front_end;

use std::sync::Arc;

use axum::{
    Extension, Router, extract::DefaultBodyLimit, http::StatusCode, middleware, response::IntoResponse,
    routing::any,
};
use sallyport_model::Code;
use sallyport_registry::Registry;
use sallyport_rpc::Transport;
use sallyport_telemetry::{
    http::{Durations, trace_requests},
    metrics::Metrics,
};
use tower_http::catch_panic::CatchPanicLayer;

pub(crate) use forward::{Houses, forwarding};

/// `/app/{launch}/…`; `gateway` says to which app entry a launch belongs.
pub(crate) fn own_front_end(gateway: Transport, registry: Arc<Registry>) -> Router {
    let own = own_front_end::OwnFrontEnd::new(gateway, registry);
    Router::new()
        .route("/app/{launch}/", any(own_front_end::serve_root))
        .route("/app/{launch}/{*path}", any(own_front_end::serve))
        .with_state(Arc::new(own))
}

/// What every public router wears: a bound on bodies, an answer to panics and to unknown paths, a span, a line and a
/// duration for each request.
pub(crate) fn dressed(router: Router, max_body_bytes: usize, metrics: &Metrics) -> Router {
    router
        .fallback(nothing_here)
        .layer(DefaultBodyLimit::max(max_body_bytes))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(trace_requests))
        .layer(Extension(Durations::new(metrics)))
}

async fn nothing_here() -> impl IntoResponse {
    plain(Code::NotFound)
}

/// A panic's payload can hold anything: the answer is the same for all.
fn panicked(_payload: Box<dyn std::any::Any + Send>) -> axum::response::Response {
    plain(Code::Internal).into_response()
}

fn plain(code: Code) -> impl IntoResponse {
    let status = StatusCode::from_u16(code.kind().http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [
        ("content-type", "text/plain; charset=utf-8"),
        ("cache-control", "no-store"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ];
    (status, headers, format!("{} {} ({code})\n", code.sentence(), code.next_step()))
}
