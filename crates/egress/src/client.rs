//! The client itself: check the pin, attach the token, send, read under caps, never follow.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject};
use sallyport_model::Secret;
use tokio::time::Instant;
use tracing::Instrument;
use url::Url;

use crate::{
    EgressError, Pins,
    address::Reach,
    body::{self, Tracked},
    connector::{CheckedConnector, ConnectError},
};

/// What bounds every call of one [`Egress`].
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest wait for a connection with its TLS handshake.
    pub connect_timeout: Duration,
    /// How long an idle connection is kept; below the usual 60 s of load balancers.
    pub idle_timeout: Duration,
    /// Idle connections kept per host; 0 makes a new connection for each call.
    pub idle_connections_per_host: usize,
    /// Certificates (PEM) of further authorities that EHRs may be signed by.
    pub extra_ca_pem: Vec<u8>,
    /// Private networks that EHRs may live in, as address and prefix length.
    pub private_networks: Vec<(IpAddr, u8)>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(50),
            idle_connections_per_host: 32,
            extra_ca_pem: Vec::new(),
            private_networks: Vec::new(),
        }
    }
}

/// One call.
#[derive(Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// Where to. Must lie within the pins.
    pub url: Url,
    /// The headers, already an allow-list of the caller's. Hop-by-hop headers are refused.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
    /// The token, attached only after the URL matched a pin.
    pub bearer: Option<&'a Secret<String>>,
    /// When the whole answer must have come.
    pub deadline: Instant,
    /// The largest answer taken, unpacked.
    pub max_body_bytes: usize,
    /// Whether this machine may be reached, and by plain http (sandbox tenants only).
    pub allow_loopback: bool,
}

/// The answer, whole.
#[derive(Debug)]
pub struct Response {
    /// The status; never a redirect.
    pub status: StatusCode,
    /// The headers, without those about the body's packing.
    pub headers: HeaderMap,
    /// The body, unpacked.
    pub body: Bytes,
    /// How many bytes of body came over the wire.
    pub wire_bytes: u64,
}

type Https = Client<HttpsConnector<CheckedConnector>, Tracked>;

/// The one HTTP client to EHRs. Cheap to clone.
#[derive(Clone)]
pub struct Egress {
    public: Https,
    loopback: Https,
    limits: Arc<Limits>,
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[egress]")
    }
}

