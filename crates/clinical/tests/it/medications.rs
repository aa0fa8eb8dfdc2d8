//! Medication orders.

use sallyport_clinical::{
    Section,
    medications::{Medication, OrderState},
    value::Absent,
};

use crate::{items, read};

fn orders(resources: &[&str]) -> Vec<Medication> {
    items!(read(Section::Medications, resources), Medications)
}

fn order(rest: &str) -> String {
    format!(r#"{{"resourceType":"MedicationRequest","id":"m","status":"active","intent":"order",{rest}}}"#)
}

#[test]
fn the_whole_of_an_order_with_text_and_codes() {
    let json = order(
        r#""medicationCodeableConcept":{"coding":[{"system":"https://fhir.cerner.com/x/synonym","code":"1","userSelected":true},{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"861007","display":"metformin 500 MG"}],"text":"metFORMIN (Glucophage)"},
        "authoredOn":"2024-03-02","requester":{"display":"Dr Reyes"},"reasonCode":[{"text":"Diabetes"}],"dosageInstruction":[{"text":"twice a day"}]"#,
    );
    insta::assert_json_snapshot!(orders(&[&json]));
}

#[test]
fn a_medicine_named_by_reference_is_named_from_the_best_source_there_is() {
    let medication =
        r#"{"resourceType":"Medication","id":"med-9","code":{"text":"Paracetamol 500 mg tablet"}}"#;
    let by = |reference: &str| order(&format!(r#""medicationReference":{reference}"#));
    let name = |resources: &[&str]| orders(resources)[0].what.value.clone().map(|c| c.name);
    let relative = by(r#"{"reference":"Medication/med-9","display":"Paracetamol"}"#);
    assert_eq!(name(&[&relative, medication]).as_deref(), Some("Paracetamol 500 mg tablet"));
    assert_eq!(orders(&[&relative, medication])[0].what.source.reference.as_ref(), "Medication/med-9");
    assert_eq!(
        name(&[&by(r#"{"reference":"https://ehr.example/fhir/Medication/med-9"}"#), medication]).as_deref(),
        Some("Paracetamol 500 mg tablet")
    );
    assert_eq!(name(&[&relative]).as_deref(), Some("Paracetamol"));
    assert_eq!(
        orders(&[&relative])[0].record.notes,
        ["The name is the order's own label; the medicine's record was not read."]
    );
    let foreign = by(r#"{"reference":"https://elsewhere.example/Medication/med-9"}"#);
    assert_eq!(orders(&[&foreign, medication])[0].what.absent, Some(Absent::NotSent));
    let contained = order(
        r##""contained":[{"resourceType":"Medication","id":"x","code":{"text":"Ibuprofen"}}],"medicationReference":{"reference":"#x"}"##,
    );
    assert_eq!(name(&[&contained]).as_deref(), Some("Ibuprofen"));
}

#[test]
fn an_instruction_without_text_is_put_together_from_its_parts() {
    let json = order(
        r#""medicationCodeableConcept":{"text":"x"},"dosageInstruction":[
        {"asNeededBoolean":true,"route":{"text":"by mouth"},"timing":{"repeat":{"frequency":1,"period":6,"periodUnit":"h"}},"doseAndRate":[{"doseRange":{"low":{"value":500},"high":{"value":1000,"unit":"mg"}}}]}, {}]"#,
    );
    let order = &orders(&[&json])[0];
    assert_eq!(order.dosage[0].value.as_deref(), Some("500 to 1000 mg, by mouth, 1 × every 6 hours"));
    assert_eq!((order.dosage.len(), order.as_needed), (1, true));
}

#[test]
fn current_orders_stand_first_and_what_must_not_be_given_is_told() {
    let with = |id: &str, status: &str, authored: &str| {
        format!(
            r#"{{"resourceType":"MedicationRequest","id":"{id}","status":"{status}","doNotPerform":true,"medicationCodeableConcept":{{"text":"x"}},"authoredOn":"{authored}"}}"#
        )
    };
    let all = orders(&[
        &with("ended", "stopped", "2026-01-01"),
        &with("wrong", "entered-in-error", "2026-05-01"),
        &with("old", "active", "2020-01-01"),
        &with("held", "on-hold", "2026-01-01"),
        &with("new", "active", "2025-01-01"),
    ]);
    let order: Vec<(&str, OrderState)> = all.iter().map(|m| (m.record.reference.as_ref(), m.state)).collect();
    let expected = [
        ("MedicationRequest/new", OrderState::Active),
        ("MedicationRequest/old", OrderState::Active),
        ("MedicationRequest/held", OrderState::Unsettled),
        ("MedicationRequest/ended", OrderState::Ended),
        ("MedicationRequest/wrong", OrderState::Ended),
    ];
    assert_eq!(order, expected);
    assert!(all.iter().all(|m| m.must_not_give));
}
