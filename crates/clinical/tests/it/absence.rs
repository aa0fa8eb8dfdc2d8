//! Why something is not there: the reasons that vendors give, in the places where they give them.

use sallyport_clinical::{
    Content, ProblemKind, ReadProblem, Section, SectionState, allergies::AllergyStatement, value::Absent,
};
use sallyport_model::Code;

use crate::{items, observations, read, read_with};

#[test]
fn a_reason_inside_a_coding_is_a_reason_and_not_a_code() {
    let masked = r#"{"resourceType":"Condition","id":"c","code":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/data-absent-reason","code":"masked"}]}}"#;
    let extension = r#"{"resourceType":"Condition","id":"d","code":{"coding":[{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}]}}"#;
    let null_flavor = r#"{"resourceType":"Condition","id":"e","code":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-NullFlavor","code":"ASKU"}]}}"#;
    let nothing = r#"{"resourceType":"Condition","id":"f"}"#;
    let found: Vec<_> = items!(read(Section::Problems, &[masked, extension, null_flavor, nothing]), Problems)
        .into_iter()
        .map(|c| (c.what.value, c.what.absent))
        .collect();
    let reasons = [Absent::Masked, Absent::Unknown, Absent::AskedUnknown, Absent::NotSent];
    assert_eq!(found, reasons.map(|reason| (None, Some(reason))));
}

#[test]
fn an_observation_without_a_value_keeps_its_reason_and_its_label() {
    let json = r#"{"resourceType":"Observation","id":"o","meta":{"security":[{"code":"ETH","display":"substance abuse"}]},"status":"final","code":{"text":"Ethanol"},
        "dataAbsentReason":{"coding":[{"code":"not-performed"}]}}"#;
    let all = observations(read(Section::Results, &[json]));
    assert_eq!(all.items[0].value.absent, Some(Absent::NotPerformed));
    assert_eq!(all.items[0].record.security[0].display.as_deref(), Some("substance abuse"));
}

#[test]
fn none_known_and_nothing_recorded_are_different_statements() {
    let allergy = |id: &str, code: &str, status: &str| {
        format!(
            r#"{{"resourceType":"AllergyIntolerance","id":"{id}","clinicalStatus":{{"coding":[{{"code":"{status}"}}]}},"code":{{"coding":[{{"system":"http://snomed.info/sct","code":"{code}"}}]}}}}"#
        )
    };
    let statement = |resources: &[&str]| match read(Section::Allergies, resources).content {
        Content::Allergies(allergies) => allergies.statement,
        other => panic!("{other:?}"),
    };
    let (none, peanut, old) = (
        allergy("n", "716186003", "active"),
        allergy("p", "91935009", "active"),
        allergy("o", "91935009", "resolved"),
    );
    assert_eq!(statement(&[]), AllergyStatement::NothingRecorded);
    assert_eq!(statement(&[&old]), AllergyStatement::NothingRecorded);
    assert_eq!(statement(&[&none]), AllergyStatement::NoneKnown);
    assert_eq!(statement(&[&none, &peanut]), AllergyStatement::Listed);
    let in_error = none.replace(
        "\"id\":\"n\"",
        "\"id\":\"e\",\"verificationStatus\":{\"coding\":[{\"code\":\"entered-in-error\"}]}",
    );
    assert_eq!(statement(&[&in_error]), AllergyStatement::NothingRecorded);
}

#[test]
fn the_state_of_a_section_names_why_nothing_is_there() {
    let state = |codes: &[Code]| {
        let problems = codes.iter().map(|code| ReadProblem::from_code(*code, "Condition")).collect();
        read_with(Section::Problems, &[], problems).state
    };
    assert_eq!(state(&[]), SectionState::Complete);
    assert_eq!(state(&[Code::ScopeDenied]), SectionState::NotGranted);
    assert_eq!(state(&[Code::PolicyDenied]), SectionState::Withheld);
    assert_eq!(state(&[Code::UpstreamForbidden]), SectionState::Withheld);
    assert_eq!(state(&[Code::UpstreamBusy]), SectionState::Failed);
    assert_eq!(state(&[Code::ScopeDenied, Code::UpstreamTimeout]), SectionState::Failed);
    let some = r#"{"resourceType":"Condition","id":"c","code":{"text":"x"}}"#;
    let partial = read_with(Section::Problems, &[some], vec![ReadProblem::truncated("Condition")]);
    assert_eq!((partial.state, partial.problems[0].kind), (SectionState::Partial, ProblemKind::Truncated));
}

#[test]
fn a_banner_of_which_only_the_encounter_was_read_is_a_failed_one() {
    let encounter = r#"{"resourceType":"Encounter","id":"enc-1","status":"finished"}"#;
    let section = read_with(
        Section::Banner,
        &[encounter],
        vec![ReadProblem::from_code(Code::UpstreamTimeout, "Patient")],
    );
    assert_eq!((section.state, section.content), (SectionState::Failed, Content::Nothing));
}
