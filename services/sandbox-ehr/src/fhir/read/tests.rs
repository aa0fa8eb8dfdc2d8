use std::sync::Arc;

use axum::body::to_bytes;
use http::header::ACCEPT;

use super::*;
use crate::{data::Records, faults::FhirFault, profile::Profile, state::TokenInfo};

fn context(scopes: &[&str]) -> Context {
    Context {
        records: Arc::new(Records::generate(7, 9)),
        base: "http://127.0.0.1:1/strict/general/fhir".to_owned(),
        token: TokenInfo {
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            patient: Some("pat-0001".to_owned()),
            encounter: None,
            user: None,
            client_id: "app".to_owned(),
        },
        profile: Profile::named("strict").unwrap(),
        tenant: 0,
        faults: Vec::new(),
        now_seconds: 0,
    }
}

fn headers(name: HeaderName, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
}

async fn body(response: Response) -> Vec<u8> {
    to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()
}

fn status(context: &Context, kind: &str, id: &str) -> u16 {
    answer(context, kind, id, None, &HeaderMap::new()).status().as_u16()
}

#[test]
fn a_read_carries_tag_and_date_and_an_unchanged_resource_is_not_sent_again() {
    let context = context(&["patient/*.rs"]);
    let first = answer(&context, "Patient", "pat-0001", None, &HeaderMap::new());
    let etag = first.headers()[ETAG].to_str().unwrap().to_owned();
    let modified = first.headers()[LAST_MODIFIED].to_str().unwrap().to_owned();
    assert_eq!(etag, "W/\"2\"", "the address changed once");
    assert!(modified.ends_with(" GMT"), "{modified}");
    let again = |name, value: &str| answer(&context, "Patient", "pat-0001", None, &headers(name, value));
    assert_eq!(again(IF_NONE_MATCH, &etag).status(), StatusCode::NOT_MODIFIED);
    assert_eq!(again(IF_NONE_MATCH, "\"1\", \"2\"").status(), StatusCode::NOT_MODIFIED);
    assert_eq!(again(IF_NONE_MATCH, "W/\"1\"").status(), StatusCode::OK);
    assert_eq!(again(IF_MODIFIED_SINCE, &modified).status(), StatusCode::NOT_MODIFIED);
    assert_eq!(again(IF_MODIFIED_SINCE, "Mon, 01 Jan 2001 00:00:00 GMT").status(), StatusCode::OK);
}

#[tokio::test]
async fn versions_are_read_by_their_number() {
    let context = context(&["patient/*.rs"]);
    let version = |number: &str| answer(&context, "Patient", "pat-0001", Some(number), &HeaderMap::new());
    let old: Value = serde_json::from_slice(&body(version("1")).await).unwrap();
    let new: Value = serde_json::from_slice(&body(version("2")).await).unwrap();
    assert_eq!(old["meta"]["versionId"], "1");
    assert_ne!(old["address"], new["address"]);
    assert_eq!(version("3").status(), StatusCode::NOT_FOUND);
    assert_eq!(version("x").status(), StatusCode::NOT_FOUND);
}

#[test]
fn what_is_not_there_not_an_id_or_not_allowed_is_told_apart() {
    let context = context(&["patient/Patient.rs", "patient/Condition.rs", "patient/Medication.rs"]);
    assert_eq!(status(&context, "Patient", "pat-0001"), 200);
    assert_eq!(status(&context, "Patient", "pat-0002"), 403);
    assert_eq!(status(&context, "Condition", "cond-0002-01"), 403);
    assert_eq!(status(&context, "Patient", "pat-9999"), 404);
    assert_eq!(status(&context, "Patient", &"a".repeat(65)), 400);
    assert_eq!(status(&context, "Patient", &"a".repeat(64)), 404);
    assert_eq!(status(&context, "Shoe", "1"), 404);
    assert_eq!(status(&context, "Observation", "vital-0001-01"), 403);
    assert_eq!(status(&context, "Medication", "med-861004"), 200);
}

#[test]
fn a_scope_with_a_category_reads_that_category_alone() {
    let category = "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs";
    let context = context(&[&format!("patient/Observation.rs?category={category}")]);
    assert_eq!(status(&context, "Observation", "vital-0001-01"), 200);
    assert_eq!(status(&context, "Observation", "lab-0001-01"), 403);
}

#[tokio::test]
async fn a_binary_comes_as_its_bytes_or_as_a_resource() {
    let context = context(&["patient/*.rs"]);
    let id = "bin-0001-01";
    let raw = answer(&context, "Binary", id, None, &headers(ACCEPT, "text/plain"));
    assert_eq!(raw.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
    let raw = body(raw).await;
    let resource = answer(&context, "Binary", id, None, &headers(ACCEPT, "application/fhir+json"));
    let resource: Value = serde_json::from_slice(&body(resource).await).unwrap();
    assert_eq!(STANDARD.decode(resource["data"].as_str().unwrap()).unwrap(), raw);
    let other = answer(&context, "Binary", id, None, &headers(ACCEPT, "image/png"));
    assert_eq!(other.status(), StatusCode::NOT_ACCEPTABLE);
    assert_eq!(status(&context, "Binary", "bin-0002-01"), 403);
}

#[tokio::test]
async fn the_foreign_patient_fault_answers_with_somebody_else() {
    let mut context = context(&["patient/*.rs"]);
    context.faults = vec![FhirFault::ForeignPatient];
    let response = answer(&context, "Condition", "cond-0001-01", None, &HeaderMap::new());
    assert_eq!(response.status(), StatusCode::OK);
    let found: Value = serde_json::from_slice(&body(response).await).unwrap();
    assert_ne!(found["subject"]["reference"], "Patient/pat-0001");
}