impl Egress {
    /// A client under `limits`.
    ///
    /// # Errors
    /// [`EgressError::Invalid`] when the further authorities are not certificates in PEM.
    pub fn new(limits: Limits) -> Result<Self, EgressError> {
        let tls = tls(&limits.extra_ca_pem)?;
        let networks: Arc<[(IpAddr, u8)]> = limits.private_networks.clone().into();
        let client = |reach: Reach| {
            let connector = CheckedConnector {
                reach,
                private_networks: Arc::clone(&networks),
                timeout: limits.connect_timeout,
            };
            let https = HttpsConnectorBuilder::new().with_tls_config(tls.clone());
            let https = match reach {
                Reach::Public => https.https_only(),
                Reach::Loopback => https.https_or_http(),
            };
            Client::builder(TokioExecutor::new())
                .timer(TokioTimer::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(limits.idle_timeout)
                .pool_max_idle_per_host(limits.idle_connections_per_host)
                .build(https.enable_http1().wrap_connector(connector))
        };
        Ok(Self {
            public: client(Reach::Public),
            loopback: client(Reach::Loopback),
            limits: Arc::new(limits),
        })
    }

    /// The same client with a new connection for each call: for requests whose outcome must not become unknown just
    /// because the server was closing an idle connection.
    ///
    /// # Errors
    /// None that [`Egress::new`] with the same limits did not have.
    pub fn without_keep_alive(&self) -> Result<Self, EgressError> {
        Self::new(Limits { idle_connections_per_host: 0, ..self.limits.as_ref().clone() })
    }

    /// Sends one request and reads its whole answer. Never follows a redirect, never repeats a request that may have
    /// been sent.
    ///
    /// # Errors
    /// [`EgressError`]; its `outcome_is_unknown` tells whether the server may have acted.
    pub async fn send(&self, pins: &Pins, request: Request<'_>) -> Result<Response, EgressError> {
        let span = tracing::info_span!(
            "egress.http.request",
            otel.kind = "client",
            http.request.method = request.method.as_str(),
            server.address = request.url.host_str().unwrap_or_default(),
            server.port = request.url.port_or_known_default(),
            http.response.status_code = tracing::field::Empty,
            bytes = tracing::field::Empty,
            error.kind = tracing::field::Empty,
        );
        let outcome = self.send_checked(pins, request).instrument(span.clone()).await;
        match &outcome {
            Ok(response) => {
                span.record("http.response.status_code", response.status.as_u16());
                span.record("bytes", response.wire_bytes);
            }
            Err(error) => {
                span.record("error.kind", error.as_str());
            }
        }
        outcome
    }

    async fn send_checked(&self, pins: &Pins, mut request: Request<'_>) -> Result<Response, EgressError> {
        if !pins.admits(&request.url) && !sallyport_model::planted!("next-link-followed-anywhere") {
            return Err(EgressError::NotPinned);
        }
        if request.url.scheme() != "https" && !request.allow_loopback {
            return Err(EgressError::AddressRefused);
        }
        loop {
            match self.send_once(&request).await {
                Err((EgressError::Redirect(_), Some(target)))
                    if sallyport_model::planted!("redirect-followed") =>
                {
                    request.url = target;
                }
                Err((error, _)) => return Err(error),
                Ok(response) => return Ok(response),
            }
        }
    }

    async fn send_once(&self, request: &Request<'_>) -> Result<Response, (EgressError, Option<Url>)> {
        let started = Arc::new(AtomicBool::new(request.body.is_empty()));
        let call = async {
            let (parts, incoming) = self.head(request, &started).await?;
            let (body, wire_bytes) = body::read(&parts.headers, incoming, request.max_body_bytes)
                .await
                .map_err(|error| (error, None))?;
            let mut headers = parts.headers;
            for name in [header::CONTENT_ENCODING, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
                headers.remove(name);
            }
            Ok(Response { status: parts.status, headers, body, wire_bytes })
        };
        let was_sent = || started.load(Ordering::SeqCst);
        tokio::time::timeout_at(request.deadline, call).await.unwrap_or_else(|_elapsed| {
            Err((if was_sent() { EgressError::Timeout } else { EgressError::Unreachable }, None))
        })
    }

    /// Sends a request and waits for the answer's head. A redirect is an error, with where it leads.
    pub(crate) async fn head(
        &self,
        request: &Request<'_>,
        started: &Arc<AtomicBool>,
    ) -> Result<(http::response::Parts, Incoming), (EgressError, Option<Url>)> {
        let prepared = prepare(request, Arc::clone(started)).map_err(|error| (error, None))?;
        let client = if request.allow_loopback { &self.loopback } else { &self.public };
        let response = client.request(prepared).await;
        let response = response.map_err(|error| (classify(&error, started), None))?;
        let (parts, incoming) = response.into_parts();
        if parts.status.is_redirection() && parts.status != StatusCode::NOT_MODIFIED {
            let location = parts.headers.get(header::LOCATION).and_then(|v| v.to_str().ok());
            let target = location.and_then(|location| request.url.join(location).ok());
            return Err((EgressError::Redirect(parts.status.as_u16()), target));
        }
        Ok((parts, incoming))
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers that speak about one connection, or that this client writes itself.
const REFUSED: [HeaderName; 10] = [
    header::CONNECTION,
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::PROXY_AUTHORIZATION,
    header::PROXY_AUTHENTICATE,
    header::ACCEPT_ENCODING,
];

fn prepare(request: &Request<'_>, started: Arc<AtomicBool>) -> Result<http::Request<Tracked>, EgressError> {
    let is_refused =
        |name: &HeaderName| REFUSED.contains(name) || name == "keep-alive" || name == "proxy-connection";
    if request.headers.keys().any(is_refused) {
        return Err(EgressError::Invalid);
    }
    let mut headers = request.headers.clone();
    // A range counts the bytes of the file itself, so it is asked for unpacked (RFC 9110 §14.1.1).
    let packing = if headers.contains_key(header::RANGE) { "identity" } else { "gzip" };
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(packing));
    sallyport_telemetry::propagate::inject(&mut headers);
    name_request(&mut headers);
    if let Some(bearer) = request.bearer {
        if headers.contains_key(header::AUTHORIZATION) {
            return Err(EgressError::Invalid);
        }
        let mut value = HeaderValue::try_from(format!("Bearer {}", bearer.expose()))
            .map_err(|_characters| EgressError::Invalid)?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    let mut prepared = http::Request::builder()
        .method(request.method.clone())
        .uri(request.url.as_str())
        .body(Tracked::new(request.body.clone(), started))
        .map_err(|_uri| EgressError::Invalid)?;
    *prepared.headers_mut() = headers;
    Ok(prepared)
}

/// `X-Request-Id` as the caller gave it; otherwise the trace id, so that the call can be found in the EHR's log.
fn name_request(headers: &mut HeaderMap) {
    if headers.contains_key(REQUEST_ID) {
        return;
    }
    let trace = sallyport_telemetry::propagate::current_trace_id();
    if let Some(value) = trace.and_then(|id| HeaderValue::try_from(id).ok()) {
        headers.insert(REQUEST_ID, value);
    }
}

fn classify(error: &hyper_util::client::legacy::Error, started: &AtomicBool) -> EgressError {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(ConnectError::Refused) = cause.downcast_ref::<ConnectError>() {
            return EgressError::AddressRefused;
        }
        if cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return EgressError::Invalid;
        }
        source = cause.source();
    }
    if error.is_connect() || !started.load(Ordering::SeqCst) {
        EgressError::Unreachable
    } else {
        EgressError::Interrupted
    }
}

fn tls(extra_ca_pem: &[u8]) -> Result<ClientConfig, EgressError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in CertificateDer::pem_slice_iter(extra_ca_pem) {
        let certificate = certificate.map_err(|_pem| EgressError::Invalid)?;
        roots.add(certificate).map_err(|_not_an_authority| EgressError::Invalid)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_versions| EgressError::Invalid)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests;
