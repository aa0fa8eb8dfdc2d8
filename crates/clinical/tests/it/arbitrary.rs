//! No input makes the normaliser panic, and whatever comes out is JSON that reads back.

use proptest::prelude::*;
use sallyport_clinical::{
    ChartSection, FhirVersion, Section,
    date::{Date, utc_parts},
    observations::ObservationValue,
};
use serde_json::{Value, json};

use crate::{observations, read, read_as};

/// Members that the normaliser looks at, so that arbitrary values land where they hurt.
const MEMBERS: &[&str] = &[
    "id",
    "meta",
    "status",
    "code",
    "coding",
    "text",
    "system",
    "display",
    "value",
    "valueQuantity",
    "valueString",
    "valueCode",
    "unit",
    "comparator",
    "component",
    "referenceRange",
    "low",
    "high",
    "interpretation",
    "effectiveDateTime",
    "birthDate",
    "_birthDate",
    "name",
    "family",
    "given",
    "identifier",
    "type",
    "use",
    "extension",
    "url",
    "period",
    "start",
    "end",
    "medicationReference",
    "medicationCodeableConcept",
    "reference",
    "contained",
    "dosageInstruction",
    "timing",
    "repeat",
    "frequency",
    "content",
    "attachment",
    "data",
    "clinicalStatus",
    "verificationStatus",
    "onsetDateTime",
    "category",
    "note",
    "participant",
    "hasMember",
    "related",
    "dosage",
    "medication",
    "concept",
    "reason",
    "taken",
    "wasNotTaken",
    "comments",
    "substance",
    "participant",
    "actualPeriod",
];

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop_oneof![
            Just("8480-6"),
            Just("85354-9"),
            Just("http://loinc.org"),
            Just("2026-02-29"),
            Just("2026-03-12T14:00:00+99:99"),
            Just("Medication/x"),
            Just("#x"),
            Just("entered-in-error"),
            Just("MR")
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((prop::sample::select(MEMBERS), inner), 0..8).prop_map(|members| members
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

const TYPES: &[&str] = &[
    "Patient",
    "Condition",
    "MedicationRequest",
    "MedicationOrder",
    "MedicationStatement",
    "Medication",
    "AllergyIntolerance",
    "Observation",
    "Encounter",
    "DocumentReference",
    "Immunization",
    "Procedure",
    "CareTeam",
    "Coverage",
];

/// Adds an unknown extension to the objects that `at` chooses, outside extensions themselves.
fn extend(value: &mut Value, at: &mut impl Iterator<Item = bool>, text: &str) {
    match value {
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                if name != "extension" {
                    extend(value, at, text);
                }
            }
            if at.next().unwrap_or_default() {
                let unknown = json!({ "url": "https://vendor.example/unknown", "valueString": text, "extension": [{ "url": "part", "valueDecimal": 1 }] });
                if let Some(list) = members.entry("extension").or_insert_with(|| json!([])).as_array_mut() {
                    list.push(unknown);
                }
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(|entry| extend(entry, at, text)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn arbitrary_resources_never_panic_and_read_back(tree in tree(), kind in prop::sample::select(TYPES), keep_id in any::<bool>()) {
        let mut resource = if let Value::Object(members) = tree { members } else { serde_json::Map::new() };
        resource.insert("resourceType".to_owned(), json!(kind));
        if keep_id {
            resource.insert("id".to_owned(), json!("pat-1"));
        }
        let text = Value::Object(resource).to_string();
        for (section, version) in Section::ALL.iter().flat_map(|s| FhirVersion::ALL.iter().map(move |v| (s, v))) {
            let chart = read_as(*version, *section, &[&text, &text]);
            let json = serde_json::to_string(&chart).unwrap();
            prop_assert_eq!(&serde_json::from_str::<ChartSection>(&json).unwrap(), &chart);
        }
    }

    /// R4 datatypes §decimal, in every version and in every place of a result where a decimal is shown.
    #[test]
    fn decimals_are_exactly_what_was_sent(value in "-?(0|[1-9][0-9]{0,16})(\\.[0-9]{1,16})?([eE][+-]?[0-9]{1,2})?", low in "(0|[1-9][0-9]{0,3})\\.[0-9]{1,4}") {
        let json = format!(
            r#"{{"resourceType":"Observation","id":"o","status":"final","code":{{"text":"x"}},"valueQuantity":{{"value":{value}}},"referenceRange":[{{"low":{{"value":{low}}}}}],"component":[{{"code":{{"text":"y"}},"valueQuantity":{{"value":{value}}}}}]}}"#
        );
        for version in FhirVersion::ALL {
            let found = observations(read_as(*version, Section::Results, &[&json])).items.remove(0);
            let shown = |v: &Option<ObservationValue>| match v {
                Some(ObservationValue::Quantity { quantity }) => quantity.value.clone(),
                _ => String::new(),
            };
            prop_assert_eq!(shown(&found.value.value), value.clone());
            prop_assert_eq!(shown(&found.components[0].value.value), value.clone());
            prop_assert_eq!(&found.ranges[0].low.as_ref().unwrap().value, &low);
        }
    }

    /// An extension that nobody knows, anywhere: the chart is the same as without it.
    #[test]
    fn unknown_extensions_change_nothing(at in prop::collection::vec(any::<bool>(), 64), value in ".{0,20}") {
        let known = [
            (Section::Banner, r#"{"resourceType":"Patient","id":"pat-1","name":[{"family":"Abreu","given":["Ana"]}],"identifier":[{"type":{"text":"MRN"},"value":"1"}],"address":[{"city":"Boston"}],"extension":[{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex","valueCode":"F"}]}"#),
            (Section::Problems, r#"{"resourceType":"Condition","id":"c","code":{"coding":[{"system":"http://snomed.info/sct","code":"1"}]},"onsetPeriod":{"start":"2020"},"note":[{"text":"n"}]}"#),
            (Section::Medications, r##"{"resourceType":"MedicationRequest","id":"m","contained":[{"resourceType":"Medication","id":"x","code":{"text":"y"}}],"medicationReference":{"reference":"#x"},"dosageInstruction":[{"timing":{"repeat":{"frequency":1,"period":6,"periodUnit":"h"}}}]}"##),
            (Section::Results, r#"{"resourceType":"Observation","id":"o","code":{"text":"x"},"valueQuantity":{"value":8,"unit":"%"},"referenceRange":[{"low":{"value":1},"high":{"value":7}}]}"#),
            (Section::Documents, r#"{"resourceType":"DocumentReference","id":"d","content":[{"attachment":{"url":"Binary/b"}}],"context":{"period":{"start":"2020"}}}"#),
        ];
        for (section, json) in known {
            let mut resource: Value = serde_json::from_str(json).unwrap();
            let plain = resource.to_string();
            extend(&mut resource, &mut at.iter().copied().cycle(), &value);
            let version = FhirVersion::R4;
            prop_assert_eq!(read_as(version, section, &[&resource.to_string()]), read_as(version, section, &[&plain]));
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in ".{0,200}") {
        for section in Section::ALL {
            let chart = read(*section, &[&text]);
            prop_assert!(!chart.problems.is_empty());
        }
    }

    #[test]
    fn arbitrary_dates_never_panic_and_keep_their_text(text in "[0-9]{0,5}-?[0-9]{0,3}-?[0-9]{0,3}T?[0-9:.+Z-]{0,20}|.{0,30}", now in any::<i64>()) {
        let date = Date::new(text.clone());
        let _shown = (date.day_text(), date.full_text(), date.zone_text(), date.instant(), date.age_text(&utc_parts(now)));
        prop_assert_eq!(date.original, text);
    }
}
