//! No byte leaves before its record is durable; what happened is in the log.

use std::time::Duration;

use sallyport_proto::audit::v1::{Kind, Outcome, Phase};

use crate::{
    ehr::{Reply, condition, searchset},
    world::{World, until},
};

#[tokio::test]
async fn a_call_leaves_an_intent_and_an_outcome_that_say_all() {
    let world = World::start().await;
    let tab = world.tab("a");
    let reply = Reply::json(searchset(&[&condition("1", "a")])).with("x-correlation-id", "vendor-77");
    world.ehr.on("/Condition", [reply]);
    let answer = world.get(&tab, "/Condition?code=canary-value").await;
    let records = world.records().await;
    assert_eq!(records.iter().map(|r| r.phase()).collect::<Vec<_>>(), [Phase::Intent, Phase::Outcome]);
    let (intent, outcome) = (&records[0], &records[1]);
    assert_eq!(intent.record_id, outcome.record_id);
    assert_eq!(intent.outcome(), Outcome::Pending);
    for record in [intent, outcome] {
        assert_eq!(record.kind(), Kind::FhirCall);
        assert_eq!(
            (record.tenant.as_str(), record.endpoint.as_str(), record.registration.as_str()),
            ("general", "main", "scripted")
        );
        assert_eq!((record.feature.as_str(), record.purpose.as_str()), ("patient-summary", "TREAT"));
        assert_eq!(
            (record.interaction.as_str(), record.resource_types.as_slice()),
            ("search-type", &["Condition".to_owned()][..])
        );
        assert_eq!(record.patients, ["a"]);
        assert_eq!(record.parameters, ["code"], "names, never values");
        assert_eq!(record.policy_decision, "permit:treatment");
        assert_eq!(record.launch_id, tab.launch.uuid().as_bytes());
        assert!(record.actor.is_some() && record.grant_id.len() == 16);
    }
    assert_eq!((outcome.outcome(), outcome.released, outcome.withheld), (Outcome::Success, 1, 0));
    assert_eq!((outcome.http_status, outcome.upstream_status), (200, 200));
    assert_eq!(outcome.bytes, i64::try_from(answer.body.len()).unwrap());
    assert_eq!(outcome.vendor_request_id, "vendor-77");
    let id = uuid_of(&outcome.request_id);
    assert_eq!(id, answer.header("x-request-id"));
    assert!(!format!("{records:?}").contains("canary-value"));
}

fn uuid_of(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[tokio::test]
async fn nothing_is_released_when_the_intent_is_not_durable() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "a")]))]);
    assert_eq!(world.get(&tab, "/Condition").await.status, 200);
    world.disk.fail_sync(true);
    world.disk.fail_create(true);
    let answer = world.get(&tab, "/Condition").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "audit.unavailable"));
    assert!(!answer.body.contains("canary"));
    // From now on no call even starts, and a refusal that cannot be recorded is not told either.
    let asked = world.ehr.seen().len();
    assert_eq!(world.get(&tab, "/Condition").await.code(), "audit.unavailable");
    assert_eq!(world.get(&tab, "/Patient/b").await.code(), "audit.unavailable");
    assert_eq!(world.ehr.seen().len(), asked);
    assert!((world.ready)().is_err());
    world.disk.fail_sync(false);
    world.disk.fail_create(false);
    until("the spool recovered", || (world.ready)().is_ok()).await;
    assert_eq!(world.get(&tab, "/Condition").await.status, 200);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_a_closed_record() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Condition", [Reply::json(searchset(&[])).after(Duration::from_secs(30))]);
    let request = world.request(&tab, "GET", "/Condition").body(axum::body::Body::empty()).unwrap();
    let call = tokio::spawn(tower::ServiceExt::oneshot(world.http.clone(), request));
    until("the EHR was asked", || !world.ehr.seen().is_empty()).await;
    call.abort();
    assert!(call.await.is_err());
    let ended = world.ended().await;
    assert_eq!(
        (ended.len(), ended[0].outcome(), ended[0].detail.as_str()),
        (1, Outcome::Failed, "caller went away")
    );
}

#[tokio::test]
async fn a_flood_of_made_up_cookies_does_not_fill_the_log() {
    let world = World::start().await;
    let tab = world.tab("a");
    for _ in 0..200 {
        let made_up = crate::world::new_secret();
        let stranger = crate::world::Tab { secret: made_up, ..tab.clone() };
        assert_eq!(world.get(&stranger, "/Patient/a").await.code(), "session.missing");
    }
    assert_eq!(world.ended().await.len(), 100);
}
