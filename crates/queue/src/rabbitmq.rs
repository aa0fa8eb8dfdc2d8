//! The adapter for RabbitMQ: quorum queues, confirmed and mandatory publishing, dead letters.
//!
//! It never waits for the broker to start: a task of its own connects, and connects again after a loss. While the
//! broker is away `publish` answers [`PublishError::Unavailable`] within its bound, and consumers wait. The client
//! library's own recovery is not used, because it does not always come back after a broker was killed.

mod connection;
mod consuming;
mod dead_letters;
mod publishing;
mod settings;
mod supervisor;
mod topology;
mod wire;

use std::{sync::Arc, time::Duration};

use sallyport_telemetry::metrics::Metrics;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout_at},
};

pub use dead_letters::{DeadLetter, DeadLetterError};
pub use settings::{Settings, SettingsError};

use crate::{ConsumeError, Consumer, MAX_BODY_BYTES, Message, PublishError, Queue};
use connection::Link;

/// How long a caller waits for a connection that is not there: over the moment of a reconnect, not over an outage.
const CONNECTION_WAIT: Duration = Duration::from_millis(300);

/// Queues on a broker. Clones share one connection, which ends with the last of them and of their consumers.
#[derive(Clone)]
pub struct RabbitMq {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Arc<Settings>,
    links: watch::Receiver<Option<Arc<Link>>>,
    /// Dropped with this: the supervisor closes the connection and ends.
    _in_use: oneshot::Sender<()>,
}

impl std::fmt::Debug for RabbitMq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RabbitMq").field("is_connected", &self.is_connected()).finish_non_exhaustive()
    }
}

impl RabbitMq {
    /// Starts connecting, and returns at once. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// When the settings cannot be used. A broker that is not there is not an error.
    pub fn connect(settings: Settings, metrics: &Metrics) -> Result<Self, SettingsError> {
        settings.check()?;
        let settings = Arc::new(settings);
        let (links, receiver) = watch::channel(None);
        let (in_use, unused) = oneshot::channel();
        let connected = metrics.gauge(
            "sallyport_queue_connected",
            "1 while the message broker is connected, otherwise 0.",
            &[],
        );
        tokio::spawn(supervisor::run(Arc::clone(&settings), links, unused, connected));
        Ok(Self { inner: Arc::new(Inner { settings, links: receiver, _in_use: in_use }) })
    }

    /// Whether there is a connection at this moment; for readiness.
    pub fn is_connected(&self) -> bool {
        self.inner.links.borrow().is_some()
    }

    /// The name of a queue on the broker.
    fn name(&self, queue: &str) -> String {
        format!("{}{queue}", self.inner.settings.prefix)
    }
}

impl Inner {
    /// The connection, waiting a moment for one.
    async fn link(&self) -> Option<Arc<Link>> {
        let mut links = self.links.clone();
        let until = Instant::now() + CONNECTION_WAIT;
        let link = timeout_at(until, links.wait_for(Option::is_some)).await.ok()?.ok()?;
        link.clone()
    }
}

#[async_trait::async_trait]
impl Queue for RabbitMq {
    async fn publish(&self, queue: &str, message: Message) -> Result<(), PublishError> {
        if message.body.len() > MAX_BODY_BYTES {
            return Err(PublishError::TooLarge);
        }
        let publishing = async {
            let link = self.inner.link().await.ok_or(PublishError::Unavailable)?;
            link.publish(&self.name(queue), &message).await
        };
        let answer = tokio::time::timeout(self.inner.settings.publish_timeout, publishing).await;
        answer.unwrap_or(Err(PublishError::Unavailable))
    }

    /// Never fails: a consumer waits for the broker, and survives its restarts.
    async fn consume(&self, queue: &str) -> Result<Consumer, ConsumeError> {
        // A channel of one: what waits for the consumer waits at the broker's side of the prefetch.
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(consuming::feed(Arc::clone(&self.inner), self.name(queue), sender));
        Ok(Consumer::new(receiver))
    }
}
