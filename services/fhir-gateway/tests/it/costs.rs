//! What a warm read may cost in things that are counted: other processes, the key service, the disk.

use futures_util::future::join_all;

use crate::{
    ehr::{Reply, condition, searchset},
    world::World,
};

/// Scripts `count` answers to one search.
fn answers(world: &World, count: usize) {
    world.ehr.on("/Condition", vec![Reply::json(searchset(&[&condition("1", "a")])); count]);
}

#[tokio::test]
async fn warm_reads_ask_neither_the_owners_nor_the_store_nor_the_key_service() {
    let world = World::start().await;
    let tab = world.tab("a");
    answers(&world, 21);
    assert_eq!(world.get(&tab, "/Condition").await.status, 200);
    let others = || ["launch-auth", "token-vault", "kv"].map(|to| world.hops(to));
    let (hops, keys, ehr) = (others(), world.kek_calls(), world.hops("ehr"));
    assert!(hops[0] == 1 && hops[1] == 1 && keys >= 1, "the first read asked: {hops:?}, {keys}");
    for _ in 0..20 {
        assert_eq!(world.get(&tab, "/Condition").await.status, 200);
    }
    assert_eq!((others(), world.kek_calls(), world.hops("ehr")), (hops, keys, ehr + 20));
    // Another launch is a miss: its session and its token, and the keys are there. The other replicas are told what it saw.
    answers(&world, 1);
    assert_eq!(world.get(&world.tab("a"), "/Condition").await.status, 200);
    let missed = others();
    assert_eq!((missed[0] - hops[0], missed[1] - hops[1], missed[2] - hops[2]), (1, 1, 1));
    assert_eq!(world.kek_calls(), keys);
}

#[tokio::test]
async fn a_call_alone_costs_one_sync_before_its_answer_and_at_most_one_after() {
    let world = World::start().await;
    let tab = world.tab("a");
    answers(&world, 2);
    assert_eq!(world.get(&tab, "/Condition").await.status, 200);
    assert_eq!(world.records().await.len(), 2);
    let before = world.fdatasyncs();
    assert_eq!(world.get(&tab, "/Condition").await.status, 200);
    assert!(world.fdatasyncs() > before, "the intent's, before the answer");
    assert_eq!(world.records().await.len(), 4);
    assert_eq!(world.fdatasyncs() - before, 2, "the outcome's, by the next group or by itself");
}

#[tokio::test]
async fn calls_that_run_together_share_their_syncs() {
    const TABS: usize = 6;
    const EACH: usize = 10;
    let world = World::start().await;
    let tabs: Vec<_> = (0..TABS).map(|_| world.tab("a")).collect();
    answers(&world, TABS + TABS * EACH);
    for tab in &tabs {
        assert_eq!(world.get(tab, "/Condition").await.status, 200);
    }
    let records = world.records().await.len();
    let before = world.fdatasyncs();
    let calls = tabs.iter().flat_map(|tab| (0..EACH).map(|_| world.get(tab, "/Condition")));
    for answer in join_all(calls).await {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    assert_eq!(world.records().await.len() - records, 2 * TABS * EACH);
    let syncs = usize::try_from(world.fdatasyncs() - before).unwrap();
    assert!((1..=TABS * EACH / 2).contains(&syncs), "{syncs} syncs for {} calls", TABS * EACH);
}
