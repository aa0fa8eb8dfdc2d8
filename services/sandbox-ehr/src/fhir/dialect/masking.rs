//! Elements that the EHR withholds from this person, said as it says it: `data-absent-reason` `masked`, in a coding, in an
//! extension beside a primitive, or in the element made for it.

use serde_json::{Map, Value, json};

const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
const EXTENSION: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

/// Concepts that say what a record is about.
const CONCEPTS: [&str; 3] = ["code", "vaccineCode", "medicationCodeableConcept"];
/// Dates beside it.
const DATES: [&str; 5] = ["birthDate", "onsetDateTime", "recordedDate", "authoredOn", "performedDateTime"];

/// Masks a resource. Whose it is, its category and its status stay: without them it could not be placed at all.
pub(super) fn mask(members: &mut Map<String, Value>) {
    let masked = || json!({ "coding": [{ "system": SYSTEM, "code": "masked", "display": "Masked" }] });
    if members.get("resourceType").and_then(Value::as_str) == Some("Observation") {
        let was = members.len();
        members.retain(|name, _| !name.starts_with("value"));
        if members.len() < was {
            members.insert("dataAbsentReason".to_owned(), masked());
        }
        return;
    }
    for name in CONCEPTS {
        if members.contains_key(name) {
            members.insert(name.to_owned(), masked());
        }
    }
    for name in DATES {
        if members.remove(name).is_some() {
            let reason = json!({ "extension": [{ "url": EXTENSION, "valueCode": "masked" }] });
            members.insert(format!("_{name}"), reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_record_is_about_is_withheld_and_whose_it_is_is_not() {
        let mut body = json!({"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p"},
            "code": {"text": "Secret"}, "onsetDateTime": "2020-01-02", "clinicalStatus": {"text": "active"}});
        mask(body.as_object_mut().unwrap());
        assert_eq!(body["code"]["coding"][0]["code"], "masked");
        assert_eq!(body["_onsetDateTime"]["extension"][0]["valueCode"], "masked");
        assert_eq!(body["subject"]["reference"], "Patient/p");
        assert!(!body.to_string().contains("Secret") && !body.to_string().contains("2020"));
        let mut lab =
            json!({"resourceType": "Observation", "code": {"text": "Lab"}, "valueQuantity": {"value": 1}});
        mask(lab.as_object_mut().unwrap());
        assert_eq!(lab["dataAbsentReason"]["coding"][0]["code"], "masked");
        assert!(lab["code"]["text"] == "Lab" && lab.get("valueQuantity").is_none());
    }
}
