use std::time::Duration;

use sallyport_model::TestClock;

use super::*;
use crate::testing::MemoryKey;

mod proofs;

struct House {
    keeper: Arc<MemoryKey>,
    clock: Arc<TestClock>,
    ring: Arc<Keyring>,
}

impl House {
    fn new() -> Self {
        let (keeper, clock) = (MemoryKey::new(), Arc::new(TestClock::at(1_700_000_000_000_000)));
        let ring = Arc::new(Keyring::new(keeper.kek(), Arc::<TestClock>::clone(&clock)));
        Self { keeper, clock, ring }
    }

    fn unwraps(&self) -> usize {
        self.keeper.unwraps()
    }
}

fn context(tenant: &str, purpose: &'static str) -> DataKeyContext {
    DataKeyContext { tenant: TenantId::parse(tenant).unwrap(), purpose, key_id: uuid::Uuid::nil() }
}

#[tokio::test]
async fn a_key_is_unwrapped_once_in_five_minutes_and_only_for_its_own_tenant_and_purpose() {
    let house = House::new();
    let own = context("hospital-a", "grants");
    let (key, wrapped) = house.ring.generate(&own).await.unwrap();
    let sealed = key.seal(b"row", b"value");
    for round in 1..=3 {
        for _ in 0..1_000 {
            let key = house.ring.open(&own, &wrapped).await.unwrap();
            assert_eq!(key.open(b"row", &sealed).unwrap().expose(), b"value");
        }
        assert_eq!(house.unwraps(), round);
        house.clock.advance(Duration::from_secs(300));
    }
    for other in [context("hospital-b", "grants"), context("hospital-a", "audit")] {
        assert!(matches!(house.ring.open(&other, &wrapped).await, Err(KeyError::DoesNotOpen)));
    }
}

#[tokio::test]
async fn callers_that_come_at_once_ask_the_keeper_once() {
    let house = House::new();
    let own = context("hospital-a", "grants");
    let (_, wrapped) = house.ring.generate(&own).await.unwrap();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (ring, own, wrapped) = (Arc::clone(&house.ring), own.clone(), wrapped.clone());
        callers.spawn(async move { ring.open(&own, &wrapped).await.map(|_key| ()) });
    }
    while let Some(done) = callers.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!(house.unwraps(), 1);
    assert!(lock(&house.ring.flights).is_empty(), "nothing is left of the flight");
}

#[tokio::test]
async fn a_key_is_used_for_five_minutes_without_its_keeper_and_then_not_at_all() {
    let house = House::new();
    let own = context("hospital-a", "grants");
    let (_, wrapped) = house.ring.generate(&own).await.unwrap();
    house.ring.open(&own, &wrapped).await.unwrap();

    house.keeper.set_away(true);
    house.clock.advance(Duration::from_micros(299_999_999));
    house.ring.open(&own, &wrapped).await.unwrap();
    house.clock.advance(Duration::from_micros(1));
    for _ in 0..3 {
        assert!(matches!(house.ring.open(&own, &wrapped).await, Err(KeyError::Unavailable(_))));
    }
    assert!(lock(&house.ring.open).is_empty(), "the key is not in memory any more");

    house.keeper.set_away(false);
    house.ring.open(&own, &wrapped).await.unwrap();
}

#[tokio::test]
async fn a_key_that_nobody_asks_for_does_not_stay_in_memory() {
    let house = House::new();
    let own = context("hospital-a", "grants");
    let (_, wrapped) = house.ring.generate(&own).await.unwrap();
    house.ring.open(&own, &wrapped).await.unwrap();
    house.ring.forget_stale();
    assert_eq!(lock(&house.ring.open).len(), 1);
    house.clock.advance(Duration::from_secs(300));
    house.ring.forget_stale();
    assert!(lock(&house.ring.open).is_empty());
}

#[tokio::test]
async fn a_key_stays_open_while_its_wrapping_changes() {
    let house = House::new();
    let own = context("hospital-a", "grants");
    let (key, wrapped) = house.ring.generate(&own).await.unwrap();
    let sealed = key.seal(b"row", b"value");
    assert_eq!(house.ring.keeper().rotate().await.unwrap(), 2);
    let again = house.ring.rewrap(&own, &wrapped).await.unwrap();
    assert_eq!(house.ring.keeper().version_of(&again).unwrap(), 2);
    for wrapped in [&wrapped, &again] {
        house.ring.forget();
        let key = house.ring.open(&own, wrapped).await.unwrap();
        assert_eq!(key.open(b"row", &sealed).unwrap().expose(), b"value");
    }
}
