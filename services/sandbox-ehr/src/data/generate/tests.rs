use std::collections::HashSet;

use serde_json::Value;

use super::*;
use crate::data::{Record, target};

const SEED: u64 = 42;

fn bodies<'r>(records: &'r Records, kind: &str) -> Vec<&'r Value> {
    records.all(kind).filter_map(Record::current).map(AsRef::as_ref).collect()
}

fn of<'r>(records: &'r Records, kind: &str, patient: &str) -> Vec<&'r Value> {
    records.of_patient(kind, patient).filter_map(Record::current).map(AsRef::as_ref).collect()
}

fn with_code<'v>(bodies: &[&'v Value], code: &str) -> Vec<&'v Value> {
    let has = |body: &&&Value| {
        body["code"]["coding"].as_array().is_some_and(|all| all.iter().any(|c| c["code"] == code))
    };
    bodies.iter().filter(has).copied().collect()
}

#[test]
fn the_same_seed_gives_the_same_records_and_another_seed_others() {
    let text = |seed| {
        let records = Records::generate(seed, 3);
        records.kinds().flat_map(|kind| bodies(&records, kind)).map(Value::to_string).collect::<String>()
    };
    assert_eq!(text(SEED), text(SEED));
    assert_ne!(text(SEED), text(SEED + 1));
}

#[test]
fn a_chart_does_not_depend_on_how_many_patients_there_are() {
    let (few, many) = (Records::generate(SEED, 2), Records::generate(SEED, 30));
    assert_eq!(of(&few, "Observation", "pat-0002"), of(&many, "Observation", "pat-0002"));
    assert_eq!(many.patients().len(), 30);
}

#[test]
fn every_resource_says_version_time_profile_and_canary() {
    let records = Records::generate(SEED, 20);
    for kind in records.kinds() {
        for record in records.all(kind) {
            let meta = &record.current().unwrap()["meta"];
            assert!(meta["versionId"].is_string(), "{kind}");
            assert!(
                meta["lastUpdated"].as_str().is_some_and(|at| at <= CHART_INSTANT),
                "{kind}/{}: {meta}",
                record.id()
            );
            assert!(
                kind == "Binary" || meta["profile"][0].as_str().is_some_and(|p| p.contains("us-core")),
                "{kind}"
            );
            let owner = record.patients().first().map_or("shared", String::as_str);
            assert_eq!(meta["tag"][0]["code"], format!("canary-{owner}"), "{kind}");
        }
    }
}

