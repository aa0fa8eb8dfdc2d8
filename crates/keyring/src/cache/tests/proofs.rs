//! Proofs in the background: when they are made, what they may change, and how they end.

use super::*;

/// A house with one key in use.
struct InUse {
    house: House,
    own: DataKeyContext,
    wrapped: Vec<u8>,
}

impl InUse {
    async fn new() -> Self {
        let (house, own) = (House::new(), context("hospital-a", "grants"));
        let (_, wrapped) = house.ring.generate(&own).await.unwrap();
        house.ring.open(&own, &wrapped).await.unwrap();
        Self { house, own, wrapped }
    }

    fn after(&self, seconds: u64) {
        self.house.clock.advance(Duration::from_secs(seconds));
    }

    /// Uses the key from memory, then gives the background its turn.
    async fn is_used(&self) -> bool {
        let is_used = self.house.ring.at_hand(&self.own).is_some();
        settled().await;
        is_used
    }
}

/// Lets everything in the background run until it waits.
async fn settled() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_key_in_use_is_proven_again_once_a_minute_and_its_users_do_not_wait() {
    let InUse { house, own, wrapped } = InUse::new().await;
    for minute in 1..=10 {
        house.clock.advance(Duration::from_secs(60));
        let hold = house.keeper.hold().await;
        for _ in 0..100 {
            house.ring.open(&own, &wrapped).await.unwrap();
            house.ring.at_hand(&own).unwrap();
        }
        settled().await;
        drop(hold);
        settled().await;
        assert_eq!(house.unwraps(), 1 + minute);
    }
}

#[tokio::test]
async fn a_key_that_nobody_uses_is_not_proven_again() {
    let used = InUse::new().await;
    used.after(299);
    settled().await;
    assert_eq!(used.house.unwraps(), 1);
}

#[tokio::test]
async fn an_outage_that_begins_just_before_a_proof_ends_leaves_four_minutes() {
    let used = InUse::new().await;
    for _ in 0..4 {
        used.after(60);
        assert!(used.is_used().await);
    }
    used.after(59);
    used.house.keeper.set_away(true);
    for _ in 0..24 {
        used.after(10);
        assert!(used.is_used().await);
    }
    used.after(1);
    assert!(!used.is_used().await, "five minutes after the last proof");
    assert!(matches!(used.house.ring.open(&used.own, &used.wrapped).await, Err(KeyError::Unavailable(_))));
}

#[tokio::test]
async fn a_keeper_that_is_away_is_asked_once_in_ten_seconds_and_its_return_is_a_proof() {
    let used = InUse::new().await;
    used.house.keeper.set_away(true);
    used.after(60);
    for second in 0..30 {
        for _ in 0..10 {
            assert!(used.is_used().await);
        }
        assert_eq!(used.house.unwraps(), 2 + second / 10);
        used.after(1);
    }
    used.house.keeper.set_away(false);
    assert!(used.is_used().await);
    used.after(299);
    assert!(used.is_used().await, "proven 90 seconds after the first proof");
}

#[tokio::test]
async fn a_no_of_the_keeper_ends_a_key_at_once() {
    for deny in [MemoryKey::lose, |keeper: &MemoryKey| keeper.set_denied(true)] {
        let used = InUse::new().await;
        deny(&used.house.keeper);
        used.after(60);
        assert!(used.is_used().await, "the answer is not there yet");
        assert!(!used.is_used().await);
        assert!(lock(&used.house.ring.open).is_empty());
        used.house.ring.open(&used.own, &used.wrapped).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_proof_under_way_does_not_bring_back_what_was_forgotten() {
    let used = InUse::new().await;
    used.after(60);
    let hold = used.house.keeper.hold().await;
    assert!(used.is_used().await);
    used.house.ring.forget();
    drop(hold);
    assert!(!used.is_used().await);
    assert!(!used.is_used().await);
    assert!(lock(&used.house.ring.open).is_empty());
}

#[tokio::test]
async fn an_answer_about_a_forgotten_key_says_nothing_about_its_successor() {
    let used = InUse::new().await;
    let forgotten = Arc::downgrade(&used.house.ring.at_hand(&used.own).unwrap());
    used.house.ring.forget();
    used.house.ring.open(&used.own, &used.wrapped).await.unwrap();
    let asked_at = used.house.clock.now() + 1_000_000;
    for answer in [Ok(()), Err(KeyError::DoesNotOpen)] {
        proven::settle(&mut lock(&used.house.ring.open), &used.own, &forgotten, asked_at, answer);
    }
    used.after(300);
    assert!(!used.is_used().await, "neither ended nor proven by that");
}

#[tokio::test]
async fn a_keeper_that_never_answers_is_asked_once_and_nothing_outlives_the_ring() {
    let InUse { house, own, wrapped: _ } = InUse::new().await;
    let House { keeper, clock, ring } = house;
    let _hold = keeper.hold().await;
    clock.advance(Duration::from_secs(60));
    for _ in 0..20 {
        ring.at_hand(&own).unwrap();
        settled().await;
        clock.advance(Duration::from_secs(11));
    }
    assert_eq!(keeper.unwraps(), 2);
    drop(ring);
    settled().await;
    assert_eq!(Arc::strong_count(&keeper), 1, "the question has ended");
}

#[test]
fn outside_a_runtime_a_key_serves_until_its_proof_is_over() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let used = runtime.block_on(InUse::new());
    used.after(299);
    assert!(used.house.ring.at_hand(&used.own).is_some());
    used.after(1);
    assert!(used.house.ring.at_hand(&used.own).is_none());
}
