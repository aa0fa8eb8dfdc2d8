//! The front of every HTTP server of ours: one span and one finishing line per request, by route, never by path.

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use http::{HeaderName, HeaderValue};
use sallyport_model::{Clock, RequestId, SystemClock};
use tracing::Instrument;

use crate::propagate;

/// The header that carries the request id both ways.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The outside's request id of this request, put there by [`trace_requests`].
#[derive(Clone, Copy, Debug)]
pub struct Incoming(pub RequestId);

/// axum middleware (`axum::middleware::from_fn(trace_requests)`, as a route layer): gives the request its id, opens
/// its span, writes its one finishing line. A request id from outside is taken only when it is a UUID.
pub async fn trace_requests(mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = request.method().as_str().to_owned();
    let given = request.headers().get(&REQUEST_ID_HEADER).and_then(|v| v.to_str().ok());
    let id =
        given.and_then(|text| RequestId::parse(text).ok()).unwrap_or_else(|| RequestId::new(&SystemClock));
    request.extensions_mut().insert(Incoming(id));
    let span = tracing::info_span!(
        "http.server.request",
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
        request.id = %id,
    );
    propagate::set_parent(&span, request.headers());
    let started = SystemClock.now();
    async move {
        let mut response = next.run(request).await;
        let status = response.status().as_u16();
        tracing::Span::current().record("http.response.status_code", status);
        if let Ok(value) = HeaderValue::try_from(id.to_string()) {
            response.headers_mut().entry(REQUEST_ID_HEADER).or_insert(value);
        }
        let duration_us = SystemClock.now() - started;
        tracing::info!(
            http.request.method = method,
            http.route = route,
            http.response.status_code = status,
            request.id = %id,
            duration_us,
            "request finished"
        );
        response
    }
    .instrument(span)
    .await
}
