//! The process's own traces as pages on the admin port: the newest ones, and each as a waterfall.
//!
//! Fed from the [`SpanRing`], so that they are there without a collector. The pages hold allow-listed fields alone, need
//! no script and load nothing from anywhere else. `?format=json` answers the same as JSON: what `sallyport demo` reads.

mod list;
mod page;
mod tree;
mod waterfall;

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use maud::Markup;

use crate::SpanRing;
use list::{Filter, Summary};

/// Own stylesheet, own forms, nothing else; nobody frames an operator's page.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = include_str!("traces/traces.css");

/// `/traces`, `/traces/{trace_id}` and their stylesheet.
pub(crate) fn router(ring: SpanRing) -> Router {
    Router::new()
        .route("/traces", get(newest))
        .route("/traces/{trace_id}", get(one))
        .route("/traces.css", get(|| async { ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE) }))
        .with_state(ring)
}

/// `?format=json`.
#[derive(serde::Deserialize)]
struct Format {
    format: Option<String>,
}

/// A browser asks for HTML by name; whoever does not gets JSON.
fn wants_json(format: &Format, headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    format.format.as_deref() == Some("json") || !accept.contains("text/html")
}

async fn newest(
    State(ring): State<SpanRing>,
    Query(format): Query<Format>,
    Query(filter): Query<Filter>,
    headers: HeaderMap,
) -> Response {
    let spans = ring.all();
    let is_full = spans.len() >= ring.capacity();
    let found: Vec<Summary> = list::summaries(&spans).into_iter().filter(|s| filter.admits(s)).collect();
    if wants_json(&format, &headers) {
        return Json(found).into_response();
    }
    html(StatusCode::OK, page::newest(&found, &filter, spans.len(), is_full))
}

async fn one(
    State(ring): State<SpanRing>,
    Path(trace_id): Path<String>,
    Query(format): Query<Format>,
    headers: HeaderMap,
) -> Response {
    if wants_json(&format, &headers) {
        return Json(ring.trace(&trace_id)).into_response();
    }
    match waterfall::Waterfall::of(&ring.all(), &trace_id) {
        Some(found) => html(StatusCode::OK, page::one(&found)),
        None => html(StatusCode::NOT_FOUND, page::unknown()),
    }
}

fn html(status: StatusCode, markup: Markup) -> Response {
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, axum::response::Html(markup.into_string())).into_response()
}
