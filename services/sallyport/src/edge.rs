//! The front door: one origin, each service's routes under their prefix, and an app team's own front end at
//! `/app/{launch}/`.

mod own_front_end;

use std::sync::Arc;

use axum::{
    Router, extract::DefaultBodyLimit, http::StatusCode, middleware, response::IntoResponse, routing::any,
};
use sallyport_model::Code;
use sallyport_registry::Registry;
use sallyport_rpc::Transport;
use tower_http::catch_panic::CatchPanicLayer;

/// What the front door is made of.
pub(crate) struct Parts {
    /// `/launch`, `/callback`, `/session`, `/.well-known/jwks.json`.
    pub(crate) launch_auth: Router,
    /// `/fhir`, `/api`.
    pub(crate) fhir_gateway: Router,
    /// `/chart`, `/assets`, `/`.
    pub(crate) web: Router,
    /// To fhir-gateway, as the pages' server: which app entry a launch belongs to.
    pub(crate) gateway: Transport,
    /// The app entries.
    pub(crate) registry: Arc<Registry>,
    /// Longest request body.
    pub(crate) max_body_bytes: usize,
}

/// Puts the services behind one origin.
pub(crate) fn router(parts: Parts) -> Router {
    let own = own_front_end::OwnFrontEnd::new(parts.gateway, parts.registry);
    let app = Router::new()
        .route("/app/{launch}/", any(own_front_end::serve_root))
        .route("/app/{launch}/{*path}", any(own_front_end::serve))
        .with_state(Arc::new(own));
    Router::new()
        .merge(parts.launch_auth)
        .merge(parts.fhir_gateway)
        .merge(parts.web)
        .merge(app)
        .fallback(nothing_here)
        .layer(DefaultBodyLimit::max(parts.max_body_bytes))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(sallyport_telemetry::http::trace_requests))
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
