//! What tells athenaOne from others.

use base64::Engine as _;
use http::Method;
use serde_json::json;

use crate::ehr::{Ehr, text};
use crate::product::{Product, claims, link, matches};

async fn athena() -> Product {
    Product::launched("athena").await
}

#[tokio::test]
async fn the_issuer_is_somebody_else_and_not_the_authorization_server() {
    let athena = athena().await;
    let found = athena.ehr.get(&athena.ehr.fhir("/.well-known/smart-configuration")).await.json();
    let issuer = text(&found, "issuer");
    assert!(issuer.starts_with("https://identity.athena.example/"), "{issuer}");
    assert!(text(&found, "token_endpoint").starts_with(&athena.ehr.base));
    assert_eq!(claims(&athena.tokens)["iss"], issuer);
}

#[tokio::test]
async fn discovery_misnames_the_authentication_methods_and_hides_pkce() {
    let ehr = Ehr::start_as("athena").await;
    let found = ehr.get(&ehr.fhir("/.well-known/smart-configuration")).await.json();
    assert_eq!(found["token_endpoint_auth_methods_supported"], json!(null));
    assert!(found["token_endpoint_auth_methods"].is_array());
    assert_eq!(found["code_challenge_methods_supported"], json!(null));
}

#[tokio::test]
async fn the_statement_names_the_oauth_addresses_twice_once_under_an_address_that_is_none() {
    let ehr = Ehr::start_as("athena").await;
    let statement = ehr.get(&ehr.fhir("/metadata")).await.json();
    let extensions = statement["rest"][0]["security"]["extension"].as_array().unwrap().clone();
    let urls: Vec<_> = extensions.iter().filter_map(|found| found["url"].as_str()).collect();
    assert_eq!(urls.iter().filter(|url| url.ends_with("oauth-uris")).count(), 2);
    assert!(urls[0].starts_with("http://DSTU2/"));
}

#[tokio::test]
async fn the_practice_is_in_the_ids_and_nowhere_in_the_address() {
    let athena = athena().await;
    assert_eq!(athena.patient(), "a-195900.Patient-pat-0001");
    let page = athena.search("Condition", "").await;
    for found in matches(&page) {
        assert!(found["id"].as_str().unwrap().starts_with("a-195900.Condition-"), "{}", found["id"]);
    }
}

#[tokio::test]
async fn every_resource_carries_its_practice_as_an_extension() {
    let athena = athena().await;
    let body = athena.get(&format!("/Patient/{}", athena.patient())).await.json();
    let extensions = body["extension"].as_array().unwrap();
    let practice = extensions.iter().find(|found| text(found, "url").ends_with("/ah-practice")).unwrap();
    assert_eq!(practice["valueReference"]["reference"], "Organization/a-1.Practice-195900");
}

#[tokio::test]
async fn a_missing_parameter_is_403_as_if_it_were_forbidden() {
    let athena = athena().await;
    let reply = athena.get(&format!("/MedicationRequest?patient={}", athena.patient())).await;
    assert_eq!(reply.status, 403);
    assert!(reply.body.contains("[[patient,intent],[_id]]"), "{}", reply.body);
    assert!(!matches(&athena.search("MedicationRequest", "intent=order").await).is_empty());
}

#[tokio::test]
async fn a_missing_scope_says_so_in_its_own_words() {
    let ehr = Ehr::start_as("athena").await;
    let tokens = crate::product::tokens(&ehr, "public-app", "launch patient/Patient.rs").await;
    let reply = ehr.fhir_get("/Condition?patient=x", text(&tokens, "access_token")).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.json()["issue"][0]["diagnostics"]),
        (403, &json!("Invalid Token Scope"))
    );
}

#[tokio::test]
async fn pages_have_no_total_and_are_named_by_a_cursor_behind_the_search() {
    let athena = athena().await;
    let page = athena.search("Observation", "category=laboratory&_count=4").await;
    assert_eq!(page["total"], json!(null));
    let next = link(&page, "next").unwrap();
    assert!(next.contains("category=laboratory") && next.contains("cursor=a-80000.result-"), "{next}");
    assert_eq!(matches(&athena.follow(next).await.json()).len(), 4);
}

#[tokio::test]
async fn unknown_parameters_are_ignored() {
    let athena = athena().await;
    let all = matches(&athena.search("Condition", "").await).len();
    assert_eq!(matches(&athena.search("Condition", "shoe-size=44").await).len(), all);
}

#[tokio::test]
async fn the_user_is_a_relative_reference() {
    let athena = athena().await;
    assert!(text(&claims(&athena.tokens), "fhirUser").starts_with("Practitioner/a-1.Practitioner-"));
}

#[tokio::test]
async fn observations_have_no_date_of_change() {
    let athena = athena().await;
    let page = athena.search("Observation", "category=laboratory&_count=3").await;
    assert!(matches(&page).iter().all(|found| found["meta"]["lastUpdated"].is_null()));
    assert!(matches(&athena.search("Condition", "").await)[0]["meta"]["lastUpdated"].is_string());
}

#[tokio::test]
async fn diagnoses_of_an_encounter_have_no_clinical_status() {
    let athena = athena().await;
    let page = athena.search("Condition", "").await;
    let (at_encounters, others): (Vec<_>, Vec<_>) = matches(&page)
        .into_iter()
        .partition(|found| found["category"].to_string().contains("encounter-diagnosis"));
    assert!(!at_encounters.is_empty() && !others.is_empty());
    assert!(at_encounters.iter().all(|found| found["clinicalStatus"].is_null()));
    assert!(others.iter().any(|found| found["clinicalStatus"].is_object()));
}

#[tokio::test]
async fn documents_are_inline_pages_or_have_neither_bytes_nor_address() {
    let athena = athena().await;
    let page = athena.search("DocumentReference", "").await;
    let attachments: Vec<_> =
        matches(&page).into_iter().map(|found| &found["content"][0]["attachment"]).collect();
    let (inline, nothing): (Vec<_>, Vec<_>) = attachments.iter().partition(|found| found["data"].is_string());
    let bytes = base64::engine::general_purpose::STANDARD.decode(text(inline[0], "data")).unwrap();
    assert!(inline[0]["contentType"] == "text/html" && bytes.starts_with(b"<html>"));
    assert!(nothing.iter().all(|found| found["url"].is_null()) && !nothing.is_empty());
}

#[tokio::test]
async fn document_types_stand_under_a_system_that_is_a_value_set() {
    let athena = athena().await;
    let page = athena.search("DocumentReference", "").await;
    let system = &matches(&page)[0]["type"]["coding"][0]["system"];
    assert_eq!(system, "https://hl7.org/fhir/valueset-doc-section-codes.html");
}

#[tokio::test]
async fn the_rate_is_told_on_every_answer_and_the_day_ends_at_midnight_in_greenwich_with_403() {
    let athena = athena().await;
    let path = format!("/Patient/{}", athena.patient());
    let reply = athena.get(&path).await;
    assert_eq!(reply.header("ratelimit-limit"), "500");
    let remaining: u32 = reply.header("x-ratelimit-remaining").parse().unwrap();
    assert!(remaining < 500);
    let limit = json!({"match": {"kind": "fhir"}, "fault": "429-headers:9", "times": 1});
    athena.ehr.admin(Method::POST, "/faults", limit).await;
    let refused = athena.get(&path).await;
    assert_eq!((refused.header("ratelimit-remaining"), refused.header("retry-after")), ("0", ""));
}
