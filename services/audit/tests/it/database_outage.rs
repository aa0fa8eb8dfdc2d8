//! The database away, behind a network that swallows packets, and back: records stay with their publisher.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use sallyport_audit::migrations;
use sallyport_db::testing::{TestDb, each};
use sallyport_model::{Clock, Code, Micros, SystemClock};
use sallyport_proto::audit::v1::QueryRequest;
use sallyport_rpc::code_of;
use sallyport_testkit::fault_proxy::{Fault, FaultProxy, address_in};

use crate::{house::House, queues::LossyQueue, storing::record_calls};

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_records_wait_in_the_queue_and_each_is_stored_once_afterwards() {
    let Some(database) = TestDb::server(migrations()).await else { return };
    let url = database.url().unwrap();
    let proxy = FaultProxy::start(address_in(url)).await;
    let pool = database.by_way_of(&proxy.instead_of(url)).unwrap();
    let house = House::start_over(pool, LossyQueue::default()).await;
    record_calls(&house, 0..50).await;
    house.settle().await;
    until("ready", || (house.ready)().is_ok()).await;
    for (round, fault) in [Fault::Blackhole, Fault::Reset].into_iter().enumerate() {
        proxy.set(fault);
        record_calls(&house, 50..100).await;
        until("not ready", || (house.ready)().is_err_and(|why| why.contains("database"))).await;
        let asked = house.try_query(QueryRequest { patient: "pat-1".to_owned(), ..QueryRequest::default() });
        let refused = tokio::time::timeout(Duration::from_secs(60), asked).await.expect("an answer");
        assert_eq!(code_of(&refused.unwrap_err()), Code::DependencyDown, "{fault:?}");
        assert!(house.gateway.depth() > 0, "the publisher still has them");
        proxy.set(Fault::Pass);
        until("ready again", || (house.ready)().is_ok()).await;
        house.settle().await;
        let stored =
            house.number("SELECT COUNT(*) FROM records WHERE kind <> 0 AND service = 'fhir-gateway'").await;
        assert_eq!(stored, 100 * (i64::try_from(round).unwrap() + 2), "{fault:?}");
        assert_eq!(house.number("SELECT COUNT(*) FROM quarantine").await, 0);
    }
    house.pool.close().await;
    database.close().await.unwrap();
}

/// The machine's clock, turned by so many microseconds.
struct Turned(AtomicI64);

impl Clock for Turned {
    fn now(&self) -> Micros {
        SystemClock.now() + self.0.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_wrong_clock_nothing_is_stored_or_shown_until_it_is_right() {
    each(migrations(), |pool| async move {
        let theirs = Arc::new(Turned(AtomicI64::new(0)));
        let pool = pool.replica().with_database_clock(theirs.clone());
        let house = House::start_over(pool, LossyQueue::default()).await;
        record_calls(&house, 0..10).await;
        house.settle().await;
        theirs.0.store(600_000_000, Ordering::SeqCst);
        until("the finding", || (house.ready)().is_err_and(|why| why.contains("clock"))).await;
        record_calls(&house, 10..20).await;
        let refused =
            house.try_query(QueryRequest { patient: "pat-1".to_owned(), ..QueryRequest::default() });
        assert_eq!(code_of(&refused.await.unwrap_err()), Code::ClockSkew);
        assert!(house.gateway.depth() > 0, "the publisher still has them");
        theirs.0.store(0, Ordering::SeqCst);
        until("ready again", || (house.ready)().is_ok()).await;
        house.settle().await;
        assert_eq!(house.number("SELECT COUNT(*) FROM records WHERE service = 'fhir-gateway'").await, 40);
        house.pool.close().await;
    })
    .await;
}
