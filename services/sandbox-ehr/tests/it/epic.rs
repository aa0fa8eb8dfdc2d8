//! What tells Epic's FHIR server from others.

use http::Method;
use serde_json::json;

use crate::ehr::Ehr;
use crate::product::{Product, issue_codes, link, matches, remarks, tokens};

async fn epic() -> Product {
    Product::launched("epic").await
}

#[tokio::test]
async fn care_plans_without_category_are_refused_with_59159_and_the_list_of_categories() {
    let epic = epic().await;
    let reply = epic.get(&format!("/CarePlan?patient={}", epic.patient())).await;
    assert_eq!(reply.status, 400);
    assert_eq!(issue_codes(&reply.json()), ["59159"]);
    assert!(reply.body.contains("38717003"), "{}", reply.body);
}

#[tokio::test]
async fn observations_need_a_code_or_a_category() {
    let epic = epic().await;
    let reply = epic.get(&format!("/Observation?patient={}", epic.patient())).await;
    assert_eq!((reply.status.as_u16(), issue_codes(&reply.json())), (400, vec!["59108"]));
    assert!(!matches(&epic.search("Observation", "category=laboratory").await).is_empty());
}

#[tokio::test]
async fn nothing_found_is_one_entry_that_says_4101() {
    let epic = epic().await;
    let empty = epic.search("Observation", "code=http://loinc.org|0-0").await;
    assert_eq!(remarks(&empty), ["4101"]);
    assert_eq!(empty["entry"][0]["search"]["mode"], "outcome");
    assert!(matches(&empty).is_empty());
}

#[tokio::test]
async fn conditions_come_with_a_warning_that_encounter_diagnoses_are_kept_back() {
    let epic = epic().await;
    let page = epic.search("Condition", "").await;
    assert_eq!(remarks(&page), ["4119", "59204"]);
    let categories: String = matches(&page).iter().map(|found| found["category"].to_string()).collect();
    assert!(categories.contains("problem-list-item") && !categories.contains("encounter-diagnosis"));
}

#[tokio::test]
async fn observation_ids_have_130_characters_and_can_be_read() {
    let epic = epic().await;
    let page = epic.search("Observation", "category=laboratory&_count=2").await;
    let id = matches(&page)[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 130);
    let read = epic.get(&format!("/Observation/{id}")).await.json();
    assert_eq!(read["id"], id.as_str());
    assert_eq!(read["subject"]["reference"], format!("Patient/{}", epic.patient()));
}

#[tokio::test]
async fn resources_tell_no_version_date_or_profile() {
    let epic = epic().await;
    let reply = epic.get(&format!("/Patient/{}", epic.patient())).await;
    let meta = reply.json()["meta"].clone();
    assert_eq!(
        (&meta["versionId"], &meta["lastUpdated"], &meta["profile"]),
        (&json!(null), &json!(null), &json!(null))
    );
    assert_eq!((reply.header("etag"), reply.header("last-modified")), ("", ""));
}

#[tokio::test]
async fn who_does_not_name_json_gets_xml() {
    let epic = epic().await;
    let bearer = format!("Bearer {}", epic.token());
    let url = epic.ehr.fhir(&format!("/Patient/{}", epic.patient()));
    for accept in ["*/*", "application/fhir+xml", "text/plain"] {
        let headers = [("authorization", bearer.as_str()), ("accept", accept)];
        let reply = epic.ehr.try_send(Method::GET, &url, &headers, String::new()).await.unwrap();
        assert_eq!(reply.header("content-type"), "application/fhir+xml", "{accept}");
        assert!(reply.body.contains("<Patient xmlns=\"http://hl7.org/fhir\">"), "{}", reply.body);
    }
}

#[tokio::test]
async fn a_missing_scope_is_403_with_an_empty_body_and_a_challenge() {
    let ehr = Ehr::start_as("epic").await;
    let tokens = tokens(&ehr, "public-app", "launch patient/Patient.rs").await;
    let reply = ehr.fhir_get("/Condition?patient=x", tokens["access_token"].as_str().unwrap()).await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (403, ""));
    assert!(reply.header("www-authenticate").contains("insufficient_scope"));
}

#[tokio::test]
async fn a_bad_token_is_401_with_an_empty_string_in_json() {
    let ehr = Ehr::start_as("epic").await;
    let reply = ehr.fhir_get("/Patient/x", "not-a-token").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (401, "\"\""));
    assert!(reply.header("www-authenticate").starts_with("Bearer"));
}

