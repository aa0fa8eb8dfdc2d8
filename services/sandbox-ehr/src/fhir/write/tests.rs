use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::{data::Records, profile::Profile, state::TokenInfo};

fn context(profile: &'static Profile) -> Context {
    let token = TokenInfo {
        scopes: vec!["patient/*.cruds".to_owned()],
        patient: Some("pat-0001".to_owned()),
        encounter: None,
        user: None,
        client_id: "app".to_owned(),
    };
    Context {
        records: Arc::new(Records::generate(1, 2)),
        base: "http://h/x/general/fhir".to_owned(),
        profile,
        tenant: 0,
        token,
        faults: Vec::new(),
        now_seconds: 1_800_000_000,
    }
}

fn check(profile: &'static str, kind: &str, body: &Value) -> Result<(), Failure> {
    let context = context(Profile::named(profile).unwrap());
    let rules = context.profile.writes.as_ref().unwrap();
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/fhir+json"))]);
    resource(&context, rules, kind, &headers, body.to_string().as_bytes()).map(|_members| ())
}

#[test]
fn what_a_type_cannot_do_without_is_asked_for() {
    let whole = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"}});
    assert_eq!(check("strict", "Observation", &whole), Ok(()));
    let bare = json!({"resourceType": "Observation", "status": "final"});
    assert_eq!(check("strict", "Observation", &bare), Err(Failure::REQUIRED_MISSING));
    assert_eq!(check("strict", "Condition", &whole), Err(Failure::NOT_A_RESOURCE));
}

#[test]
fn a_product_takes_some_categories_some_documents_and_no_mixture_of_codes() {
    let observation = |code: &str, coding: Value| {
        json!({"resourceType": "Observation", "status": "final", "code": {"coding": coding},
               "category": [{"coding": [{"code": code}]}]})
    };
    let standard = json!([{"system": "http://loinc.org", "code": "8480-6"}]);
    let own = "https://fhir.oracle.example/0/codeSet/72";
    let mixed = json!([{"system": "http://loinc.org", "code": "8480-6"}, {"system": own, "code": "7"}]);
    assert_eq!(check("oracle", "Observation", &observation("vital-signs", standard.clone())), Ok(()));
    assert_eq!(check("oracle", "Observation", &observation("survey", standard)), Err(Failure::BUSINESS_RULE));
    assert_eq!(
        check("oracle", "Observation", &observation("vital-signs", mixed)),
        Err(Failure::BUSINESS_RULE)
    );
    let note = |kind: &str| {
        json!({"resourceType": "DocumentReference", "status": "current",
               "content": [{"attachment": {"contentType": kind, "data": ""}}]})
    };
    assert_eq!(check("oracle", "DocumentReference", &note("application/xhtml+xml;charset=utf-8")), Ok(()));
    assert_eq!(check("oracle", "DocumentReference", &note("text/plain")), Err(Failure::BUSINESS_RULE));
}

#[test]
fn a_condition_by_nothing_or_by_what_is_not_known_is_none() {
    let context = context(&Profile::STRICT);
    for bad in ["", "?", "shoe-size=44", "_count=1"] {
        let value = HeaderValue::from_static(bad);
        assert_eq!(condition(&context, "Observation", &value).err(), Some(Failure::BAD_CONDITION), "{bad}");
    }
    assert!(condition(&context, "Observation", &HeaderValue::from_static("identifier=urn:x|1")).is_ok());
}

#[test]
fn what_is_written_lies_over_what_was_there() {
    let base = Arc::new(Records::generate(1, 2));
    let first = base.of_patient("Condition", "pat-0001").next().unwrap();
    let mut changed = first.current().unwrap().as_ref().clone();
    changed["note"] = json!([{"text": "changed"}]);
    let (count, id) = (base.of_patient("Condition", "pat-0001").count(), first.id().to_owned());
    let mut records = Records::over(Arc::clone(&base));
    records.insert(changed).unwrap();
    let record = records.record("Condition", &id).unwrap();
    assert_eq!(record.current().unwrap()["meta"]["versionId"], "2");
    assert!(record.version("1").is_some_and(|body| body.get("note").is_none()));
    assert_eq!(records.of_patient("Condition", "pat-0001").count(), count);
    assert_eq!(
        (records.len(), records.all("Condition").count()),
        (base.len(), base.all("Condition").count())
    );
    let new = json!({"resourceType": "Task", "id": "t", "for": {"reference": "Patient/pat-0001"}});
    records.insert(new).unwrap();
    assert_eq!(records.of_patient("Task", "pat-0001").count(), 1);
    assert!(records.kinds().any(|kind| kind == "Task") && records.len() == base.len() + 1);
    assert!(base.record("Condition", &id).unwrap().version("2").is_none(), "others see nothing of it");
}
