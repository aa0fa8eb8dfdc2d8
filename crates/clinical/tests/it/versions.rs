//! One patient's record as each version of FHIR writes it: the same chart, with the provenance of what was sent.

use sallyport_clinical::{
    Content, FhirVersion, Section, SectionState,
    allergies::{Allergy, Criticality},
    conditions::{Condition, ConditionState},
    medications::{Medication, OrderState},
    observations::{Level, ObservationValue},
    record::Standing,
};

use crate::{items, observations, read_as};

use FhirVersion::{Dstu2, R4, R4B, R5, Stu3};

fn condition(version: FhirVersion, json: &str) -> Condition {
    items!(read_as(version, Section::Problems, &[json]), Problems).remove(0)
}

fn allergy(version: FhirVersion, json: &str) -> Allergy {
    match read_as(version, Section::Allergies, &[json]).content {
        Content::Allergies(mut allergies) => allergies.items.remove(0),
        other => panic!("{other:?}"),
    }
}

fn medications(version: FhirVersion, resources: &[&str]) -> Vec<Medication> {
    items!(read_as(version, Section::Medications, resources), Medications)
}

#[test]
fn a_condition_says_the_same_in_every_version_and_where_it_was_said() {
    for (version, json, recorded, recorder) in [
        (
            Dstu2,
            r#"{"resourceType":"Condition","id":"c","patient":{"reference":"Patient/pat-1"},"code":{"text":"Asthma"},"category":{"text":"Diagnosis"},"clinicalStatus":"active","verificationStatus":"refuted","dateRecorded":"2015-03","asserter":{"display":"Dr Reyes"},"onsetQuantity":{"value":12,"unit":"years"},"notes":"mild"}"#,
            "Condition.dateRecorded",
            "Condition.asserter",
        ),
        (
            Stu3,
            r#"{"resourceType":"Condition","id":"c","code":{"text":"Asthma"},"category":[{"text":"Diagnosis"}],"clinicalStatus":"active","verificationStatus":"refuted","assertedDate":"2015-03","asserter":{"display":"Dr Reyes"},"onsetAge":{"value":12,"unit":"years"},"note":[{"text":"mild"}]}"#,
            "Condition.assertedDate",
            "Condition.asserter",
        ),
        (
            R4B,
            r#"{"resourceType":"Condition","id":"c","code":{"text":"Asthma"},"category":[{"text":"Diagnosis"}],"clinicalStatus":{"coding":[{"code":"active"}]},"verificationStatus":{"coding":[{"code":"refuted"}]},"recordedDate":"2015-03","recorder":{"display":"Dr Reyes"},"onsetAge":{"value":12,"unit":"years"},"note":[{"text":"mild"}]}"#,
            "Condition.recordedDate",
            "Condition.recorder",
        ),
        (
            R5,
            r#"{"resourceType":"Condition","id":"c","code":{"text":"Asthma"},"category":[{"text":"Diagnosis"}],"clinicalStatus":{"coding":[{"code":"active"}]},"verificationStatus":{"coding":[{"code":"refuted"}]},"recordedDate":"2015-03","participant":[{"function":{"coding":[{"code":"informant"}]},"actor":{"display":"The patient"}},{"function":{"coding":[{"code":"enterer"}]},"actor":{"display":"Dr Reyes"}}],"onsetAge":{"value":12,"unit":"years"},"note":[{"text":"mild"}]}"#,
            "Condition.recordedDate",
            "Condition.participant.actor",
        ),
    ] {
        let found = condition(version, json);
        assert_eq!(
            (found.state, found.record.standing),
            (ConditionState::Active, Standing::Refuted),
            "{version}"
        );
        assert_eq!(found.onset.unwrap().value.unwrap().text.as_deref(), Some("12 years"), "{version}");
        assert_eq!(found.notes[0].value.as_deref(), Some("mild"), "{version}");
        assert_eq!(found.categories.len(), 1, "{version}");
        let since = found.recorded.unwrap();
        assert_eq!(since.value.unwrap().start.unwrap().original, "2015-03");
        assert_eq!(since.source.path, recorded);
        let who = found.recorder.unwrap();
        assert_eq!((who.value.as_deref(), who.source.path.as_ref()), (Some("Dr Reyes"), recorder));
    }
}

