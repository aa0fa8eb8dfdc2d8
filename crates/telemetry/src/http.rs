//! The front of every HTTP server of ours: one span and one finishing line per request, by route, never by path.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use http::{HeaderName, HeaderValue, Method};
use sallyport_model::{RequestId, SystemClock};
use tracing::Instrument;

use crate::propagate;

/// The header that carries the request id both ways.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The outside's request id of this request, put there by [`trace_requests`].
#[derive(Clone, Copy, Debug)]
pub struct Incoming(pub RequestId);

/// Marks a request that our own front door passed on: its trace context is ours, whether sampled or not. Put there by
/// whoever has verified the peer.
#[derive(Clone, Copy, Debug)]
pub struct FromHouse;

/// axum middleware (`axum::middleware::from_fn(trace_requests)`, as a layer of the router): gives the request its id,
/// opens its span, writes its one finishing line. A request id from outside is taken only when it is a UUID.
///
/// Where routers with this layer are nested, the outermost does it.
pub async fn trace_requests(mut request: Request, next: Next) -> Response {
    if request.extensions().get::<Incoming>().is_some() {
        return next.run(request).await;
    }
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let route = if sallyport_model::planted!("patient-in-front-door-log") {
        request.uri().to_string()
    } else {
        route
    };
    let method = method(request.method());
    let given = request.headers().get(&REQUEST_ID_HEADER).and_then(|v| v.to_str().ok());
    let id =
        given.and_then(|text| RequestId::parse(text).ok()).unwrap_or_else(|| RequestId::new(&SystemClock));
    request.extensions_mut().insert(Incoming(id));
    let span = tracing::info_span!(
        "http.server.request",
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
        request.id = %id,
    );
    if request.extensions().get::<FromHouse>().is_some() {
        propagate::set_parent(&span, request.headers());
    } else {
        propagate::set_parent_from_outside(&span, request.headers());
    }
    let line = FinishingLine { method, route, id, started: Instant::now(), status: None };
    async move {
        let mut line = line;
        let mut response = next.run(request).await;
        let status = response.status();
        line.status = Some(status.as_u16());
        tracing::Span::current().record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            tracing::Span::current().record("otel.status_code", "ERROR");
        }
        if let Ok(value) = HeaderValue::try_from(id.to_string()) {
            response.headers_mut().entry(REQUEST_ID_HEADER).or_insert(value);
        }
        response
    }
    .instrument(span)
    .await
}

/// Anybody can send any word as a method, so only the known ones are told (OpenTelemetry HTTP conventions).
fn method(method: &Method) -> &'static str {
    const KNOWN: [Method; 8] = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
        Method::TRACE,
    ];
    const NAMES: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"];
    KNOWN.iter().zip(NAMES).find(|(known, _)| *known == method).map_or("_OTHER", |(_, name)| name)
}

/// Written when dropped, so that a request whose client went away has its line too.
struct FinishingLine {
    method: &'static str,
    route: String,
    id: RequestId,
    started: Instant,
    status: Option<u16>,
}

impl Drop for FinishingLine {
    fn drop(&mut self) {
        let duration_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let outcome = if self.status.is_some() { "answered" } else { "abandoned" };
        tracing::info!(
            http.request.method = self.method,
            http.route = self.route,
            http.response.status_code = self.status,
            request.id = %self.id,
            outcome,
            duration_us,
            "request finished"
        );
    }
}
