//! What a broker adds: returned messages, dead letters, prefetch, and who may connect.

use std::time::Duration;

use sallyport_model::Secret;
use sallyport_queue::{Message, PublishError, Queue as _, RabbitMq, Settings};
use sallyport_telemetry::metrics::Metrics;
use sallyport_testkit::{fault_proxy::address_in, servers, tls_front::TlsFront};
use uuid::Uuid;

use crate::backend::{eventually, message, next, publish, rabbitmq, settings};

const QUEUE: &str = "audit.records";

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_no_queue_takes_is_unroutable_though_the_broker_confirms_it() {
    let Some(queue) = rabbitmq() else { return };
    publish(&queue, QUEUE, &message(1)).await;
    queue.remove(QUEUE).await;
    // Many at once: each must learn its own fate, whichever confirm comes first.
    let answers = (0..100).map(|n| queue.publish(QUEUE, message(n)));
    let answers = futures_util::future::join_all(answers).await;
    let mut kept: Vec<u128> = Vec::new();
    for (number, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(()) => kept.push(number as u128),
            Err(PublishError::Unroutable) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(kept.len() < 100, "the queue was gone");
    // The queue was declared again by those who came later; what they were promised is in it, and nothing else.
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    publish(&queue, QUEUE, &message(1_000)).await;
    let mut found = Vec::new();
    loop {
        let delivery = next(&mut consumer).await;
        let number = delivery.message.id.as_u128();
        delivery.ack().await;
        if number == 1_000 {
            break;
        }
        found.push(number);
    }
    found.sort_unstable();
    assert_eq!(found, kept);
    queue.remove(QUEUE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_can_be_looked_at_without_their_bodies_and_sent_again() {
    let Some(queue) = rabbitmq() else { return };
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    let mut sent = Vec::new();
    for number in 0..3 {
        let mut message = Message::new(Uuid::from_u128(number), format!("canary-body-{number}"));
        message.headers.insert("traceparent".to_owned(), format!("00-{number}"));
        publish(&queue, QUEUE, &message).await;
        next(&mut consumer).await.reject().await;
        sent.push(message);
    }
    let mut dead = Vec::new();
    for _ in 0..500 {
        dead = queue.dead_letters(QUEUE, 10).await.unwrap();
        if dead.len() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(dead.len(), 3);
    for letter in &dead {
        let message = sent.iter().find(|message| Some(message.id) == letter.id).unwrap();
        assert_eq!((letter.id, letter.bytes), (Some(message.id), message.body.len()));
        assert_eq!((&letter.headers, letter.reason.as_str()), (&message.headers, "rejected"));
    }
    assert!(!format!("{dead:?}").contains("canary-body"));
    assert_eq!(queue.dead_letters(QUEUE, 2).await.unwrap().len(), 2, "no more than asked for");
    assert_eq!(queue.dead_letters(QUEUE, 10).await.unwrap().len(), 3, "looking takes nothing away");

    assert_eq!(queue.redrive(QUEUE, 2).await, Ok(2));
    let mut again = Vec::new();
    while again.len() < 3 {
        if again.len() == 2 {
            assert_eq!(queue.redrive(QUEUE, 10).await, Ok(1));
        }
        let delivery = next(&mut consumer).await;
        again.push(delivery.message.clone());
        delivery.ack().await;
    }
    // Looked at, they may have changed places.
    again.sort_unstable_by_key(|message| message.id);
    assert!(again == sent, "they come as they were: {again:?}");
    assert_eq!(queue.redrive(QUEUE, 10).await, Ok(0));
    assert_eq!(queue.dead_letters(QUEUE, 10).await.unwrap(), []);
    queue.remove(QUEUE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_always_dropped_is_among_the_dead_letters() {
    let Some(queue) = rabbitmq() else { return };
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    publish(&queue, QUEUE, &message(1)).await;
    let mut dead = Vec::new();
    while dead.is_empty() {
        if let Ok(Some(delivery)) = tokio::time::timeout(Duration::from_millis(500), consumer.next()).await {
            drop(delivery);
        } else {
            dead = queue.dead_letters(QUEUE, 10).await.unwrap();
        }
    }
    assert_eq!((dead[0].id, dead[0].reason.as_str()), (Some(message(1).id), "delivery_limit"));
    queue.remove(QUEUE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_does_nothing_holds_no_more_than_its_prefetch() {
    let Some(url) = servers::named("SALLYPORT_TEST_RABBITMQ") else { return };
    let settings = Settings { prefetch: 2, ..settings(&url) };
    let queue = RabbitMq::connect(settings, &Metrics::new()).unwrap();
    let mut idle = queue.consume(QUEUE).await.unwrap();
    for number in 0..10 {
        publish(&queue, QUEUE, &message(number)).await;
    }
    let held = next(&mut idle).await;
    let mut busy = queue.consume(QUEUE).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 8 {
        let delivery = next(&mut busy).await;
        seen.push(delivery.message.id.as_u128());
        delivery.ack().await;
    }
    assert_eq!(seen, [2, 3, 4, 5, 6, 7, 8, 9]);
    held.ack().await;
    queue.remove(QUEUE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_behind_tls_is_used_only_when_its_authority_is_known() {
    let Some(url) = servers::named("SALLYPORT_TEST_RABBITMQ") else { return };
    let front = TlsFront::start(address_in(&url)).await;
    let url = url.replacen("amqp://", "amqps://", 1).replacen(address_in(&url), &front.place(), 1);
    let stranger = RabbitMq::connect(settings(&url), &Metrics::new()).unwrap();
    let settings = Settings { authority: Some(front.authority()), ..settings(&url) };
    let queue = RabbitMq::connect(settings, &Metrics::new()).unwrap();
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    publish(&queue, QUEUE, &message(1)).await;
    next(&mut consumer).await.ack().await;
    assert_eq!(stranger.publish(QUEUE, message(2)).await, Err(PublishError::Unavailable));
    assert!(!stranger.is_connected());
    queue.remove(QUEUE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_know_the_password_is_not_connected_and_the_gauge_says_so() {
    let Some(url) = servers::named("SALLYPORT_TEST_RABBITMQ") else { return };
    let metrics = Metrics::new();
    let queue = RabbitMq::connect(settings(&url), &metrics).unwrap();
    eventually("connected", || queue.is_connected()).await;
    let is_shown = |value: &str| {
        metrics.render().lines().any(|line| line == format!("sallyport_queue_connected {value}"))
    };
    eventually("the gauge is 1", || is_shown("1")).await;
    let wrong = format!("amqp://sallyport:wrong@{}/%2f", address_in(&url));
    let stranger = RabbitMq::connect(Settings::new(Secret::new(wrong)), &metrics).unwrap();
    assert_eq!(stranger.publish(QUEUE, message(1)).await, Err(PublishError::Unavailable));
    assert!(!stranger.is_connected());
    assert!(is_shown("0"));
}