#[test]
fn what_ended_without_a_date_is_inactive() {
    for version in [Dstu2, Stu3] {
        let json = r#"{"resourceType":"Condition","id":"c","code":{"text":"x"},"abatementBoolean":true}"#;
        let found = condition(version, json);
        assert_eq!(found.state, ConditionState::Inactive);
        assert_eq!(found.abatement.unwrap().source.path, "Condition.abatementBoolean");
        assert_eq!(condition(version, &json.replace("true", "false")).state, ConditionState::NotStated);
    }
}

#[test]
fn an_allergy_keeps_its_criticality_and_its_standing() {
    let dstu2 = |status: &str| {
        format!(
            r#"{{"resourceType":"AllergyIntolerance","id":"a","substance":{{"text":"Penicillin"}},"status":"{status}","criticality":"CRITH","category":"medication","onset":"2011","reaction":[{{"manifestation":[{{"text":"Hives"}}]}}],"note":{{"text":"told by mother"}}}}"#
        )
    };
    let found = allergy(Dstu2, &dstu2("confirmed"));
    assert_eq!((found.criticality, found.is_current), (Criticality::High, true));
    assert_eq!(found.what.source.path, "AllergyIntolerance.substance");
    assert_eq!(found.verification.unwrap().source.path, "AllergyIntolerance.status");
    assert_eq!(found.onset.unwrap().value.unwrap().start.unwrap().original, "2011");
    assert_eq!((found.categories.len(), found.notes.len(), found.reactions.len()), (1, 1, 1));
    assert!(!allergy(Dstu2, &dstu2("resolved")).is_current);
    assert_eq!(allergy(Dstu2, &dstu2("entered-in-error")).record.standing, Standing::EnteredInError);
    assert_eq!(allergy(Dstu2, &dstu2("refuted")).record.standing, Standing::Refuted);
    let stu3 = r#"{"resourceType":"AllergyIntolerance","id":"a","clinicalStatus":"resolved","verificationStatus":"entered-in-error","code":{"text":"x"},"assertedDate":"2015"}"#;
    let found = allergy(Stu3, stu3);
    assert_eq!((found.is_current, found.record.standing), (false, Standing::EnteredInError));
    assert_eq!(found.recorded.unwrap().source.path, "AllergyIntolerance.assertedDate");
    let r5 = r#"{"resourceType":"AllergyIntolerance","id":"a","type":{"coding":[{"code":"allergy"}]},"code":{"text":"x"},"reaction":[{"manifestation":[{"concept":{"text":"Hives"}},{"reference":{"display":"Wheeze"}}]}]}"#;
    let found = allergy(R5, r5);
    assert_eq!(found.mechanism.unwrap().value.as_deref(), Some("allergy"));
    assert_eq!(found.reactions[0].manifestations.len(), 2);
}

