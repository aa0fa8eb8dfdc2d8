//! Writes: once each, whatever happens to answers, processes and people; as the person, for the launch's patient.

use std::time::Duration;

use axum::{body::Body, http::StatusCode};
use sallyport_model::LaunchId;
use sallyport_proto::{
    audit::v1::{Outcome, Phase},
    convert,
    gateway::v1::{WriteRequest, WritesRequest, writes_response},
};
use sallyport_rpc::code_of;
use serde_json::json;

use crate::{
    chart::{Chart, Cut},
    world::{ALL_SCOPES, Answer, ORIGIN, Tab, World, each, each_at, until, with_cookie},
};

const WRITE_SCOPES: &str = "patient/Observation.cruds patient/Condition.cruds patient/DocumentReference.crs";

/// A launch whose step-up was granted.
fn writer(world: &World) -> Tab {
    let granted = format!("{ALL_SCOPES} {WRITE_SCOPES}");
    world.owners.token_scope.lock().unwrap().clone_from(&granted);
    world.tab_with("a", |session| session.granted_scope = granted)
}

fn pulse(value: u32) -> String {
    format!(
        r#"{{"resourceType":"Observation","status":"final","code":{{"text":"pulse"}},"subject":{{"reference":"Patient/a"}},"valueQuantity":{{"value":{value}.10}}}}"#
    )
}

async fn create(world: &World, tab: &Tab, body: &str) -> Answer {
    send(world, tab, "POST", "/Observation", None, body).await
}

