//! Revocations over real transports: at once, over the loss of a replica, and closed when nobody can say.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use sallyport_model::{Clock, GrantId, LaunchId, SystemClock, TestClock};
use sallyport_rpc::{
    ServerSettings,
    revocation::{STALE_AFTER, Watch},
};
use sallyport_testkit::assurance::Report;
use tokio::time::Instant;

use crate::{
    owner::{Replica, Table, follow},
    world::{House, PATIENCE, until},
};

fn knows(watch: &Watch, launch: LaunchId) -> bool {
    watch.is_revoked(launch, GrantId::new(&SystemClock))
}

async fn replica(house: &House, table: &Table) -> Replica {
    Replica::start(house, table, ServerSettings::default()).await
}

#[tokio::test]
async fn every_gateway_refuses_within_moments_of_a_revocation() {
    let (house, table) = (House::new(), Table::default());
    let owners = [replica(&house, &table).await, replica(&house, &table).await];
    let both: Vec<&Replica> = owners.iter().collect();
    let gateways = [0, 1].map(|_| follow(&house, &both, Arc::new(SystemClock)));
    until("both are fresh", || gateways.iter().all(Watch::is_fresh)).await;

    let mut report = Report::new("revocation to refusal").scenario("two gateways").unit("revocations");
    let mut took = Vec::new();
    for _ in 0..25 {
        report.add_tried(1);
        let started = Instant::now();
        let launch = table.revoke();
        while !gateways.iter().all(|watch| knows(watch, launch)) {
            assert!(started.elapsed() < STALE_AFTER, "and until then nothing could be released");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        took.push(started.elapsed());
    }
    took.sort_unstable();
    let (typical, worst) = (took[took.len() / 2], took[took.len() - 1]);
    println!("revocation to refusal on two gateways, 25 times: typical {typical:?}, worst {worst:?}");
    assert!(gateways.iter().all(Watch::is_fresh));
    report.write();
}

#[tokio::test]
async fn a_reader_that_starts_late_is_fresh_only_when_it_knows_all() {
    let (house, table) = (House::new(), Table::default());
    let rows: Vec<_> = (0..100).map(|_| table.revoke()).collect();
    let owner = replica(&house, &table).await;
    let watch = follow(&house, &[&owner], Arc::new(SystemClock));
    until("it is fresh", || watch.is_fresh()).await;
    assert!(rows.iter().all(|launch| knows(&watch, *launch)), "not one is missing");
}

#[tokio::test]
async fn a_lost_replica_is_replaced_by_another_where_the_reader_is() {
    let (house, table) = (House::new(), Table::default());
    let mut owners = vec![replica(&house, &table).await, replica(&house, &table).await];
    let watch = follow(&house, &owners.iter().collect::<Vec<_>>(), Arc::new(SystemClock));
    until("it is fresh", || watch.is_fresh()).await;
    let before = table.revoke();
    until("it is heard of", || knows(&watch, before)).await;

    // The first replica in turn has the stream.
    let lost = owners.remove(0);
    lost.task.abort();
    let after = table.revoke();
    let deadline = Instant::now() + PATIENCE;
    while !knows(&watch, after) {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(watch.is_fresh());
    let asked = table.asked.lock().unwrap().clone();
    assert_eq!(asked.first(), Some(&0));
    assert!(asked[1..].iter().all(|from| *from == 1), "from where it was: {asked:?}");
}

#[tokio::test]
async fn a_server_that_stops_ends_its_streams_and_readers_go_on_elsewhere() {
    let (house, table) = (House::new(), Table::default());
    let mut owners = vec![replica(&house, &table).await, replica(&house, &table).await];
    let watch = follow(&house, &owners.iter().collect::<Vec<_>>(), Arc::new(SystemClock));
    until("it is fresh", || watch.is_fresh()).await;
    let stopping = owners.remove(0);
    stopping.stop.send(true).unwrap();
    tokio::time::timeout(PATIENCE, stopping.task)
        .await
        .expect("the server ends although a stream without end was open")
        .unwrap()
        .unwrap();
    let launch = table.revoke();
    until("the other one tells", || knows(&watch, launch)).await;
}

#[tokio::test]
async fn connections_of_streams_grow_old_and_nothing_is_missed() {
    let (house, table) = (House::new(), Table::default());
    let settings =
        ServerSettings { max_connection_age: Duration::from_millis(100), ..ServerSettings::default() };
    let owner = Replica::start(&house, &table, settings).await;
    let watch = follow(&house, &[&owner], Arc::new(SystemClock));
    until("it is fresh", || watch.is_fresh()).await;
    let mut rows = Vec::new();
    while table.asked.lock().unwrap().len() < 4 {
        rows.push(table.revoke());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    until("all are known", || rows.iter().all(|launch| knows(&watch, *launch))).await;
    let asked = table.asked.lock().unwrap().clone();
    assert!(asked.is_sorted() && asked[3] > 0, "never from the start again: {asked:?}");
}

#[tokio::test]
async fn when_no_replica_speaks_or_none_can_read_it_is_closed() {
    let (house, table) = (House::new(), Table::default());
    let owner = replica(&house, &table).await;
    let clock = Arc::new(TestClock::at(SystemClock.now()));
    let watch = follow(&house, &[&owner], Arc::clone(&clock) as Arc<dyn Clock>);
    until("it is fresh", || watch.is_fresh()).await;

    owner.task.abort();
    assert!(owner.task.await.unwrap_err().is_cancelled());
    clock.advance(STALE_AFTER + Duration::from_millis(1));
    assert!(!watch.is_fresh(), "silence");

    let blind = replica(&house, &table).await;
    table.is_unreadable.store(true, Ordering::SeqCst);
    let watch = follow(&house, &[&blind], Arc::new(SystemClock));
    until("it was asked", || table.asked.lock().unwrap().len() == 2).await;
    assert!(!watch.is_fresh(), "a table that cannot be read");
    table.is_unreadable.store(false, Ordering::SeqCst);
    until("the table was read", || watch.is_fresh()).await;
}
