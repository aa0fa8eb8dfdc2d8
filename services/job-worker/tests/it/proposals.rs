//! Proposals of a care-gap scan: made, kept as long as the rule holds, decided on once, and sealed.

use sallyport_care_gaps::{Edit, Proposed};
use sallyport_model::{LaunchId, ServiceName, SystemClock};
use sallyport_proto::{
    convert,
    jobs::v1::{
        Approve, CountProposalsRequest, DecideRequest, Edit as WireEdit, ListProposalsRequest, Proposal,
        Reject, SettleRequest, decide_request::Decision, proposals_client::ProposalsClient,
    },
    types::v1::User,
};
use serde_json::Value;
use tonic::Status;

use crate::{
    care_gaps::{ONE_MEASURE, SCOPES, chart, scan},
    world::{Worker, code, each, tenant},
};

pub(crate) fn proposing(more: &str) -> (std::path::PathBuf, String) {
    let options = format!("[job.options]\nproposes = \"CommunicationRequest\"\n{more}");
    tenant("general", &scan("care-gaps", &format!("{options}{ONE_MEASURE}")))
}

pub(crate) async fn run(worker: &Worker) {
    let run = worker.start("general", "gaps").await.unwrap();
    worker.until(&run, "done").await;
}

fn place(patient: &str) -> (String, String, String) {
    ("general".to_owned(), "main".to_owned(), patient.to_owned())
}

pub(crate) async fn list(worker: &Worker, patient: &str) -> Vec<Proposal> {
    let (tenant, endpoint, patient) = place(patient);
    let request = ListProposalsRequest { tenant, endpoint, patient };
    let mut client = ProposalsClient::new(worker.transport(ServiceName::FhirGateway));
    client.list_of_patient(request).await.unwrap().into_inner().proposals
}

pub(crate) async fn decide(
    worker: &Worker,
    patient: &str,
    id: &[u8],
    decision: Decision,
) -> Result<Proposal, Status> {
    let (tenant, endpoint, patient) = place(patient);
    let request = DecideRequest {
        tenant,
        endpoint,
        patient,
        proposal_id: id.to_vec(),
        launch_id: convert::id_bytes(LaunchId::new(&SystemClock).uuid()),
        user: Some(User { issuer: "https://ehr.example".into(), subject: "u-1".into(), ..User::default() }),
        decision: Some(decision),
    };
    let mut client = ProposalsClient::new(worker.transport(ServiceName::FhirGateway));
    client.decide(request).await.map(tonic::Response::into_inner)
}

pub(crate) async fn settle(worker: &Worker, id: &[u8], outcome: &str, code: &str) -> Proposal {
    let (tenant, endpoint, patient) = place("p000");
    let (reference, version) = match outcome {
        "applied" => ("CommunicationRequest/n-1".to_owned(), "1".to_owned()),
        _ => (String::new(), String::new()),
    };
    let request = SettleRequest {
        tenant,
        endpoint,
        patient,
        proposal_id: id.to_vec(),
        outcome: outcome.to_owned(),
        code: code.to_owned(),
        reference,
        version,
    };
    let mut client = ProposalsClient::new(worker.transport(ServiceName::FhirGateway));
    client.settle(request).await.unwrap().into_inner()
}

pub(crate) fn approval(one: &Proposal) -> Decision {
    let json: Value = serde_json::from_slice(&one.json).unwrap();
    let payload = json["payload"].as_str().unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, payload.as_bytes());
    let payload_sha256 = digest.as_ref().to_vec();
    Decision::Approve(Approve { payload_sha256, ..Approve::default() })
}

