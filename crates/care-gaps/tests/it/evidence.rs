//! What a judgement cites, to the letter.

use sallyport_care_gaps::{Assessment, Outcome};
use serde_json::json;

use super::*;

#[test]
fn a_gap_cites_resource_version_element_value_and_date_as_sent() {
    let resources = [patient("1966-05", "male"), diabetes(), hba1c("a", "2026-03", "9.4")];
    let found = judge("diabetes-glycemic-status", &resources);
    assert!(found.outcome == Outcome::Gap);
    let value = serde_json::to_value(&found).unwrap();
    assert_eq!(value["outcome"], "gap");
    assert_eq!(value["published"]["numbers"], json!(["CMS122v14", "MIPS 001"]));
    assert_eq!(value["period"], json!({"first": "2026-01-01", "last": "2026-12-31"}));
    assert_eq!(value["judged_on"], TODAY);
    assert_eq!(value["due"]["on"], "2026-12-31");
    assert_eq!(value["action"], "Measure HbA1c, or review treatment if it is above 9 %");
    assert_eq!(value["why"][0], "HbA1c 9.4 % in Mar-2026 is not at most 9.0 %.");
    let evidence = value["evidence"].as_array().unwrap();
    assert_eq!(
        evidence[0],
        json!({
            "role": "requirement", "weight": "counts", "criterion": "HbA1c at most 9.0 %", "what": "test 4548-4",
            "code": "http://loinc.org|4548-4", "value": "9.4 %",
            "when": {"start": {"original": "2026-03", "precision": "month"}},
            "source": {"origin": "core", "reference": "Observation/a", "version": "7",
                "path": "Observation.valueQuantity", "read_at": READ_AT},
            "why": "HbA1c 9.4 % in Mar-2026 is not at most 9.0 %.",
        })
    );
    let born = evidence.iter().find(|one| one["criterion"] == "Age").unwrap();
    assert_eq!(
        (born["value"].as_str(), born["source"]["path"].as_str()),
        (Some("1966-05"), Some("Patient.birthDate"))
    );
    let diagnosis = evidence.iter().find(|one| one["criterion"] == "Diabetes").unwrap();
    assert_eq!(diagnosis["source"]["reference"], "Condition/dm");
    assert_eq!(diagnosis["source"]["version"], "3");
    assert_eq!(diagnosis["code"], "http://hl7.org/fhir/sid/icd-10-cm|E11.9");
}

#[test]
fn a_judgement_reads_back_from_its_json() {
    for resources in [
        vec![patient("1966-05", "male"), diabetes(), hba1c("a", "2026-03", "9.4")],
        vec![patient("1966-05-05", "female"), procedure("a", SNOMED, "73761001", "2020-01-01")],
        vec![],
    ] {
        let record = record(&resources, &[]);
        let all = SHIPPED.judge(&record, &Judging { on: day(TODAY), zone: Zone::Unknown });
        assert_eq!(all.len(), 5);
        let text = serde_json::to_string(&all).unwrap();
        let back: Vec<Assessment> = serde_json::from_str(&text).unwrap();
        assert!(back == all);
    }
}

#[test]
fn every_outcome_has_its_own_words() {
    for outcome in Outcome::ALL {
        assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        let others = Outcome::ALL.iter().filter(|other| *other != outcome);
        assert!(others.map(|other| other.words()).all(|words| words != outcome.words()));
    }
}

#[test]
fn gaps_come_first() {
    let resources = [patient("1966-05-05", "female"), procedure("a", SNOMED, "24623002", "2026-01-05")];
    let all = SHIPPED.judge(&record(&resources, &[]), &Judging { on: day(TODAY), zone: Zone::Unknown });
    let outcomes: Vec<Outcome> = all.iter().map(|one| one.outcome).collect();
    assert!(outcomes.is_sorted() && outcomes[0] == Outcome::Gap, "{outcomes:?}");
}
