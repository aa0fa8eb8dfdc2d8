//! A proposal in a clinician's own words: what is approved is what is written, byte for byte, and the record says which fields.

use sallyport_model::Code;
use sallyport_proto::{
    gateway::v1::decide_proposal_request::Decision,
    jobs::v1::{Approve, Edit, Proposal},
};
use serde_json::{Value, json};

use crate::{
    chart::Chart,
    proposals::{decide, list, proposal, propose, writer, written},
    world::{Tab, World, each},
};

const PAYLOAD: &str = r#"{"code":{"text":"asked about HbA1c"},"note":[{"text":"as published"}],"resourceType":"Observation","status":"final","subject":{"reference":"Patient/a"}}"#;

fn editable() -> Proposal {
    let mut one = proposal("a", PAYLOAD, &[]);
    let mut json: Value = serde_json::from_slice(&one.json).unwrap();
    json["editable"] = json!([
        {"field": "what", "label": "What", "pointer": "/code/text", "max_chars": 40},
        {"field": "note", "label": "Note", "pointer": "/note/0/text", "max_chars": 40},
    ]);
    one.json = json.to_string().into_bytes();
    one
}

fn edit(field: &str, text: &str) -> Edit {
    Edit { field: field.to_owned(), text: text.to_owned() }
}

/// An approval of `payload` with `edits`.
fn approval(payload: &str, edits: &[Edit]) -> Decision {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, payload.as_bytes());
    let (payload_sha256, edits) = (digest.as_ref().to_vec(), edits.to_vec());
    Decision::Approve(Approve { payload_sha256, base_version: String::new(), edits })
}

async fn start(world: &World) -> Tab {
    world.ehr.chart(Chart::keeping_conditions(true));
    let tab = writer(world);
    propose(world, "a", vec![editable()]);
    tab
}

#[tokio::test]
async fn what_was_edited_and_approved_is_what_is_written_and_the_record_names_the_fields() {
    each(|world| async move {
        let tab = start(&world).await;
        let edits = [edit("what", "canary-spoken about HbA1c"), edit("note", "as published")];
        let edited = PAYLOAD.replace("asked about HbA1c", "canary-spoken about HbA1c");
        let now = decide(&world, &tab, approval(&edited, &edits)).await.unwrap();
        assert_eq!((now.outcome.as_str(), now.reference.as_str()), ("applied", "Observation/n-1"));
        let seen = world.ehr.seen();
        let sent = seen.iter().find(|seen| seen.method == "POST").unwrap();
        let mut sent: Value = serde_json::from_str(&sent.body).unwrap();
        sent.as_object_mut().unwrap().remove("identifier");
        assert_eq!(sent, serde_json::from_str::<Value>(&edited).unwrap());
        let records = world.records().await;
        let ended = world.ended().await;
        let approved = ended.iter().find(|one| one.interaction == "proposal-approve").unwrap();
        assert!(approved.detail.ends_with("; edited: what"), "{}", approved.detail);
        assert!(!format!("{records:?}").contains("canary-spoken"), "a record holds what was written");
    })
    .await;
}

#[tokio::test]
async fn an_approval_whose_hash_is_not_that_of_the_edited_payload_decides_nothing() {
    let world = World::start().await;
    let tab = start(&world).await;
    let (edits, edited) = ([edit("what", "b")], PAYLOAD.replace("asked about HbA1c", "b"));
    for wrong in [approval(PAYLOAD, &edits), approval(&edited, &[]), approval(&edited, &[edit("what", "c")])]
    {
        assert_eq!(decide(&world, &tab, wrong).await.unwrap_err(), Code::ProposalChanged);
    }
    assert!(world.owners.scans.decided.lock().unwrap().is_empty() && world.ehr.seen().is_empty());
}

#[tokio::test]
async fn bad_edits_are_refused_before_anything_is_decided() {
    let world = World::start().await;
    let tab = start(&world).await;
    let foreign = PAYLOAD.replace("Patient/a", "Patient/b");
    for (payload, edits) in [
        (foreign.as_str(), vec![edit("subject.reference", "Patient/b")]),
        (PAYLOAD, vec![edit("status", "amended")]),
        (PAYLOAD, vec![edit("what", &"x".repeat(41))]),
        (PAYLOAD, vec![edit("what", "a\u{1b}[31m")]),
        (PAYLOAD, vec![edit("what", "")]),
    ] {
        let refused = decide(&world, &tab, approval(payload, &edits)).await.unwrap_err();
        assert_eq!(refused, Code::ProposalEditInvalid);
    }
    assert!(world.owners.scans.decided.lock().unwrap().is_empty() && world.ehr.seen().is_empty());
    assert_eq!(written(&world), 0);
}

#[tokio::test]
async fn what_was_approved_with_edits_is_gone_on_with_as_it_was_approved() {
    let world = World::start().await;
    let tab = start(&world).await;
    let (edits, edited) = ([edit("what", "b")], PAYLOAD.replace("asked about HbA1c", "b"));
    let doubtful = Proposal {
        state: "approved".to_owned(),
        outcome: "unknown".to_owned(),
        edits: edits.to_vec(),
        ..editable()
    };
    propose(&world, "a", vec![doubtful]);
    let shown = list(&world, &tab).await.unwrap().proposals.remove(0);
    let Decision::Approve(expected) = approval(&edited, &edits) else { panic!("an approval") };
    assert_eq!(shown.payload_sha256, expected.payload_sha256);
}
