//! Which patients a resource belongs to, and what a reference points at.
//!
//! This is the server's own view of the patient compartment
//! (<https://hl7.org/fhir/R4/compartmentdefinition-patient.html>): the elements by which a resource names
//! the patient it is about. What names no patient is shared by all charts.

use serde_json::{Map, Value};

/// The elements that put a resource into a patient's compartment.
const ABOUT: [&str; 7] =
    ["subject", "patient", "beneficiary", "for", "securityContext", "individual", "candidate"];

/// The patients in whose compartment the resource lies.
pub(crate) fn patients_of(kind: &str, id: &str, body: &Map<String, Value>) -> Vec<String> {
    if kind == "Patient" {
        return vec![id.to_owned()];
    }
    let mut found = Vec::new();
    for element in ABOUT {
        match body.get(element) {
            Some(Value::Array(all)) => all.iter().for_each(|one| note(one, &mut found)),
            Some(one) => note(one, &mut found),
            None => {}
        }
    }
    if kind == "Appointment" {
        let participants = body.get("participant").and_then(Value::as_array).into_iter().flatten();
        participants.filter_map(|p| p.get("actor")).for_each(|actor| note(actor, &mut found));
    }
    if kind == "Provenance" {
        let targets = body.get("target").and_then(Value::as_array).into_iter().flatten();
        targets.for_each(|target| note(target, &mut found));
    }
    found
}

fn note(reference: &Value, found: &mut Vec<String>) {
    if let Some(("Patient", id)) = reference.get("reference").and_then(Value::as_str).and_then(target)
        && !found.iter().any(|known| known == id)
    {
        found.push(id.to_owned());
    }
}

/// Type and id of a literal reference: relative, absolute or versioned. Contained (`#x`) and `urn:` ones have none.
pub(crate) fn target(reference: &str) -> Option<(&str, &str)> {
    let plain = reference.split_once("/_history/").map_or(reference, |(plain, _)| plain);
    let mut parts = plain.rsplit('/');
    let (id, kind) = (parts.next()?, parts.next()?);
    let is_type =
        kind.starts_with(|c: char| c.is_ascii_uppercase()) && kind.chars().all(|c| c.is_ascii_alphabetic());
    (is_type && super::is_id(id)).then_some((kind, id))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_read_in_each_literal_form() {
        assert_eq!(target("Patient/p1"), Some(("Patient", "p1")));
        assert_eq!(target("http://ehr.example/fhir/Patient/p1"), Some(("Patient", "p1")));
        assert_eq!(target("Patient/p1/_history/3"), Some(("Patient", "p1")));
        for other in ["#p1", "urn:uuid:1", "p1", "patient/p1", "Patient/", "Patient/a b"] {
            assert_eq!(target(other), None, "{other}");
        }
    }

    #[test]
    fn a_resource_belongs_to_the_patient_it_names_and_shared_ones_to_nobody() {
        let of = |kind: &str, body: Value| patients_of(kind, "x", body.as_object().unwrap());
        assert_eq!(of("Patient", json!({})), ["x"]);
        assert_eq!(of("Coverage", json!({"beneficiary": {"reference": "Patient/p1"}})), ["p1"]);
        assert_eq!(of("Binary", json!({"securityContext": {"reference": "Patient/p1"}})), ["p1"]);
        assert_eq!(of("Claim", json!({"patient": {"reference": "Patient/p1"}})), ["p1"]);
        let both = json!({"participant": [{"actor": {"reference": "Patient/p1"}},
                                          {"actor": {"reference": "Patient/p2"}}]});
        assert_eq!(of("Appointment", both), ["p1", "p2"]);
        assert!(of("Observation", json!({"subject": {"reference": "Group/g"}})).is_empty());
        assert!(of("Practitioner", json!({})).is_empty());
    }
}
