//! Vital signs and results.

use sallyport_clinical::{
    Section,
    observations::{Direction, Level, Observation, ObservationValue},
};

use crate::{observations, read};

fn lab(id: &str, date: &str, rest: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"4548-4"}}],"text":"HbA1c"}},"effectiveDateTime":"{date}",{rest}}}"#
    )
}

fn quantity(value: &str) -> String {
    format!(r#""valueQuantity":{{"value":{value},"unit":"%","code":"%"}}"#)
}

fn one(rest: &str) -> Observation {
    observations(read(Section::Results, &[&lab("o", "2026-03-12", rest)])).items.remove(0)
}

#[test]
fn a_decimal_is_exactly_what_was_sent() {
    for sent in ["8.10", "0.00", "-0.5", "1e3", "12345678901234567890.123456789"] {
        match one(&quantity(sent)).value.value {
            Some(ObservationValue::Quantity { quantity }) => assert_eq!(quantity.value, sent),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_whole_of_a_result_with_range_and_flag() {
    let rest = format!(
        r#"{},"referenceRange":[{{"low":{{"value":4.0,"unit":"%"}},"high":{{"value":5.6,"unit":"%"}}}}],"interpretation":[{{"coding":[{{"code":"H"}}]}}],"note":[{{"text":" repeat "}}]"#,
        quantity("8.10")
    );
    insta::assert_json_snapshot!(one(&rest));
}

#[test]
fn every_kind_of_value_is_told() {
    let text = |rest: &str| match one(rest).value.value {
        Some(ObservationValue::Text { text }) => text,
        Some(ObservationValue::Concept { concept }) => concept.name,
        Some(ObservationValue::Boolean { value }) => value.to_string(),
        Some(ObservationValue::Quantity { quantity }) => quantity.to_string(),
        Some(ObservationValue::Time { when }) => when.start.unwrap().original,
        Some(ObservationValue::Samples) => "samples".to_owned(),
        other => panic!("{other:?}"),
    };
    for (rest, expected) in [
        (r#""valueString":"No growth""#, "No growth"),
        (r#""valueCodeableConcept":{"text":"Not detected"}"#, "Not detected"),
        (r#""valueBoolean":true"#, "true"),
        (r#""valueInteger":7"#, "7"),
        (r#""valueQuantity":{"value":5,"comparator":"<=","unit":"mm[Hg]"}"#, "≤ 5 mmHg"),
        (r#""valueRange":{"low":{"value":1},"high":{"value":2,"unit":"mg"}}"#, "1 to 2 mg"),
        (r#""valueRatio":{"numerator":{"value":1},"denominator":{"value":128}}"#, "1 : 128"),
        (r#""valueDateTime":"2026-01""#, "2026-01"),
        (r#""valueTime":"12:00:00""#, "12:00:00"),
        (r#""valueSampledData":{"origin":{"value":0},"period":10,"dimensions":1,"data":"1 2"}"#, "samples"),
    ] {
        assert_eq!(text(rest), expected, "{rest}");
    }
}

#[test]
fn the_flag_sent_wins_and_a_comparison_is_made_only_beyond_doubt() {
    let level = |rest: &str| one(rest).flag.and_then(|f| f.value).map(|f| (f.level, f.is_computed));
    let range = |range: &str| format!(r#"{},"referenceRange":[{range}]"#, quantity("8.10"));
    let normal = r#"{"low":{"value":4},"high":{"value":5.6}}"#;
    assert_eq!(level(&range(normal)), Some((Level::High, true)));
    assert_eq!(
        level(&format!(
            r#"{},"interpretation":[{{"coding":[{{"code":"N"}}]}},{{"coding":[{{"code":"HH"}}]}}]"#,
            range(normal)
        )),
        Some((Level::CriticalHigh, false))
    );
    for doubtful in [
        r#"{"low":{"value":4,"unit":"mmol/mol"},"high":{"value":5.6,"unit":"mmol/mol"}}"#,
        r#"{"low":{"value":4},"high":{"value":5.6},"appliesTo":[{"text":"pregnant"}]}"#,
        r#"{"low":{"value":4},"high":{"value":5.6},"age":{"low":{"value":18}}}"#,
        r#"{"low":{"value":4},"high":{"value":5.6},"type":{"coding":[{"code":"therapeutic"}]}}"#,
        r#"{"text":"4 to 5.6"}"#,
        r#"{"low":{"value":4}},{"high":{"value":5.6}}"#,
    ] {
        assert_eq!(level(&range(doubtful)), None, "{doubtful}");
    }
    let bound = r#""valueQuantity":{"value":8.1,"comparator":"<","unit":"%"},"referenceRange":[{"high":{"value":5.6}}]"#;
    assert_eq!(level(bound), None);
    assert_eq!(level(&range(r#"{"high":{"value":8.10}}"#)), Some((Level::Normal, true)));
}

#[test]
fn a_trend_holds_the_same_code_in_the_same_unit_and_says_what_it_leaves_out() {
    let resources = [
        lab("a", "2023-03-10", &quantity("6.9")),
        lab("b", "2024-06-01", &quantity("7.20")),
        lab("c", "2026-03-12", &quantity("8.10")),
        lab("d", "2025-01-01", r#""valueQuantity":{"value":55,"unit":"mmol/mol"}"#),
        lab("e", "2025-02-01", r#""valueQuantity":{"value":4,"comparator":"<","unit":"%"}"#),
        lab("f", "2025-03-01", &quantity("99")).replace("\"final\"", "\"entered-in-error\""),
        lab("g", "2025-04-01", &quantity("98")).replace("\"final\"", "\"cancelled\""),
    ];
    let refs: Vec<&str> = resources.iter().map(String::as_str).collect();
    let all = observations(read(Section::Results, &refs));
    assert_eq!(all.trends.len(), 1);
    let trend = &all.trends[0];
    let points: Vec<&str> = trend.points.iter().map(|p| p.value.as_str()).collect();
    assert_eq!(
        (points, trend.left_out, trend.direction),
        (vec!["6.9", "7.20", "8.10"], 2, Direction::Rising)
    );
    assert_eq!(trend.summary, "3 values from 6.9 to 8.10 %, 10-Mar-2023 to 12-Mar-2026, rising");
    let order: Vec<&str> = all.items.iter().map(|o| o.record.reference.as_ref()).collect();
    assert_eq!(&order[..2], ["Observation/c", "Observation/e"]);
    assert!(!all.items[5].counts() && !all.items[6].counts());
}

fn pressure_part(code: &str, value: &str) -> String {
    format!(
        r#"{{"code":{{"coding":[{{"system":"http://loinc.org","code":"{code}"}}]}},"valueQuantity":{{"value":{value},"unit":"mmHg","code":"mm[Hg]"}}}}"#
    )
}

fn single(id: &str, code: &str, value: &str, date: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","effectiveDateTime":"{date}",{}"#,
        pressure_part(code, value).trim_start_matches('{')
    )
}

fn pressures(items: &[Observation]) -> Vec<(String, String)> {
    let text = |q: &Option<sallyport_clinical::observations::Quantity>| {
        q.as_ref().map_or("none".to_owned(), |q| q.value.clone())
    };
    let both = items.iter().filter_map(|o| match &o.value.value {
        Some(ObservationValue::BloodPressure { systolic, diastolic }) => {
            Some((text(systolic), text(diastolic)))
        }
        _ => None,
    });
    both.collect()
}

#[test]
fn a_blood_pressure_panel_is_one_reading_with_two_series() {
    let panel = |id: &str, date: &str, high: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"55284-4"}}]}},"effectiveDateTime":"{date}","component":[{},{}]}}"#,
            pressure_part("8480-6", high),
            pressure_part("8462-4", "88")
        )
    };
    let all = observations(read(
        Section::Vitals,
        &[&panel("a", "2026-01-01T10:00:00Z", "142"), &panel("b", "2026-02-01T10:00:00Z", "150")],
    ));
    assert_eq!(
        pressures(&all.items),
        [("150".to_owned(), "88".to_owned()), ("142".to_owned(), "88".to_owned())]
    );
    let series: Vec<(&str, Direction)> = all.trends.iter().map(|t| (t.part.as_str(), t.direction)).collect();
    assert_eq!(series, [("diastolic", Direction::Steady), ("systolic", Direction::Rising)]);
}

#[test]
fn half_a_panel_is_a_reading_with_a_hole() {
    let panel = format!(
        r#"{{"resourceType":"Observation","id":"a","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"85354-9"}}]}},"component":[{}]}}"#,
        pressure_part("8480-6", "142")
    );
    assert_eq!(
        pressures(&observations(read(Section::Vitals, &[&panel])).items),
        [("142".to_owned(), "none".to_owned())]
    );
}

#[test]
fn unpaired_pressures_of_one_moment_are_joined_and_told_and_ambiguous_ones_are_not() {
    let at = "2026-01-01T10:00:00Z";
    let (high, low) = (single("s", "8480-6", "142", at), single("d", "8462-4", "88", at));
    let all = observations(read(Section::Vitals, &[&high, &low]));
    assert_eq!(pressures(&all.items), [("142".to_owned(), "88".to_owned())]);
    assert_eq!(
        all.items[0].record.notes,
        [
            "Two entries of the same moment were joined into one reading: systolic Observation/s and diastolic Observation/d."
        ]
    );
    let second = single("s2", "8480-6", "150", at);
    let apart = observations(read(Section::Vitals, &[&high, &low, &second]));
    assert_eq!((pressures(&apart.items), apart.items.len()), (vec![], 3));
    let later = single("d", "8462-4", "88", "2026-01-01T10:01:00Z");
    assert_eq!(pressures(&observations(read(Section::Vitals, &[&high, &later])).items), []);
    let wrong = low.replace("\"final\"", "\"entered-in-error\"");
    assert_eq!(pressures(&observations(read(Section::Vitals, &[&high, &wrong])).items), []);
}

#[test]
fn a_panel_that_only_groups_others_says_so() {
    assert!(one(r#""hasMember":[{"reference":"Observation/x"}]"#).is_group);
    assert!(!one(&quantity("1")).is_group);
}
