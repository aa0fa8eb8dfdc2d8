//! A resource that is malformed costs one line, never the section.

use sallyport_clinical::{ChartSection, ProblemKind, Section, SectionState, record::Standing};

use crate::{items, read};

const GOOD: &str = r#"{"resourceType":"Condition","id":"good","code":{"text":"Asthma"},"clinicalStatus":{"coding":[{"code":"active"}]}}"#;

#[test]
fn what_cannot_be_understood_is_listed_and_the_rest_is_shown() {
    let section = read(
        Section::Problems,
        &[
            r#"{"resourceType":"Condition","id":"wrong-type","code":7}"#,
            r#"{"resourceType":"Condition","code":{"text":"no id"}}"#,
            r#"{"resourceType":"Condition","id":"../../etc","code":{"text":"bad id"}}"#,
            r#"{"id":"no-type"}"#,
            "not json",
            "",
            GOOD,
        ],
    );
    assert_eq!(section.state, SectionState::Partial);
    let problems: Vec<_> = section.problems.iter().map(|p| (p.kind, p.reference.as_deref())).collect();
    let unreadable = |reference| (ProblemKind::Unreadable, reference);
    assert_eq!(
        problems,
        [
            unreadable(None),
            unreadable(None),
            unreadable(None),
            unreadable(Some("Condition/wrong-type")),
            unreadable(None),
            unreadable(None)
        ]
    );
    assert_eq!(items!(section, Problems).len(), 1);
}

#[test]
fn other_types_are_left_out_and_a_resource_counts_once() {
    let other = r#"{"resourceType":"OperationOutcome","id":"x","issue":[]}"#;
    let section = read(Section::Problems, &[GOOD, other, GOOD]);
    assert_eq!((section.state, section.resources), (SectionState::Complete, 3));
    assert_eq!(items!(section, Problems).len(), 1);
}

#[test]
fn null_members_and_null_entries_are_forgiven() {
    let json = r#"{"resourceType":"Condition","id":"c","code":{"coding":null,"text":"Asthma"},"category":[null],"note":null,"meta":null,"onsetDateTime":null}"#;
    assert_eq!(
        items!(read(Section::Problems, &[json]), Problems)[0].what.value.as_ref().unwrap().name,
        "Asthma"
    );
}

#[test]
fn an_unknown_modifier_is_a_caution() {
    let json = GOOD.replace("\"id\":\"good\"", r#""id":"m","modifierExtension":[{"url":"https://x.example/negated","valueBoolean":true}],"implicitRules":"https://x.example/rules""#);
    let items = items!(read(Section::Problems, &[&json]), Problems);
    assert_eq!(items[0].record.cautions.len(), 2);
    assert!(items[0].record.cautions[0].contains("https://x.example/negated"));
}

#[test]
fn entered_in_error_and_refuted_are_kept_marked_and_last() {
    let with = |id: &str, status: &str| {
        GOOD.replace(
            "\"id\":\"good\"",
            &format!(r#""id":"{id}","verificationStatus":{{"coding":[{{"code":"{status}"}}]}}"#),
        )
    };
    let section = read(
        Section::Problems,
        &[&with("a", "entered-in-error"), &with("b", "refuted"), &with("c", "confirmed")],
    );
    let standings: Vec<_> = items!(section, Problems)
        .iter()
        .map(|c| (c.record.reference.to_string(), c.record.standing))
        .collect();
    let expected = [
        ("Condition/c", Standing::Valid),
        ("Condition/a", Standing::EnteredInError),
        ("Condition/b", Standing::Refuted),
    ];
    assert_eq!(standings, expected.map(|(r, s)| (r.to_owned(), s)));
}

#[test]
fn a_section_reads_back_from_its_own_json() {
    let section = read(Section::Problems, &[GOOD, "x"]);
    let json = serde_json::to_string(&section).unwrap();
    assert_eq!(serde_json::from_str::<ChartSection>(&json).unwrap(), section);
}
