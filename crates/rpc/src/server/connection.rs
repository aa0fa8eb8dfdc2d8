//! One connection: handshake, who it is, and its life until it ends, ages or is told to stop.

use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use axum::body::Body;
use http::{Request, Response};
use hyper::{body::Incoming, server::conn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use sallyport_model::ServiceName;
use tokio::{
    net::TcpStream,
    sync::{Notify, OwnedSemaphorePermit, watch},
    time::Instant,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{House, lingering::Lingering, refused};

/// Calls at a time on one connection; a peer keeps one connection for all of its calls.
const MAX_STREAMS: u32 = 1_000;

/// The longest list of request headers: a browser's cookies travel through here.
const MAX_HEADER_BYTES: u32 = 64 * 1024;

/// What one call may have on the way before it is read: an EHR's answer fits in one round.
const STREAM_WINDOW: u32 = 1024 * 1024;

/// What all calls of a connection may have on the way together.
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;

/// How long a connection that is to end is given for its first call.
const FIRST_CALL: Duration = Duration::from_secs(1);

/// How long an HTTP/1.1 client may take over its request head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

impl House {
    /// Lives through one connection.
    pub(super) async fn receive(
        self: Arc<Self>,
        stream: TcpStream,
        from: SocketAddr,
        handshaking: OwnedSemaphorePermit,
    ) {
        // Small frames that wait for each other cost tens of milliseconds; without the option it is only slower.
        let _slower = stream.set_nodelay(true);
        let mut shutdown = self.shutdown.clone();
        let stream = tokio::select! {
            stream = self.handshake(stream) => stream,
            _either_way = shutdown.wait_for(|stop| *stop) => None,
        };
        drop(handshaking);
        let Some((stream, caller)) = stream else { return };
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let first_call = Arc::new(Notify::new());
        let ending = watch::Sender::new(false);
        let (house, called, is_ending) = (Arc::clone(&self), Arc::clone(&first_call), ending.subscribe());
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let house = Arc::clone(&house);
            let is_ending = is_ending.clone();
            called.notify_one();
            async move {
                let answer: Response<Body> = house.doors.answer(caller, from, is_ending, request).await;
                Ok::<_, std::convert::Infallible>(answer)
            }
        });
        let stream = TokioIo::new(Lingering::new(stream));
        if is_http2 {
            let mut builder = conn::http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .max_concurrent_streams(MAX_STREAMS)
                .max_header_list_size(MAX_HEADER_BYTES)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .keep_alive_interval(self.settings.ping_every)
                .keep_alive_timeout(self.settings.ping_timeout);
            self.live(builder.serve_connection(stream, service), &first_call, |c| {
                ending.send_replace(true);
                c.graceful_shutdown();
            })
            .await;
        } else {
            let mut builder = conn::http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
            self.live(builder.serve_connection(stream, service), &first_call, |c| {
                ending.send_replace(true);
                c.graceful_shutdown();
            })
            .await;
        }
    }

    /// The peer's stream and name. `None` when it has no business here.
    async fn handshake(&self, stream: TcpStream) -> Option<(TlsStream<TcpStream>, ServiceName)> {
        let now = self.identity.current();
        let accepting = TlsAcceptor::from(Arc::clone(&now.server)).accept(stream);
        let stream = match tokio::time::timeout(self.settings.handshake_timeout, accepting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                self.refusals.say(refused::reason(&error));
                return None;
            }
            Err(_elapsed) => {
                self.refusals.say("handshake_timeout");
                return None;
            }
        };
        let caller = {
            let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            leaf.and_then(|leaf| now.peer_of(leaf))
        };
        if caller.is_none() {
            self.refusals.say("service_unknown");
        }
        caller.map(|caller| (stream, caller))
    }

    /// Drives a connection to its end. `end` asks it to take no new calls and finish those it has; asked before the two
    /// sides have agreed on how to talk, it would break off what is on its way.
    async fn live<C, E>(&self, connection: C, first_call: &Notify, end: impl Fn(Pin<&mut C>))
    where
        C: Future<Output = Result<(), E>>,
    {
        let mut connection = std::pin::pin!(connection);
        let mut shutdown = self.shutdown.clone();
        let begun = async {
            // Silence is no reason to wait for long.
            let _silent = tokio::time::timeout(FIRST_CALL, first_call.notified()).await;
        };
        tokio::select! {
            // However it ended, its calls know.
            _end = connection.as_mut() => return,
            () = begun => {}
        }
        let mut old = std::pin::pin!(tokio::time::sleep(around(self.settings.max_connection_age)));
        let (mut is_old, mut is_stopping) = (false, false);
        loop {
            tokio::select! {
                _end = connection.as_mut() => return,
                _either_way = shutdown.wait_for(|stop| *stop), if !is_stopping => {
                    is_stopping = true;
                    end(connection.as_mut());
                }
                () = old.as_mut() => {
                    if is_old {
                        return;
                    }
                    is_old = true;
                    end(connection.as_mut());
                    old.as_mut().reset(Instant::now() + self.settings.connection_age_grace);
                }
            }
        }
    }
}

/// Within a tenth of `age`, so that connections which began together do not end together.
fn around(age: Duration) -> Duration {
    let mut byte = [0_u8; 1];
    // Without randomness they end together, which is a nuisance and no harm.
    let _together = aws_lc_rs::rand::fill(&mut byte);
    let [byte] = byte;
    age.mul_f64(0.9 + f64::from(byte) / 255.0 * 0.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_connection_varies_by_a_tenth() {
        let age = Duration::from_secs(100);
        let ages: std::collections::BTreeSet<Duration> = (0..200).map(|_| around(age)).collect();
        assert!(ages.iter().all(|a| *a >= Duration::from_secs(90) && *a <= Duration::from_secs(110)));
        assert!(ages.len() > 20, "they differ");
    }
}
