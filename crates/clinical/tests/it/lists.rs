//! Problems, allergies, visits, documents and the rest.

use sallyport_clinical::{Content, Section, conditions::ConditionState, documents::Place, value::Absent};

use crate::{items, read};

#[test]
fn a_condition_without_status_is_neither_active_nor_ended() {
    let with = |id: &str, rest: &str| {
        format!(r#"{{"resourceType":"Condition","id":"{id}","code":{{"text":"x"}}{rest}}}"#)
    };
    let all = items!(
        read(
            Section::Problems,
            &[
                &with("none", r#","category":[{"text":"Encounter Diagnosis"}]"#),
                &with("abated", r#","abatementString":"last year""#),
                &with(
                    "relapse",
                    r#","clinicalStatus":{"coding":[{"code":"relapse"}]},"onsetAge":{"value":12,"unit":"years"}"#
                ),
            ]
        ),
        Problems
    );
    let states: Vec<(&str, ConditionState, bool)> =
        all.iter().map(|c| (c.record.reference.as_ref(), c.state, c.is_encounter_diagnosis())).collect();
    let expected = [
        ("Condition/relapse", ConditionState::Active, false),
        ("Condition/none", ConditionState::NotStated, true),
        ("Condition/abated", ConditionState::Inactive, false),
    ];
    assert_eq!(states, expected);
    assert_eq!(all[0].onset.as_ref().unwrap().value.as_ref().unwrap().text.as_deref(), Some("12 years"));
}

#[test]
fn the_whole_of_an_allergy() {
    let json = r#"{"resourceType":"AllergyIntolerance","id":"a1","clinicalStatus":{"coding":[{"code":"active"}]},"type":"allergy","category":["medication"],"criticality":"high",
        "code":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"70618","display":"Penicillin"}]},"onsetDateTime":"2011-05",
        "reaction":[{"manifestation":[{"text":"Anaphylaxis"}],"severity":"severe"}]}"#;
    match read(Section::Allergies, &[json]).content {
        Content::Allergies(allergies) => insta::assert_json_snapshot!(allergies),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_shape_of_attachment_says_where_the_content_is() {
    let place = |attachment: &str| {
        let json = format!(
            r#"{{"resourceType":"DocumentReference","id":"d","status":"current","content":[{{"attachment":{attachment}}}]}}"#
        );
        items!(read(Section::Documents, &[&json]), Documents)[0].attachments[0].place.clone()
    };
    let binary = Place::Binary { reference: "Binary/b-1".to_owned() };
    assert_eq!(place(r#"{"url":"Binary/b-1"}"#), binary);
    assert_eq!(place(r#"{"url":"https://ehr.example/fhir/Binary/b-1"}"#), binary);
    assert_eq!(place(r#"{"url":"https://elsewhere.example/fhir/Binary/b-1"}"#), Place::Elsewhere);
    assert_eq!(place(r#"{"url":"https://ehr.example/fhir/document/1"}"#), Place::Elsewhere);
    assert_eq!(place(r#"{"data":"aGVsbG8=","url":"Binary/b-1"}"#), Place::Inline { bytes: 5 });
    assert_eq!(place(r#"{"contentType":"application/octet-stream"}"#), Place::Missing { reason: None });
    let reason = r#"{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}]}"#;
    assert_eq!(place(reason), Place::Missing { reason: Some(Absent::Masked) });
}

#[test]
fn an_encounter_says_where_it_was_even_when_the_place_is_contained() {
    let json = r##"{"resourceType":"Encounter","id":"enc-1","status":"finished","class":{"code":"AMB"},"period":{"start":"2026-01-01T10:00:00+01:00"},
        "contained":[{"resourceType":"Location","id":"loc","name":"Ward 3"}],"location":[{"location":{"reference":"#loc"}},{"location":{"display":"Room 4"}}]}"##;
    let encounter = &items!(read(Section::Encounters, &[json]), Encounters)[0];
    let places: Vec<_> = encounter.locations.iter().filter_map(|l| l.value.as_deref()).collect();
    assert_eq!((places, encounter.is_in_context), (vec!["Ward 3", "Room 4"], true));
    assert_eq!(encounter.what.value.as_ref().unwrap().name, "AMB");
}

#[test]
fn the_rest_of_the_chart_is_listed_newest_first_with_what_was_not_done_told() {
    let given = r#"{"resourceType":"Immunization","id":"a","status":"completed","vaccineCode":{"text":"Influenza"},"occurrenceDateTime":"2024-10"}"#;
    let refused = r#"{"resourceType":"Immunization","id":"b","status":"not-done","statusReason":{"text":"declined"},"vaccineCode":{"text":"Zoster"},"occurrenceDateTime":"2025"}"#;
    let all = items!(read(Section::Immunizations, &[given, refused]), Immunizations);
    assert_eq!((all[0].not_given, all[1].not_given), (true, false));
    let team = r#"{"resourceType":"CareTeam","id":"t","status":"active","participant":[{"member":{"reference":"Patient/pat-1","display":"The patient"}},{"member":{"display":"Sam"},"role":[{"text":"Nurse"}]},{}]}"#;
    let members = items!(read(Section::Careteam, &[team]), Careteam);
    assert_eq!(members.iter().map(|m| m.name.value.as_deref()).collect::<Vec<_>>(), [Some("Sam"), None]);
    let coverage = r#"{"resourceType":"Coverage","id":"c","status":"active","type":{"text":"Plan"},"payor":[{"display":"Payer"}]}"#;
    assert!(items!(read(Section::Coverage, &[coverage]), Coverage)[0].is_active);
    let procedure = r#"{"resourceType":"Procedure","id":"p","status":"not-done","code":{"text":"Biopsy"},"performedString":"last spring"}"#;
    assert!(items!(read(Section::Procedures, &[procedure]), Procedures)[0].not_done);
}
