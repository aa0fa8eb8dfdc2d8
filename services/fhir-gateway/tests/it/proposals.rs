//! What jobs propose, approved in a launch of that patient and written once as the person.

use sallyport_model::{Code, RunId, SystemClock};
use sallyport_proto::{
    audit::v1::Outcome,
    convert,
    gateway::v1::{
        DecideProposalRequest, ProposalsRequest, ProposalsResponse, decide_proposal_request::Decision,
    },
    jobs::v1::{Approve, Proposal, Reject},
};
use sallyport_rpc::code_of;
use serde_json::{Value, json};
use tonic::Status;

use crate::{
    care_gaps::{assessment, evidence},
    chart::{Chart, Cut},
    world::{ALL_SCOPES, Tab, World, with_cookie},
};

const ID: [u8; 16] = [9; 16];
const WRITE_SCOPES: &str = "patient/Observation.cruds patient/Condition.cruds patient/DocumentReference.crs";

fn tab(world: &World, patient: &str, scopes: &str) -> Tab {
    scopes.clone_into(&mut world.owners.token_scope.lock().unwrap());
    world.tab_with(patient, |launch| {
        "gaps".clone_into(&mut launch.registration);
        "gaps".clone_into(&mut launch.app);
        scopes.clone_into(&mut launch.granted_scope);
    })
}

pub(crate) fn writer(world: &World) -> Tab {
    tab(world, "a", &format!("{ALL_SCOPES} {WRITE_SCOPES}"))
}

pub(crate) fn payload(patient: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","status":"final","subject":{{"reference":"Patient/{patient}"}},"code":{{"text":"asked about HbA1c"}}}}"#
    )
}

pub(crate) fn proposal(patient: &str, payload: &str, evidence: &[Value]) -> Proposal {
    let json = json!({
        "patient": patient, "resource_type": "Observation", "payload": payload, "judged_at": 5,
        "assessment": assessment("glycemic", evidence),
    });
    Proposal {
        proposal_id: ID.to_vec(),
        job: "panel".to_owned(),
        run_id: convert::id_bytes(RunId::new(&SystemClock).uuid()),
        rule: "glycemic".to_owned(),
        resource_type: "Observation".to_owned(),
        state: "open".to_owned(),
        json: json.to_string().into_bytes(),
        ..Proposal::default()
    }
}

pub(crate) fn propose(world: &World, patient: &str, all: Vec<Proposal>) {
    world.owners.scans.proposed.lock().unwrap().insert(patient.to_owned(), all);
}

pub(crate) async fn list(world: &World, tab: &Tab) -> Result<ProposalsResponse, Status> {
    let request = ProposalsRequest { launch_id: convert::id_bytes(tab.launch.uuid()), by_person: true };
    world.web().proposals(with_cookie(request, tab)).await.map(tonic::Response::into_inner)
}

pub(crate) async fn decide(world: &World, tab: &Tab, decision: Decision) -> Result<Proposal, Code> {
    let launch_id = convert::id_bytes(tab.launch.uuid());
    let request = DecideProposalRequest { launch_id, proposal_id: ID.to_vec(), decision: Some(decision) };
    let answer = world.web().decide_proposal(with_cookie(request, tab)).await;
    answer.map(|answer| answer.into_inner().proposal.unwrap()).map_err(|status| code_of(&status))
}

pub(crate) fn approval(payload: &str) -> Decision {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, payload.as_bytes());
    let payload_sha256 = digest.as_ref().to_vec();
    Decision::Approve(Approve { payload_sha256, ..Approve::default() })
}

fn settled(world: &World) -> Vec<(String, String)> {
    world.owners.scans.settled.lock().unwrap().clone()
}

pub(crate) fn written(world: &World) -> usize {
    let mut count = 0;
    world.ehr.with_chart(|chart| count = chart.count("Observation"));
    count
}

#[tokio::test]
async fn what_is_approved_is_written_as_the_person_and_told() {
    let world = World::start().await;
    world.ehr.chart(Chart::keeping_conditions(true));
    let tab = writer(&world);
    propose(&world, "a", vec![proposal("a", &payload("a"), &[evidence("Observation/a1c", "9.4 %")])]);
    let shown = list(&world, &tab).await.unwrap();
    let [one] = shown.proposals.as_slice() else { panic!("one proposal") };
    assert_eq!(
        (one.title.as_str(), one.feature.as_str(), one.may_write),
        ("Care gaps before the day begins", "charting", true)
    );
    let now = decide(&world, &tab, approval(&payload("a"))).await.unwrap();
    assert_eq!((now.outcome.as_str(), now.reference.as_str()), ("applied", "Observation/n-1"));
    assert_eq!(settled(&world), [("applied".to_owned(), "Observation/n-1".to_owned())]);
    let seen = world.ehr.seen();
    let post = seen.iter().find(|seen| seen.method == "POST").unwrap();
    assert_eq!(post.header("authorization"), format!("Bearer {}", world.owners.token()));
    let ended = world.ended().await;
    let told: Vec<_> =
        ended.iter().map(|r| (r.interaction.as_str(), r.outcome(), r.patients.as_slice())).collect();
    let a = &["a".to_owned()][..];
    assert_eq!(
        told,
        [
            ("proposals", Outcome::Success, a),
            ("create", Outcome::Success, a),
            ("proposal-approve", Outcome::Success, a)
        ]
    );
    assert!(ended[2].detail.contains("09090909-0909"), "{}", ended[2].detail);
}

