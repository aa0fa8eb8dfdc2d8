//! Several replicas without sticky routing: what one gave out, another takes.

use std::time::Duration;

use crate::{
    ehr::{Reply, condition, with_next},
    world::{Answer, Tab, World, until},
};

const MEDICATION: &str = r#"{"resourceType":"Medication","id":"med-canary-7","status":"active"}"#;

fn request_for(medication: &str) -> String {
    format!(
        r#"{{"resourceType":"MedicationRequest","id":"r1","status":"active","intent":"order",
        "subject":{{"reference":"Patient/a"}},"medicationReference":{{"reference":"Medication/{medication}"}}}}"#
    )
}

/// The path of the `next` link below the launch.
fn next(answer: &Answer, tab: &Tab) -> String {
    let (_, after) = answer.body.split_once(r#""relation":"next","url":""#).unwrap_or_default();
    let url = after.split('"').next().unwrap_or_default();
    url.strip_prefix(&format!("http://app.test:8080/fhir/{}", tab.launch)).unwrap_or_default().to_owned()
}

/// Scripts a search of two pages.
fn two_pages(world: &World) {
    let link = format!("{}/fhir/Condition?_getpages=1", world.ehr.url);
    let first = Reply::json(with_next(&[&condition("1", "a")], Some(&link)));
    world.ehr.on("/Condition", [first, Reply::json(with_next(&[&condition("2", "a")], None))]);
}

async fn agreed(world: &World) {
    until("the replicas have a key for page links", || world.store.has("gateway:page-key:")).await;
}

#[tokio::test]
async fn a_page_link_of_one_replica_opens_in_another_and_after_the_first_is_gone() {
    let one = World::start().await;
    agreed(&one).await;
    let tab = one.tab("a");
    two_pages(&one);
    let path = next(&one.get(&tab, "/Condition").await, &tab);
    let two = one.replica().await;
    drop(one);
    let second = two.get(&tab, &path).await;
    assert!(second.status == 200 && second.body.contains("canary-2-a"), "{}", second.body);
    let other = two.tab("a");
    assert_eq!(two.get(&other, &path).await.code(), "fhir.page_invalid");
}

#[tokio::test]
async fn links_cost_no_call_to_the_key_service_once_their_key_is_known() {
    let one = World::start().await;
    agreed(&one).await;
    let two = one.replica().await;
    let tab = one.tab("a");
    two_pages(&one);
    let path = next(&one.get(&tab, "/Condition").await, &tab);
    assert_eq!(two.get(&tab, &path).await.status, 200);
    let calls = two.kek_calls();
    for _ in 0..5 {
        two_pages(&one);
        let path = next(&two.get(&tab, "/Condition").await, &tab);
        assert_eq!(one.get(&tab, &path).await.status, 200);
    }
    assert_eq!(two.kek_calls(), calls);
}

#[tokio::test]
async fn the_key_of_page_links_is_replaced_and_older_links_open_until_they_expire() {
    let one = World::start().await;
    agreed(&one).await;
    let two = one.replica().await;
    let tab = one.tab_with("a", |session| {
        session.idle_expires_at = i64::MAX / 2;
        session.absolute_expires_at = i64::MAX / 2;
    });
    one.advance(Duration::from_secs(3_000)).await;
    two_pages(&one);
    let path = next(&one.get(&tab, "/Condition").await, &tab);
    let keys =
        || one.store.written.lock().unwrap().keys().filter(|k| k.starts_with("gateway:page-key:")).count();
    let before = keys();
    one.advance(Duration::from_secs(700)).await;
    two.advance(Duration::ZERO).await;
    until("a new key is shared", || keys() > before).await;
    assert_eq!(two.get(&tab, &path).await.status, 200, "made 700 seconds ago, good for 900");
    one.advance(Duration::from_secs(300)).await;
    two.advance(Duration::ZERO).await;
    assert_eq!(two.get(&tab, &path).await.code(), "fhir.page_invalid");
}

#[tokio::test]
async fn without_the_store_a_link_works_where_it_was_made_and_elsewhere_the_search_is_run_again() {
    let one = World::start().await;
    one.store.set_away(true);
    let alone = one.replica().await;
    let two = one.replica().await;
    let tab = one.tab("a");
    two_pages(&one);
    let path = next(&alone.get(&tab, "/Condition").await, &tab);
    let refused = two.get(&tab, &path).await;
    assert_eq!(refused.code(), "fhir.page_invalid", "{}", refused.body);
    assert_eq!(alone.get(&tab, &path).await.status, 200);
}

#[tokio::test]
async fn what_one_replica_met_in_a_launch_may_be_read_at_another_in_that_launch_alone() {
    let one = World::start().await;
    let two = one.replica().await;
    let (tab, other) = (one.tab("a"), one.tab("a"));
    one.ehr.on("/MedicationRequest/r1", [Reply::json(request_for("med-canary-7"))]);
    one.ehr.on("/Medication/med-canary-7", [Reply::json(MEDICATION)]);
    assert_eq!(two.get(&tab, "/Medication/med-canary-7").await.code(), "fhir.patient_denied");
    assert_eq!(one.get(&tab, "/MedicationRequest/r1").await.status, 200);
    let read = two.get(&tab, "/Medication/med-canary-7").await;
    assert_eq!(read.status, 200, "{}", read.body);
    assert_eq!(two.get(&tab, "/Medication?_id=med-canary-7,never").await.code(), "fhir.patient_denied");
    for replica in [&one, &two] {
        assert_eq!(replica.get(&other, "/Medication/med-canary-7").await.code(), "fhir.patient_denied");
    }
    for (key, value) in one.store.written.lock().unwrap().iter() {
        let text = format!("{key} {}", String::from_utf8_lossy(value));
        for canary in ["med-canary", "Medication", "Patient", &tab.launch.to_string(), tab.secret.expose()] {
            assert!(!text.contains(canary), "the store holds {canary} in the clear: {key}");
        }
    }
}

#[tokio::test]
async fn without_the_store_each_replica_goes_by_what_it_met_and_tells_the_others_later() {
    let one = World::start().await;
    let two = one.replica().await;
    let tab = one.tab("a");
    let path = "/Medication/med-canary-7";
    one.ehr.on("/MedicationRequest/r1", vec![Reply::json(request_for("med-canary-7")); 3]);
    one.ehr.on(path, vec![Reply::json(MEDICATION); 3]);
    one.store.set_away(true);
    assert_eq!(one.get(&tab, "/MedicationRequest/r1").await.status, 200);
    assert_eq!(one.get(&tab, path).await.status, 200);
    assert_eq!(two.get(&tab, path).await.code(), "fhir.patient_denied");
    one.store.set_away(false);
    one.advance(Duration::from_secs(2)).await;
    assert_eq!(one.get(&tab, "/MedicationRequest/r1").await.status, 200);
    assert_eq!(two.get(&tab, path).await.status, 200);
}

#[tokio::test]
async fn a_store_that_hangs_keeps_no_answer() {
    let one = World::start().await;
    let tab = one.tab("a");
    one.ehr.on("/MedicationRequest/r1", [Reply::json(request_for("med-canary-7"))]);
    one.store.set_hanging(true);
    let answered =
        tokio::time::timeout(Duration::from_secs(15), one.get(&tab, "/MedicationRequest/r1")).await;
    assert_eq!(answered.expect("an answer").status, 200);
    one.store.set_hanging(false);
}

#[tokio::test]
async fn a_warm_read_asks_nobody_but_the_ehr_and_a_miss_at_most_two() {
    let one = World::start().await;
    agreed(&one).await;
    let tab = one.tab("a");
    one.ehr.on("/MedicationRequest/r1", vec![Reply::json(request_for("med-canary-7")); 3]);
    let all = || ["launch-auth", "token-vault", "kv"].map(|to| one.hops(to));
    let start = all();
    // Cold: the session, the token, the other replicas' news of the endpoint (once a second), and ours for them.
    assert_eq!(one.get(&tab, "/MedicationRequest/r1").await.status, 200);
    let cold = all();
    assert!(
        cold[0] - start[0] == 1 && cold[1] - start[1] == 1 && cold[2] - start[2] <= 2,
        "{start:?} {cold:?}"
    );
    let ehr = one.hops("ehr");
    assert_eq!(one.get(&tab, "/MedicationRequest/r1").await.status, 200);
    assert_eq!((all(), one.hops("ehr")), (cold, ehr + 1));
    // A reference that another replica may have met is one question.
    assert_eq!(one.get(&tab, "/Medication/elsewhere").await.code(), "fhir.patient_denied");
    let missed = all();
    assert_eq!((missed[0], missed[1], missed[2]), (cold[0], cold[1], cold[2] + 1));
}
