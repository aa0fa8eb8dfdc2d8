//! What tells Veradigm from others.

use http::Method;
use serde_json::json;

use crate::ehr::{Ehr, text};
use crate::product::{Product, claims, link, matches};

async fn veradigm() -> Product {
    Product::launched("veradigm").await
}

#[tokio::test]
async fn the_issuer_is_on_a_third_host() {
    let veradigm = veradigm().await;
    assert!(text(&claims(&veradigm.tokens), "iss").starts_with("https://identity.veradigm.example/"));
}

#[tokio::test]
async fn discovery_misnames_the_authentication_methods() {
    let ehr = Ehr::start_as("veradigm").await;
    let found = ehr.get(&ehr.fhir("/.well-known/smart-configuration")).await.json();
    assert!(found["token_endpoint_auth_methods"].is_array());
    assert_eq!(found["token_endpoint_auth_methods_supported"], json!(null));
}

#[tokio::test]
async fn discovery_does_not_say_which_signatures_are_taken() {
    let ehr = Ehr::start_as("veradigm").await;
    let found = ehr.get(&ehr.fhir("/.well-known/smart-configuration")).await.json();
    assert_eq!(found["token_endpoint_auth_signing_alg_values_supported"], json!(null));
}

#[tokio::test]
async fn the_statement_names_only_two_of_the_oauth_addresses() {
    let ehr = Ehr::start_as("veradigm").await;
    let statement = ehr.get(&ehr.fhir("/metadata")).await.json();
    let addresses = &statement["rest"][0]["security"]["extension"][0]["extension"];
    let names: Vec<_> =
        addresses.as_array().unwrap().iter().filter_map(|found| found["url"].as_str()).collect();
    assert_eq!(names, ["authorize", "token"]);
}

#[tokio::test]
async fn the_statement_promises_writes_that_do_not_work() {
    let veradigm = veradigm().await;
    let statement = veradigm.ehr.get(&veradigm.ehr.fhir("/metadata")).await.json();
    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    let condition = resources.iter().find(|found| found["type"] == "Condition").unwrap();
    assert!(condition["interaction"].to_string().contains("create"));
    let bearer = format!("Bearer {}", veradigm.token());
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/fhir+json")];
    let body = json!({"resourceType": "Condition"}).to_string();
    let url = veradigm.ehr.fhir("/Condition");
    let reply = veradigm.ehr.try_send(Method::POST, &url, &headers, body).await.unwrap();
    assert_eq!(reply.status, 405);
}

#[tokio::test]
async fn a_refresh_brings_a_new_token_that_dies_when_the_first_would_have() {
    let veradigm = veradigm().await;
    let first = text(&veradigm.tokens, "refresh_token");
    veradigm.ehr.admin(Method::POST, "/clock", json!({"advance_seconds": 60 * 24 * 3600})).await;
    let next = veradigm.ehr.refresh(first).await.json();
    let second = text(&next, "refresh_token");
    assert_ne!(second, first);
    assert_eq!(veradigm.ehr.refresh(first).await.status, 200, "the old one stays good");
    veradigm.ehr.admin(Method::POST, "/clock", json!({"advance_seconds": 31 * 24 * 3600})).await;
    assert_eq!(veradigm.ehr.refresh(second).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn a_type_that_is_not_licensed_is_refused_though_its_scope_was_granted() {
    let veradigm = veradigm().await;
    assert!(text(&veradigm.tokens, "scope").contains("patient/Coverage.rs"));
    let reply = veradigm.get(&format!("/Coverage?patient={}", veradigm.patient())).await;
    assert_eq!(reply.status, 403);
    assert!(reply.body.contains("not licensed"), "{}", reply.body);
}

#[tokio::test]
async fn unknown_parameters_are_ignored_and_repeated() {
    let veradigm = veradigm().await;
    let page = veradigm.search("Condition", "shoe-size=44").await;
    assert!(!matches(&page).is_empty() && link(&page, "self").unwrap().contains("shoe-size=44"));
}

#[tokio::test]
async fn bundles_have_an_id_and_no_total() {
    let veradigm = veradigm().await;
    let page = veradigm.search("Condition", "").await;
    assert!(page["id"].is_string() && page["total"].is_null());
}
