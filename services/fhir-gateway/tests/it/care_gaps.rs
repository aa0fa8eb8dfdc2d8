//! What scans have found, released to a launch of that patient and recorded like a read.

use std::sync::atomic::Ordering;

use sallyport_model::{Code, RunId, SystemClock};
use sallyport_proto::{
    audit::v1::{Outcome, Phase},
    convert,
    gateway::v1::{CareGapsRequest, CareGapsResponse},
    jobs::v1::FoundByScan,
};
use sallyport_rpc::code_of;
use serde_json::{Value, json};
use tonic::Status;

use crate::world::{ALL_SCOPES, Tab, World, with_cookie};

/// A tab of the app that has the feature.
fn tab(world: &World, patient: &str, scopes: &str) -> Tab {
    world.tab_with(patient, |launch| {
        "gaps".clone_into(&mut launch.registration);
        "gaps".clone_into(&mut launch.app);
        scopes.clone_into(&mut launch.granted_scope);
    })
}

pub(crate) fn evidence(reference: &str, value: &str) -> Value {
    json!({
        "role": "requirement", "weight": "counts", "criterion": "last HbA1c", "what": "HbA1c", "value": value,
        "source": {"origin": "core", "reference": reference, "version": "3", "path": "Observation.valueQuantity", "read_at": 7},
        "why": "above 9.0 %",
    })
}

pub(crate) fn assessment(measure: &str, evidence: &[Value]) -> Value {
    json!({
        "measure": measure, "title": measure, "outcome": "gap", "why": ["a gap"], "action": "Act", "evidence": evidence,
        "published": {"name": "A measure", "steward": "A steward", "numbers": ["CMS1"], "year": 2026, "url": "https://m.example/"},
        "period": {"first": "2026-01-01", "last": "2026-12-31"}, "judged_on": "2026-11-30",
    })
}

fn found(job: &str, patient: &str, assessments: &[Value]) -> FoundByScan {
    let json = json!({"judged_at": 5, "patient": patient, "assessments": assessments}).to_string();
    FoundByScan {
        job: job.to_owned(),
        judged_at: 5,
        json: json.into_bytes().into(),
        run_id: convert::id_bytes(RunId::new(&SystemClock).uuid()),
    }
}

fn keep(world: &World, patient: &str, all: Vec<FoundByScan>) {
    world.owners.scans.found.lock().unwrap().insert(patient.to_owned(), all);
}

async fn ask(world: &World, tab: &Tab) -> Result<CareGapsResponse, Status> {
    let request = CareGapsRequest { launch_id: convert::id_bytes(tab.launch.uuid()), by_person: true };
    world.web().care_gaps(with_cookie(request, tab)).await.map(tonic::Response::into_inner)
}

async fn refused(world: &World, tab: &Tab) -> Code {
    code_of(&ask(world, tab).await.unwrap_err())
}

#[tokio::test]
async fn a_launch_sees_what_was_found_about_its_patient_and_the_look_is_recorded() {
    let world = World::start().await;
    let one = assessment("glycemic", &[evidence("Observation/a1c", "9.4 %")]);
    keep(&world, "a", vec![found("panel", "a", &[one])]);
    keep(&world, "b", vec![found("panel", "b", &[assessment("other", &[])])]);
    let answer = ask(&world, &tab(&world, "a", ALL_SCOPES)).await.unwrap();
    assert!(answer.is_set_up);
    let [only] = answer.found.as_slice() else { panic!("one scan") };
    assert_eq!((only.title.as_str(), only.withheld), ("Care gaps before the day begins", 0));
    let json: Value = serde_json::from_slice(&only.json).unwrap();
    assert_eq!(json["assessments"][0]["evidence"][0]["value"], "9.4 %");
    let asked = world.owners.scans.asked.lock().unwrap().clone();
    let asked: Vec<_> =
        asked.iter().map(|a| (a.tenant.as_str(), a.endpoint.as_str(), a.patient.as_str())).collect();
    assert_eq!(asked, [("general", "main", "a")]);
    let records = world.records().await;
    let phases: Vec<Phase> = records.iter().map(sallyport_proto::audit::v1::Record::phase).collect();
    assert_eq!(phases, [Phase::Intent, Phase::Outcome]);
    let last = &records[1];
    assert_eq!(
        (last.interaction.as_str(), last.patients.as_slice(), last.feature.as_str(), last.purpose.as_str()),
        ("care-gaps", &["a".to_owned()][..], "care-gap-cards", "TREAT")
    );
    assert_eq!(
        (last.outcome(), last.released, last.resource_types.as_slice()),
        (Outcome::Success, 1, &["Observation".to_owned()][..])
    );
    assert!(world.ehr.seen().is_empty(), "no EHR is called");
}

