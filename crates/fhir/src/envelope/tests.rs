use proptest::prelude::*;

use super::*;
use crate::bundle::Bundle;

const OBSERVATION: &str = r##"{
  "resourceType": "Observation", "id": "o-1", "status": "final",
  "meta": {"versionId": "3", "lastUpdated": "2026-01-02T03:04:05Z", "profile": ["http://hl7.org/p"],
           "security": [{"system": "s1", "code": "R"}, {"display": "no code"}], "tag": [{"system": "t", "code": "SUBSETTED"}]},
  "category": [{"extension": [{"valueCodeableConcept": {"coding": [{"system": "x", "code": "hidden"}]}}],
                "coding": [{"extension": [{"valueCoding": {"system": "x", "code": "hidden"}}], "system": "cat", "code": "laboratory"}]}],
  "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
  "subject": {"reference": "Patient\/p-1"},
  "performer": [{"reference": "Practitioner/d-1"}, {"reference": "https://e.example/fhir/Organization/g-1"}],
  "component": [{"code": {"coding": [{"system": "cat", "code": "vital-signs"}]}}],
  "contained": [{"resourceType": "Medication", "id": "m", "meta": {"security": [{"system": "s2", "code": "V"}]},
                 "manufacturer": {"reference": "Organization/g-2"}}],
  "content": [{"attachment": {"url": "Binary/b-1"}}]
}"##;

fn base() -> Base {
    Base::parse("https://e.example/fhir").unwrap()
}

fn observation() -> Envelope<'static> {
    Envelope::parse(OBSERVATION.as_bytes(), &Limits::default()).unwrap()
}

#[test]
fn the_outside_of_a_resource_is_read_in_one_pass() {
    let o = observation();
    assert_eq!(o.resource_type, Some(ResourceType::Observation));
    assert_eq!(o.id.as_deref(), Some("o-1"));
    assert_eq!(o.version_id.as_deref(), Some("3"));
    assert_eq!(o.profiles, ["http://hl7.org/p"]);
    assert_eq!(o.tags[0].code, "SUBSETTED");
    assert_eq!(o.contained, [Some(ResourceType::Medication)]);
    assert_eq!(o.references_at("subject").collect::<Vec<_>>(), ["Patient/p-1"]);
    assert_eq!(o.contained_references().collect::<Vec<_>>(), ["Organization/g-2"]);
}

#[test]
fn every_label_counts_even_one_without_a_code() {
    let labels: Vec<_> = observation().security.iter().map(|c| format!("{}|{}", c.system, c.code)).collect();
    assert_eq!(labels, ["s1|R", "|", "s2|V"]);
}

#[test]
fn references_are_collected_with_attachments() {
    let base = base();
    let o = observation();
    let mut all: Vec<_> = o.refers_to(&base).map(|(t, id)| format!("{t}/{id}")).collect();
    all.sort();
    assert_eq!(
        all,
        ["Binary/b-1", "Organization/g-1", "Organization/g-2", "Patient/p-1", "Practitioner/d-1"]
    );
}

#[test]
fn a_constraint_looks_at_the_resource_itself_and_not_into_its_corners() {
    let o = observation();
    let is = |name: &str, value: &str| o.satisfies(&[(name.to_owned(), value.to_owned())]);
    assert!(
        is("category", "laboratory")
            && is("category", "cat|laboratory")
            && is("category", "other,laboratory")
    );
    assert!(is("status", "final") && is("code", "http://loinc.org|4548-4"));
    assert!(
        !is("category", "vital-signs") && !is("category", "hidden") && !is("category", "wrong|laboratory")
    );
    assert!(!is("value-quantity", "5") && !is("category", "") && !is("category", "cat|"));
}

#[test]
fn a_reference_that_is_no_string_is_no_reference() {
    let body = br#"{"resourceType":"Condition","subject":{"reference":{"value":"Patient/p-1"}}}"#;
    let envelope = Envelope::parse(body, &Limits::default()).unwrap();
    assert_eq!(envelope.references_at("subject").count(), 0);
}

#[test]
fn bodies_that_are_no_resource_are_faults() {
    let limits = Limits { max_bytes: 1_000, ..Limits::default() };
    let fault = |body: &[u8]| Envelope::parse(body, &limits).err();
    assert_eq!(fault(b""), Some(Fault::NotJson));
    assert_eq!(fault(b"<html>"), Some(Fault::NotJson));
    assert_eq!(fault(b"{\"a\":1"), Some(Fault::NotJson));
    assert_eq!(fault(b"{\"a\":\"\xff\"}"), Some(Fault::NotUtf8));
    assert_eq!(fault(b"[1]"), Some(Fault::WrongShape("resource")));
    assert_eq!(fault(&[b' '; 1_001]), Some(Fault::TooLarge));
    assert_eq!(fault(br#"{"id":"a","id":"b"}"#), Some(Fault::DuplicateKey));
    assert_eq!(fault(b"\xef\xbb\xbf{}"), None);
}

proptest! {
    #[test]
    fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Envelope::parse(&body, &Limits::default());
        let _ = Bundle::parse(&body, &Limits::default());
    }

    #[test]
    fn a_patient_in_the_wrong_place_is_never_an_owner(key in "[a-z]{1,8}", id in "[A-Za-z0-9.-]{1,20}") {
        prop_assume!(key != "subject");
        let body = format!(r#"{{"resourceType":"Condition","{key}":{{"reference":"Patient/{id}"}}}}"#);
        if let Ok(envelope) = Envelope::parse(body.as_bytes(), &Limits::default()) {
            prop_assert_eq!(envelope.references_at("subject").count(), 0);
        }
    }

    #[test]
    fn json_of_any_shape_does_not_panic(text in r#"(\{"(resourceType|entry|subject|link)":)?[\[\]{}",:a-z0-9\\]{0,60}"#) {
        let _ = Envelope::parse(text.as_bytes(), &Limits::default());
        let _ = Bundle::parse(text.as_bytes(), &Limits::default());
    }
}