#[test]
fn an_order_is_read_in_every_version() {
    for (version, json, paths) in [
        (
            Dstu2,
            r#"{"resourceType":"MedicationOrder","id":"m","status":"active","dateWritten":"2015-01-02","prescriber":{"display":"Dr Reyes"},"reasonCodeableConcept":{"text":"Pain"},"medicationCodeableConcept":{"text":"Ibuprofen"},"note":"with food","dosageInstruction":[{"asNeededBoolean":true,"timing":{"repeat":{"frequency":1,"period":6,"periodUnits":"h"}},"doseQuantity":{"value":400,"unit":"mg"}}]}"#,
            [
                "MedicationOrder.medicationCodeableConcept",
                "MedicationOrder.dateWritten",
                "MedicationOrder.prescriber",
            ],
        ),
        (
            Stu3,
            r#"{"resourceType":"MedicationRequest","id":"m","status":"active","intent":"order","authoredOn":"2015-01-02","requester":{"agent":{"display":"Dr Reyes"}},"reasonCode":[{"text":"Pain"}],"medicationCodeableConcept":{"text":"Ibuprofen"},"note":[{"text":"with food"}],"dosageInstruction":[{"asNeededBoolean":true,"timing":{"repeat":{"frequency":1,"period":6,"periodUnit":"h"}},"doseQuantity":{"value":400,"unit":"mg"}}]}"#,
            [
                "MedicationRequest.medicationCodeableConcept",
                "MedicationRequest.authoredOn",
                "MedicationRequest.requester.agent",
            ],
        ),
        (
            R4,
            r#"{"resourceType":"MedicationRequest","id":"m","status":"active","intent":"order","authoredOn":"2015-01-02","requester":{"display":"Dr Reyes"},"reasonCode":[{"text":"Pain"}],"medicationCodeableConcept":{"text":"Ibuprofen"},"note":[{"text":"with food"}],"dosageInstruction":[{"asNeededBoolean":true,"timing":{"repeat":{"frequency":1,"period":6,"periodUnit":"h"}},"doseAndRate":[{"doseQuantity":{"value":400,"unit":"mg"}}]}]}"#,
            [
                "MedicationRequest.medicationCodeableConcept",
                "MedicationRequest.authoredOn",
                "MedicationRequest.requester",
            ],
        ),
        (
            R5,
            r#"{"resourceType":"MedicationRequest","id":"m","status":"active","intent":"order","authoredOn":"2015-01-02","requester":{"display":"Dr Reyes"},"reason":[{"concept":{"text":"Pain"}}],"medication":{"concept":{"text":"Ibuprofen"}},"note":[{"text":"with food"}],"dosageInstruction":[{"asNeeded":true,"timing":{"repeat":{"frequency":1,"period":6,"periodUnit":"h"}},"doseAndRate":[{"doseQuantity":{"value":400,"unit":"mg"}}]}]}"#,
            [
                "MedicationRequest.medication.concept",
                "MedicationRequest.authoredOn",
                "MedicationRequest.requester",
            ],
        ),
    ] {
        let order = medications(version, &[json]).remove(0);
        let (authored, requester) = (order.authored.unwrap(), order.requester.unwrap());
        let found = [&order.what.source, &authored.source, &requester.source].map(|s| s.path.to_string());
        assert_eq!(found, paths, "{version}");
        assert_eq!(order.what.value.unwrap().name, "Ibuprofen");
        assert_eq!(requester.value.as_deref(), Some("Dr Reyes"));
        assert_eq!(order.dosage[0].value.as_deref(), Some("400 mg, 1 × every 6 hours"), "{version}");
        assert_eq!(order.reasons[0].value.as_deref(), Some("Pain"), "{version}");
        assert_eq!(order.notes[0].value.as_deref(), Some("with food"), "{version}");
        assert_eq!((order.state, order.as_needed, order.is_reported), (OrderState::Active, true, false));
    }
}

#[test]
fn a_statement_of_use_is_reported_and_says_when_a_medicine_is_not_taken() {
    let dstu2 = r#"{"resourceType":"MedicationStatement","id":"s","status":"active","wasNotTaken":true,"medicationCodeableConcept":{"text":"Aspirin"},"effectivePeriod":{"start":"2014"},"dosage":[{"quantityQuantity":{"value":75.0,"unit":"mg"}}],"note":"stopped by herself"}"#;
    let stu3 = r#"{"resourceType":"MedicationStatement","id":"s","status":"active","taken":"n","medicationCodeableConcept":{"text":"Aspirin"},"effectivePeriod":{"start":"2014"},"dosage":[{"doseQuantity":{"value":75.0,"unit":"mg"}}],"note":[{"text":"stopped by herself"}]}"#;
    let r4 = r#"{"resourceType":"MedicationStatement","id":"s","status":"not-taken","medicationCodeableConcept":{"text":"Aspirin"},"effectivePeriod":{"start":"2014"},"dosage":[{"doseAndRate":[{"doseQuantity":{"value":75.0,"unit":"mg"}}]}],"note":[{"text":"stopped by herself"}]}"#;
    for (version, json) in [(Dstu2, dstu2), (Stu3, stu3), (R4, r4)] {
        let said = medications(version, &[json]).remove(0);
        assert_eq!((said.state, said.is_reported), (OrderState::Ended, true), "{version}");
        assert_eq!(said.status.unwrap().value.as_deref(), Some("not-taken"), "{version}");
        assert_eq!(said.dosage[0].value.as_deref(), Some("75.0 mg"), "{version}");
        assert_eq!(said.taken.unwrap().value.unwrap().start.unwrap().original, "2014");
        assert_eq!(said.notes.len(), 1);
        assert_eq!(said.record.reference.as_ref(), "MedicationStatement/s");
        let wrong =
            json.replace("\"active\"", "\"entered-in-error\"").replace("not-taken", "entered-in-error");
        assert_eq!(medications(version, &[&wrong])[0].record.standing, Standing::EnteredInError, "{version}");
    }
}

