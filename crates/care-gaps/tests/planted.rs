//! Each planted bug of this crate changes a judgement that the tests expect. A switch belongs to the process: this is a
//! process of its own, and they run one by one.
#![cfg(feature = "planted-bugs")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use sallyport_care_gaps::{Day, Judging, Kind, Outcome, Read, Record, RuleSet, Zone};
use sallyport_clinical::{Context, FhirVersion, Input, Mapping};
use sallyport_model::{PatientId, planted};

const PATIENT: &str = r#"{"resourceType":"Patient","id":"pat-1","birthDate":"1966-05-05","gender":"male"}"#;
const DIABETES: &str = r#"{"resourceType":"Condition","id":"dm","subject":{"reference":"Patient/pat-1"},
    "clinicalStatus":{"coding":[{"code":"active"}]},
    "code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"E11.9"}]},"onsetDateTime":"2015-02-01"}"#;

fn reading(status: &str, patient: &str, when: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"a","status":"{status}","subject":{{"reference":"Patient/{patient}"}},
        "code":{{"coding":[{{"system":"http://loinc.org","code":"4548-4"}}]}},"effectiveDateTime":"{when}",
        "valueQuantity":{{"value":8.0,"unit":"%","system":"http://unitsofmeasure.org","code":"%"}}}}"#
    )
}

fn judged(reading: &str) -> Outcome {
    let patient = PatientId::parse("pat-1").unwrap();
    let context = Context {
        patient: &patient,
        encounter: None,
        fhir_base: "https://ehr.example/fhir",
        fhir_version: FhirVersion::R4,
        mapping: Mapping::V2026_2,
    };
    let of = |text: &'static str| [Input { resource: text.as_bytes(), read_at: 0 }];
    let (person, diagnosis) = (of(PATIENT), of(DIABETES));
    let readings = [Input { resource: reading.as_bytes(), read_at: 0 }];
    let read = |kind, inputs| Read { kind, inputs, problems: Vec::new() };
    let reads = vec![
        read(Kind::Patient, &person[..]),
        read(Kind::Condition, &diagnosis[..]),
        read(Kind::Observation, &readings[..]),
        read(Kind::Procedure, &[]),
        read(Kind::Encounter, &[]),
    ];
    let rules = RuleSet::builtin().unwrap();
    let judging = Judging { on: Day::parse("2026-11-30").unwrap(), zone: Zone::Unknown };
    rules.measure("diabetes-glycemic-status").unwrap().judge(&Record::new(&context, reads), &judging).outcome
}

#[test]
fn planted_bugs_each_change_a_judgement() {
    for (switch, reading) in [
        ("care-gap-window-day-off", reading("final", "pat-1", "2025-12-31")),
        ("care-gap-entered-in-error-counted", reading("entered-in-error", "pat-1", "2026-03-01")),
        ("care-gap-foreign-evidence", reading("final", "pat-2", "2026-03-01")),
    ] {
        planted::set(&[]);
        assert!(judged(&reading) == Outcome::Gap, "{switch} off");
        planted::set(&[switch]);
        assert!(judged(&reading) == Outcome::Met, "{switch} on: the tests that guard it would not notice");
        planted::set(&[]);
    }
}
