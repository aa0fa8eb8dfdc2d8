//! The queue between relay and service: in process, or on a real broker with a queue of the test's own.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use sallyport_db::{Handle, Pool};
use sallyport_model::Secret;
use sallyport_queue::{
    AUDIT_RECORDS, ConsumeError, Consumer, Delivery, InProcess, Message, PublishError, Queue, RabbitMq,
    Settings, Settle, Settlement,
};
use sallyport_telemetry::metrics::Metrics;
use sallyport_testkit::servers;
use tokio::sync::mpsc;
use uuid::Uuid;

/// A queue that loses acks on command: the store has committed, the publisher or broker does not hear of it.
#[derive(Clone)]
pub(crate) struct LossyQueue {
    inner: Arc<dyn Queue>,
    /// Set where the messages are on a broker.
    pub(crate) broker: Option<RabbitMq>,
    lose: Arc<AtomicU32>,
    books: Arc<Mutex<Books>>,
    _removed_at_the_end: Option<Arc<Own>>,
}

/// Which messages the queue has taken and the service has not settled yet.
#[derive(Default)]
struct Books {
    taken: HashSet<Uuid>,
    /// Settled before the publisher heard that they were taken.
    early: HashSet<Uuid>,
}

impl Default for LossyQueue {
    fn default() -> Self {
        Self::over(Arc::new(InProcess::new()), None, None)
    }
}

impl LossyQueue {
    fn over(inner: Arc<dyn Queue>, broker: Option<RabbitMq>, own: Option<Own>) -> Self {
        let (lose, books) = (Arc::default(), Arc::default());
        Self { inner, broker, lose, books, _removed_at_the_end: own.map(Arc::new) }
    }

    /// The set of back ends that this database belongs to: RabbitMQ beside Postgres, in process beside SQLite.
    pub(crate) fn beside(pool: &Pool) -> Self {
        let url = match pool.handle() {
            Handle::Sqlite(_) => None,
            Handle::Postgres(_) => servers::named("SALLYPORT_TEST_RABBITMQ"),
        };
        url.map_or_else(Self::default, |url| Self::on_broker(&url))
    }

    pub(crate) fn on_broker(url: &str) -> Self {
        let prefix = format!("t-{}-", Uuid::now_v7().simple());
        let settings = Settings { prefix, ..Settings::new(Secret::new(url.to_owned())) };
        let broker = RabbitMq::connect(settings.clone(), &Metrics::new()).unwrap();
        Self::over(Arc::new(broker.clone()), Some(broker), Some(Own(settings)))
    }

    pub(crate) fn lose_acks(&self, count: u32) {
        self.lose.store(count, Ordering::SeqCst);
    }

    /// Waits until the service has settled everything that was taken so far.
    pub(crate) async fn settled(&self) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(180);
        while !self.books.lock().unwrap().taken.is_empty() {
            assert!(tokio::time::Instant::now() < deadline, "the service settles what is in the queue");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[async_trait::async_trait]
impl Queue for LossyQueue {
    async fn publish(&self, queue: &str, message: Message) -> Result<(), PublishError> {
        let id = message.id;
        self.inner.publish(queue, message).await?;
        let mut books = self.books.lock().unwrap();
        if !books.early.remove(&id) {
            books.taken.insert(id);
        }
        Ok(())
    }

    async fn consume(&self, queue: &str) -> Result<Consumer, ConsumeError> {
        let mut inner = self.inner.consume(queue).await?;
        let (sender, receiver) = mpsc::channel(1);
        let (lose, books) = (Arc::clone(&self.lose), Arc::clone(&self.books));
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    delivery = inner.next() => {
                        let Some(delivery) = delivery else { return };
                        let message = delivery.message.clone();
                        let (lose, books) = (Arc::clone(&lose), Arc::clone(&books));
                        let settle = Box::new(LossyAck { delivery, lose, books });
                        if sender.send(Delivery::new(message, settle)).await.is_err() {
                            return;
                        }
                    }
                    () = sender.closed() => return,
                }
            }
        });
        Ok(Consumer::new(receiver))
    }
}

struct LossyAck {
    delivery: Delivery,
    lose: Arc<AtomicU32>,
    books: Arc<Mutex<Books>>,
}

impl LossyAck {
    fn settled(&self) {
        let mut books = self.books.lock().unwrap();
        let id = self.delivery.message.id;
        if !books.taken.remove(&id) {
            books.early.insert(id);
        }
    }
}

#[async_trait::async_trait]
impl Settle for LossyAck {
    async fn settle(self: Box<Self>, settlement: Settlement) {
        let lost = self.lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match settlement {
            Settlement::Ack if lost.is_err() => {
                self.settled();
                self.delivery.ack().await;
            }
            Settlement::Reject => {
                self.settled();
                self.delivery.reject().await;
            }
            Settlement::Ack | Settlement::Requeue => drop(self.delivery),
        }
    }

    fn abandon(self: Box<Self>) {
        drop(self.delivery);
    }
}

/// A queue on a broker that others use too; removed when dropped.
struct Own(Settings);

impl Drop for Own {
    fn drop(&mut self) {
        let settings = self.0.clone();
        // Not on the test's own runtime, which may be the one that is going down.
        let remover = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let broker = RabbitMq::connect(settings, &Metrics::new()).unwrap();
                for _ in 0..200 {
                    if broker.is_connected() {
                        return broker.remove(AUDIT_RECORDS).await;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            });
        });
        let _best_effort = remover.join();
    }
}
