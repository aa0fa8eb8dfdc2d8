//! No input makes the normaliser panic, and whatever comes out is JSON that reads back.

use proptest::prelude::*;
use sallyport_clinical::{
    ChartSection, Section,
    date::{Date, utc_parts},
};
use serde_json::{Value, json};

use crate::read;

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

proptest! {
    #[test]
    fn arbitrary_resources_never_panic_and_read_back(tree in tree(), kind in prop::sample::select(TYPES), keep_id in any::<bool>()) {
        let mut resource = if let Value::Object(members) = tree { members } else { serde_json::Map::new() };
        resource.insert("resourceType".to_owned(), json!(kind));
        if keep_id {
            resource.insert("id".to_owned(), json!("pat-1"));
        }
        let text = Value::Object(resource).to_string();
        for section in Section::ALL {
            let chart = read(*section, &[&text, &text]);
            let json = serde_json::to_string(&chart).unwrap();
            prop_assert_eq!(&serde_json::from_str::<ChartSection>(&json).unwrap(), &chart);
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
