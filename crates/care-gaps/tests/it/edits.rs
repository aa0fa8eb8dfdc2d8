//! What a person may change of a proposal: declared fields, in words that a chart can hold.

use sallyport_care_gaps::{Edit, EditFault, Editable, Proposed};
use serde_json::{Value, json};

const PAYLOAD: &str = r#"{"note":[{"text":"as published"}],"payload":[{"contentString":"Measure HbA1c"}],"resourceType":"CommunicationRequest","subject":{"reference":"Patient/a"}}"#;

fn editable(field: &str, pointer: &str) -> Editable {
    Editable {
        field: field.to_owned(),
        label: field.to_uppercase(),
        pointer: pointer.to_owned(),
        max_chars: 20,
    }
}

fn proposed(payload: &str) -> Proposed {
    let assessment: Value = json!({
        "measure": "m", "title": "m", "outcome": "gap", "why": [], "evidence": [],
        "published": {"name": "n", "steward": "s", "numbers": [], "year": 2026, "url": "https://m.example/"},
        "period": {"first": "2026-01-01", "last": "2026-12-31"}, "judged_on": "2026-11-30",
    });
    let kept = json!({
        "patient": "a", "resource_type": "CommunicationRequest", "payload": payload, "judged_at": 5,
        "assessment": assessment,
    });
    let mut proposed: Proposed = serde_json::from_value(kept).unwrap();
    assert!(proposed.editable.is_empty(), "what was kept before declares nothing");
    proposed.editable =
        vec![editable("message", "/payload/0/contentString"), editable("note", "/note/0/text")];
    proposed
}

fn edit(field: &str, text: &str) -> Edit {
    Edit { field: field.to_owned(), text: text.to_owned() }
}

#[test]
fn an_edit_changes_its_element_and_nothing_else() {
    let edited = proposed(PAYLOAD).edited(&[edit("message", "Bitte \"HbA1c\"\nmessen")]).unwrap();
    let expected = PAYLOAD.replace("Measure HbA1c", "Bitte \\\"HbA1c\\\"\\nmessen");
    assert_eq!((edited.payload.as_str(), edited.fields), (expected.as_str(), vec!["message".to_owned()]));
}

#[test]
fn what_says_the_same_is_no_edit_and_the_payload_stays_byte_for_byte() {
    let proposed = proposed(PAYLOAD);
    for edits in [vec![], vec![edit("message", "Measure HbA1c"), edit("note", "as published")]] {
        let edited = proposed.edited(&edits).unwrap();
        assert_eq!((edited.payload.as_str(), edited.fields.len()), (PAYLOAD, 0));
    }
}

#[test]
fn bad_edits_are_refused_and_say_which_field_and_never_what_was_written() {
    let proposed = proposed(PAYLOAD);
    let label = || "MESSAGE".to_owned();
    for (edits, fault) in [
        (vec![edit("subject.reference", "Patient/b")], EditFault::Patient),
        (vec![edit("/for/reference", "Patient/b")], EditFault::Patient),
        (vec![edit("status", "completed")], EditFault::Unknown),
        (vec![edit("", "x")], EditFault::Unknown),
        (vec![edit("message", "a"), edit("message", "b")], EditFault::Twice(label())),
        (vec![edit("message", " \n ")], EditFault::Empty(label())),
        (vec![edit("message", "ä".repeat(21).as_str())], EditFault::TooLong(label(), 20)),
        (vec![edit("message", "a\u{7}b")], EditFault::Control(label())),
        (vec![edit("message", "a\rb")], EditFault::Control(label())),
        (vec![edit("message", "a\u{202e}b")], EditFault::Control(label())),
        (vec![edit("note", "fine"), edit("message", "a\u{0}")], EditFault::Control(label())),
    ] {
        let refused = proposed.edited(&edits).err();
        assert_eq!(refused, Some(fault));
        assert!(!refused.unwrap().to_string().contains("Patient/b"));
    }
    assert!(proposed.edited(&[edit("message", "ä".repeat(20).as_str())]).is_ok());
}

#[test]
fn a_payload_that_would_not_stay_as_it_is_cannot_be_edited() {
    for payload in [
        PAYLOAD.replace("\"note\"", " \"note\""),
        PAYLOAD.replace("\"resourceType\"", "\"n\":2.10,\"resourceType\""),
        PAYLOAD.replace("contentString", "contentReference"),
        "not json".to_owned(),
    ] {
        let refused = proposed(&payload).edited(&[edit("message", "x")]).err();
        assert_eq!(refused, Some(EditFault::Fixed), "{payload}");
    }
}
