//! What every adapter promises; one suite over all of them.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use sallyport_queue::{MAX_BODY_BYTES, Message, PublishError, Queue};
use uuid::Uuid;

use crate::backend::{self, message, next, only_the_marker_comes, publish, start_publish};

const QUEUE: &str = "audit.records";
const OTHER: &str = "jobs";

macro_rules! over_both {
    ($($test:ident),* $(,)?) => {
        mod in_process {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(crate::backend::in_process()).await;
            })*
        }

        mod rabbitmq {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let Some(queue) = crate::backend::rabbitmq() else { return };
                super::$test(std::sync::Arc::new(queue.clone())).await;
                queue.remove(super::QUEUE).await;
                queue.remove(super::OTHER).await;
            })*
        }
    };
}

over_both!(
    what_was_published_arrives_as_it_was,
    a_message_waits_for_its_first_consumer,
    what_was_acked_never_comes_again,
    a_rejected_message_does_not_come_again,
    a_dropped_delivery_comes_again,
    a_message_that_is_always_dropped_stops_coming_at_the_delivery_limit,
    a_consumer_that_goes_away_leaves_its_messages_to_the_next,
    a_delivery_in_hand_is_settled_after_its_consumer_has_gone,
    two_consumers_share_the_messages_without_overlap,
    messages_published_one_after_another_arrive_in_that_order,
    queues_do_not_mix,
    an_oversized_body_is_refused_at_once,
);

async fn what_was_published_arrives_as_it_was(queue: Arc<dyn Queue>) {
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    let headers = BTreeMap::from([("traceparent".to_owned(), "00-0af7-b7ad-01".to_owned())]);
    let every_byte: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    for (number, body) in
        [Bytes::new(), Bytes::from_static(b"\0\xff"), Bytes::from(every_byte)].into_iter().enumerate()
    {
        let sent = Message { id: Uuid::from_u128(number as u128), body, headers: headers.clone() };
        let published = start_publish(&queue, QUEUE, sent.clone());
        let delivery = next(&mut consumer).await;
        assert!(delivery.message == sent, "message {number} arrived changed: {:?}", delivery.message);
        delivery.ack().await;
        published.await.unwrap();
    }
}

async fn a_message_waits_for_its_first_consumer(queue: Arc<dyn Queue>) {
    let published = start_publish(&queue, QUEUE, message(1));
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    next(&mut consumer).await.ack().await;
    published.await.unwrap();
}

async fn what_was_acked_never_comes_again(queue: Arc<dyn Queue>) {
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    let published = start_publish(&queue, QUEUE, message(1));
    next(&mut consumer).await.ack().await;
    published.await.unwrap();
    drop(consumer);
    let mut second = queue.consume(QUEUE).await.unwrap();
    only_the_marker_comes(&queue, QUEUE, &mut second).await;
}

async fn a_rejected_message_does_not_come_again(queue: Arc<dyn Queue>) {
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    let publishing = Arc::clone(&queue);
    let published = tokio::spawn(async move {
        loop {
            match publishing.publish(QUEUE, message(1)).await {
                Err(PublishError::Unavailable | PublishError::Unroutable) => {}
                answer => return answer,
            }
        }
    });
    next(&mut consumer).await.reject().await;
    // Back with its publisher, or among the dead letters of a broker.
    let answer = published.await.unwrap();
    assert!(matches!(answer, Ok(()) | Err(PublishError::Rejected)), "{answer:?}");
    only_the_marker_comes(&queue, QUEUE, &mut consumer).await;
}

async fn a_dropped_delivery_comes_again(queue: Arc<dyn Queue>) {
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    let published = start_publish(&queue, QUEUE, message(1));
    drop(next(&mut consumer).await);
    let again = next(&mut consumer).await;
    assert_eq!(again.message, message(1));
    again.ack().await;
    published.await.unwrap();
}

