//! The adapters under test, each with queues of its own.

use std::{sync::Arc, time::Duration};

use sallyport_model::Secret;
use sallyport_queue::{Consumer, Delivery, InProcess, Message, PublishError, Queue, RabbitMq, Settings};
use sallyport_telemetry::metrics::Metrics;
use sallyport_testkit::servers;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

/// Far beyond what anything here takes; reached only by what hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn in_process() -> Arc<dyn Queue> {
    Arc::new(InProcess::new())
}

/// The named broker, with queues that no other test has.
pub(crate) fn rabbitmq() -> Option<RabbitMq> {
    let url = servers::named("SALLYPORT_TEST_RABBITMQ")?;
    Some(RabbitMq::connect(settings(&url), &Metrics::new()).unwrap())
}

pub(crate) fn settings(url: &str) -> Settings {
    let prefix = format!("t-{}-", Uuid::now_v7().simple());
    // What is not confirmed by then on a busy machine is published again by the tests.
    Settings {
        prefix,
        publish_timeout: Duration::from_secs(10),
        ..Settings::new(Secret::new(url.to_owned()))
    }
}

pub(crate) fn message(number: u128) -> Message {
    Message::new(Uuid::from_u128(number), format!("body {number}"))
}

/// As the relay does: again until it is taken.
pub(crate) async fn publish(queue: &dyn Queue, name: &str, message: &Message) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match queue.publish(name, message.clone()).await {
            Ok(()) => return,
            Err(PublishError::Unavailable | PublishError::Unroutable) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Starts a publish that the test can look at later.
pub(crate) fn start_publish(
    queue: &Arc<dyn Queue>,
    name: &'static str,
    message: Message,
) -> tokio::task::JoinHandle<()> {
    let queue = Arc::clone(queue);
    tokio::spawn(async move { publish(queue.as_ref(), name, &message).await })
}

pub(crate) async fn next(consumer: &mut Consumer) -> Delivery {
    timeout(PATIENCE, consumer.next()).await.expect("a delivery in time").expect("an open queue")
}

/// Whether nothing comes. A message of ours would be there within moments; the marker after it proves the silence.
pub(crate) async fn only_the_marker_comes(
    queue: &Arc<dyn Queue>,
    name: &'static str,
    consumer: &mut Consumer,
) {
    let marker = message(u128::MAX);
    let published = start_publish(queue, name, marker.clone());
    let delivery = next(consumer).await;
    assert_eq!(delivery.message.id, marker.id, "nothing else was waiting");
    delivery.ack().await;
    published.await.unwrap();
}

/// Polls until it holds.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
