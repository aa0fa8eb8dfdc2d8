//! The measures through their public door: resources as EHRs send them in, judgements out.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod breast;
mod colorectal;
mod dates;
mod edits;
mod evidence;
mod glycemic;
mod kidney;
mod plans;
mod pressure;
mod properties;
mod rules;
mod standing;

use std::sync::LazyLock;

use sallyport_care_gaps::{Assessment, Day, Judging, Kind, Outcome, Read, Record, RuleSet, Zone};
use sallyport_clinical::{Context, FhirVersion, Input, Mapping, ReadProblem};
use sallyport_model::PatientId;
use serde_json::{Value, json};

const BASE: &str = "https://ehr.example/fhir";
const READ_AT: i64 = 1_784_037_720_000_000;

const ICD: &str = "http://hl7.org/fhir/sid/icd-10-cm";
const SNOMED: &str = "http://snomed.info/sct";
const LOINC: &str = "http://loinc.org";

/// The day on which most tests judge.
const TODAY: &str = "2026-11-30";

/// The measures that ship: read once, the tests judge thousands of records.
static SHIPPED: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::builtin().unwrap());

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

/// Judges by one measure that ships, on a day, where nothing is missing from the record.
fn judge_on(measure: &str, on: &str, resources: &[Value]) -> Assessment {
    judge_with(&SHIPPED, measure, on, Zone::Unknown, resources, &[])
}

/// The same today.
fn judge(measure: &str, resources: &[Value]) -> Assessment {
    judge_on(measure, TODAY, resources)
}

/// Everything given; a problem is of the kind that it stands with, and `None` says that the kind was not read at all.
fn judge_with(
    rules: &RuleSet,
    measure: &str,
    on: &str,
    zone: Zone<'_>,
    resources: &[Value],
    problems: &[(Kind, Option<ReadProblem>)],
) -> Assessment {
    let record = record(resources, problems);
    let measure = rules.measure(measure).unwrap_or_else(|| panic!("there is no measure {measure}"));
    measure.judge(&record, &Judging { on: day(on), zone })
}

fn record(resources: &[Value], problems: &[(Kind, Option<ReadProblem>)]) -> Record {
    let patient = PatientId::parse("pat-1").unwrap();
    let context = Context {
        patient: &patient,
        encounter: None,
        fhir_base: BASE,
        fhir_version: FhirVersion::R4,
        mapping: Mapping::V2026_2,
    };
    let texts: Vec<(String, String)> = resources
        .iter()
        .map(|r| (r["resourceType"].as_str().unwrap_or_default().to_owned(), r.to_string()))
        .collect();
    let of = |kind: Kind| -> Vec<Input<'_>> {
        let all = texts.iter().filter(|(name, _)| name == kind.resource_type());
        all.map(|(_, text)| Input { resource: text.as_bytes(), read_at: READ_AT }).collect()
    };
    let inputs: Vec<(Kind, Vec<Input<'_>>)> = Kind::ALL.iter().map(|kind| (*kind, of(*kind))).collect();
    let reads = inputs.iter().filter(|(kind, _)| !problems.iter().any(|(of, p)| of == kind && p.is_none()));
    let reads = reads.map(|(kind, inputs)| Read {
        kind: *kind,
        inputs,
        problems: problems.iter().filter(|(of, _)| of == kind).filter_map(|(_, p)| p.clone()).collect(),
    });
    Record::new(&context, reads.collect())
}

fn patient(born: &str, gender: &str) -> Value {
    json!({"resourceType": "Patient", "id": "pat-1", "birthDate": born, "gender": gender})
}

/// A resource with what stands in `extra` laid over it.
fn with(mut resource: Value, extra: &Value) -> Value {
    for (key, value) in extra.as_object().unwrap() {
        if value.is_null() {
            resource.as_object_mut().unwrap().remove(key);
        } else {
            resource[key] = value.clone();
        }
    }
    resource
}

fn condition(id: &str, system: &str, code: &str, onset: &str) -> Value {
    json!({
        "resourceType": "Condition", "id": id, "meta": {"versionId": "3"}, "subject": {"reference": "Patient/pat-1"},
        "clinicalStatus": {"coding": [{"code": "active"}]}, "verificationStatus": {"coding": [{"code": "confirmed"}]},
        "code": {"coding": [{"system": system, "code": code}], "text": format!("diagnosis {code}")},
        "onsetDateTime": onset,
    })
}

fn diabetes() -> Value {
    condition("dm", ICD, "E11.9", "2015-02-01")
}

fn hypertension() -> Value {
    condition("htn", SNOMED, "59621000", "2015-02-01")
}

fn observation(id: &str, code: &str, when: &str, value: &str, unit: &str) -> Value {
    let number: Value = serde_json::from_str(value).unwrap();
    json!({
        "resourceType": "Observation", "id": id, "meta": {"versionId": "7"}, "status": "final",
        "subject": {"reference": "Patient/pat-1"}, "effectiveDateTime": when,
        "code": {"coding": [{"system": LOINC, "code": code}], "text": format!("test {code}")},
        "valueQuantity": {"value": number, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
    })
}

fn hba1c(id: &str, when: &str, value: &str) -> Value {
    observation(id, "4548-4", when, value, "%")
}

fn pressure(id: &str, when: &str, systolic: u32, diastolic: u32) -> Value {
    let part = |code: &str, value: u32| {
        json!({"code": {"coding": [{"system": LOINC, "code": code}]}, "valueQuantity": {
            "value": value, "unit": "mm[Hg]", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}})
    };
    json!({
        "resourceType": "Observation", "id": id, "status": "final", "subject": {"reference": "Patient/pat-1"},
        "effectiveDateTime": when, "code": {"coding": [{"system": LOINC, "code": "85354-9"}], "text": "Blood pressure"},
        "component": [part("8480-6", systolic), part("8462-4", diastolic)],
    })
}

fn procedure(id: &str, system: &str, code: &str, when: &str) -> Value {
    json!({
        "resourceType": "Procedure", "id": id, "status": "completed", "subject": {"reference": "Patient/pat-1"},
        "code": {"coding": [{"system": system, "code": code}], "text": format!("procedure {code}")},
        "performedDateTime": when,
    })
}

/// Judges a table of cases; the first column names the case.
fn each(measure: &str, cases: &[(&str, Vec<Value>, Outcome)]) {
    for (name, resources, expected) in cases {
        let found = judge(measure, resources);
        assert!(found.outcome == *expected, "{name}: {:?}: {:?}", found.outcome, found.why);
    }
}
