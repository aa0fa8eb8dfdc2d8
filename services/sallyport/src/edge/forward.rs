//! The front door alone: requests go on to the service that owns the prefix, by mutual TLS, streamed both ways.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{Uri, header},
    response::{IntoResponse, Response},
    routing::any,
};
use http_body_util::{BodyExt, Limited};
use sallyport_model::Code;
use sallyport_rpc::{HttpPeer, forwarded};
use sallyport_telemetry::http::Incoming;

use super::plain;

/// Longest wait for a service's first byte: longer than any deadline of its own.
const FIRST_BYTE: Duration = Duration::from_secs(40);

/// Who answers under which prefix.
pub(crate) struct Houses {
    pub(crate) launch_auth: HttpPeer,
    pub(crate) fhir_gateway: HttpPeer,
    pub(crate) web: HttpPeer,
    /// Proxies before us whose `X-Forwarded-For` is believed.
    pub(crate) trusted_proxies: Vec<IpAddr>,
    pub(crate) max_body_bytes: usize,
}

/// The prefixes of all services, forwarded.
pub(crate) fn forwarding(houses: Houses) -> Router {
    Router::new()
        .route("/launch", any(to_launch_auth))
        .route("/launch/{registration}", any(to_launch_auth))
        .route("/callback/{registration}", any(to_launch_auth))
        .route("/session/{launch}", any(to_launch_auth))
        .route("/session/{launch}/{*rest}", any(to_launch_auth))
        .route("/.well-known/jwks.json", any(to_launch_auth))
        .route("/fhir/{launch}", any(to_fhir_gateway))
        .route("/fhir/{launch}/", any(to_fhir_gateway))
        .route("/fhir/{launch}/{*rest}", any(to_fhir_gateway))
        .route("/api/{launch}/{*rest}", any(to_fhir_gateway))
        .route("/", any(to_web))
        .route("/chart/{launch}", any(to_web))
        .route("/chart/{launch}/", any(to_web))
        .route("/chart/{launch}/{*rest}", any(to_web))
        .route("/console", any(to_web))
        .route("/console/{*rest}", any(to_web))
        .route("/assets/{*rest}", any(to_web))
        .with_state(Arc::new(houses))
}

async fn to_launch_auth(State(houses): State<Arc<Houses>>, request: Request) -> Response {
    forward(&houses, &houses.launch_auth, request).await
}

async fn to_fhir_gateway(State(houses): State<Arc<Houses>>, request: Request) -> Response {
    forward(&houses, &houses.fhir_gateway, request).await
}

async fn to_web(State(houses): State<Arc<Houses>>, request: Request) -> Response {
    forward(&houses, &houses.web, request).await
}

async fn forward(houses: &Houses, peer: &HttpPeer, request: Request) -> Response {
    let request = match outgoing(houses, request) {
        Ok(request) => request,
        Err(code) => return plain(code).into_response(),
    };
    match tokio::time::timeout(FIRST_BYTE, peer.request(request)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_unreachable)) => plain(Code::DependencyDown).into_response(),
        Err(_elapsed) => plain(Code::UpstreamTimeout).into_response(),
    }
}

/// The request as the service gets it: the browser's, with what only we can say.
fn outgoing(houses: &Houses, mut request: Request) -> Result<Request, Code> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let source = peer.map(|peer| forwarded::source(peer, request.headers(), &houses.trusted_proxies));
    let id = request.extensions().get::<Incoming>().copied();
    // Which of our names a browser used is nothing to the services.
    request.headers_mut().remove(header::HOST);
    // Path and query as the browser sent them: one parser decides, the service's.
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let target: Uri = target.parse().map_err(|_shape| Code::PathInvalid)?;
    let (parts, body) = request.into_parts();
    let mut clean =
        http::Request::new(Body::new(Limited::new(body, houses.max_body_bytes).map_err(axum::Error::new)));
    *clean.method_mut() = parts.method;
    *clean.uri_mut() = target;
    *clean.headers_mut() = parts.headers;
    // The peer's client sends both along, with the trace.
    if let Some(id) = id {
        clean.extensions_mut().insert(id);
    }
    if let Some(source) = source {
        clean.extensions_mut().insert(forwarded::Source(source));
    }
    Ok(clean)
}
