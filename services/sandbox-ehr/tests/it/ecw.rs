//! What tells eClinicalWorks from others.

use http::Method;
use serde_json::json;

use crate::ehr::{Ehr, text};
use crate::product::{Product, link, matches, tokens};

async fn ecw() -> Product {
    Product::launched("ecw").await
}

#[tokio::test]
async fn the_issuer_is_the_fhir_base() {
    let ehr = Ehr::start_as("ecw").await;
    let found = ehr.get(&ehr.fhir("/.well-known/smart-configuration")).await.json();
    assert_eq!(text(&found, "issuer"), ehr.fhir(""));
}

#[tokio::test]
async fn a_slash_behind_the_audience_is_too_much() {
    let ehr = Ehr::start_as("ecw").await;
    let launch = ehr.launch("public-app").await;
    let request = ehr.authorize_request("public-app", Some(&launch)).with("aud", &ehr.fhir("/"));
    let back = ehr.get(&request.url()).await.location();
    assert_eq!(crate::ehr::answer(&back, "error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn a_refresh_token_serves_once_and_its_reuse_ends_the_grant() {
    let ecw = ecw().await;
    let first = text(&ecw.tokens, "refresh_token");
    let next = ecw.ehr.refresh(first).await.json();
    assert_ne!(text(&next, "refresh_token"), first);
    assert_eq!(ecw.ehr.refresh(first).await.json()["error"], "invalid_grant");
    assert_eq!(ecw.ehr.refresh(text(&next, "refresh_token")).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn two_hundred_and_fifty_requests_a_minute_count_with_those_for_tokens_and_end_with_the_wall_clock() {
    let ehr = Ehr::start_as("ecw").await;
    // To the beginning of a minute, so that the test does not cross one.
    let now = ehr.admin(Method::POST, "/clock", json!({"advance_seconds": 0})).await.json();
    let second: i64 = text(&now, "now")[17..19].parse().unwrap();
    ehr.admin(Method::POST, "/clock", json!({"advance_seconds": 61 - second})).await;
    let mut sent = 0;
    while ehr.get(&ehr.oauth("/jwks")).await.status == 200 {
        sent += 1;
        assert!(sent <= 250);
    }
    assert_eq!(sent, 250);
    let refused = ehr.get(&ehr.fhir("/metadata")).await;
    assert_eq!(
        (refused.status.as_u16(), refused.body.as_str(), refused.header("retry-after")),
        (429, "", "")
    );
    assert_eq!(ehr.get(&ehr.url("/ecw/lakeside/fhir/metadata")).await.status, 200, "each base has its own");
    ehr.admin(Method::POST, "/clock", json!({"advance_seconds": 60})).await;
    assert_eq!(ehr.get(&ehr.fhir("/metadata")).await.status, 200);
}

#[tokio::test]
async fn total_repeats_the_count_that_was_asked_for() {
    let ecw = ecw().await;
    let page = ecw.search("Goal", "_count=50").await;
    assert_eq!(page["total"], json!(50));
    assert!(matches(&page).len() < 50);
}

#[tokio::test]
async fn the_next_page_is_at_the_base_with_an_offset() {
    let ecw = ecw().await;
    let page = ecw.search("Observation", "category=laboratory&_count=5").await;
    let next = link(&page, "next").unwrap();
    assert!(
        next.starts_with(&format!("{}?_getpages=", ecw.ehr.fhir(""))) && next.contains("_getpagesoffset=5")
    );
    let second = ecw.follow(next).await.json();
    assert_eq!(matches(&second).len(), 5);
    assert_ne!(matches(&second)[0]["id"], matches(&page)[0]["id"]);
}

#[tokio::test]
async fn resources_claim_to_be_on_another_host() {
    let ecw = ecw().await;
    let page = ecw.search("Condition", "").await;
    assert!(
        text(&page["entry"][0], "fullUrl")
            .starts_with("http://fhir4.ecw.example/ecw/general/fhir/Condition/")
    );
}

#[tokio::test]
async fn the_media_type_has_its_words_the_other_way_round_and_ids_have_64_characters() {
    let ecw = ecw().await;
    let reply = ecw.get(&format!("/Patient/{}", ecw.patient())).await;
    assert_eq!(reply.header("content-type"), "application/json+fhir");
    assert_eq!(ecw.patient().len(), 64);
}

#[tokio::test]
async fn an_unknown_type_is_400_with_a_narrative_in_html() {
    let ecw = ecw().await;
    let reply = ecw.get("/Chocolate").await;
    assert_eq!(reply.status, 400);
    assert!(text(&reply.json()["text"], "div").contains("<h1>"));
}

#[tokio::test]
async fn three_types_cannot_be_searched_by_patient_alone() {
    let ecw = ecw().await;
    for kind in ["CarePlan", "CareTeam", "Observation"] {
        let reply = ecw.get(&format!("/{kind}?patient={}", ecw.patient())).await;
        assert_eq!(reply.status, 400, "{kind}");
        assert!(reply.body.contains("Does not know how to handle get operation"), "{}", reply.body);
    }
}

#[tokio::test]
async fn assertions_are_taken_with_one_signature_only() {
    let ehr = Ehr::start_as("ecw").await;
    let found = ehr.get(&ehr.fhir("/.well-known/smart-configuration")).await.json();
    assert_eq!(found["token_endpoint_auth_signing_alg_values_supported"], json!(["RS384"]));
}

#[tokio::test]
async fn prescriptions_refer_to_a_medication() {
    let ecw = ecw().await;
    let page = ecw.search("MedicationRequest", "").await;
    assert!(matches(&page).iter().all(|found| found["medicationReference"].is_object()));
}

#[tokio::test]
async fn tokens_and_patients_of_one_practice_are_unknown_to_another() {
    let ehr = Ehr::start_as("ecw").await;
    let tokens = tokens(&ehr, "public-app", crate::product::SCOPES).await;
    let url = ehr.url(&format!("/ecw/lakeside/fhir/Patient/{}", text(&tokens, "patient")));
    let bearer = format!("Bearer {}", text(&tokens, "access_token"));
    let headers = [("authorization", bearer.as_str()), ("accept", "application/fhir+json")];
    assert_eq!(ehr.try_send(Method::GET, &url, &headers, String::new()).await.unwrap().status, 401);
}
