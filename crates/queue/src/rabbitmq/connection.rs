//! One connection to the broker, and the way to end it whatever state it is in.

use std::{
    collections::HashSet,
    net::{Shutdown, TcpStream},
    os::fd::AsFd as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::StreamExt as _;
use lapin::{
    AsyncTcpStream, Channel, Connection, ConnectionProperties, ErrorKind, Event, tcp::OwnedTLSConfig,
    uri::AMQPScheme,
};
use tokio::{sync::Semaphore, time::timeout};

use super::Settings;

/// Name resolution, TCP, TLS and AMQP together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Seconds between signs of life. A connection on which nothing arrives for twice as long is given up.
const HEARTBEAT_SECONDS: u16 = 5;

/// How many publishes are on their way at once, each on a channel of its own.
pub(super) const MAX_LANES: usize = 256;

/// A connection that was established. It may be lost at any time; then whoever uses it hears an error.
pub(super) struct Link {
    pub(super) connection: Connection,
    _cut: Cut,
    /// Channels in confirm mode on which nothing is on its way.
    pub(super) idle: Mutex<Vec<Channel>>,
    pub(super) lanes: Semaphore,
    /// Queues that are known to exist.
    pub(super) declared: tokio::sync::Mutex<HashSet<String>>,
}

/// Why there is no connection, as a fixed word for logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure(pub(super) &'static str);

impl Link {
    /// Connects once, within a bound.
    pub(super) async fn open(settings: &Settings) -> Result<Arc<Self>, Failure> {
        let mut uri = settings.uri().map_err(|_checked_before| Failure("settings"))?;
        uri.query.heartbeat = Some(HEARTBEAT_SECONDS);
        let cert_chain = settings.authorities().map_err(|_unreadable| Failure("authority"))?;
        let tls = OwnedTLSConfig { identity: None, cert_chain };
        let runtime = lapin::runtime::default_runtime().map_err(|_no_runtime| Failure("runtime"))?;
        let properties = ConnectionProperties::default().with_connection_name(settings.name.as_str().into());
        // Also when this attempt is given up, by its bound or because nobody wants the queue any more.
        let cut = Cut(Arc::default());
        let held = Arc::clone(&cut.0);
        // The library's thread of this connection waits for the socket without a bound of its own; with the socket
        // in our hand it can be ended in every state.
        let connecting = Connection::connector(
            uri,
            runtime,
            async move |uri, runtime| {
                let opening = async {
                    let place = (uri.authority.host.clone(), uri.authority.port);
                    let addresses: Vec<_> = tokio::net::lookup_host(place).await?.collect();
                    let mut last = std::io::Error::from(std::io::ErrorKind::NotFound);
                    for address in addresses {
                        match AsyncTcpStream::connect(&runtime, address).await {
                            Ok(stream) => {
                                if let AsyncTcpStream::Plain(plain) = &stream {
                                    held.keep(plain.get_ref())?;
                                }
                                return match uri.scheme {
                                    AMQPScheme::AMQP => Ok(stream),
                                    AMQPScheme::AMQPS => {
                                        stream.into_tls(&uri.authority.host, tls.as_ref()).await
                                    }
                                };
                            }
                            Err(error) => last = error,
                        }
                    }
                    Err(last)
                };
                let opened = timeout(CONNECT_TIMEOUT, opening).await;
                opened.unwrap_or_else(|_elapsed| Err(std::io::ErrorKind::TimedOut.into())).map_err(Into::into)
            },
            properties,
        );
        match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(connection)) => Ok(Arc::new(Self {
                connection,
                _cut: cut,
                idle: Mutex::default(),
                lanes: Semaphore::new(MAX_LANES),
                declared: tokio::sync::Mutex::default(),
            })),
            Ok(Err(error)) => Err(Failure::of(&error)),
            Err(_elapsed) => Err(Failure("timeout")),
        }
    }

    /// Returns when the connection is lost.
    pub(super) async fn lost(&self) -> Failure {
        let mut events = self.connection.events_listener();
        // What happened before the listener was there is in the state.
        while self.connection.status().connected() {
            // An ending without an event would be noticed a second later.
            match timeout(Duration::from_secs(1), events.next()).await {
                Ok(Some(Event::Error(error))) => return Failure::of(&error),
                Ok(Some(Event::ConnectionBlocked(_reason))) => {
                    tracing::warn!("the broker is short of memory or disk and takes no messages");
                }
                Ok(Some(Event::ConnectionUnblocked)) => tracing::info!("the broker takes messages again"),
                Ok(Some(_)) | Err(_) => {}
                Ok(None) => break,
            }
        }
        Failure("closed")
    }

    /// A new channel.
    pub(super) async fn channel(&self) -> lapin::Result<Channel> {
        self.connection.create_channel().await
    }

    /// Says goodbye, so that the broker does not log a lost client.
    pub(super) async fn close(&self) {
        let _broken_already = timeout(Duration::from_secs(1), self.connection.close(200, "OK".into())).await;
    }
}

impl Failure {
    pub(super) fn of(error: &lapin::Error) -> Self {
        Self(match error.kind() {
            ErrorKind::IOError(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => "refused",
            ErrorKind::IOError(error) if error.kind() == std::io::ErrorKind::InvalidData => "tls",
            ErrorKind::IOError(error) if error.kind() == std::io::ErrorKind::TimedOut => "timeout",
            ErrorKind::IOError(_) | ErrorKind::RuntimeShutdownError(_) => "io",
            // Wrong password, no such virtual host, a queue with other arguments.
            ErrorKind::ProtocolError(_) => "broker",
            ErrorKind::MissingHeartbeatError => "silent",
            _ => "state",
        })
    }
}

/// Ends the connection's socket when dropped.
struct Cut(Arc<Socket>);

impl Drop for Cut {
    fn drop(&mut self) {
        self.0.cut();
    }
}

/// A second handle on the connection's socket.
#[derive(Default)]
struct Socket(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Connecting,
    Open(TcpStream),
    Cut,
}

impl Socket {
    fn keep(&self, stream: &tokio::net::TcpStream) -> std::io::Result<()> {
        let second = TcpStream::from(stream.as_fd().try_clone_to_owned()?);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Cut) {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        *state = State::Open(second);
        Ok(())
    }

    /// Both directions end; what was written before still arrives.
    fn cut(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Open(stream) = std::mem::replace(&mut *state, State::Cut) {
            let _ended_already = stream.shutdown(Shutdown::Both);
        }
    }
}
