use std::time::Duration;

use uuid::Uuid;

use super::*;

const QUEUE: &str = "audit.records";

fn message(number: u128) -> Message {
    Message::new(Uuid::from_u128(number), format!("body {number}"))
}

/// Starts a publish that the test can look at later.
fn publish(queue: &InProcess, message: Message) -> tokio::task::JoinHandle<Result<(), PublishError>> {
    let queue = queue.clone();
    tokio::spawn(async move { queue.publish(QUEUE, message).await })
}

async fn next(consumer: &mut Consumer) -> Delivery {
    tokio::time::timeout(Duration::from_secs(5), consumer.next()).await.expect("a delivery").expect("open")
}

#[tokio::test]
async fn publish_answers_only_when_the_consumer_has_acked() {
    let queue = InProcess::new();
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    let published = publish(&queue, message(1));
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.message, message(1));
    tokio::task::yield_now().await;
    assert!(!published.is_finished(), "nobody has taken responsibility yet");
    delivery.ack().await;
    assert_eq!(published.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn a_rejected_message_stays_with_its_publisher() {
    let queue = InProcess::new();
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    let published = publish(&queue, message(1));
    next(&mut consumer).await.reject().await;
    assert_eq!(published.await.unwrap(), Err(PublishError::Rejected));
}

#[tokio::test]
async fn a_dropped_delivery_comes_again() {
    let queue = InProcess::new();
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    let first = publish(&queue, message(1));
    let delivery = next(&mut consumer).await;
    let second = publish(&queue, message(2));
    drop(delivery);
    let mut seen = Vec::new();
    for _ in 0..2 {
        let delivery = next(&mut consumer).await;
        seen.push(delivery.message.id.as_u128());
        delivery.ack().await;
    }
    // The feeder may already hold message 2 when 1 comes back.
    seen.sort_unstable();
    assert_eq!(seen, [1, 2]);
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (Ok(()), Ok(())));
}

#[tokio::test]
async fn a_message_that_is_always_dropped_is_given_back_at_the_delivery_limit() {
    let queue = InProcess::new();
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    let published = publish(&queue, message(1));
    for _ in 0..DELIVERY_LIMIT {
        drop(next(&mut consumer).await);
    }
    assert_eq!(published.await.unwrap(), Err(PublishError::Rejected));
}

#[tokio::test]
async fn a_consumer_that_goes_away_leaves_its_messages_to_the_next() {
    let queue = InProcess::new();
    let mut first = queue.consume(QUEUE).await.unwrap();
    let published = publish(&queue, message(1));
    let delivery = next(&mut first).await;
    drop(first);
    drop(delivery);
    let mut second = queue.consume(QUEUE).await.unwrap();
    next(&mut second).await.ack().await;
    assert_eq!(published.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn a_consumer_that_goes_away_just_when_it_is_woken_passes_the_message_on() {
    let queue = InProcess::new();
    for number in 0..100 {
        let first = queue.consume(QUEUE).await.unwrap();
        let mut second = queue.consume(QUEUE).await.unwrap();
        // Both wait; the first is woken and is gone before it runs.
        tokio::task::yield_now().await;
        let publish = queue.publish(QUEUE, message(number));
        tokio::pin!(publish);
        assert!(is_pending_once(publish.as_mut()).await);
        drop(first);
        next(&mut second).await.ack().await;
        assert_eq!(publish.await, Ok(()));
    }
}

/// Polls once.
async fn is_pending_once<F: Future>(future: std::pin::Pin<&mut F>) -> bool {
    let mut future = Some(future);
    std::future::poll_fn(|context| {
        let is_pending = future.take().is_none_or(|future| future.poll(context).is_pending());
        std::task::Poll::Ready(is_pending)
    })
    .await
}

#[tokio::test]
async fn a_message_whose_publisher_is_gone_is_not_delivered() {
    let queue = InProcess::new();
    let abandoned = publish(&queue, message(1));
    while lock(&queue.queue(QUEUE).entries).is_empty() {
        tokio::task::yield_now().await;
    }
    abandoned.abort();
    assert!(abandoned.await.unwrap_err().is_cancelled());
    let kept = publish(&queue, message(2));
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.message.id, Uuid::from_u128(2));
    delivery.ack().await;
    assert_eq!(kept.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn publishers_wait_when_the_queue_is_full() {
    let queue = InProcess::new();
    let waiting: Vec<_> = (0..CAPACITY + 8).map(|n| publish(&queue, message(n as u128))).collect();
    while lock(&queue.queue(QUEUE).entries).len() < CAPACITY {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(lock(&queue.queue(QUEUE).entries).len(), CAPACITY, "the bound holds");
    let mut consumer = queue.consume(QUEUE).await.unwrap();
    for _ in 0..CAPACITY + 8 {
        next(&mut consumer).await.ack().await;
    }
    for published in waiting {
        assert_eq!(published.await.unwrap(), Ok(()));
    }
}

#[tokio::test]
async fn two_consumers_share_the_messages_without_overlap() {
    let queue = InProcess::new();
    let waiting: Vec<_> = (0..40).map(|n| publish(&queue, message(n))).collect();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut workers = Vec::new();
    for _ in 0..2 {
        let mut consumer = queue.consume(QUEUE).await.unwrap();
        let seen = Arc::clone(&seen);
        workers.push(tokio::spawn(async move {
            while let Some(delivery) = consumer.next().await {
                lock(&seen).push(delivery.message.id.as_u128());
                delivery.ack().await;
            }
        }));
    }
    for published in waiting {
        assert_eq!(published.await.unwrap(), Ok(()));
    }
    for worker in workers {
        worker.abort();
    }
    let mut ids = lock(&seen).clone();
    ids.sort_unstable();
    assert_eq!(ids, (0..40).collect::<Vec<u128>>());
}

#[tokio::test]
async fn an_oversized_body_is_refused_at_once() {
    let queue = InProcess::new();
    let message = Message::new(Uuid::nil(), vec![0; MAX_BODY_BYTES + 1]);
    assert_eq!(queue.publish(QUEUE, message).await, Err(PublishError::TooLarge));
}
