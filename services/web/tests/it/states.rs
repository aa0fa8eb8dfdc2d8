//! The states a chart can be in, by name: for the assertions and for looking at the pages.

use std::collections::HashMap;

use sallyport_clinical::Section;
use sallyport_model::Code;
use sallyport_proto::gateway::v1::CareGapsResponse;

use crate::{
    chart::{Lab, condition, document, lab, patient},
    fake::{Canned, NOW},
};

/// Every state with its name.
pub(crate) fn all() -> Vec<(&'static str, Canned)> {
    vec![
        ("whole", Canned::whole()),
        ("partial", partial()),
        ("empty", empty()),
        ("hostile", hostile()),
        ("long", long()),
        ("slim", slim()),
        ("deceased", deceased()),
        ("arabic", arabic()),
        ("unidentified", unidentified()),
        ("expiring", expiring()),
        ("document", sent_document()),
        ("unscanned", unscanned()),
    ]
}

pub(crate) fn partial() -> Canned {
    let mut canned = Canned::whole()
        .without(Section::Medications, Code::UpstreamBusy, "MedicationRequest")
        .without(Section::Encounters, Code::ScopeDenied, "Encounter")
        .without(Section::Documents, Code::PolicyDenied, "DocumentReference");
    canned.never = vec![Section::Vitals];
    let broken = r#"{"resourceType":"Condition","id":"broken","code":7}"#.to_owned();
    canned.resources.get_mut(&Section::Problems).unwrap().push(broken);
    canned
}

pub(crate) fn empty() -> Canned {
    let mut canned = Canned::whole();
    let bare = r#"{"resourceType":"Patient","id":"pat-1","_birthDate":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}]}}"#;
    canned.resources = HashMap::from([(Section::Banner, vec![bare.to_owned()])]);
    canned
}

/// What hostile text looks like.
pub(crate) const HOSTILE: &str =
    "<script>alert(1)</script><img src=x onerror=alert(2)>'&quot;{{7*7}}\u{202e}";

/// Hostile text in every free-text member of every resource, by replacing each text that is no code, date or reference.
pub(crate) fn hostile() -> Canned {
    let mut canned = Canned::whole();
    let free = [
        "text",
        "display",
        "name",
        "title",
        "description",
        "valueString",
        "family",
        "city",
        "unit",
        "line",
        "given",
        "lotNumber",
        "subscriberId",
        "value",
        "code",
        "system",
        "url",
    ];
    for resources in canned.resources.values_mut() {
        for resource in resources {
            let mut json: serde_json::Value = serde_json::from_str(resource).unwrap();
            poison(&mut json, "", &free);
            *resource = json.to_string();
        }
    }
    canned.view.user_display = HOSTILE.to_owned();
    canned.view.tenant_name = HOSTILE.to_owned();
    canned.view.endpoint_name = HOSTILE.to_owned();
    canned.view.features[1].title = HOSTILE.to_owned();
    canned.view.features[1].reason = HOSTILE.to_owned();
    canned
}

fn poison(json: &mut serde_json::Value, key: &str, free: &[&str]) {
    match json {
        serde_json::Value::String(text) if free.contains(&key) => *text = HOSTILE.to_owned(),
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| poison(item, key, free)),
        serde_json::Value::Object(members) => {
            members.iter_mut().for_each(|(key, value)| poison(value, key, free));
        }
        _ => {}
    }
}

pub(crate) fn long() -> Canned {
    let name = "Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh y Montoya";
    let patient = patient().replace("\"Abreu\"", &format!("\"{name}\""));
    let problems = (0..40)
        .map(|n| condition(&format!("p{n}"), &format!("Problem number {n} with a name that goes on for quite a while because the EHR's text does"), "active", "2019-04"))
        .collect();
    let labs = (0..30)
        .map(|n| {
            let (id, code, name) = (
                format!("l{n}"),
                format!("{n}-9"),
                format!("Laboratory test with a rather long name, number {n}"),
            );
            lab(
                &Lab {
                    id: &id,
                    code: &code,
                    name: &name,
                    value: "1234567890",
                    unit: "10*3/uL",
                    range: Some(("1000000000", "2000000000")),
                    flag: "",
                    date: "2026-03-12T08:00:00Z",
                },
                "laboratory",
            )
        })
        .collect();
    let encounter = Canned::whole().resources[&Section::Banner][1].clone();
    Canned::whole()
        .with(Section::Banner, vec![patient, encounter])
        .with(Section::Problems, problems)
        .with(Section::Results, labs)
}

pub(crate) fn slim() -> Canned {
    let mut canned = Canned::whole();
    canned.view.need_patient_banner = false;
    canned
}

pub(crate) fn deceased() -> Canned {
    let patient =
        patient().replace("\"active\":true", "\"active\":false,\"deceasedDateTime\":\"2026-01-03\"");
    let mut canned = Canned::whole().with(Section::Banner, vec![patient]);
    canned.view.environment = "production".into();
    canned
}

pub(crate) fn arabic() -> Canned {
    let patient = patient()
        .replace("\"Abreu\"", "\"\u{627}\u{644}\u{645}\u{635}\u{631}\u{64a}\"")
        .replace("\"Maria\",\"del Carmen\"", "\"\u{641}\u{627}\u{637}\u{645}\u{629}\"");
    let none = r#"{"resourceType":"AllergyIntolerance","id":"a0","clinicalStatus":{"coding":[{"code":"active"}]},"code":{"coding":[{"system":"http://snomed.info/sct","code":"716186003","display":"No known allergy"}]},"patient":{"reference":"Patient/pat-1"}}"#;
    Canned::whole().with(Section::Banner, vec![patient]).with(Section::Allergies, vec![none.to_owned()])
}

pub(crate) fn unidentified() -> Canned {
    Canned::whole().without(Section::Banner, Code::UpstreamTimeout, "Patient")
}

/// Care gaps are on, and no scan has judged the patient.
pub(crate) fn unscanned() -> Canned {
    Canned::whole().with_care_gaps(Some(Ok(CareGapsResponse { is_set_up: true, found: Vec::new() })))
}

pub(crate) fn expiring() -> Canned {
    let mut canned = Canned::whole();
    canned.view.idle_expires_at = NOW + 100_000_000;
    canned.view.standalone_allowed = true;
    canned
}

pub(crate) fn sent_document() -> Canned {
    let mut canned = Canned::whole();
    canned.view.fhir_context_json = r#"[{"reference":"DocumentReference/d2"}]"#.into();
    let mut documents = canned.resources[&Section::Documents].clone();
    documents.push(document(
        "d4",
        "Old note",
        "2020-01-01",
        r#"{"contentType":"text/html","data":"PHA+aGk8L3A+"}"#,
    ));
    canned.with(Section::Documents, documents)
}
