//! The patient.

use sallyport_clinical::{
    Content, Section,
    banner::Banner,
    value::{Absent, Origin},
};

use crate::{READ_AT, read};

fn banner(resources: &[&str]) -> Banner {
    match read(Section::Banner, resources).content {
        Content::Banner(banner) => *banner,
        other => panic!("no banner: {other:?}"),
    }
}

const PATIENT: &str = r#"{"resourceType":"Patient","id":"pat-1","meta":{"versionId":"7","profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"],
  "security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},
  "identifier":[{"system":"http://hl7.org/fhir/sid/us-ssn","value":"999-11-2222"},
    {"use":"old","type":{"text":"MRN"},"value":"OLD-1"},
    {"type":{"coding":[{"code":"MR"}]},"value":"0001234","assigner":{"display":"General Hospital"}}],
  "name":[{"use":"maiden","family":"Velasco","given":["Ana"]},{"use":"official","family":"Abreu","given":["Maria","del Carmen"],"prefix":["Mrs."]},{"use":"nickname","given":["Mari"]}],
  "gender":"female","birthDate":"1945-07-14","deceasedBoolean":false,
  "communication":[{"language":{"text":"English"}},{"language":{"text":"Spanish"},"preferred":true}],
  "extension":[{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex","valueCode":"F"},
    {"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-race","extension":[{"url":"text","valueString":"Black"}]},
    {"url":"http://open.epic.com/FHIR/StructureDefinition/extension/legal-sex","valueCodeableConcept":{"coding":[{"display":"female"}]}}]}"#;

#[test]
fn the_whole_banner_of_a_us_core_patient_with_vendor_extensions() {
    insta::assert_json_snapshot!(banner(&[PATIENT]));
}

#[test]
fn of_several_patients_only_the_one_of_the_launch_is_shown() {
    let other = PATIENT.replace("\"pat-1\"", "\"pat-2\"");
    assert_eq!(read(Section::Banner, &[&other]).content, Content::Nothing);
    assert_eq!(banner(&[&other, PATIENT]).record.reference.as_ref(), "Patient/pat-1");
}

#[test]
fn every_value_says_which_layer_it_came_from_and_when_it_was_read() {
    let banner = banner(&[PATIENT]);
    let origins: Vec<(&str, Origin)> =
        banner.about.iter().map(|a| (a.label.as_str(), a.value.source.origin)).collect();
    assert_eq!(
        origins,
        [("Birth sex", Origin::Profile), ("Race", Origin::Profile), ("Legal sex", Origin::Extension)]
    );
    let birth = &banner.birth_date.source;
    assert_eq!(
        (birth.path.as_ref(), birth.version.as_deref(), birth.read_at),
        ("Patient.birthDate", Some("7"), READ_AT)
    );
}

#[test]
fn a_patient_of_whom_nothing_is_known_still_has_a_banner_that_says_so() {
    let bare = banner(&[r#"{"resourceType":"Patient","id":"pat-1","gender":"unknown",
        "_birthDate":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}]},
        "name":[{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"asked-unknown"}]}]}"#]);
    let absent = (bare.name.absent, bare.birth_date.absent, bare.gender.absent);
    assert_eq!(absent, (Some(Absent::AskedUnknown), Some(Absent::Masked), Some(Absent::Unknown)));
}

#[test]
fn death_and_a_replaced_record_are_told() {
    let json = PATIENT.replace(
        "\"deceasedBoolean\":false",
        "\"deceasedDateTime\":\"2026-01\",\"active\":false,\"link\":[{\"type\":\"replaced-by\"}]",
    );
    let banner = banner(&[&json]);
    assert_eq!((banner.is_deceased, banner.is_inactive, banner.is_replaced), (true, true, true));
    assert_eq!(banner.deceased.unwrap().value.unwrap().day_text(), "Jan-2026");
}

#[test]
fn the_encounter_of_the_launch_stands_in_the_banner_and_no_other() {
    let encounter = |id: &str| {
        format!(
            r#"{{"resourceType":"Encounter","id":"{id}","status":"in-progress","class":{{"code":"EMER","display":"emergency"}}}}"#
        )
    };
    let with = banner(&[PATIENT, &encounter("enc-1")]).encounter.unwrap();
    assert_eq!(with.what.value.unwrap().name, "emergency");
    assert_eq!(banner(&[PATIENT, &encounter("enc-2")]).encounter, None);
}
