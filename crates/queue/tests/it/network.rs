//! A network between us and the broker that fails.

use std::{sync::Arc, time::Duration};

use sallyport_queue::{PublishError, Queue, RabbitMq, Settings};
use sallyport_telemetry::metrics::Metrics;
use sallyport_testkit::{
    fault_proxy::{Fault, FaultProxy, address_in},
    servers,
};

use crate::backend::{PATIENCE, eventually, message, next, publish, settings};

const QUEUE: &str = "audit.records";

/// A queue behind a proxy, connected.
async fn behind_proxy(publish_timeout: Duration) -> Option<(FaultProxy, RabbitMq)> {
    let url = servers::named("SALLYPORT_TEST_RABBITMQ")?;
    let proxy = FaultProxy::start(address_in(&url)).await;
    let settings = Settings { publish_timeout, ..settings(&proxy.instead_of(&url)) };
    let queue = RabbitMq::connect(settings, &Metrics::new()).unwrap();
    eventually("connected", || queue.is_connected()).await;
    Some((proxy, queue))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_connection_is_made_again_and_the_same_consumer_goes_on() {
    let Some((proxy, queue)) = behind_proxy(Duration::from_secs(10)).await else { return };
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    for round in 0..5 {
        publish(&queue, QUEUE, &message(round)).await;
        let in_hand = next(&mut consumer).await;
        proxy.set(Fault::Reset);
        eventually("the loss is noticed", || !queue.is_connected()).await;
        let at = tokio::time::Instant::now();
        assert_eq!(queue.publish(QUEUE, message(99)).await, Err(PublishError::Unavailable));
        assert!(at.elapsed() < PATIENCE, "not kept waiting for the broker");
        // Too late: the connection it came over is gone, and it comes again.
        in_hand.ack().await;
        proxy.set(Fault::Pass);
        loop {
            let again = next(&mut consumer).await;
            let is_it = again.message.id == message(round).id;
            again.ack().await;
            if is_it {
                break;
            }
        }
    }
    queue.remove(QUEUE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn into_a_black_hole_a_publish_answers_within_its_bound_and_goes_on_when_it_heals() {
    let bound = Duration::from_millis(500);
    let Some((proxy, queue)) = behind_proxy(bound).await else { return };
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    publish(&queue, QUEUE, &message(1)).await;
    next(&mut consumer).await.ack().await;
    proxy.set(Fault::Blackhole);
    for _ in 0..3 {
        let answer = tokio::time::timeout(PATIENCE, queue.publish(QUEUE, message(2))).await;
        assert_eq!(answer.expect("an answer"), Err(PublishError::Unavailable));
    }
    // Nothing is heard any more, not even signs of life.
    eventually("the silence is noticed", || !queue.is_connected()).await;
    proxy.set(Fault::Pass);
    publish(&queue, QUEUE, &message(3)).await;
    loop {
        let delivery = next(&mut consumer).await;
        let id = delivery.message.id;
        delivery.ack().await;
        if id == message(3).id {
            break;
        }
        assert_eq!(id, message(2).id, "what got no answer may have arrived");
    }
    queue.remove(QUEUE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_network_delays_and_loses_nothing() {
    let Some((proxy, queue)) = behind_proxy(Duration::from_secs(30)).await else { return };
    proxy.set(Fault::Latency(Duration::from_millis(20)));
    let queue = Arc::new(queue);
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    let publishing: Vec<_> = (0..200)
        .map(|number| {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move { publish(queue.as_ref(), QUEUE, &message(number)).await })
        })
        .collect();
    let mut seen = std::collections::HashSet::new();
    while seen.len() < 200 {
        let delivery = next(&mut consumer).await;
        seen.insert(delivery.message.id);
        delivery.ack().await;
    }
    for published in publishing {
        published.await.unwrap();
    }
    queue.remove(QUEUE).await;
}
