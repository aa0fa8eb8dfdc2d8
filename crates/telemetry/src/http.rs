//! The front of every HTTP server of ours: one span and one finishing line per request, by route, never by path.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use sallyport_model::{RequestId, SystemClock};
use tracing::Instrument;

use crate::{
    metrics::{Histogram, Metrics},
    propagate,
};

/// The header that carries the request id both ways.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The outside's request id of this request, put there by [`trace_requests`].
#[derive(Clone, Copy, Debug)]
pub struct Incoming(pub RequestId);

/// Marks a request that our own front door passed on: its trace context is ours, whether sampled or not. Put there by
/// whoever has verified the peer.
#[derive(Clone, Copy, Debug)]
pub struct FromHouse;

/// How long requests took, by method, route and status: `http.server.request.duration` of OpenTelemetry's HTTP conventions
/// as Prometheus names it. Whoever dresses a router gives it to its requests as an extension, outside [`trace_requests`].
#[derive(Clone)]
pub struct Durations(Histogram);

impl Durations {
    /// Registers them; twice is once.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        Self(metrics.histogram(
            "http_server_request_duration_seconds",
            "Time from a request's head to its answer's head. A client that went away has no status.",
            &["http_request_method", "http_route", "http_response_status_code"],
        ))
    }
}

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
    let durations = request.extensions().get::<Durations>().cloned();
    let line = FinishingLine { method, route, id, started: Instant::now(), status: None, durations };
    async move {
        let mut line = line;
        let mut response = next.run(request).await;
        let status = response.status();
        line.status = Some(status);
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
    status: Option<StatusCode>,
    durations: Option<Durations>,
}

impl Drop for FinishingLine {
    fn drop(&mut self) {
        let duration = self.started.elapsed();
        if let Some(Durations(histogram)) = &self.durations {
            let status = self.status.as_ref().map_or("", StatusCode::as_str);
            histogram.observe(&[self.method, &self.route, status], duration.as_secs_f64());
        }
        let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let outcome = if self.status.is_some() { "answered" } else { "abandoned" };
        tracing::info!(
            http.request.method = self.method,
            http.route = self.route,
            http.response.status_code = self.status.map(|status| status.as_u16()),
            request.id = %self.id,
            outcome,
            duration_us,
            "request finished"
        );
    }
}

#[cfg(test)]
mod tests {
    use axum::{Extension, Router, body::Body, middleware, routing::get};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn durations_are_kept_by_route_and_status_and_never_by_path() {
        let metrics = Metrics::new();
        let router = Router::new()
            .route("/fhir/{launch}/{*path}", get(|| async { "" }))
            .route("/broken", get(|| async { StatusCode::BAD_GATEWAY }))
            .layer(middleware::from_fn(trace_requests))
            .layer(Extension(Durations::new(&metrics)));
        for path in ["/fhir/canary/Patient/canary", "/broken"] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let _answer = router.clone().oneshot(request).await.unwrap();
        }
        let text = metrics.render();
        for (route, status) in [("/fhir/{launch}/{*path}", "200"), ("/broken", "502")] {
            let line = format!(
                "http_server_request_duration_seconds_count{{http_request_method=\"GET\",\
                 http_response_status_code=\"{status}\",http_route=\"{route}\"}} 1"
            );
            assert!(text.contains(&line), "{line} is not in {text}");
        }
        assert!(!text.contains("canary"), "{text}");
    }
}