pub(crate) fn reject(reason: &str) -> Decision {
    Decision::Reject(Reject { reason: reason.to_owned() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_proposed_once_and_withdrawn_when_the_rule_no_longer_holds() {
    each(&[proposing("")], |world| async move {
        SCOPES.clone_into(&mut world.owners.granted.lock().unwrap());
        chart(&world, "p000", "9.4");
        chart(&world, "p001", "7.2");
        let worker = world.worker(1).await;
        run(&worker).await;
        run(&worker).await;
        let all = list(&worker, "p000").await;
        assert_eq!(all.len(), 1, "the same gap again is the same proposal");
        let one = &all[0];
        assert_eq!(
            (one.state.as_str(), one.rule.as_str(), one.resource_type.as_str(), one.base_version.as_str()),
            ("open", "diabetes-glycemic-status", "CommunicationRequest", "")
        );
        let json: Value = serde_json::from_slice(&one.json).unwrap();
        assert_eq!(
            (json["patient"].as_str(), json["assessment"]["outcome"].as_str()),
            (Some("p000"), Some("gap"))
        );
        let payload: Value = serde_json::from_str(json["payload"].as_str().unwrap()).unwrap();
        assert_eq!(payload["subject"]["reference"], "Patient/p000");
        assert!(list(&worker, "p001").await.is_empty(), "no gap, nothing proposed");
        let plain = "SELECT count(*) FROM proposals WHERE CAST(sealed AS TEXT) LIKE '%Patient/%' \
                     OR CAST(subject AS TEXT) LIKE '%p000%'";
        assert_eq!(world.number(plain).await, 0);
        chart(&world, "p000", "9.9");
        run(&worker).await;
        let fresh = list(&worker, "p000").await;
        assert_eq!((fresh.len(), &fresh[0].proposal_id), (1, &one.proposal_id));
        assert!(fresh[0].json != one.json, "what it rests on has changed");
        let stale = decide(&worker, "p000", &one.proposal_id, approval(one)).await.unwrap_err();
        assert_eq!(code(&stale), "proposal.changed");
        chart(&world, "p000", "7.0");
        run(&worker).await;
        let gone = list(&worker, "p000").await;
        assert_eq!((gone.len(), gone[0].state.as_str()), (1, "withdrawn"));
        let late = decide(&worker, "p000", &one.proposal_id, approval(&gone[0])).await.unwrap_err();
        assert_eq!(code(&late), "proposal.decided");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_bound_to_what_was_shown_and_its_outcome_is_kept() {
    each(&[proposing("")], |world| async move {
        SCOPES.clone_into(&mut world.owners.granted.lock().unwrap());
        chart(&world, "p000", "9.4");
        chart(&world, "p001", "9.4");
        let worker = world.worker(1).await;
        run(&worker).await;
        let one = list(&worker, "p000").await.remove(0);
        let other = Decision::Approve(Approve { payload_sha256: vec![7; 32], ..Approve::default() });
        let changed = decide(&worker, "p000", &one.proposal_id, other).await.unwrap_err();
        assert_eq!(code(&changed), "proposal.changed");
        let foreign = decide(&worker, "p001", &one.proposal_id, approval(&one)).await.unwrap_err();
        assert_eq!(code(&foreign), "proposal.unknown", "another patient's launch has no such proposal");
        for _ in 0..5 {
            let approved = decide(&worker, "p000", &one.proposal_id, approval(&one)).await.unwrap();
            assert_eq!(approved.state, "approved");
        }
        let refused = settle(&worker, &one.proposal_id, "conflict", "write.conflict").await;
        assert_eq!(
            (refused.state.as_str(), refused.outcome.as_str(), refused.code.as_str()),
            ("open", "conflict", "write.conflict")
        );
        decide(&worker, "p000", &one.proposal_id, approval(&one)).await.unwrap();
        let applied = settle(&worker, &one.proposal_id, "applied", "").await;
        assert_eq!(
            (applied.outcome.as_str(), applied.reference.as_str()),
            ("applied", "CommunicationRequest/n-1")
        );
        let late = settle(&worker, &one.proposal_id, "unknown", "write.unknown").await;
        assert_eq!(late.outcome, "applied", "what is applied stays so");
        let late = decide(&worker, "p000", &one.proposal_id, reject("too late")).await.unwrap_err();
        assert_eq!(code(&late), "proposal.decided");
        run(&worker).await;
        let all = list(&worker, "p000").await;
        assert_eq!((all.len(), all[0].state.as_str()), (1, "approved"), "decided once for this period");
    })
    .await;
}

/// An approval with these edits, of what `sallyport_care_gaps` makes of them.
fn edited(one: &Proposal, edits: &[(&str, &str)]) -> Decision {
    let proposed: Proposed = serde_json::from_slice(&one.json).unwrap();
    let edits: Vec<_> = edits.iter().map(|(f, t)| Edit { field: (*f).into(), text: (*t).into() }).collect();
    let payload = proposed.edited(&edits).map_or_else(|_bad| String::new(), |edited| edited.payload);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, payload.as_bytes());
    let wire = |edit: Edit| WireEdit { field: edit.field, text: edit.text };
    Decision::Approve(Approve {
        payload_sha256: digest.as_ref().to_vec(),
        base_version: String::new(),
        edits: edits.into_iter().map(wire).collect(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_with_edits_is_kept_sealed_with_its_field_names_in_the_record_and_repeated_only_as_it_was()
 {
    each(&[proposing("")], |world| async move {
        SCOPES.clone_into(&mut world.owners.granted.lock().unwrap());
        chart(&world, "p000", "9.4");
        let worker = world.worker(1).await;
        run(&worker).await;
        let one = list(&worker, "p000").await.remove(0);
        for bad in [
            edited(&one, &[("subject.reference", "Patient/p001")]),
            edited(&one, &[("status", "completed")]),
            edited(&one, &[("message", "a\u{202e}b")]),
            edited(&one, &[("note", &"x".repeat(1_001))]),
        ] {
            let refused = decide(&worker, "p000", &one.proposal_id, bad).await.unwrap_err();
            assert_eq!(code(&refused), "proposal.edit_invalid");
        }
        let own = [("message", "canary-words of my own")];
        let Decision::Approve(unbound) = edited(&one, &own) else { return };
        let unbound = Approve { payload_sha256: vec![7; 32], ..unbound };
        let changed = decide(&worker, "p000", &one.proposal_id, Decision::Approve(unbound)).await;
        assert_eq!(code(&changed.unwrap_err()), "proposal.changed");

        let now = decide(&worker, "p000", &one.proposal_id, edited(&one, &own)).await.unwrap();
        assert_eq!((now.state.as_str(), now.edits[0].text.as_str()), ("approved", "canary-words of my own"));
        decide(&worker, "p000", &one.proposal_id, edited(&one, &own)).await.unwrap();
        for other in [approval(&one), edited(&one, &[("message", "other words")])] {
            let refused = decide(&worker, "p000", &one.proposal_id, other).await.unwrap_err();
            assert_eq!(code(&refused), "write.payload_changed", "it may have been written as it was");
        }
        let plain = "SELECT count(*) FROM proposals WHERE CAST(decision_sealed AS TEXT) LIKE '%canary%'";
        assert_eq!(world.number(plain).await, 0);
        let records = world.records().await;
        let approved = records.iter().find(|record| record.interaction == "approve").unwrap();
        assert!(approved.detail.ends_with("; edited: message"), "{}", approved.detail);
        assert!(!format!("{records:?}").contains("canary-words"), "a record holds what was written");
        let opened = settle(&worker, &one.proposal_id, "refused", "write.refused").await;
        assert!(opened.edits.is_empty(), "somebody decides anew");
        decide(&worker, "p000", &one.proposal_id, approval(&one)).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_wants_a_reason_and_nobody_in_time_is_expired() {
    each(&[proposing("")], |world| async move {
        SCOPES.clone_into(&mut world.owners.granted.lock().unwrap());
        chart(&world, "p000", "9.4");
        chart(&world, "p001", "9.4");
        let worker = world.worker(1).await;
        run(&worker).await;
        let one = list(&worker, "p000").await.remove(0);
        let fourteen_days = 14 * 86_400 * 1_000_000_i64;
        assert!((one.expires_at - one.created_at - fourteen_days).abs() < 1_000_000);
        let mute = decide(&worker, "p000", &one.proposal_id, reject("")).await.unwrap_err();
        assert_eq!(code(&mute), "request.invalid");
        let rejected = decide(&worker, "p000", &one.proposal_id, reject("done by phone")).await.unwrap();
        assert_eq!((rejected.state.as_str(), rejected.reason.as_str()), ("rejected", "done by phone"));
        world.execute("UPDATE proposals SET expires_at = 1 WHERE state = 'open'").await;
        let other = list(&worker, "p001").await.remove(0);
        assert_eq!(other.state, "expired");
        let late = decide(&worker, "p001", &other.proposal_id, approval(&other)).await.unwrap_err();
        assert_eq!(code(&late), "proposal.decided");
        let counts = worker.client().count_proposals(CountProposalsRequest::default()).await.unwrap();
        let counts = counts.into_inner().counts;
        let told: Vec<_> =
            counts.iter().map(|one| (one.rule.as_str(), one.state.as_str(), one.count)).collect();
        let rule = "diabetes-glycemic-status";
        assert_eq!(told, [(rule, "expired", 1), (rule, "rejected", 1)]);
        let denied = ProposalsClient::new(worker.transport(ServiceName::Web))
            .list_of_patient(ListProposalsRequest::default())
            .await
            .unwrap_err();
        assert_eq!(code(&denied), "rpc.caller_denied");
    })
    .await;
}