#[tokio::test]
async fn an_unknown_type_is_the_web_servers_error_page() {
    let epic = epic().await;
    let reply = epic.get("/Chocolate/1").await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (404, "text/html"));
    assert!(reply.body.starts_with("<!DOCTYPE html>"));
}

#[tokio::test]
async fn an_unknown_id_is_59008_and_what_is_no_id_is_4102() {
    let epic = epic().await;
    let unknown = epic.get("/Condition/abc").await;
    assert_eq!((unknown.status.as_u16(), issue_codes(&unknown.json())), (404, vec!["59008"]));
    let bad = epic.get("/Condition/a%20b").await;
    assert_eq!((bad.status.as_u16(), issue_codes(&bad.json())), (400, vec!["4102"]));
}

#[tokio::test]
async fn total_is_the_size_of_the_page() {
    let epic = epic().await;
    let page = epic.search("Observation", "category=laboratory&_count=3").await;
    assert_eq!((page["total"].as_u64(), matches(&page).len()), (Some(3), 3));
    assert!(link(&page, "next").is_some());
    let count = epic.search("Observation", "category=laboratory&_summary=count").await;
    assert!(count["total"].as_u64().unwrap() > 3, "the count alone is told truly");
}

#[tokio::test]
async fn the_next_page_is_a_server_session_that_expires_with_4113() {
    let epic = epic().await;
    let page = epic.search("Observation", "category=laboratory&_count=3").await;
    let next = link(&page, "next").unwrap();
    assert!(next.contains("/Observation?sessionID=n-"), "{next}");
    assert_eq!(epic.follow(next).await.status, 200);
    epic.ehr.admin(Method::POST, "/clock", json!({"advance_seconds": 16 * 60})).await;
    let expired = epic.follow(next).await;
    assert_eq!((expired.status.as_u16(), issue_codes(&expired.json())), (400, vec!["4113"]));
}

#[tokio::test]
async fn unknown_parameters_are_ignored_and_repeated_in_the_self_link_but_refused_for_patients() {
    let epic = epic().await;
    let page = epic.search("Condition", "shoe-size=44").await;
    assert!(link(&page, "self").unwrap().contains("shoe-size=44"));
    let refused = epic.get(&format!("/Patient?_id={}&shoe-size=44", epic.patient())).await.json();
    let severities: Vec<_> =
        refused["issue"].as_array().unwrap().iter().map(|issue| &issue["severity"]).collect();
    assert_eq!(severities, ["information", "fatal"]);
}

#[tokio::test]
async fn prescriptions_refer_to_a_medication_of_their_own() {
    let epic = epic().await;
    let page = epic.search("MedicationRequest", "").await;
    let references: Vec<_> = matches(&page)
        .iter()
        .filter_map(|found| found["medicationReference"]["reference"].as_str())
        .collect();
    assert_eq!(references.len(), matches(&page).len());
    let medication = epic.get(&format!("/{}", references[0])).await.json();
    assert_eq!(medication["resourceType"], "Medication");
}

#[tokio::test]
async fn every_concept_is_coded_twice_and_the_local_system_differs_from_tenant_to_tenant() {
    let mut systems = Vec::new();
    for tenant in ["general", "lakeside"] {
        let mut ehr = Ehr::start_as("epic").await;
        ehr.place.tenant = tenant.to_owned();
        let tokens = tokens(&ehr, "public-app", crate::product::SCOPES).await;
        let epic = Product { ehr, tokens };
        let page = epic.search("Condition", "").await;
        let codings = matches(&page)[0]["code"]["coding"].as_array().unwrap().clone();
        assert!(codings.len() >= 2);
        systems.push(codings.last().unwrap()["system"].as_str().unwrap().to_owned());
    }
    assert!(systems.iter().all(|system| system.starts_with("urn:oid:1.2.840.114350.1.13.")));
    assert_ne!(systems[0], systems[1]);
}

#[tokio::test]
async fn tenants_run_different_releases() {
    let ehr = Ehr::start_as("epic").await;
    let mut versions = Vec::new();
    for tenant in ["general", "lakeside"] {
        let url = ehr.url(&format!("/epic/{tenant}/fhir/metadata"));
        let accept = [("accept", "application/json")];
        let statement = ehr.try_send(Method::GET, &url, &accept, String::new()).await.unwrap().json();
        versions.push(statement["software"]["version"].as_str().unwrap().to_owned());
    }
    assert_ne!(versions[0], versions[1]);
}