#[tokio::test]
async fn what_was_found_about_another_patient_is_withheld_whole() {
    let world = World::start().await;
    keep(&world, "a", vec![found("panel", "a", &[]), found("panel", "b", &[assessment("glycemic", &[])])]);
    let tab = tab(&world, "a", ALL_SCOPES);
    assert_eq!(refused(&world, &tab).await, Code::Internal);
    let last = world.ended().await.pop().unwrap();
    assert_eq!((last.outcome(), last.released, last.code.as_str()), (Outcome::Failed, 0, "internal"));
}

#[tokio::test]
async fn a_measure_that_rests_on_what_the_launch_may_not_see_is_left_out_and_counted() {
    let world = World::start().await;
    let measures = [
        assessment("seen", &[evidence("Observation/1", "1")]),
        assessment("not-granted", &[evidence("Observation/1", "1"), evidence("Procedure/1", "1")]),
        assessment("against-the-policy", &[evidence("Coverage/1", "1")]),
        assessment("no-type", &[evidence("Nonsense/1", "1")]),
    ];
    keep(&world, "a", vec![found("panel", "a", &measures)]);
    let answer = ask(&world, &tab(&world, "a", ALL_SCOPES)).await.unwrap();
    let json: Value = serde_json::from_slice(&answer.found[0].json).unwrap();
    let left: Vec<&str> =
        json["assessments"].as_array().unwrap().iter().map(|a| a["measure"].as_str().unwrap()).collect();
    assert_eq!((left, answer.found[0].withheld), (vec!["seen"], 3));
    let last = world.ended().await.pop().unwrap();
    assert_eq!((last.released, last.withheld), (1, 3));
    let narrow = ALL_SCOPES.replace("patient/Observation.rs", "patient/Observation.rs?category=laboratory");
    let refused = refused(&world, &tab(&world, "a", &narrow)).await;
    assert_eq!(refused, Code::FeatureOff, "a scope with conditions is not what the feature needs");
}

#[tokio::test]
async fn what_was_read_for_another_purpose_or_by_a_job_that_is_gone_is_not_shown() {
    let world = World::start().await;
    let one = [assessment("glycemic", &[])];
    keep(&world, "a", vec![found("report", "a", &one), found("gone", "a", &one)]);
    let answer = ask(&world, &tab(&world, "a", ALL_SCOPES)).await.unwrap();
    assert!(answer.is_set_up && answer.found.is_empty());
}

#[tokio::test]
async fn an_app_without_the_feature_or_a_grant_too_small_asks_nobody() {
    let world = World::start().await;
    keep(&world, "a", vec![found("panel", "a", &[assessment("glycemic", &[])])]);
    for tab in
        [world.tab("a"), tab(&world, "a", "patient/Patient.rs patient/Condition.rs"), tab(&world, "a", "")]
    {
        assert_eq!(refused(&world, &tab).await, Code::FeatureOff);
    }
    let nobody = tab(&world, "", ALL_SCOPES);
    assert_eq!(refused(&world, &nobody).await, Code::PatientDenied);
    assert!(world.owners.scans.asked.lock().unwrap().is_empty());
    let ended = world.ended().await;
    assert!(ended.len() == 4 && ended.iter().all(|record| record.outcome() == Outcome::Refused));
}

#[tokio::test]
async fn a_job_worker_that_is_away_or_mute_is_said_and_not_waited_for() {
    let world = World::start().await;
    let tab = tab(&world, "a", ALL_SCOPES);
    world.owners.scans.is_away.store(true, Ordering::SeqCst);
    assert_eq!(refused(&world, &tab).await, Code::DependencyDown);
    world.owners.scans.is_mute.store(true, Ordering::SeqCst);
    let asked = tokio::time::Instant::now();
    assert_eq!(refused(&world, &tab).await, Code::DependencyDown);
    // Not the time of a call to the EHR, which is 20 seconds.
    assert!(asked.elapsed() < std::time::Duration::from_secs(15));
    let ended = world.ended().await;
    assert!(ended.len() == 2 && ended.iter().all(|record| record.code == "service.unavailable"));
}

#[tokio::test]
async fn a_session_that_ended_meanwhile_sees_nothing() {
    let world = World::start().await;
    keep(&world, "a", vec![found("panel", "a", &[assessment("glycemic", &[])])]);
    let tab = tab(&world, "a", ALL_SCOPES);
    ask(&world, &tab).await.unwrap();
    world.owners.revoke(tab.launch);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    while ask(&world, &tab).await.is_ok() {
        assert!(tokio::time::Instant::now() < deadline, "the revocation never came");
    }
    let asked = world.owners.scans.asked.lock().unwrap().len();
    assert_eq!(refused(&world, &tab).await, Code::SessionRevoked);
    let strange = Tab { launch: tab.launch, secret: crate::world::new_secret() };
    assert_ne!(refused(&world, &strange).await, Code::FeatureOff);
    assert_eq!(world.owners.scans.asked.lock().unwrap().len(), asked);
}
