//! What an EHR takes, its breaker and its budget for retries: shared over replicas, and what holds without the store.

use std::time::Duration;

use crate::{
    ehr::{Reply, condition, searchset},
    world::{Tab, World, until},
};

/// Makes 300 calls in turn on the replicas; how many were made.
async fn calls_made(worlds: &[(&World, &Tab)]) -> usize {
    let mut made = 0;
    for n in 0..300 {
        let (world, tab) = worlds[n % worlds.len()];
        made += usize::from(world.get(tab, "/Condition/1").await.status == 200);
    }
    made
}

/// Turns the clock of both.
async fn pass(one: &World, two: &World, seconds: u64) {
    one.advance(Duration::from_secs(seconds)).await;
    until("the other has heard the owners too", || (two.ready)().is_ok()).await;
}

#[tokio::test]
async fn replicas_together_make_no_more_calls_than_the_ehr_takes() {
    let one = World::at("eclinicalworks").await;
    let two = one.replica().await;
    let tab = one.tab("a");
    one.ehr.on("/Condition/1", [Reply::json(condition("1", "a"))]);
    // 08:53:20 by the clock. 250 a minute, a tenth of them for authorization, a twentieth of the rest kept back.
    let made = calls_made(&[(&one, &tab), (&two, &tab)]).await;
    assert!((200..=225).contains(&made), "{made}");
    let refused = one.get(&tab, "/Condition/1").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (429, "gateway.limit"), "{}", refused.body);
    assert_eq!(refused.header("retry-after"), "41", "the next full minute");
    one.advance(Duration::from_secs(41)).await;
    assert_eq!(one.get(&tab, "/Condition/1").await.status, 200);
}

#[tokio::test]
async fn without_the_store_each_replica_keeps_to_half() {
    let one = World::at("eclinicalworks").await;
    one.store.set_away(true);
    let tab = one.tab("a");
    one.ehr.on("/Condition/1", [Reply::json(condition("1", "a"))]);
    let made = calls_made(&[(&one, &tab)]).await;
    assert!((100..=112).contains(&made), "{made}");
}

#[tokio::test]
async fn a_product_without_a_known_limit_is_not_limited_here() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Condition/1", [Reply::json(condition("1", "a"))]);
    assert_eq!(calls_made(&[(&world, &tab)]).await, 300);
}

#[tokio::test]
async fn an_ehr_that_fails_is_left_alone_by_every_replica_and_one_finds_out() {
    let one = World::start().await;
    let two = one.replica().await;
    let tab = one.tab("a");
    one.ehr.on("/Condition", [Reply::new(500, "")]);
    for _ in 0..5 {
        assert_eq!(one.get(&tab, "/Condition").await.code(), "ehr.error");
    }
    assert_eq!(two.get(&tab, "/Condition").await.code(), "ehr.circuit_open", "told by the other");
    assert_eq!(one.ehr.seen().len(), 5);
    pass(&one, &two, 6).await;
    // It is back, and slow: while one replica's probe runs, the other asks nothing.
    one.ehr.on("/Condition", [Reply::json(searchset(&[]))]);
    let gate = one.ehr.hold();
    let probing = one.get(&tab, "/Condition");
    let other = async {
        until("the probe is there", || one.ehr.seen().len() == 6).await;
        let refused = two.get(&tab, "/Condition").await;
        gate.add_permits(100);
        refused
    };
    let (probe, refused) = tokio::join!(probing, tokio::time::timeout(Duration::from_secs(60), other));
    assert_eq!(probe.status, 200, "{}", probe.body);
    assert_eq!(refused.unwrap().code(), "ehr.circuit_open");
    assert_eq!(one.ehr.seen().len(), 6);
    pass(&one, &two, 1).await;
    assert_eq!(two.get(&tab, "/Condition").await.status, 200, "and tells the other");
}

#[tokio::test]
async fn come_back_later_holds_for_every_replica() {
    let one = World::start().await;
    let two = one.replica().await;
    let tab = one.tab("a");
    one.ehr.on("/Condition", [Reply::new(429, "").with("retry-after", "7"), Reply::json(searchset(&[]))]);
    assert_eq!(one.get(&tab, "/Condition").await.code(), "ehr.busy");
    let answer = two.get(&tab, "/Condition").await;
    assert_eq!((answer.code(), answer.header("retry-after")), ("ehr.busy", "7"));
    assert_eq!(one.ehr.seen().len(), 1);
}

#[tokio::test]
async fn calls_that_broke_are_made_again_within_a_budget() {
    let world = World::start().await;
    let tab = world.tab("a");
    let good = || Reply::json(searchset(&[]));
    let mut failed = 0;
    for _ in 0..30 {
        world.ehr.on("/Condition", [Reply::new(502, ""), good()]);
        failed += usize::from(world.get(&tab, "/Condition").await.code() == "ehr.error");
        for _ in 0..2 {
            assert_eq!(world.get(&tab, "/Condition").await.status, 200);
        }
    }
    assert!((5..25).contains(&failed), "{failed} of thirty were not made again");
}
