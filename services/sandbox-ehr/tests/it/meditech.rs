//! What tells MEDITECH Expanse from others.

use serde_json::json;

use crate::ehr::{Ehr, SECRET, text};
use crate::product::{Product, SCOPES, code, link, matches};

async fn meditech() -> Product {
    Product::launched("meditech").await
}

#[tokio::test]
async fn links_spell_the_origin_in_another_way_and_lead_to_the_same_place() {
    let meditech = meditech().await;
    let page = meditech.search("Observation", "category=laboratory").await;
    let next = link(&page, "next").unwrap();
    assert!(!next.starts_with(&meditech.ehr.base), "{next}");
    let same = url::Url::parse(next).unwrap();
    assert_eq!(same.origin(), url::Url::parse(&meditech.ehr.base).unwrap().origin());
    assert_eq!(meditech.follow(same.as_str()).await.status, 200);
}

#[tokio::test]
async fn the_next_page_is_a_continuation_behind_the_search() {
    let meditech = meditech().await;
    let page = meditech.search("Observation", "category=laboratory").await;
    let next = link(&page, "next").unwrap();
    assert!(next.contains("category=laboratory") && next.contains("continue=LA."), "{next}");
}

#[tokio::test]
async fn observations_come_by_twenty_and_everything_else_on_one_page() {
    let meditech = meditech().await;
    assert_eq!(matches(&meditech.search("Observation", "category=laboratory&_count=100").await).len(), 20);
    assert_eq!(link(&meditech.search("Condition", "").await, "next"), None);
}

#[tokio::test]
async fn total_is_the_number_of_entries_on_the_page() {
    let meditech = meditech().await;
    assert_eq!(meditech.search("Observation", "category=laboratory").await["total"], json!(20));
}

#[tokio::test]
async fn an_unknown_id_is_an_object_of_resource_and_detail() {
    let meditech = meditech().await;
    let reply = meditech.get("/Condition/abc").await;
    assert_eq!(
        (reply.status.as_u16(), reply.json()),
        (404, json!({"resource": "fhir", "detail": "Not Found"}))
    );
}

#[tokio::test]
async fn a_bad_token_is_told_in_the_same_shape() {
    let ehr = Ehr::start_as("meditech").await;
    let reply = ehr.fhir_get("/Patient/x", "not-a-token").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["detail"]), (401, &json!("Unauthorized")));
}

#[tokio::test]
async fn an_unknown_type_is_told_in_the_same_shape() {
    let meditech = meditech().await;
    let reply = meditech.get("/Chocolate/1").await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (404, "application/json"));
}

#[tokio::test]
async fn errors_of_the_token_endpoint_have_no_error_in_them() {
    let ehr = Ehr::start_as("meditech").await;
    let body = ehr.redeem("public-app", "made-up").await.json();
    assert_eq!((&body["error"], &body["detail"]), (&json!(null), &json!("Bad Request")));
}

#[tokio::test]
async fn the_secret_is_taken_in_the_form_and_not_by_basic() {
    use base64::Engine as _;
    let ehr = Ehr::start_as("meditech").await;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("secret-app:{SECRET}"));
    let basic = format!("Basic {basic}");
    let headers = [("authorization", basic.as_str())];
    let by_basic = code(&ehr, "secret-app", SCOPES).await;
    assert_eq!(ehr.redeem_with(&[("code", &by_basic)], &headers).await.status, 401);
    let in_form = code(&ehr, "secret-app", SCOPES).await;
    let fields = [("client_id", "secret-app"), ("client_secret", SECRET), ("code", in_form.as_str())];
    assert_eq!(ehr.redeem_with(&fields, &[]).await.status, 200);
}

#[tokio::test]
async fn discovery_lists_scopes_of_the_products_own_machinery() {
    let ehr = Ehr::start_as("meditech").await;
    let found = ehr.get(&ehr.fhir("/.well-known/smart-configuration")).await.json();
    assert!(found["scopes_supported"].to_string().contains("infr-"));
}

#[tokio::test]
async fn answers_carry_a_request_number_and_a_trace() {
    let meditech = meditech().await;
    let reply = meditech.get(&format!("/Patient/{}", meditech.patient())).await;
    assert!(!reply.header("mtrestapi-requestid").is_empty() && !reply.header("traceparent").is_empty());
}

#[tokio::test]
async fn half_the_fleet_is_years_behind() {
    let ehr = Ehr::start_as("meditech").await;
    let old = ehr.get(&ehr.url("/meditech/lakeside/fhir/metadata")).await.json();
    assert_eq!(text(&old["software"], "version"), "US Core R4 1.0.0");
}
