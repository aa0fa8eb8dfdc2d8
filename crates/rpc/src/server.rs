//! The door of a service that runs as a process of its own: mutual TLS on one port, gRPC for peers and HTTP for edge.

mod connection;
mod doors;
mod endless;
mod lingering;
mod refused;

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};

pub use doors::Doors;
pub(crate) use doors::is_grpc;
use refused::Refusals;

use crate::tls::Identity;

/// How long the listener rests when the system has no connection to give.
const REST: Duration = Duration::from_millis(100);

/// Limits of a server.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Longest handshake.
    pub handshake_timeout: Duration,
    /// Handshakes at a time; more wait in the system's queue.
    pub max_handshakes: usize,
    /// Connections at a time; more wait in the system's queue.
    pub max_connections: usize,
    /// A connection is told to end after this long, give or take a tenth, so that new certificates and new replicas come
    /// into use.
    pub max_connection_age: Duration,
    /// How long calls on such a connection may go on before it is cut. Longer than the longest call.
    pub connection_age_grace: Duration,
    /// HTTP/2 ping on a silent connection.
    pub ping_every: Duration,
    /// No answer to a ping in this time ends the connection.
    pub ping_timeout: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(5),
            max_handshakes: 64,
            max_connections: 4_096,
            max_connection_age: Duration::from_secs(600),
            connection_age_grace: Duration::from_secs(60),
            ping_every: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(5),
        }
    }
}

/// Serves until `shutdown` turns true, then lets calls in progress finish; whoever awaits this bounds that time by
/// dropping it, which cuts what is left.
pub fn serve(
    listener: TcpListener,
    identity: Identity,
    doors: Doors,
    shutdown: watch::Receiver<bool>,
) -> impl Future<Output = std::io::Result<()>> + Send {
    serve_with(listener, identity, doors, shutdown, ServerSettings::default())
}

/// [`serve`] with other limits.
pub async fn serve_with(
    listener: TcpListener,
    identity: Identity,
    doors: Doors,
    shutdown: watch::Receiver<bool>,
    settings: ServerSettings,
) -> std::io::Result<()> {
    let handshakes = Arc::new(Semaphore::new(settings.max_handshakes));
    let connections = Arc::new(Semaphore::new(settings.max_connections));
    let house =
        Arc::new(House { identity, doors, shutdown: shutdown.clone(), settings, refusals: Refusals::new() });
    let mut stopping = shutdown;
    let mut running = JoinSet::new();
    loop {
        let places = async { Some((place(&connections).await?, place(&handshakes).await?)) };
        let accepted = tokio::select! {
            // A sender that is gone means the same as one that said stop.
            _either_way = stopping.wait_for(|stop| *stop) => break,
            Some(_ended) = running.join_next() => continue,
            accepted = async { (places.await, listener.accept().await) } => accepted,
        };
        match accepted {
            (Some((place, handshaking)), Ok((stream, from))) => {
                let house = Arc::clone(&house);
                running.spawn(async move {
                    house.receive(stream, from, handshaking).await;
                    drop(place);
                });
            }
            // Out of file descriptors, or a client that went away already: neither ends the server.
            (_, Err(_no_connection)) => tokio::time::sleep(REST).await,
            (None, Ok(_)) => break,
        }
    }
    drop(listener);
    while running.join_next().await.is_some() {}
    Ok(())
}

async fn place(of: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    Arc::clone(of).acquire_owned().await.ok()
}

/// What every connection shares.
struct House {
    identity: Identity,
    doors: Doors,
    shutdown: watch::Receiver<bool>,
    settings: ServerSettings,
    refusals: Refusals,
}
