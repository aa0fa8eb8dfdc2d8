//! Sessions end: at once when revoked, by the clock when idle, and for everybody when nobody can say.

use std::time::Duration;

use crate::{
    ehr::{Reply, condition, searchset},
    world::{World, until},
};

#[tokio::test]
async fn a_revoked_session_is_over_within_moments_although_it_is_cached() {
    let world = World::start().await;
    let (tab, other) = (world.tab("a"), world.tab("b"));
    world.ehr.on("/Condition", [Reply::json(searchset(&[]))]);
    assert_eq!(world.get(&tab, "/Condition").await.status, 200);
    world.owners.revoke(tab.launch);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while world.get(&tab, "/Condition").await.status == 200 {
        assert!(tokio::time::Instant::now() < deadline);
    }
    assert_eq!(world.get(&tab, "/Condition").await.code(), "session.revoked");
    assert_eq!(world.get(&other, "/Condition").await.status, 200);
}

#[tokio::test]
async fn a_session_revoked_while_the_ehr_is_asked_releases_nothing() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "a")]))]);
    let gate = world.ehr.hold();
    let asking = tokio::spawn({
        let request = world.request(&tab, "GET", "/Condition").body(axum::body::Body::empty()).unwrap();
        let http = world.http.clone();
        async move { tower::ServiceExt::oneshot(http, request).await.unwrap().status() }
    });
    until("the EHR was asked", || !world.ehr.seen().is_empty()).await;
    world.owners.revoke(tab.launch);
    // Refused without the EHR, and with which code tells whether the revocation has arrived.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while world.get(&tab, "/Patient/b").await.code() != "session.revoked" {
        assert!(tokio::time::Instant::now() < deadline);
    }
    gate.add_permits(10);
    assert_eq!(asking.await.unwrap(), 401);
}

#[tokio::test]
async fn when_revocations_cannot_be_known_nothing_is_released() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Condition", [Reply::json(searchset(&[]))]);
    assert_eq!(world.get(&tab, "/Condition").await.status, 200);
    world.owners.go_silent();
    world.clock.advance(Duration::from_secs(6));
    until("the owners are silent", || (world.ready)().is_err()).await;
    let answer = world.get(&tab, "/Condition").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "revocation.stale"));
    assert_eq!(world.ehr.seen().len(), 1);
}

#[tokio::test]
async fn a_session_ends_when_it_was_idle_too_long() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Condition", [Reply::json(searchset(&[]))]);
    assert_eq!(world.get(&tab, "/Condition").await.status, 200);
    world.clock.advance(Duration::from_secs(901));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let answer = world.get(&tab, "/Condition").await;
        // Until the next heartbeat the advanced clock makes the owners look silent.
        if answer.code() == "session.expired" {
            break;
        }
        assert_eq!(answer.code(), "revocation.stale");
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn only_what_a_person_did_keeps_a_session_alive() {
    let world = World::start().await;
    let (person, timer) = (world.tab("a"), world.tab("b"));
    world.ehr.on("/Condition", [Reply::json(searchset(&[]))]);
    assert_eq!(world.get(&timer, "/Condition").await.status, 200);
    let request = world.request(&person, "GET", "/Condition").header("x-sallyport-activity", "person");
    assert_eq!(world.send(request.body(axum::body::Body::empty()).unwrap()).await.status, 200);
    until("activity was reported", || !world.owners.activity.lock().unwrap().is_empty()).await;
    let reported = world.owners.activity.lock().unwrap().clone();
    let launches: Vec<_> = reported.iter().map(|a| a.launch_id.clone()).collect();
    assert_eq!(launches, [person.launch.uuid().as_bytes().to_vec()]);
}
