//! The way to a peer that runs elsewhere: one HTTP/2 connection per replica over mutual TLS, opened when it is needed.

mod alive;
mod failure;
mod http_peer;
mod payload;
mod pool;
mod replica;

use std::{sync::Arc, time::Duration};

use http::Uri;
use sallyport_model::ServiceName;

pub use failure::{PeerError, once_more};
pub use http_peer::HttpPeer;
pub(crate) use payload::Payload;
pub(crate) use pool::{Choice, Pool};

use crate::{
    Transport,
    tls::{Identity, TlsError},
};

/// Limits of a client.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Longest way to an open connection: name, TCP and TLS together.
    pub connect_timeout: Duration,
    /// A replica that failed is passed over this long, as long as there is another.
    pub skip_failed_for: Duration,
    /// A connection takes no new calls after this long. Less than the server's, so that it need not say goodbye to calls
    /// that are on their way.
    pub max_connection_age: Duration,
    /// HTTP/2 ping, also on an idle connection: a dead peer is noticed before the next call needs it.
    pub ping_every: Duration,
    /// No answer to a ping in this time ends the connection.
    pub ping_timeout: Duration,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            skip_failed_for: Duration::from_secs(1),
            max_connection_age: Duration::from_secs(420),
            ping_every: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(5),
        }
    }
}

/// Why a client cannot be made. An absent peer is not a reason: connections are opened when they are needed.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No address at all.
    #[error("no address is given for {}", .0.as_str())]
    NoAddress(ServiceName),
    /// An address without host, or of another scheme than https.
    #[error("an address of {} is not https://host:port", .0.as_str())]
    Address(ServiceName),
    /// The identity cannot make connections.
    #[error("the identity cannot be used for connections")]
    Identity(#[from] TlsError),
}

/// To `peer` at `addresses` (`https://host:port`, one per replica), as what `identity` says. Makes no connection.
///
/// # Errors
/// [`ConnectError`] for a configuration that can never work.
pub fn connect(identity: Identity, peer: ServiceName, addresses: &[Uri]) -> Result<Transport, ConnectError> {
    connect_with(identity, peer, addresses, ClientSettings::default())
}

/// [`connect`] with other limits.
///
/// # Errors
/// As [`connect`].
pub fn connect_with(
    identity: Identity,
    peer: ServiceName,
    addresses: &[Uri],
    settings: ClientSettings,
) -> Result<Transport, ConnectError> {
    Ok(Transport::pool(Arc::new(Pool::new(identity, peer, addresses, settings)?)))
}