#[test]
fn every_reference_leads_to_a_stored_resource_of_the_same_patient_or_a_shared_one() {
    fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("reference").and_then(Value::as_str));
                members.values().for_each(|inner| references(inner, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let records = Records::generate(SEED, 25);
    for kind in records.kinds() {
        for record in records.all(kind) {
            let mut found = Vec::new();
            references(record.current().unwrap(), &mut found);
            for reference in found {
                let (to, id) = target(reference).unwrap();
                let there = records.record(to, id).unwrap_or_else(|| panic!("{kind} refers to {reference}"));
                assert!(
                    there.patients().is_empty() || there.patients() == record.patients(),
                    "{kind}/{} refers to {reference} of another patient",
                    record.id()
                );
            }
        }
    }
}

#[test]
fn the_cast_holds_the_charts_that_break_software() {
    let records = Records::generate(SEED, 20);
    let people = records.patients();
    assert_eq!(people.len(), 20);
    assert_eq!(people[1].name.chars().count(), 60);
    assert!(people[2].name.chars().any(|c| ('\u{590}'..'\u{5ff}').contains(&c)), "a Hebrew name");
    assert!(people[3].name.chars().any(|c| ('\u{600}'..'\u{6ff}').contains(&c)), "an Arabic name");
    let listed = of(&records, "Condition", "pat-0005");
    let problems =
        listed.iter().filter(|c| c["category"][0]["coding"][0]["code"] == "problem-list-item").count();
    assert_eq!(problems, 40);
    assert!(
        of(&records, "Condition", "pat-0006").is_empty()
            && of(&records, "Observation", "pat-0006").is_empty()
    );
    assert!(records.read("Patient", "pat-0008").unwrap()["deceasedDateTime"].is_string());
    assert!(people[6].birth_date.as_str() > "2019", "a child");
}

#[test]
fn a_diabetic_has_the_tests_and_the_drug_and_a_healthy_person_has_not() {
    let records = Records::generate(SEED, 20);
    let observations = of(&records, "Observation", "pat-0001");
    let glycated = with_code(&observations, "4548-4");
    assert!(glycated.len() >= 4, "{}", glycated.len());
    assert!(
        glycated
            .iter()
            .all(|o| o["valueQuantity"]["value"].as_f64().is_some_and(|v| (6.0..11.0).contains(&v)))
    );
    assert!(!with_code(&observations, "98979-8").is_empty());
    let drugs = of(&records, "MedicationRequest", "pat-0001");
    assert!(drugs.iter().any(|drug| drug.to_string().contains("metformin")));
    assert!(with_code(&of(&records, "Observation", "pat-0011"), "4548-4").is_empty());
    assert!(
        !of(&records, "MedicationRequest", "pat-0011")
            .iter()
            .any(|drug| drug.to_string().contains("metformin"))
    );
}

#[test]
fn nobody_is_given_what_the_allergy_list_forbids() {
    let records = Records::generate(SEED, 60);
    for person in records.patients() {
        let allergies = of(&records, "AllergyIntolerance", &person.id);
        if with_code(&allergies, "7980").is_empty() {
            continue;
        }
        let drugs = of(&records, "MedicationRequest", &person.id);
        assert!(drugs.iter().all(|drug| !drug.to_string().contains("amoxicillin")), "{}", person.id);
    }
}

#[test]
fn body_mass_index_and_blood_pressure_agree_with_themselves() {
    let records = Records::generate(SEED, 20);
    let all = bodies(&records, "Observation");
    let of_visit = |code: &str, visit: &Value| {
        let same = with_code(&all, code).into_iter().find(|o| o["encounter"] == *visit);
        same.and_then(|o| o["valueQuantity"]["value"].as_f64())
    };
    for bmi in with_code(&all, "39156-5").iter().step_by(9) {
        let visit = &bmi["encounter"];
        let (weight, height) =
            (of_visit("29463-7", visit).unwrap(), of_visit("8302-2", visit).unwrap() / 100.0);
        assert!((bmi["valueQuantity"]["value"].as_f64().unwrap() - weight / (height * height)).abs() < 0.06);
    }
    for panel in with_code(&all, "85354-9") {
        let part = |index: usize| panel["component"][index]["valueQuantity"]["value"].as_i64();
        if let (Some(systolic), Some(diastolic)) = (part(0), part(1)) {
            assert!((80..200).contains(&systolic) && diastolic + 20 <= systolic, "{systolic}/{diastolic}");
        }
    }
}

#[test]
fn interpretations_follow_from_value_and_range() {
    let records = Records::generate(SEED, 20);
    let mut seen = HashSet::new();
    for result in bodies(&records, "Observation") {
        let Some(code) = result["interpretation"][0]["coding"][0]["code"].as_str() else { continue };
        seen.insert(code.to_owned());
        let value = result["valueQuantity"]["value"].as_f64().unwrap();
        let bound = |end: &str| result["referenceRange"][0][end]["value"].as_f64();
        let (low, high) = (bound("low").unwrap_or(f64::MIN), bound("high").unwrap_or(f64::MAX));
        match code {
            "N" => assert!((low..=high).contains(&value), "{result}"),
            "L" | "LL" => assert!(value < low, "{result}"),
            _ => assert!(value > high, "{result}"),
        }
    }
    assert!(["N", "L", "H"].iter().all(|code| seen.contains(*code)), "{seen:?}");
}

#[test]
fn doubtful_entries_are_marked_as_the_standard_demands() {
    let records = Records::generate(SEED, 20);
    let conditions = bodies(&records, "Condition");
    let standing =
        |c: &Value| c["verificationStatus"]["coding"][0]["code"].as_str().unwrap_or_default().to_owned();
    let wrong: Vec<_> = conditions.iter().filter(|c| standing(c) == "entered-in-error").collect();
    assert!(!wrong.is_empty() && wrong.iter().all(|c| c.get("clinicalStatus").is_none()));
    assert!(conditions.iter().any(|c| standing(c) == "refuted"));
    assert!(
        conditions.iter().all(|c| c.get("abatementDateTime").is_none()
            || c["clinicalStatus"]["coding"][0]["code"] == "resolved")
    );
}

#[test]
fn records_under_consent_are_labelled_and_named_nowhere_else() {
    let records = Records::generate(SEED, 20);
    let mut labelled = 0;
    for kind in records.kinds().filter(|kind| *kind != "Medication") {
        for body in of(&records, kind, "pat-0009") {
            let text = body.to_string().to_lowercase();
            if text.contains("opioid") || text.contains("buprenorphine") {
                assert_eq!(body["meta"]["security"][0]["code"], "R", "{kind} {}", body["id"]);
                labelled += 1;
            }
        }
    }
    assert!(labelled >= 2);
}

#[test]
fn nothing_happens_before_birth_or_after_death_or_after_the_chart_date() {
    fn dates<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Object(members) => {
                for (name, inner) in members {
                    let planned = ["dueDate", "expectedSupplyDuration"].contains(&name.as_str());
                    match inner {
                        Value::String(text) if !planned && is_date(text) => found.push(text),
                        inner => dates(inner, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| dates(item, found)),
            _ => {}
        }
    }
    fn is_date(text: &str) -> bool {
        text.len() >= 10
            && text.as_bytes()[4] == b'-'
            && text.as_bytes()[7] == b'-'
            && text[..4].parse::<u16>().is_ok()
    }
    let records = Records::generate(SEED, 40);
    for person in records.patients() {
        let patient = records.read("Patient", &person.id).unwrap();
        let death = patient["deceasedDateTime"].as_str().map_or("2026-11-02", |at| &at[..10]);
        for kind in records.kinds() {
            for body in of(&records, kind, &person.id) {
                let mut found = Vec::new();
                dates(body, &mut found);
                for date in found {
                    let in_life = date[..10] >= *person.birth_date && date[..10] <= *death;
                    assert!(in_life, "{kind}/{} says {date}; {} to {death}", body["id"], person.birth_date);
                }
            }
        }
    }
}