async fn a_message_that_is_always_dropped_stops_coming_at_the_delivery_limit(queue: Arc<dyn Queue>) {
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    let publishing = Arc::clone(&queue);
    let bad = tokio::spawn(async move { publishing.publish(QUEUE, message(1)).await });
    let mut times = 0;
    while times < 20 {
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.message.id, message(1).id);
        drop(delivery);
        times += 1;
    }
    // A broker counts the deliveries that failed, so one more may come: before a marker or, when that overtakes it, after.
    for marker in [message(2), message(3), message(4)] {
        let good = start_publish(&queue, QUEUE, marker.clone());
        loop {
            let delivery = next(&mut consumer).await;
            if delivery.message.id == marker.id {
                delivery.ack().await;
                break;
            }
            assert_eq!(delivery.message.id, message(1).id);
            drop(delivery);
            times += 1;
            assert!(times <= 21, "the message still comes after {times} deliveries");
        }
        good.await.unwrap();
    }
    let _given_back_or_set_aside = bad.await.unwrap();
}

async fn a_consumer_that_goes_away_leaves_its_messages_to_the_next(queue: Arc<dyn Queue>) {
    let mut first = queue.consume(QUEUE).await.unwrap();
    let waiting: Vec<_> = (0..10).map(|n| start_publish(&queue, QUEUE, message(n))).collect();
    let delivery = next(&mut first).await;
    drop(first);
    drop(delivery);
    let mut second = queue.consume(QUEUE).await.unwrap();
    let mut seen = HashSet::new();
    while seen.len() < 10 {
        let delivery = next(&mut second).await;
        seen.insert(delivery.message.id);
        delivery.ack().await;
    }
    for published in waiting {
        published.await.unwrap();
    }
}

async fn a_delivery_in_hand_is_settled_after_its_consumer_has_gone(queue: Arc<dyn Queue>) {
    let mut first = queue.consume(QUEUE).await.unwrap();
    let published = start_publish(&queue, QUEUE, message(1));
    let delivery = next(&mut first).await;
    drop(first);
    delivery.ack().await;
    published.await.unwrap();
    let mut second = queue.consume(QUEUE).await.unwrap();
    only_the_marker_comes(&queue, QUEUE, &mut second).await;
}

async fn two_consumers_share_the_messages_without_overlap(queue: Arc<dyn Queue>) {
    const COUNT: u128 = 400;
    let mut consumers = Vec::new();
    let (seen, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..2 {
        let mut consumer = queue.consume(QUEUE).await.unwrap();
        let seen = seen.clone();
        consumers.push(tokio::spawn(async move {
            while let Some(delivery) = consumer.next().await {
                seen.send(delivery.message.id.as_u128()).unwrap();
                delivery.ack().await;
            }
        }));
    }
    let waiting: Vec<_> = (0..COUNT).map(|n| start_publish(&queue, QUEUE, message(n))).collect();
    let mut ids = Vec::new();
    while ids.len() < COUNT as usize {
        let arrival = tokio::time::timeout(backend::PATIENCE, arrivals.recv()).await;
        ids.push(arrival.expect("all arrive").unwrap());
    }
    for published in waiting {
        published.await.unwrap();
    }
    for consumer in consumers {
        consumer.abort();
    }
    ids.sort_unstable();
    assert_eq!(ids, (0..COUNT).collect::<Vec<_>>());
}

async fn messages_published_one_after_another_arrive_in_that_order(queue: Arc<dyn Queue>) {
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    let publisher = Arc::clone(&queue);
    let publishing = tokio::spawn(async move {
        for number in 0..100 {
            publish(publisher.as_ref(), QUEUE, &message(number)).await;
        }
    });
    for number in 0..100 {
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.message, message(number));
        delivery.ack().await;
    }
    publishing.await.unwrap();
}

async fn queues_do_not_mix(queue: Arc<dyn Queue>) {
    let mut records = queue.consume(QUEUE).await.unwrap();
    let mut jobs = queue.consume(OTHER).await.unwrap();
    let published = [start_publish(&queue, QUEUE, message(1)), start_publish(&queue, OTHER, message(2))];
    for (consumer, expected) in [(&mut records, message(1)), (&mut jobs, message(2))] {
        let delivery = next(consumer).await;
        assert_eq!(delivery.message, expected);
        delivery.ack().await;
    }
    for published in published {
        published.await.unwrap();
    }
    only_the_marker_comes(&queue, QUEUE, &mut records).await;
    only_the_marker_comes(&queue, OTHER, &mut jobs).await;
}

async fn an_oversized_body_is_refused_at_once(queue: Arc<dyn Queue>) {
    let message = Message::new(Uuid::nil(), vec![0; MAX_BODY_BYTES + 1]);
    assert_eq!(queue.publish(QUEUE, message).await, Err(PublishError::TooLarge));
}
