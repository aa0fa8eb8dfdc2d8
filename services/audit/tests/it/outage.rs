//! The broker is killed while records are written: the spool grows, and everything arrives once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use sallyport_audit::migrations;
use sallyport_db::testing::TestDb;
use sallyport_testkit::servers::Private;

use crate::{
    house::{House, read, succeeded},
    queues::LossyQueue,
};

/// Between two records: 200 a second.
const PACE: Duration = Duration::from_millis(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_killed_while_records_are_written_loses_none_and_none_is_stored_twice() {
    let Some(servers) = Private::start(&["rabbitmq"]).await else { return };
    let database = TestDb::postgres(migrations()).await.unwrap();
    let queue = LossyQueue::on_broker(servers.variable("SALLYPORT_TEST_RABBITMQ"));
    let house = Arc::new(House::start_over(database.pool.clone(), queue).await);
    house.gateway.event(succeeded(read("pat-0", "dr-who"))).await.unwrap();
    house.settle().await;
    // See the queue's own outage test: a queue made moments before a kill is not yet the broker's to keep.
    servers.stop("rabbitmq").await;
    servers.start_again("rabbitmq").await;

    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(1)));
    let writer = {
        let (house, stop, written) = (Arc::clone(&house), Arc::clone(&stop), Arc::clone(&written));
        tokio::spawn(async move {
            let mut pace = tokio::time::interval(PACE);
            while !stop.load(Ordering::SeqCst) {
                pace.tick().await;
                let patient = format!("pat-{}", written.load(Ordering::SeqCst) % 50);
                house.gateway.event(succeeded(read(&patient, "dr-who"))).await.unwrap();
                written.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    let count = || written.load(Ordering::SeqCst);
    let until = async |target: i64| {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(120);
        while count() < target {
            assert!(tokio::time::Instant::now() < deadline, "records are written all the time");
            tokio::time::sleep(PACE).await;
        }
    };
    until(400).await;
    servers.kill("rabbitmq").await;
    let at_kill = count();
    until(at_kill + 800).await;
    assert!(house.gateway.depth() >= 600, "{} wait in the spool", house.gateway.depth());
    servers.start_again("rabbitmq").await;
    until(count() + 400).await;
    stop.store(true, Ordering::SeqCst);
    writer.await.unwrap();
    house.settle().await;
    assert_eq!(house.number("SELECT COUNT(*) FROM records").await, count());
    let span = "SELECT MAX(spool_sequence) - MIN(spool_sequence) + 1 FROM records";
    assert_eq!(house.number(span).await, count(), "no gap and no number twice");
    assert_eq!(house.number("SELECT COUNT(*) FROM quarantine").await, 0);
    drop(house);
    database.close().await.unwrap();
}