#[tokio::test]
async fn approved_five_times_with_the_network_cut_there_is_one_resource() {
    let world = World::start().await;
    let mut chart = Chart::keeping_conditions(true);
    chart.cuts.push_back(Cut::AfterApplying);
    world.ehr.chart(chart);
    let tab = writer(&world);
    propose(&world, "a", vec![proposal("a", &payload("a"), &[])]);
    let text = payload("a");
    let (one, two, three, four, five) = tokio::join!(
        decide(&world, &tab, approval(&text)),
        decide(&world, &tab, approval(&text)),
        decide(&world, &tab, approval(&text)),
        decide(&world, &tab, approval(&text)),
        decide(&world, &tab, approval(&text)),
    );
    let all = [one, two, three, four, five];
    let is_fine = |answer: &Result<Proposal, Code>| {
        matches!(answer, Ok(_) | Err(Code::WriteUnknown | Code::WriteInProgress))
    };
    assert!(all.iter().all(is_fine), "{:?}", all.iter().map(|a| a.as_ref().err()).collect::<Vec<_>>());
    let last = decide(&world, &tab, approval(&text)).await.unwrap();
    assert_eq!(last.reference, "Observation/n-1");
    assert_eq!(written(&world), 1);
}

#[tokio::test]
async fn what_has_changed_since_it_was_shown_is_refused_before_anything_is_decided() {
    let world = World::start().await;
    world.ehr.chart(Chart::keeping_conditions(true));
    let tab = writer(&world);
    let other = payload("a").replace("HbA1c", "something else");
    propose(&world, "a", vec![proposal("a", &other, &[])]);
    assert_eq!(decide(&world, &tab, approval(&payload("a"))).await.unwrap_err(), Code::ProposalChanged);
    let base = Decision::Approve(Approve {
        base_version: "7".to_owned(),
        ..match approval(&other) {
            Decision::Approve(approve) => approve,
            Decision::Reject(_) => panic!("an approval"),
        }
    });
    assert_eq!(decide(&world, &tab, base).await.unwrap_err(), Code::ProposalChanged);
    assert!(world.owners.scans.decided.lock().unwrap().is_empty() && world.ehr.seen().is_empty());
}

#[tokio::test]
async fn a_proposal_about_another_patient_is_neither_shown_nor_written() {
    let world = World::start().await;
    world.ehr.chart(Chart::keeping_conditions(true));
    let tab = writer(&world);
    propose(&world, "b", vec![proposal("b", &payload("b"), &[])]);
    assert!(list(&world, &tab).await.unwrap().proposals.is_empty());
    assert_eq!(decide(&world, &tab, approval(&payload("b"))).await.unwrap_err(), Code::ProposalUnknown);
    propose(&world, "a", vec![proposal("b", &payload("a"), &[])]);
    assert_eq!(code_of(&list(&world, &tab).await.unwrap_err()), Code::Internal);
    assert_eq!(decide(&world, &tab, approval(&payload("a"))).await.unwrap_err(), Code::Internal);
    assert!(world.owners.scans.decided.lock().unwrap().is_empty() && world.ehr.seen().is_empty());
}

#[tokio::test]
async fn without_a_step_up_it_stays_open_and_what_may_not_be_seen_is_counted() {
    let world = World::start().await;
    world.ehr.chart(Chart::keeping_conditions(true));
    let tab = tab(&world, "a", ALL_SCOPES);
    let hidden = Proposal {
        proposal_id: vec![8; 16],
        ..proposal("a", &payload("a"), &[evidence("Procedure/1", "x")])
    };
    propose(&world, "a", vec![proposal("a", &payload("a"), &[]), hidden]);
    let shown = list(&world, &tab).await.unwrap();
    assert_eq!((shown.proposals.len(), shown.withheld), (1, 1));
    let one = &shown.proposals[0];
    assert_eq!((one.may_write, one.feature.as_str(), one.code.as_str()), (false, "charting", "feature.off"));
    assert_eq!(decide(&world, &tab, approval(&payload("a"))).await.unwrap_err(), Code::FeatureOff);
    assert!(world.owners.scans.decided.lock().unwrap().is_empty() && world.ehr.seen().is_empty());
}

#[tokio::test]
async fn a_rejection_writes_nothing_and_a_refusal_of_the_ehr_opens_it_again() {
    let world = World::start().await;
    let mut chart = Chart::keeping_conditions(true);
    chart.cuts.push_back(Cut::Status(422));
    world.ehr.chart(chart);
    let tab = writer(&world);
    propose(&world, "a", vec![proposal("a", &payload("a"), &[])]);
    assert_eq!(decide(&world, &tab, approval(&payload("a"))).await.unwrap_err(), Code::WriteRefused);
    assert_eq!(settled(&world), [("refused".to_owned(), String::new())]);
    let reject = Decision::Reject(Reject { reason: "done by phone".to_owned() });
    decide(&world, &tab, reject).await.unwrap();
    assert_eq!(world.owners.scans.decided.lock().unwrap().as_slice(), ["approve", "reject done by phone"]);
    assert_eq!(written(&world), 0);
}
