//! What would change between two mappings is told entry by entry, and nothing else is.

use sallyport_clinical::{
    FhirVersion, Mapping, Section,
    concept::CodeFrom,
    reconcile::{Change, ChangeKind, compare},
};

use crate::{observations, read_by};

fn by(mapping: Mapping, section: Section, resources: &[&str]) -> sallyport_clinical::ChartSection {
    read_by(FhirVersion::R4, mapping, section, resources, Vec::new())
}

fn changes(section: Section, resources: &[&str]) -> Vec<Change> {
    compare(&by(Mapping::V2026_1, section, resources), &by(Mapping::V2026_2, section, resources))
}

/// Oxygen saturation as two devices send it: the codes are the same, their order is not.
fn saturation(id: &str, date: &str, first: &str, second: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"{first}"}},{{"system":"http://loinc.org","code":"{second}"}}],"text":"SpO2"}},"effectiveDateTime":"{date}","valueQuantity":{{"value":97,"unit":"%","code":"%"}}}}"#
    )
}

#[test]
fn one_sign_is_one_series_since_2026_2() {
    let (a, b) = (
        saturation("a", "2026-01-01", "2708-6", "59408-5"),
        saturation("b", "2026-02-01", "59408-5", "2708-6"),
    );
    let trends = |mapping| observations(by(mapping, Section::Vitals, &[&a, &b])).trends.len();
    assert_eq!((trends(Mapping::V2026_1), trends(Mapping::V2026_2)), (0, 1));
    let newest = observations(by(Mapping::V2026_2, Section::Vitals, &[&a, &b])).items.remove(0);
    assert_eq!(newest.what.value.unwrap().code_from, CodeFrom::VitalSign);
}

#[test]
fn every_difference_names_its_entry_and_its_element() {
    let (a, b) = (
        saturation("a", "2026-01-01", "2708-6", "59408-5"),
        saturation("b", "2026-02-01", "59408-5", "2708-6"),
    );
    let found = changes(Section::Vitals, &[&a, &b]);
    let names: Vec<(&str, &str, ChangeKind)> =
        found.iter().map(|c| (c.entry.as_str(), c.element.as_str(), c.kind)).collect();
    assert_eq!(
        names,
        [
            ("Observation/a", "what.value.code_from", ChangeKind::Changed),
            ("Observation/b", "key", ChangeKind::Changed),
            ("Observation/b", "what.value.code.code", ChangeKind::Changed),
            ("Observation/b", "what.value.code_from", ChangeKind::Changed),
            ("trend http://loinc.org|2708-6", "", ChangeKind::Added),
        ]
    );
    let code = &found[2];
    assert_eq!((code.before.as_deref(), code.after.as_deref()), (Some("59408-5"), Some("2708-6")));
}

#[test]
fn no_known_allergy_by_oid_is_known_since_2026_2_and_the_statement_changes() {
    let none = r#"{"resourceType":"AllergyIntolerance","id":"n","clinicalStatus":{"coding":[{"code":"active"}]},"code":{"coding":[{"system":"urn:oid:2.16.840.1.113883.6.96","code":"716186003"}]}}"#;
    let found = changes(Section::Allergies, &[none]);
    let statement = found.iter().find(|c| c.element == "statement").unwrap();
    assert_eq!(
        (statement.before.as_deref(), statement.after.as_deref()),
        (Some("listed"), Some("none_known"))
    );
    assert_eq!(statement.entry, "");
}

#[test]
fn what_both_mappings_read_alike_is_no_difference() {
    let condition = r#"{"resourceType":"Condition","id":"c","code":{"coding":[{"system":"http://snomed.info/sct","code":"1"}]}}"#;
    assert_eq!(changes(Section::Problems, &[condition, "not json"]), []);
}

#[test]
fn another_order_is_told_once() {
    let team = r#"{"resourceType":"CareTeam","id":"t","participant":[{"member":{"display":"A"}},{"member":{"display":"B"}}]}"#;
    let mut after = by(Mapping::V2026_1, Section::Careteam, &[team]);
    let before = after.clone();
    assert_eq!(compare(&before, &after), []);
    let condition = |id: &str| format!(r#"{{"resourceType":"Condition","id":"{id}"}}"#);
    after = by(Mapping::V2026_1, Section::Problems, &[&condition("a"), &condition("b")]);
    let before = by(Mapping::V2026_1, Section::Problems, &[&condition("b"), &condition("a")]);
    let found = compare(&before, &after);
    assert_eq!((found.len(), found[0].kind), (1, ChangeKind::Moved));
}
