//! A broker of the test's own that is killed.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use sallyport_queue::{Message, PublishError, Queue as _, RabbitMq};
use sallyport_telemetry::metrics::Metrics;
use sallyport_testkit::servers::Private;
use uuid::Uuid;

use crate::backend::{eventually, message, next, publish, settings};

const QUEUE: &str = "audit.records";
const PUBLISHERS: u64 = 8;
const KILLS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_survives_a_broker_that_is_killed_three_times_under_load() {
    let Some(servers) = Private::start(&["rabbitmq"]).await else { return };
    let url = servers.variable("SALLYPORT_TEST_RABBITMQ").to_owned();
    let queue = RabbitMq::connect(settings(&url), &Metrics::new()).unwrap();
    publish(&queue, QUEUE, &message(u128::MAX)).await;
    // A broker that is killed within seconds after a queue was made forgets where that queue's log is: it writes its
    // directory with a delay. An orderly restart stands for the days that lie between in earnest.
    servers.stop("rabbitmq").await;
    servers.start_again("rabbitmq").await;

    let seen = Arc::new(Mutex::new(HashSet::new()));
    let consuming = {
        let (seen, mut consumer) = (Arc::clone(&seen), queue.consume(QUEUE).await.unwrap());
        tokio::spawn(async move {
            while let Some(delivery) = consumer.next().await {
                seen.lock().unwrap().insert(delivery.message.id);
                delivery.ack().await;
            }
        })
    };
    let stop = Arc::new(AtomicBool::new(false));
    let confirmed = Arc::new(Mutex::new(HashSet::new()));
    let (failures, sequence) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|_| {
            let (queue, stop, confirmed) = (queue.clone(), Arc::clone(&stop), Arc::clone(&confirmed));
            let (failures, sequence) = (Arc::clone(&failures), Arc::clone(&sequence));
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let id = Uuid::from_u128(sequence.fetch_add(1, Ordering::SeqCst).into());
                    match queue.publish(QUEUE, Message::new(id, vec![7; 2_000])).await {
                        Ok(()) => drop(confirmed.lock().unwrap().insert(id)),
                        Err(_) => {
                            failures.fetch_add(1, Ordering::SeqCst);
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                    }
                }
            })
        })
        .collect();

    let confirmed_now = || confirmed.lock().unwrap().len();
    for _ in 0..KILLS {
        let before = confirmed_now();
        eventually("publishing goes on", || confirmed_now() >= before + 500).await;
        servers.kill("rabbitmq").await;
        eventually("the loss is noticed", || !queue.is_connected()).await;
        servers.start_again("rabbitmq").await;
        eventually("it is connected again", || queue.is_connected()).await;
    }
    let before = confirmed_now();
    eventually("publishing goes on after the last kill", || confirmed_now() >= before + 500).await;
    stop.store(true, Ordering::SeqCst);
    for publisher in publishers {
        publisher.await.unwrap();
    }
    let confirmed = confirmed.lock().unwrap().clone();
    eventually("the consumer gets everything that was confirmed", || {
        seen.lock().unwrap().is_superset(&confirmed)
    })
    .await;
    assert!(failures.load(Ordering::SeqCst) > 0, "the outages were felt");
    println!(
        "{} confirmed and consumed, {} publishes failed",
        confirmed.len(),
        failures.load(Ordering::SeqCst)
    );
    consuming.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_there_at_the_start_is_used_when_it_comes() {
    let Some(servers) = Private::start(&["rabbitmq"]).await else { return };
    let url = servers.variable("SALLYPORT_TEST_RABBITMQ").to_owned();
    servers.stop("rabbitmq").await;
    let queue = RabbitMq::connect(settings(&url), &Metrics::new()).unwrap();
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    assert_eq!(queue.publish(QUEUE, message(1)).await, Err(PublishError::Unavailable));
    assert!(!queue.is_connected());
    servers.start_again("rabbitmq").await;
    publish(&queue, QUEUE, &message(2)).await;
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.message, message(2));
    delivery.ack().await;
}
