use sallyport_model::TestClock;
use sallyport_proto::types::v1::{Heartbeat, RevocationEvent};

use super::*;

fn setup() -> (Arc<TestClock>, Watch, Arc<Owner>) {
    let clock = Arc::new(TestClock::at(1_000_000_000));
    let watch = Watch::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let owner = Arc::new(Owner { fresh_at: AtomicI64::new(i64::MIN / 2) });
    watch.0.owners.write().unwrap().push(Arc::clone(&owner));
    (clock, watch, owner)
}

fn beat(head: i64, read_at: i64, sent_at: i64) -> WatchRevocationsResponse {
    WatchRevocationsResponse { item: Some(Item::Heartbeat(Heartbeat { head, read_at, sent_at })) }
}

fn event(sequence: i64, launch: LaunchId) -> WatchRevocationsResponse {
    let what = Some(What::Launch(convert::id_bytes(launch.uuid())));
    WatchRevocationsResponse { item: Some(Item::Event(RevocationEvent { sequence, what })) }
}

#[test]
fn nothing_heard_is_stale() {
    let (_, watch, _) = setup();
    assert!(!watch.is_fresh());
}

#[test]
fn silence_of_more_than_five_seconds_is_stale() {
    let (clock, watch, owner) = setup();
    assert!(watch.0.take(&owner, beat(0, 7, 7), &mut 0));
    assert!(watch.is_fresh());
    clock.advance(Duration::from_millis(5_001));
    assert!(!watch.is_fresh());
}

#[test]
fn an_owner_that_cannot_read_its_table_grows_stale_although_it_speaks() {
    let (_, watch, owner) = setup();
    assert!(watch.0.take(&owner, beat(0, 0, 6_000_000), &mut 0));
    assert!(!watch.is_fresh());
}

#[test]
fn a_revoked_launch_is_known_and_a_gap_asks_for_a_resync() {
    let (clock, watch, owner) = setup();
    let launch = LaunchId::new(&*clock);
    let grant = GrantId::new(&*clock);
    let mut last = 0;
    assert!(watch.0.take(&owner, event(1, launch), &mut last));
    assert!(watch.is_revoked(launch, grant));
    assert!(!watch.0.take(&owner, event(3, launch), &mut last), "2 is missing");
    assert_eq!(last, 0);
}
