//! Connects, and connects again: the one place that makes connections.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use ::redis::{AsyncConnectionConfig, Client, RedisError, aio::MultiplexedConnection, cmd};
use sallyport_resilience::Backoff;
use sallyport_telemetry::metrics::Gauge;
use tokio::{
    sync::{Notify, oneshot, watch},
    time::timeout,
};

/// Name resolution, TCP, TLS, sign-in and the first answer together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection that nobody uses is asked this often whether it still answers …
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// … and has so long for it.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Between attempts: up to 3 s, so that a server that is back is used soon. The first is nearly at once, for the callers
/// that wait for the connection after a restart.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(3));

/// Keeps `connections` supplied until the sender of `unused` is gone.
pub(super) async fn run(
    client: Client,
    connections: watch::Sender<Option<MultiplexedConnection>>,
    suspect: Arc<Notify>,
    mut unused: oneshot::Receiver<()>,
    connected: Gauge,
) {
    connected.set(&[], 0);
    let mut attempt = 0;
    loop {
        let opened = tokio::select! {
            opened = timeout(CONNECT_TIMEOUT, open(&client)) => opened,
            _gone = &mut unused => return,
        };
        let reason = match opened {
            Ok(Ok(connection)) => {
                tracing::info!("the key-value store is connected");
                attempt = 0;
                connected.set(&[], 1);
                connections.send_replace(Some(connection.clone()));
                tokio::select! {
                    () = suspect.notified() => {}
                    () = silent(connection) => {}
                    _gone = &mut unused => return,
                }
                connections.send_replace(None);
                connected.set(&[], 0);
                "lost"
            }
            Ok(Err(error)) if error.is_connection_refusal() => "refused",
            // Wrong password, TLS.
            Ok(Err(_)) => "failed",
            Err(_elapsed) => "timeout",
        };
        tracing::warn!(reason, attempt, "the key-value store is away");
        let jitter = RandomState::new().hash_one(0);
        tokio::select! {
            () = tokio::time::sleep(BACKOFF.delay(attempt, jitter)) => {}
            _gone = &mut unused => return,
        }
        attempt = attempt.saturating_add(1);
    }
}

/// A connection that has answered.
async fn open(client: &Client) -> Result<MultiplexedConnection, RedisError> {
    // Bounds are ours: of each call, and of this.
    let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    cmd("PING").query_async::<()>(&mut connection).await?;
    Ok(connection)
}

/// Returns when the connection no longer answers.
async fn silent(mut connection: MultiplexedConnection) {
    loop {
        tokio::time::sleep(PROBE_EVERY).await;
        let probe = timeout(PROBE_TIMEOUT, cmd("PING").query_async::<()>(&mut connection)).await;
        if !matches!(probe, Ok(Ok(()))) {
            return;
        }
    }
}
