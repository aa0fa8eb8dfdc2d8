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

fn opened(clock: &TestClock) -> Place {
    Place { last: 0, opened_at: clock.now(), first_beat: None }
}

#[test]
fn silence_of_more_than_five_seconds_is_stale() {
    let (clock, watch, owner) = setup();
    assert!(watch.0.take(&owner, beat(0, 7, 7), &mut opened(&clock)));
    assert!(watch.is_fresh());
    clock.advance(Duration::from_millis(5_001));
    assert!(!watch.is_fresh());
}

#[test]
fn an_owner_that_cannot_read_its_table_grows_stale_although_it_speaks() {
    let (clock, watch, owner) = setup();
    assert!(
        watch.0.take(&owner, beat(0, 0, 6_000_000), &mut opened(&clock)),
        "another replica reads no better"
    );
    assert!(!watch.is_fresh());
}

#[test]
fn a_heartbeat_that_waited_on_its_way_makes_nobody_too_sure() {
    const SECOND: i64 = 1_000_000;
    let (clock, watch, owner) = setup();
    let mut place = opened(&clock);
    // The owner's clock is another one altogether.
    assert!(watch.0.take(&owner, beat(0, 500 * SECOND, 500 * SECOND), &mut place));
    clock.advance(Duration::from_secs(1));
    assert!(watch.0.take(&owner, beat(0, 501 * SECOND, 501 * SECOND), &mut place));
    clock.advance(Duration::from_secs(9));
    assert!(!watch.0.take(&owner, beat(0, 502 * SECOND, 502 * SECOND), &mut place), "this way is too slow");
    assert!(!watch.is_fresh(), "it was sent eight seconds ago");
    let mut again = Place { last: place.last, ..opened(&clock) };
    assert!(watch.0.take(&owner, beat(0, 510 * SECOND, 510 * SECOND), &mut again));
    assert!(watch.is_fresh());
}

#[test]
fn a_clock_of_the_owner_that_is_set_forward_or_back_ends_in_another_stream_at_worst() {
    let (clock, watch, owner) = setup();
    let mut place = opened(&clock);
    assert!(watch.0.take(&owner, beat(0, 900, 900), &mut place));
    assert!(watch.0.take(&owner, beat(0, 900_000_000, 900_000_000), &mut place));
    clock.advance(Duration::from_millis(5_001));
    assert!(!watch.is_fresh(), "never fresher than now");
    assert!(!watch.0.take(&owner, beat(0, -60_000_000, -60_000_000), &mut place));
}

#[test]
fn a_revoked_launch_is_known_and_a_gap_asks_for_a_resync() {
    let (clock, watch, owner) = setup();
    let launch = LaunchId::new(&*clock);
    let grant = GrantId::new(&*clock);
    let mut place = opened(&clock);
    assert!(watch.0.take(&owner, event(1, launch), &mut place));
    assert!(watch.is_revoked(launch, grant));
    assert!(!watch.0.take(&owner, event(3, launch), &mut place), "2 is missing");
    assert_eq!(place.last, 0);
}

#[test]
fn a_head_that_is_not_where_we_are_asks_for_a_resync() {
    for head in [6, 4] {
        let (clock, watch, owner) = setup();
        let mut place = Place { last: 5, ..opened(&clock) };
        assert!(!watch.0.take(&owner, beat(head, 7, 7), &mut place), "{head} is not 5");
        assert_eq!(place.last, 0);
        assert!(!watch.is_fresh(), "what is missing may be the one that matters");
    }
}
