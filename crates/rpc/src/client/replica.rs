//! One replica of a peer: its connection, and whether it failed just now.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{Request, Response, Uri};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::{IpAddr, ServerName};
use sallyport_model::ServiceName;
use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::TlsConnector;
use tonic::body::Body;

use super::{
    ClientSettings,
    alive::{Alive, Gone},
};
use crate::tls::Identity;

/// What one call may have on the way before it is read.
const STREAM_WINDOW: u32 = 1024 * 1024;

/// What all calls of a connection may have on the way together.
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;

/// As long a list of headers as a server of ours may send.
const MAX_HEADER_BYTES: u32 = 64 * 1024;

/// An open connection.
#[derive(Clone)]
pub(super) struct Open {
    /// Tells it from its successors.
    number: u64,
    send: SendRequest<Body>,
    gone: Gone,
    /// Takes no new calls from then on, before its server has to say so.
    until: Instant,
}

/// Why a connection gave no answer.
pub(super) enum Unanswered {
    /// Never sent: here it is again.
    Unsent(Box<Request<Body>>),
    /// The server said that it did not look at it.
    Refused,
    /// The server said goodbye at the same time: most likely it did not look at it.
    Goodbye,
    /// Unknown.
    Lost,
}

impl Open {
    fn is_usable(&self) -> bool {
        !self.send.is_closed() && Instant::now() < self.until
    }

    /// Sends a request.
    pub(super) async fn ask(&mut self, request: Request<Body>) -> Result<Response<Incoming>, Unanswered> {
        let answer = tokio::select! {
            answer = self.send.try_send_request(request) => answer,
            () = self.gone.clone().for_good() => return Err(Unanswered::Lost),
        };
        answer.map_err(|mut failed| match failed.take_message() {
            Some(unsent) => Unanswered::Unsent(Box::new(unsent)),
            None => without_message(failed.error()),
        })
    }
}

/// What the server said about a request that it was sent (RFC 9113 §6.8 and §8.7).
fn without_message(error: &hyper::Error) -> Unanswered {
    let cause = std::error::Error::source(error).and_then(|source| source.downcast_ref::<h2::Error>());
    match cause.filter(|cause| cause.is_remote()) {
        Some(cause) if cause.is_reset() && cause.reason() == Some(h2::Reason::REFUSED_STREAM) => {
            Unanswered::Refused
        }
        Some(cause) if cause.is_go_away() && cause.reason() == Some(h2::Reason::NO_ERROR) => {
            Unanswered::Goodbye
        }
        _ => Unanswered::Lost,
    }
}

#[derive(Default)]
struct Now {
    made: u64,
    open: Option<Open>,
    failed_at: Option<Instant>,
}

/// One address and the connection to it.
pub(super) struct Replica {
    host: String,
    port: u16,
    now: Mutex<Now>,
    /// One attempt at a time; the others take its connection, or its failure.
    connecting: tokio::sync::Mutex<()>,
}

/// No connection was made; nothing was sent.
#[derive(Debug)]
pub(super) struct NotConnected;

impl Replica {
    /// `None` when the address is not `https://host:port`.
    pub(super) fn new(address: &Uri) -> Option<Self> {
        if address.scheme_str() != Some("https") {
            return None;
        }
        let host = address.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Self {
            host,
            port: address.port_u16().unwrap_or(443),
            now: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
        })
    }

    /// By which replicas are told apart, the same in every process.
    pub(super) fn name(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.open().is_some()
    }

    /// Whether it failed within `time`.
    pub(super) fn failed_within(&self, time: Duration) -> bool {
        let failed_at = self.now.lock().unwrap_or_else(PoisonError::into_inner).failed_at;
        failed_at.is_some_and(|at| Instant::now().saturating_duration_since(at) < time)
    }

    /// The transport failed: the next call looks elsewhere first.
    pub(super) fn failed(&self) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.failed_at = Some(Instant::now());
        now.open = now.open.take().filter(Open::is_usable);
    }

    /// The connection takes no more calls (its server said so); the next call opens another.
    pub(super) fn retire(&self, old: &Open) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.open = now.open.take().filter(|open| open.number != old.number);
    }

    fn open(&self) -> Option<Open> {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.open.clone().filter(Open::is_usable)
    }

    /// The open connection, or a new one.
    pub(super) async fn connection(
        &self,
        identity: &Identity,
        peer: ServiceName,
        settings: &ClientSettings,
    ) -> Result<Open, NotConnected> {
        if let Some(open) = self.open() {
            return Ok(open);
        }
        let asked_at = Instant::now();
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(open) = self.open() {
            return Ok(open);
        }
        let has_failed_meanwhile = {
            let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
            now.failed_at.is_some_and(|at| at >= asked_at)
        };
        if has_failed_meanwhile {
            return Err(NotConnected);
        }
        let connecting = self.connect(identity, peer, settings);
        match tokio::time::timeout(settings.connect_timeout, connecting).await {
            Ok(Ok((send, gone))) => {
                let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
                now.made += 1;
                let open = Open {
                    number: now.made,
                    send,
                    gone,
                    until: Instant::now() + settings.max_connection_age,
                };
                now.open = Some(open.clone());
                now.failed_at = None;
                Ok(open)
            }
            Ok(Err(reason)) => {
                self.failed();
                tracing::warn!(service = peer.as_str(), reason, "a peer could not be reached");
                Err(NotConnected)
            }
            Err(_elapsed) => {
                self.failed();
                tracing::warn!(service = peer.as_str(), reason = "timeout", "a peer could not be reached");
                Err(NotConnected)
            }
        }
    }

    async fn connect(
        &self,
        identity: &Identity,
        peer: ServiceName,
        settings: &ClientSettings,
    ) -> Result<(SendRequest<Body>, Gone), &'static str> {
        // Whatever the name resolves to, in turn.
        let stream =
            TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|_refused| "refused")?;
        let _slower = stream.set_nodelay(true);
        let config = identity.current().client(peer).map_err(|_not_usable| "identity")?;
        let name = ServerName::IpAddress(IpAddr::from(std::net::Ipv4Addr::UNSPECIFIED));
        let stream = TlsConnector::from(config).connect(name, stream).await.map_err(|error| why(&error))?;
        let (stream, gone) = Alive::new(TokioIo::new(stream));
        let (open, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEADER_BYTES)
            .keep_alive_interval(settings.ping_every)
            .keep_alive_timeout(settings.ping_timeout)
            .keep_alive_while_idle(true)
            .handshake(stream)
            .await
            .map_err(|_not_http2| "protocol")?;
        tokio::spawn(async move {
            // Its calls learn how it ended.
            let _end = connection.await;
        });
        Ok((open, gone))
    }
}

fn why(error: &std::io::Error) -> &'static str {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure)) => {
            "not_the_service_that_was_meant"
        }
        Some(rustls::Error::InvalidCertificate(_)) => "certificate",
        Some(rustls::Error::AlertReceived(_)) => "refused_by_peer",
        Some(_) => "tls",
        None => "broken_off",
    }
}

/// Shared by all callers of a peer.
pub(super) type Replicas = Vec<Arc<Replica>>;