#[test]
fn a_medicine_by_reference_is_named_in_r5_too() {
    let order = r#"{"resourceType":"MedicationRequest","id":"m","status":"active","medication":{"reference":{"reference":"Medication/x"}}}"#;
    let named = r#"{"resourceType":"Medication","id":"x","code":{"text":"Ibuprofen"}}"#;
    assert_eq!(medications(R5, &[order, named])[0].what.value.as_ref().unwrap().name, "Ibuprofen");
}

#[test]
fn an_observation_keeps_its_decimals_ranges_and_remarks() {
    let of = |comment: &str, interpretation: &str, kind: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"o","status":"final","code":{{"text":"HbA1c"}},"effectiveDateTime":"2015-01-02T03:04:05.60Z","valueQuantity":{{"value":8.10,"unit":"%"}},"interpretation":{interpretation},{comment},"referenceRange":[{{"high":{{"value":5.60}},"{kind}":{{"text":"pregnant"}}}}]}}"#
        )
    };
    let one = r#"{"coding":[{"code":"H"}]}"#;
    let many = format!("[{one}]");
    for (version, json) in [
        (Dstu2, of(r#""comments":"repeat""#, one, "meaning")),
        (Stu3, of(r#""comment":"repeat""#, one, "type")),
        (R4, of(r#""note":[{"text":"repeat"}]"#, &many, "type")),
        (R5, of(r#""note":[{"text":"repeat"}]"#, &many, "type")),
    ] {
        let found = observations(read_as(version, Section::Results, &[&json])).items.remove(0);
        let Some(ObservationValue::Quantity { quantity }) = found.value.value else { panic!("{version}") };
        assert_eq!(quantity.value, "8.10");
        assert_eq!(found.notes[0].value.as_deref(), Some("repeat"), "{version}");
        assert_eq!(found.flag.unwrap().value.unwrap().level, Level::High, "{version}");
        assert_eq!(found.ranges[0].words().as_deref(), Some("up to 5.60 (pregnant)"), "{version}");
    }
}

#[test]
fn a_value_of_a_kind_that_r4_has_not_is_told_and_not_lost() {
    let file = r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"ECG"},"valueAttachment":{"title":"ECG of 2 May"}}"#;
    for version in [Stu3, Dstu2, R5] {
        let found = observations(read_as(version, Section::Results, &[file])).items.remove(0);
        assert_eq!(found.value.value, Some(ObservationValue::Text { text: "ECG of 2 May".to_owned() }));
    }
    let group = r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"Panel"},"related":[{"type":"has-member","target":{"reference":"Observation/p"}}]}"#;
    assert!(observations(read_as(Stu3, Section::Results, &[group])).items[0].is_group);
}

#[test]
fn a_patient_of_dstu2_has_one_family_name() {
    let json = r#"{"resourceType":"Patient","id":"pat-1","name":[{"use":"official","family":["de la","Cruz"],"given":["Ana"]}],"gender":"female","birthDate":"1945","careProvider":[{"display":"Dr Reyes"}],"link":[{"type":"replace","other":{"reference":"Patient/x"}}],"extension":[{"url":"http://fhir.org/guides/argonaut/StructureDefinition/argo-race","extension":[{"url":"text","valueString":"Black"}]}]}"#;
    let Content::Banner(banner) = read_as(Dstu2, Section::Banner, &[json]).content else {
        panic!("no banner")
    };
    assert_eq!(banner.name.value.unwrap().display, "DE LA CRUZ, Ana");
    assert_eq!(banner.practitioners[0].source.path, "Patient.careProvider");
    assert!(banner.is_replaced);
    assert_eq!(banner.about[0].value.value.as_deref(), Some("Black"));
}

#[test]
fn the_rest_of_the_chart_is_read_from_r5() {
    let encounter = r#"{"resourceType":"Encounter","id":"enc-1","status":"completed","class":[{"coding":[{"code":"AMB","display":"ambulatory"}]}],"actualPeriod":{"start":"2024-01-01"},"reason":[{"value":[{"concept":{"text":"Cough"}}]}],"participant":[{"actor":{"display":"Dr Reyes"}}]}"#;
    let found = items!(read_as(R5, Section::Encounters, &[encounter]), Encounters).remove(0);
    assert_eq!(found.class.unwrap().value.unwrap().name, "ambulatory");
    assert_eq!(found.reasons[0].value.as_ref().unwrap().name, "Cough");
    assert_eq!(found.period.unwrap().source.path, "Encounter.actualPeriod");
    assert_eq!(found.participants[0].source.path, "Encounter.participant.actor");
    let procedure = r#"{"resourceType":"Procedure","id":"p","status":"completed","code":{"text":"x"},"occurrenceDateTime":"2024","reason":[{"concept":{"text":"y"}}]}"#;
    let found = items!(read_as(R5, Section::Procedures, &[procedure]), Procedures).remove(0);
    assert_eq!(found.when.unwrap().source.path, "Procedure.occurrenceDateTime");
    assert_eq!(found.reasons[0].source.path, "Procedure.reason.concept");
    let document = r#"{"resourceType":"DocumentReference","id":"d","status":"current","context":[{"reference":"Encounter/e"}],"period":{"start":"2024"},"content":[{"attachment":{"url":"Binary/b","size":"12"}}]}"#;
    let found = items!(read_as(R5, Section::Documents, &[document]), Documents).remove(0);
    assert_eq!(found.care_period.unwrap().source.path, "DocumentReference.period");
    assert_eq!(found.attachments[0].size.as_deref(), Some("12"));
    let immunization = r#"{"resourceType":"Immunization","id":"i","status":"completed","vaccineCode":{"text":"x"},"occurrenceDateTime":"2024","protocolApplied":[{"doseNumber":"2"}]}"#;
    let found = items!(read_as(R5, Section::Immunizations, &[immunization]), Immunizations).remove(0);
    assert_eq!(found.dose.unwrap().value.as_deref(), Some("2"));
    let team = r#"{"resourceType":"CareTeam","id":"t","participant":[{"member":{"display":"Sam"},"role":{"text":"Nurse"},"coveragePeriod":{"start":"2024"}}]}"#;
    let found = items!(read_as(R5, Section::Careteam, &[team]), Careteam).remove(0);
    assert_eq!((found.roles.len(), found.period.is_some()), (1, true));
    let coverage = r#"{"resourceType":"Coverage","id":"c","status":"active","insurer":{"display":"Payer"},"subscriberId":[{"value":"S-1"}]}"#;
    let found = items!(read_as(R5, Section::Coverage, &[coverage]), Coverage).remove(0);
    assert_eq!((found.payors.len(), found.subscriber_id.unwrap().value.as_deref()), (1, Some("S-1")));
}

#[test]
fn a_section_that_a_version_is_not_mapped_for_says_so_and_asks_nothing() {
    for version in [Dstu2, Stu3] {
        let section = read_as(version, Section::Procedures, &[r#"{"resourceType":"Procedure","id":"p"}"#]);
        assert_eq!((section.state, section.content), (SectionState::Failed, Content::Nothing));
        assert_eq!(section.problems[0].code, "chart.version_not_mapped");
        assert!(section.problems[0].message.contains(version.as_str()));
        assert_eq!(section.fhir_version, version);
    }
}

#[test]
fn a_resource_of_another_version_than_the_endpoint_claims_is_unreadable_and_not_guessed() {
    let r4 = r#"{"resourceType":"Condition","id":"c","code":{"text":"x"},"clinicalStatus":"active"}"#;
    let section = read_as(R4, Section::Problems, &[r4]);
    assert_eq!((section.state, section.problems.len()), (SectionState::Partial, 1));
    assert!(items!(section, Problems).is_empty());
}
