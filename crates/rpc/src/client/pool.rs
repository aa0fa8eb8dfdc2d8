//! The replicas of a peer: which one a call goes to, and which one next when that one cannot be reached.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use aws_lc_rs::digest;
use http::{Response, Uri};
use hyper::body::Incoming;
use sallyport_model::ServiceName;

use super::{
    ClientSettings, ConnectError, Payload, PeerError,
    replica::{Replica, Replicas, Unanswered},
};
use crate::tls::Identity;

/// How a call chooses among replicas that are all well.
#[derive(Clone, Copy)]
pub(crate) enum Choice<'k> {
    /// One after the other.
    InTurn,
    /// The same for the same key, in every process (rendezvous hashing): a replica that is gone moves only its own keys.
    Sticky(&'k [u8]),
}

/// How often one replica is tried with a new connection before the next one is.
const ATTEMPTS: usize = 3;

/// All replicas of one peer.
pub(crate) struct Pool {
    identity: Identity,
    peer: ServiceName,
    replicas: Replicas,
    next: AtomicUsize,
    settings: ClientSettings,
}

impl Pool {
    pub(crate) fn new(
        identity: Identity,
        peer: ServiceName,
        addresses: &[Uri],
        settings: ClientSettings,
    ) -> Result<Self, ConnectError> {
        if addresses.is_empty() {
            return Err(ConnectError::NoAddress(peer));
        }
        let replicas: Option<Replicas> =
            addresses.iter().map(|address| Replica::new(address).map(Arc::new)).collect();
        let replicas = replicas.ok_or(ConnectError::Address(peer))?;
        identity.current().client(peer)?;
        Ok(Self { identity, peer, replicas, next: AtomicUsize::new(0), settings })
    }

    pub(crate) fn peer(&self) -> ServiceName {
        self.peer
    }

    /// Whether a connection is open at this moment.
    pub(crate) fn is_connected(&self) -> bool {
        self.replicas.iter().any(|replica| replica.is_connected())
    }

    /// Opens a connection if there is none, to learn whether the peer is there.
    pub(crate) async fn reach(&self) -> bool {
        for replica in self.order(Choice::InTurn) {
            if replica.connection(&self.identity, self.peer, &self.settings).await.is_ok() {
                return true;
            }
        }
        false
    }

    /// Sends a request to the first replica that takes it. What was certainly not acted on is tried again and elsewhere;
    /// what may have been acted on never is.
    pub(crate) async fn send(
        &self,
        mut payload: Payload,
        choice: Choice<'_>,
    ) -> Result<Response<Incoming>, PeerError> {
        for replica in self.order(choice) {
            // A connection that its server is just ending takes nothing more; the next one does.
            for _attempt in 0..ATTEMPTS {
                let connection = replica.connection(&self.identity, self.peer, &self.settings).await;
                let Ok(mut connection) = connection else { break };
                let Some(request) = payload.next() else { return Err(PeerError::NoAnswer(self.peer)) };
                match connection.ask(request).await {
                    Ok(answer) => return Ok(answer),
                    Err(Unanswered::Unsent(request)) => payload.back(*request),
                    Err(Unanswered::Refused) => {}
                    Err(Unanswered::Goodbye) if payload.may_be_repeated() => {}
                    Err(Unanswered::Goodbye | Unanswered::Lost) => {
                        replica.failed();
                        return Err(PeerError::NoAnswer(self.peer));
                    }
                }
                replica.retire(&connection);
            }
        }
        Err(PeerError::Unreachable(self.peer))
    }

    /// The replicas as this call tries them: those that failed just now come last.
    fn order(&self, choice: Choice<'_>) -> Replicas {
        let mut order = self.replicas.clone();
        match choice {
            Choice::InTurn => {
                let turn = self.next.fetch_add(1, Ordering::Relaxed) % order.len().max(1);
                order.rotate_left(turn);
            }
            Choice::Sticky(key) => order.sort_by_cached_key(|replica| weight(key, replica)),
        }
        order.sort_by_cached_key(|replica| replica.failed_within(self.settings.skip_failed_for));
        order
    }
}

fn weight(key: &[u8], replica: &Replica) -> [u8; 8] {
    let (host, port) = replica.name();
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(host.as_bytes());
    context.update(&port.to_be_bytes());
    context.update(key);
    let mut weight = [0; 8];
    for (to, from) in weight.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    weight
}
