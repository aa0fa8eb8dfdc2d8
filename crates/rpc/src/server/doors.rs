//! What is behind the port: a service's methods for the peers on its list, its HTTP routes for edge alone.

use std::net::{IpAddr, SocketAddr};

use axum::{Router, body::Body, extract::ConnectInfo};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use sallyport_model::{Code, ServiceName, planted};
use sallyport_telemetry::http::FromHouse;
use tokio::sync::watch;
use tower::ServiceExt;

use super::endless::Endless;
use crate::{Served, revocation, status};

/// Set by edge, and believed because edge alone comes through the HTTP door.
const FORWARDED_FOR: HeaderName = crate::forwarded::HEADER;

/// The ways in.
#[derive(Clone, Default)]
pub struct Doors {
    /// Methods, each behind its allow-list.
    pub rpc: Vec<Served>,
    /// Routes for browsers, which come by way of edge.
    pub http: Option<Router>,
}

impl Doors {
    /// Answers one request of an authenticated peer.
    pub(super) async fn answer(
        &self,
        caller: ServiceName,
        from: SocketAddr,
        is_ending: watch::Receiver<bool>,
        request: Request<Incoming>,
    ) -> Response<Body> {
        if is_grpc(request.headers()) {
            let path = request.uri().path();
            let owner = self.rpc.iter().find(|s| s.allow_list().iter().any(|(method, _)| *method == path));
            // A method that nobody offers is a method that nobody may call.
            let Some(owner) = owner else { return status(Code::CallerDenied).into_http() };
            let is_endless = revocation::is_endless(path);
            let answer = owner.call(caller, request.map(tonic::body::Body::new)).await;
            return match is_endless {
                true => answer.map(|body| Body::new(Endless::new(body, is_ending))),
                false => answer.map(Body::new),
            };
        }
        let may_enter = caller == ServiceName::Edge || planted!("http-door-open");
        let Some(routes) = self.http.clone().filter(|_| may_enter) else { return denied() };
        let mut request = request.map(Body::new);
        let browser = browser(request.headers());
        request.headers_mut().remove(FORWARDED_FOR);
        let address = browser.map_or(from, |ip| SocketAddr::new(ip, 0));
        request.extensions_mut().insert(ConnectInfo(address));
        request.extensions_mut().insert(FromHouse);
        match routes.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// gRPC by its content type, which a browser cannot send through edge (`HttpPeer` refuses it).
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// The address that edge saw. Edge writes one; of several, the last is edge's own word.
fn browser(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(FORWARDED_FOR).iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

fn denied() -> Response<Body> {
    let text = format!("{} ({})\n", Code::CallerDenied.sentence(), Code::CallerDenied);
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::FORBIDDEN;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|v| (FORWARDED_FOR, HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn the_last_forwarded_address_is_the_one_edge_wrote() {
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert_eq!(browser(&with(&["203.0.113.5"])), ip("203.0.113.5"));
        assert_eq!(browser(&with(&["10.0.0.1, 2001:db8::1"])), ip("2001:db8::1"));
        assert_eq!(browser(&with(&["10.0.0.1", "203.0.113.5"])), ip("203.0.113.5"));
        assert_eq!(browser(&with(&["nonsense"])), None);
        assert_eq!(browser(&with(&[])), None);
    }
}
