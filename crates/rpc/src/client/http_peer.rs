//! HTTP to a peer over the same connections: how edge passes browsers on.

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version, header, uri};
use sallyport_model::ServiceName;
use sallyport_telemetry::{
    http::{Incoming, REQUEST_ID_HEADER},
    propagate,
};
use tracing::Instrument;

use super::{Choice, ClientSettings, ConnectError, Payload, PeerError, Pool};
use crate::{forwarded, server::is_grpc, tls::Identity};

/// Headers between two neighbours, which end here (RFC 9110 §7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The HTTP routes of a peer. Bodies stream both ways.
#[derive(Clone)]
pub struct HttpPeer(Arc<Pool>);

impl HttpPeer {
    /// To `peer` at `addresses` (`https://host:port`, one per replica). Makes no connection.
    ///
    /// # Errors
    /// [`ConnectError`] for a configuration that can never work.
    pub fn new(identity: Identity, peer: ServiceName, addresses: &[Uri]) -> Result<Self, ConnectError> {
        Self::with(identity, peer, addresses, ClientSettings::default())
    }

    /// [`HttpPeer::new`] with other limits.
    ///
    /// # Errors
    /// As [`HttpPeer::new`].
    pub fn with(
        identity: Identity,
        peer: ServiceName,
        addresses: &[Uri],
        settings: ClientSettings,
    ) -> Result<Self, ConnectError> {
        Ok(Self(Arc::new(Pool::new(identity, peer, addresses, settings)?)))
    }

    /// Whether a connection is open at this moment.
    pub fn is_connected(&self) -> bool {
        self.0.is_connected()
    }

    /// Sends a request to the replicas in turn.
    ///
    /// # Errors
    /// [`PeerError`] when no answer began.
    pub async fn request(&self, request: Request<Body>) -> Result<Response<Body>, PeerError> {
        self.send(request, Choice::InTurn).await
    }

    /// Sends a request to the replica that belongs to `key` while it is well, else to the next in that key's order.
    ///
    /// # Errors
    /// [`PeerError`] when no answer began.
    pub async fn sticky(&self, key: &[u8], request: Request<Body>) -> Result<Response<Body>, PeerError> {
        self.send(request, Choice::Sticky(key)).await
    }

    async fn send(
        &self,
        mut request: Request<Body>,
        choice: Choice<'_>,
    ) -> Result<Response<Body>, PeerError> {
        // A browser that says gRPC would be answered by the other door, in edge's name.
        if is_grpc(request.headers()) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Ok(response);
        }
        // First: what a browser calls its own connection's must not take away what is said of it below.
        end_hop(request.headers_mut());
        self.address(&mut request);
        // One trace and one request id from the click to the EHR.
        let span =
            tracing::info_span!("rpc.client.http", otel.kind = "client", service = self.0.peer().as_str());
        span.in_scope(|| propagate::inject(request.headers_mut()));
        let id = request.extensions().get::<Incoming>().map(|incoming| incoming.0.to_string());
        if let Some(id) = id.and_then(|id| HeaderValue::try_from(id).ok()) {
            request.headers_mut().insert(REQUEST_ID_HEADER, id);
        }
        let source = request.extensions().get::<forwarded::Source>().copied();
        forwarded::tell(request.headers_mut(), source);
        let payload = Payload::new(request.map(tonic::body::Body::new)).await;
        let payload = payload.map_err(|_broken_off| PeerError::Unreachable(self.0.peer()))?;
        let answer = self.0.send(payload, choice).instrument(span).await?;
        let mut answer = answer.map(Body::new);
        end_hop(answer.headers_mut());
        Ok(answer)
    }

    /// HTTP/2 says in its address what HTTP/1.1 says in `Host`.
    fn address(&self, request: &mut Request<Body>) {
        let host = request.headers_mut().remove(header::HOST);
        let named = host.as_ref().map(HeaderValue::as_bytes).and_then(|h| uri::Authority::try_from(h).ok());
        let own = request.uri().authority().cloned();
        let mut parts = uri::Parts::default();
        parts.scheme = Some(uri::Scheme::HTTPS);
        parts.authority = named.or(own).or_else(|| self.0.peer().as_str().parse().ok());
        parts.path_and_query = request.uri().path_and_query().cloned().or_else(|| "/".parse().ok());
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
        *request.version_mut() = Version::HTTP_2;
    }
}

/// Takes away what belongs to a connection, and whatever `Connection` itself names.
fn end_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_connection_ends_with_it() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, x-private"),
            ("x-private", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("proxy-authorization", "Basic x"),
            ("cookie", "a=b"),
            ("accept", "text/html"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        end_hop(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "cookie"]);
    }
}