async fn send(
    world: &World,
    tab: &Tab,
    method: &str,
    path: &str,
    version: Option<&str>,
    body: &str,
) -> Answer {
    let mut request = world
        .request(tab, method, path)
        .header("origin", ORIGIN)
        .header("content-type", "application/fhir+json")
        .header("x-sallyport-feature", "charting");
    if let Some(version) = version {
        request = request.header("if-match", format!("W/\"{version}\""));
    }
    world.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn listed(world: &World, tab: &Tab) -> Vec<writes_response::Write> {
    let message = WritesRequest { launch_id: convert::id_bytes(tab.launch.uuid()) };
    world.web().writes(with_cookie(message, tab)).await.unwrap().into_inner().writes
}

async fn state(world: &World, tab: &Tab) -> (String, String) {
    let write = listed(world, tab).await.remove(0);
    (write.state, write.finding)
}

/// Waits for what the reconciler does in the background.
async fn eventually(world: &World, tab: &Tab, wanted: (&str, &str)) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let now = state(world, tab).await;
        if (now.0.as_str(), now.1.as_str()) == wanted {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{now:?} instead of {wanted:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn posts(world: &World) -> usize {
    world.ehr.seen().iter().filter(|seen| matches!(seen.method.as_str(), "POST" | "PUT")).count()
}

#[tokio::test]
async fn a_write_goes_as_the_person_and_is_recorded_before_the_ehr_is_called() {
    each(|world| async move {
        world.ehr.chart(Chart::keeping_conditions(true));
        let tab = writer(&world);
        let answer = create(&world, &tab, &pulse(71)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        assert_eq!(answer.header("etag"), "W/\"1\"");
        let location = format!("{ORIGIN}/fhir/{}/Observation/n-1/_history/1", tab.launch);
        assert_eq!((answer.header("location"), answer.body.as_str()), (location.as_str(), ""));
        let seen = world.ehr.seen();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].header("authorization"), format!("Bearer {}", world.owners.token()));
        assert!(seen[0].header("if-none-exist").starts_with("identifier=urn:sallyport:write|"));
        assert!(seen[0].body.contains("71.10"), "byte for byte but for our identifier: {}", seen[0].body);
        assert_eq!(state(&world, &tab).await, ("applied".to_owned(), String::new()));
        let records = world.records().await;
        assert_eq!(records.iter().map(|r| r.phase()).collect::<Vec<_>>(), [Phase::Intent, Phase::Outcome]);
        let outcome = &records[1];
        assert_eq!((outcome.interaction.as_str(), outcome.feature.as_str()), ("create", "charting"));
        assert_eq!((outcome.outcome(), outcome.http_status), (Outcome::Success, 201));
        assert!(!format!("{records:?}").contains("pulse"));
    })
    .await;
}

#[tokio::test]
async fn without_a_durable_intent_or_a_ledger_nothing_is_sent() {
    let world = World::start().await;
    world.ehr.chart(Chart::default());
    let tab = writer(&world);
    assert_eq!(create(&world, &tab, &pulse(1)).await.status, 201);
    world.disk.fail_sync(true);
    assert_eq!(create(&world, &tab, &pulse(2)).await.code(), "audit.unavailable");
    world.disk.fail_sync(false);
    until("the spool takes records again", || (world.ready)().is_ok()).await;
    world.pool.close().await;
    assert_eq!(create(&world, &tab, &pulse(3)).await.code(), "service.unavailable");
    assert_eq!(posts(&world), 1);
}

/// An approval clicked five times while answers are lost, at an EHR that keeps conditions and at one that does not.
async fn clicked_five_times(vendor: &'static str, keeps_conditions: bool, cut: Cut) {
    each_at(vendor, |world| async move {
        let mut chart = Chart::keeping_conditions(keeps_conditions);
        chart.cuts.extend([cut, cut, cut]);
        world.ehr.chart(chart);
        let tab = writer(&world);
        let other = world.replica().await;
        let body = pulse(71);
        let clicks = [&world, &other, &world, &other, &world].map(|world| create(world, &tab, &body));
        for answer in futures_util::future::join_all(clicks).await {
            let is_known = matches!(answer.status.as_u16(), 200 | 201);
            assert!(is_known || answer.code().starts_with("write."), "{} {}", answer.status, answer.body);
        }
        world.advance(Duration::from_secs(40)).await;
        eventually(&world, &tab, ("reconciled", "applied")).await;
        let again = create(&world, &tab, &body).await;
        assert_eq!(again.status, StatusCode::OK, "{}", again.body);
        assert!(again.header("location").contains("/Observation/n-1"));
        assert_eq!(world.ehr.written("Observation"), 1, "{vendor}");
    })
    .await;
}

#[tokio::test]
async fn approved_five_times_with_the_network_cut_there_is_one_resource() {
    clicked_five_times("sandbox", true, Cut::AfterApplying).await;
    clicked_five_times("epic", false, Cut::AfterApplying).await;
    clicked_five_times("epic", false, Cut::BadGateway).await;
    clicked_five_times("epic", false, Cut::Mute).await;
}

#[tokio::test]
async fn what_may_have_been_written_is_not_sent_again_before_it_is_known_to_be_absent() {
    each_at("epic", |world| async move {
        let mut chart = Chart::keeping_conditions(false);
        chart.cuts.push_back(Cut::BeforeApplying);
        world.ehr.chart(chart);
        let tab = writer(&world);
        for _ in 0..3 {
            let answer = create(&world, &tab, &pulse(71)).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (504, "write.unknown"), "{}", answer.body);
            assert!(!answer.header("retry-after").is_empty());
        }
        assert_eq!(posts(&world), 1);
        world.advance(Duration::from_secs(300)).await;
        eventually(&world, &tab, ("reconciled", "absent")).await;
        assert_eq!(
            (posts(&world), world.ehr.written("Observation")),
            (1, 0),
            "nothing is sent without the person"
        );
        assert_eq!(create(&world, &tab, &pulse(71)).await.status, 201);
        assert_eq!((posts(&world), world.ehr.written("Observation")), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn an_ehr_that_ignores_the_filter_proves_nothing() {
    let world = World::at("epic").await;
    let mut chart = Chart { ignores_identifiers: true, ..Chart::default() };
    chart.put(
        serde_json::from_str(&pulse(50).replace("{\"resourceType\"", "{\"id\":\"old\",\"resourceType\""))
            .unwrap(),
    );
    chart.cuts.push_back(Cut::BeforeApplying);
    world.ehr.chart(chart);
    let tab = writer(&world);
    assert_eq!(create(&world, &tab, &pulse(71)).await.code(), "write.unknown");
    world.advance(Duration::from_secs(600)).await;
    assert_eq!(create(&world, &tab, &pulse(71)).await.code(), "write.unknown");
    assert_eq!(posts(&world), 1);
}

#[tokio::test]
async fn what_a_process_left_behind_is_found_by_the_next_one() {
    each_at("epic", |world| async move {
        world.ehr.chart(Chart::keeping_conditions(false));
        let tab = writer(&world);
        let gate = world.ehr.hold();
        let (one, body) = (world.replica().await, pulse(71));
        let asked = tokio::spawn({
            let tab = tab.clone();
            async move { create(&one, &tab, &body).await.status }
        });
        until("the EHR was called", || posts(&world) == 1).await;
        // The process is gone with the answer on its way.
        asked.abort();
        let _gone = asked.await;
        assert_eq!(state(&world, &tab).await.0, "executing");
        gate.add_permits(1_000);
        world.advance(Duration::from_secs(31)).await;
        eventually(&world, &tab, ("reconciled", "applied")).await;
        assert_eq!(create(&world, &tab, &pulse(71)).await.status, 200);
        // Nobody was told: in a new session it is found too.
        let new = writer(&world);
        assert_eq!(create(&world, &new, &pulse(71)).await.status, 200);
        assert_eq!((posts(&world), world.ehr.written("Observation")), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_new_session_finds_what_the_old_one_left_in_doubt() {
    each_at("epic", |world| async move {
        let mut chart = Chart::keeping_conditions(false);
        chart.cuts.push_back(Cut::AfterApplying);
        world.ehr.chart(chart);
        let gate = world.ehr.hold();
        gate.add_permits(1);
        let old = writer(&world);
        // The answer is lost, and so is the search after it: the session ends with the write in doubt.
        let body = pulse(71);
        let asked = create(&world, &old, &body);
        let doubt = tokio::time::timeout(Duration::from_secs(2), asked).await;
        assert!(doubt.is_err() || doubt.is_ok_and(|answer| answer.code() == "write.unknown"));
        world.owners.revoke(old.launch);
        gate.add_permits(1_000);
        world.advance(Duration::from_secs(60)).await;
        let new = writer(&world);
        // The background may be looking for it at this very moment: then it is asked again, as the answer says.
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        let mut found = create(&world, &new, &pulse(71)).await;
        while found.code() == "write.unknown" && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
            found = create(&world, &new, &pulse(71)).await;
        }
        assert_eq!(found.status, 200, "{}", found.body);
        assert_eq!((posts(&world), world.ehr.written("Observation")), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_stale_base_is_a_conflict_and_stays_one() {
    each(|world| async move {
        let mut chart = Chart::default();
        let problem = json!({"resourceType": "Condition", "id": "c1", "code": {"text": "x"}, "subject": {"reference": "Patient/a"}});
        chart.put(problem.clone());
        chart.put(problem.clone());
        world.ehr.chart(chart);
        let tab = writer(&world);
        let mut changed = problem;
        changed["code"]["text"] = json!("y");
        let body = changed.to_string();
        for _ in 0..2 {
            let answer = send(&world, &tab, "PUT", "/Condition/c1", Some("1"), &body).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (409, "write.conflict"));
        }
        assert_eq!(posts(&world), 1, "what is stale is not asked twice");
        assert_eq!(send(&world, &tab, "PUT", "/Condition/c1", None, &body).await.code(), "write.base_missing");
        let answer = send(&world, &tab, "PUT", "/Condition/c1", Some("2"), &body).await;
        assert_eq!((answer.status.as_u16(), answer.header("etag")), (201, "W/\"3\""), "{}", answer.body);
        assert_eq!(world.ehr.newest("Condition", "c1").unwrap()["code"]["text"], "y");
    })
    .await;
}

#[tokio::test]
async fn an_update_whose_answer_was_lost_is_recognised_and_one_that_was_overtaken_is_a_conflict() {
    let world = World::start().await;
    let problem = |text: &str| json!({"resourceType": "Condition", "id": "c1", "code": {"text": text}, "subject": {"reference": "Patient/a"}});
    let mut chart = Chart::default();
    chart.put(problem("x"));
    chart.cuts.push_back(Cut::AfterApplying);
    world.ehr.chart(chart);
    let tab = writer(&world);
    let first = send(&world, &tab, "PUT", "/Condition/c1", Some("1"), &problem("y").to_string()).await;
    assert_eq!((first.status.as_u16(), first.header("etag")), (201, "W/\"2\""), "{}", first.body);
    world.ehr.with_chart(|chart| {
        chart.cuts.push_back(Cut::BeforeApplying);
        chart.put(problem("somebody else's"));
    });
    let second = send(&world, &tab, "PUT", "/Condition/c1", Some("2"), &problem("z").to_string()).await;
    assert_eq!(second.code(), "write.conflict");
    assert_eq!(world.ehr.newest("Condition", "c1").unwrap()["code"]["text"], "somebody else's");
}

#[tokio::test]
async fn a_record_about_another_patient_is_refused_before_it_is_sent() {
    let world = World::start().await;
    world.ehr.chart(Chart::default());
    let tab = writer(&world);
    let about_b = pulse(1).replace("Patient/a", "Patient/b");
    let beside = pulse(1).replace("\"status\"", "\"focus\":[{\"reference\":\"Patient/b\"}],\"status\"");
    let inside = pulse(1).replace(
        "\"status\"",
        "\"contained\":[{\"resourceType\":\"Observation\",\"subject\":{\"reference\":\"Patient/b\"}}],\"status\"",
    );
    let nobody = pulse(1).replace("Patient/a", "Group/a");
    for body in [&about_b, &beside, &inside, &nobody] {
        assert_eq!(create(&world, &tab, body).await.code(), "fhir.patient_denied", "{body}");
    }
    let without =
        world.tab_with("", |session| session.granted_scope = format!("{ALL_SCOPES} {WRITE_SCOPES}"));
    assert_eq!(create(&world, &without, &pulse(1)).await.code(), "fhir.scope_denied");
    assert_eq!((posts(&world), listed(&world, &tab).await.len()), (0, 0));
    assert_eq!(world.ehr.written("Observation"), 0);
}

#[tokio::test]
async fn an_answer_about_another_patient_is_not_believed_and_not_shown() {
    let world = World::at("epic").await;
    let mut chart = Chart { ignores_identifiers: false, ..Chart::default() };
    chart.cuts.push_back(Cut::ForeignAnswer);
    world.ehr.chart(chart);
    let tab = writer(&world);
    let answer = create(&world, &tab, &pulse(71)).await;
    assert!(!answer.body.contains("canary-foreign"));
    // It is there under our identifier, and about our patient: that is what counts.
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(state(&world, &tab).await, ("reconciled".to_owned(), "applied".to_owned()));
}

#[tokio::test]
async fn what_is_approved_is_bound_byte_for_byte() {
    each(|world| async move {
        world.ehr.chart(Chart::keeping_conditions(true));
        let tab = writer(&world);
        for value in [71, 72] {
            assert_eq!(create(&world, &tab, &pulse(value)).await.status, 201);
        }
        assert_eq!(create(&world, &tab, &pulse(71)).await.status, 200);
        assert_eq!(world.ehr.written("Observation"), 2);
        let payload = pulse(73);
        let mut message = WriteRequest {
            launch_id: convert::id_bytes(tab.launch.uuid()),
            feature: "charting".to_owned(),
            resource_type: "Observation".to_owned(),
            approved_sha256: sha256(pulse(74).as_bytes()),
            payload: payload.clone().into_bytes(),
            ..WriteRequest::default()
        };
        let refused = world.web().write(with_cookie(message.clone(), &tab)).await.unwrap_err();
        assert_eq!(code_of(&refused).as_str(), "write.payload_changed");
        message.approved_sha256 = sha256(payload.as_bytes());
        // One proposal is one write, from whichever session.
        message.proposal_id = convert::id_bytes(LaunchId::new(world.clock.as_ref()).uuid());
        let first = world.web().write(with_cookie(message.clone(), &tab)).await.unwrap().into_inner();
        let other = writer(&world);
        message.launch_id = convert::id_bytes(other.launch.uuid());
        let second = world.web().write(with_cookie(message, &other)).await.unwrap().into_inner();
        assert_eq!((first.repeated, second.repeated), (false, true));
        assert_eq!(first.reference, second.reference);
        assert_eq!(world.ehr.written("Observation"), 3);
    })
    .await;
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().to_vec()
}

#[tokio::test]
async fn what_was_not_granted_offered_or_understood_is_refused_before_it_is_sent() {
    let world = World::start().await;
    world.ehr.chart(Chart::default());
    let tab = writer(&world);
    let reader = world.tab("a");
    assert_eq!(create(&world, &reader, &pulse(1)).await.code(), "feature.off", "no step-up");
    // A read under the feature for writing, and a write under one for reading.
    assert_eq!(world.post(&tab, "/Observation", "{}").await.code(), "fhir.interaction_denied");
    for (path, body, code) in [
        ("/Patient", r#"{"resourceType":"Patient"}"#, "fhir.type_denied"),
        ("/Task", r#"{"resourceType":"Task","for":{"reference":"Patient/a"}}"#, "fhir.scope_denied"),
        ("/Observation?x=1", "{}", "fhir.parameter_denied"),
        ("/Observation", "{\"resourceType\":\"Condition\"}", "write.payload_invalid"),
        ("/Observation", "{\"resourceType\":\"Observation\",\"id\":\"x\"}", "write.payload_invalid"),
        ("/Observation", "nonsense", "write.payload_invalid"),
        ("/Observation/a/b", "{}", "fhir.interaction_denied"),
    ] {
        assert_eq!(send(&world, &tab, "POST", path, None, body).await.code(), code, "{path} {body}");
    }
    let long = pulse(1).replace("pulse", &"x".repeat(2 << 20));
    assert_eq!(create(&world, &tab, &long).await.code(), "request.too_large");
    // Narrowed by a refresh.
    ALL_SCOPES.clone_into(&mut world.owners.token_scope.lock().unwrap());
    assert_eq!(create(&world, &tab, &pulse(2)).await.code(), "fhir.scope_denied");
    world.owners.revoke(tab.launch);
    until("the revocation is known", || true).await;
    assert_eq!(posts(&world), 0);
    let athena = World::at("athena-one").await;
    let tab = writer(&athena);
    assert_eq!(create(&athena, &tab, &pulse(1)).await.code(), "write.not_offered");
}

#[tokio::test]
async fn what_the_ehr_refuses_was_not_written_and_may_be_approved_again() {
    let world = World::start().await;
    let mut chart = Chart::default();
    chart.cuts.extend([Cut::Status(422), Cut::Status(401)]);
    world.ehr.chart(chart);
    let tab = writer(&world);
    assert_eq!(create(&world, &tab, &pulse(71)).await.code(), "write.refused");
    assert_eq!(state(&world, &tab).await.0, "rejected");
    // A token that is not accepted any more: nothing was done, so it goes again with a fresh one.
    assert_eq!(create(&world, &tab, &pulse(71)).await.status, 201);
    assert_eq!((posts(&world), world.ehr.written("Observation")), (3, 1));
}

#[tokio::test]
async fn nothing_of_a_write_stands_in_the_database_in_clear() {
    let world = World::start().await;
    world.ehr.chart(Chart::default());
    let tab = world.tab_with("patient-canary-1", |session| {
        session.granted_scope = format!("{ALL_SCOPES} {WRITE_SCOPES}");
    });
    *world.owners.token_scope.lock().unwrap() = format!("{ALL_SCOPES} {WRITE_SCOPES}");
    let body = pulse(71).replace("Patient/a", "Patient/patient-canary-1").replace("pulse", "text-canary-2");
    assert_eq!(create(&world, &tab, &body).await.status, 201);
    let folder = world.folder().unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(
            !text.contains("patient-canary-1")
                && !text.contains("text-canary-2")
                && !text.contains("canary-access")
        );
    }
}
