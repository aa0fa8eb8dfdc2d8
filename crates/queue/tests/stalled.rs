//! A broker that accepts connections and says nothing must cost neither threads nor sockets. A binary of its own, because
//! it counts what the whole process has.

use std::time::Duration;

use sallyport_model::Secret;
use sallyport_queue::{PublishError, Queue as _, RabbitMq, Settings};
use sallyport_telemetry::metrics::Metrics;
use tokio::net::TcpListener;

/// The client library runs each connection on a thread of this name.
fn connection_threads() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").expect("a list of threads");
    let names = threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("lapin-io-loop")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_says_nothing_is_given_up_with_everything_that_waited_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("amqp://user:password@{}/%2f", listener.local_addr().unwrap());
    let queue = RabbitMq::connect(Settings::new(Secret::new(url)), &Metrics::new()).unwrap();
    let message = sallyport_queue::Message::new(uuid::Uuid::nil(), "body");
    assert_eq!(queue.publish("audit.records", message).await, Err(PublishError::Unavailable));

    // Held open, as a stopped process does.
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(listener.accept().await.unwrap());
    }
    assert!(!queue.is_connected());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while connection_threads() > 1 {
        assert!(tokio::time::Instant::now() < deadline, "{} threads wait", connection_threads());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(queue);
    while connection_threads() > 0 {
        assert!(tokio::time::Instant::now() < deadline, "a thread outlives its queue");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
