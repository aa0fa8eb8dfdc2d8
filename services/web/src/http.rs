//! The edge: routes, the launch's cookie, headers. Decides nothing about the chart.

mod assets;
mod handlers;
mod headers;
mod proposals;
mod session;
mod stream;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};

use crate::App;

pub(crate) use assets::{console_style_path, script_path, style_path};
pub(crate) use headers::{Framing, page_headers};
pub(crate) use session::request_id;

/// A form of ours holds a token and a reference.
const MAX_FORM_BYTES: usize = 4 * 1024;

/// The routes of the pages.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/", get(handlers::start))
        .route("/chart/{launch}", get(handlers::landing_redirect))
        .route("/chart/{launch}/", get(handlers::landing))
        .route("/chart/{launch}/ended", get(handlers::ended))
        .route("/chart/{launch}/source", post(handlers::source))
        .route("/chart/{launch}/proposals", get(proposals::show).post(proposals::decide))
        .route("/chart/{launch}/{page}", get(handlers::page))
        .route("/assets/{file}", get(assets::serve))
        .merge(crate::console::router())
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .route_layer(axum::middleware::from_fn(sallyport_telemetry::http::trace_requests))
        .with_state(app)
}
