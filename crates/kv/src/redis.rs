//! The adapter for Redis, for several replicas that share limits and a cache.
//!
//! A cache must never be what people wait for: every call is bounded, and after one that was not answered in time the
//! store counts as away, so that the next callers hear so at once, until a new connection has proven that it answers.

mod settings;
mod supervisor;

use std::{sync::Arc, time::Duration};

use ::redis::{FromRedisValue, RedisError, Script, aio::MultiplexedConnection, cmd};
use sallyport_telemetry::metrics::Metrics;
use tokio::{
    sync::{Notify, oneshot, watch},
    time::timeout,
};

pub use settings::{Settings, SettingsError};

use crate::{Kv, Permit, Rate, Unavailable};

/// For one call, with its second attempt.
const CALL_TIMEOUT: Duration = Duration::from_millis(250);

/// Larger values are not kept, so that none of ours crowds the others out.
const MAX_VALUE_BYTES: usize = 1 << 20;

/// The longest that anything is kept; what lives longer does not belong here.
const MAX_TTL: Duration = Duration::from_hours(24 * 365);

/// The algorithm of `gcra.rs` on the server, by the server's clock: replicas whose clocks differ share one limit.
const GCRA: &str = include_str!("redis/gcra.lua");

/// Values and permits on a shared server. Clones share one connection.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    prefix: String,
    gcra: Script,
    connections: watch::Receiver<Option<MultiplexedConnection>>,
    /// Tells the supervisor that the connection does not answer.
    suspect: Arc<Notify>,
    _in_use: oneshot::Sender<()>,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("is_connected", &self.is_connected()).finish_non_exhaustive()
    }
}

impl Redis {
    /// Starts connecting, and returns at once. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// When the settings cannot be used. A server that is not there is not an error.
    pub fn connect(settings: &Settings, metrics: &Metrics) -> Result<Self, SettingsError> {
        let client = settings.client()?;
        let (connections, receiver) = watch::channel(None);
        let (in_use, unused) = oneshot::channel();
        let suspect = Arc::new(Notify::new());
        let connected = metrics.gauge(
            "sallyport_kv_connected",
            "1 while the key-value store is connected, otherwise 0.",
            &[],
        );
        tokio::spawn(supervisor::run(client, connections, Arc::clone(&suspect), unused, connected));
        let inner = Inner {
            prefix: settings.prefix.clone(),
            gcra: Script::new(GCRA),
            connections: receiver,
            suspect,
            _in_use: in_use,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether the server answers at this moment; for readiness.
    pub fn is_connected(&self) -> bool {
        self.inner.connections.borrow().is_some()
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.inner.prefix)
    }

    /// Runs `command` within the bound. What is `idempotent` is tried once more over the next connection, because
    /// after a restart of the server the first call over the old one always fails.
    async fn call<T, F, Fut>(&self, idempotent: bool, command: F) -> Result<T, Unavailable>
    where
        F: Fn(MultiplexedConnection) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, RedisError>> + Send,
        T: Send,
    {
        let connection = self.inner.connections.borrow().clone().ok_or(Unavailable)?;
        let calling = async {
            match command(connection).await {
                Ok(value) => return Ok(value),
                Err(error) if idempotent && error.is_connection_dropped() => self.inner.suspect.notify_one(),
                Err(error) => return Err(error),
            }
            let mut connections = self.inner.connections.clone();
            // The supervisor takes the broken one away, then offers the next.
            let gone = connections.wait_for(Option::is_none).await.is_ok();
            let next = if gone { connections.wait_for(Option::is_some).await.ok() } else { None };
            let Some(next) = next.and_then(|next| next.clone()) else {
                return Err(std::io::Error::from(std::io::ErrorKind::NotConnected).into());
            };
            command(next).await
        };
        match timeout(CALL_TIMEOUT, calling).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                if error.is_unrecoverable_error() || error.is_timeout() {
                    self.inner.suspect.notify_one();
                }
                Err(Unavailable)
            }
            Err(_elapsed) => {
                self.inner.suspect.notify_one();
                Err(Unavailable)
            }
        }
    }

    async fn command<T: FromRedisValue + Send>(&self, command: ::redis::Cmd) -> Result<T, Unavailable> {
        let command = &command;
        self.call(true, |mut connection| async move { command.query_async(&mut connection).await }).await
    }
}

#[async_trait::async_trait]
impl Kv for Redis {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        self.command(cmd("GET").arg(self.key(key)).to_owned()).await
    }

    async fn set(&self, key: &str, value: Vec<u8>, ttl: Duration) -> Result<(), Unavailable> {
        let millis = u64::try_from(ttl.min(MAX_TTL).as_millis()).unwrap_or(u64::MAX);
        if millis == 0 || value.len() > MAX_VALUE_BYTES {
            return self.delete(key).await;
        }
        self.command(cmd("SET").arg(self.key(key)).arg(value).arg("PX").arg(millis).to_owned()).await
    }

    async fn delete(&self, key: &str) -> Result<(), Unavailable> {
        let _how_many: u64 = self.command(cmd("DEL").arg(self.key(key)).to_owned()).await?;
        Ok(())
    }

    async fn permits(&self, key: &str, rate: Rate, count: u32) -> Result<Permit, Unavailable> {
        if rate.permits == 0 || count > rate.burst {
            return Ok(Permit::RetryAfter(Duration::MAX));
        }
        let key = self.key(key);
        // Rounded up to the quarter of a microsecond that the script's numbers can tell apart: never more than the rate.
        let step_quarters = (rate.per.min(MAX_TTL).as_nanos() * 4).div_ceil(u128::from(rate.permits) * 1_000);
        let call = self.call(false, |mut connection| {
            let mut script = self.inner.gcra.prepare_invoke();
            script.key(&key).arg(step_quarters.to_string()).arg(count).arg(rate.burst);
            async move { script.invoke_async::<u64>(&mut connection).await }
        });
        Ok(match call.await? {
            0 => Permit::Allowed,
            micros => Permit::RetryAfter(Duration::from_micros(micros)),
        })
    }
}
