//! What tells NextGen Enterprise from others.

use http::Method;
use serde_json::json;

use crate::ehr::{Ehr, answer, text};
use crate::product::{Product, SCOPES, claims, code, link, matches};

async fn nextgen() -> Product {
    Product::launched("nextgen").await
}

#[tokio::test]
async fn an_audience_is_refused() {
    let ehr = Ehr::start_as("nextgen").await;
    let launch = ehr.launch("public-app").await;
    let request = ehr.authorize_request("public-app", Some(&launch)).with("scope", SCOPES);
    let refused = ehr.get(&request.clone().url()).await.location();
    assert_eq!(answer(&refused, "error").as_deref(), Some("invalid_request"));
    assert!(answer(&ehr.get(&request.without("aud").url()).await.location(), "code").is_some());
}

#[tokio::test]
async fn pkce_is_neither_advertised_nor_checked() {
    let ehr = Ehr::start_as("nextgen").await;
    let found = ehr.get(&ehr.fhir("/.well-known/smart-configuration")).await.json();
    assert_eq!(found["code_challenge_methods_supported"], json!(null));
    let code = code(&ehr, "public-app", SCOPES).await;
    let wrong = "another-verifier-of-more-than-forty-three-characters";
    let fields = [("client_id", "public-app"), ("code", code.as_str()), ("code_verifier", wrong)];
    assert_eq!(ehr.redeem_with(&fields, &[]).await.status, 200);
}

#[tokio::test]
async fn a_page_has_twenty_five_matches_whatever_is_asked() {
    let nextgen = nextgen().await;
    assert_eq!(matches(&nextgen.search("Observation", "category=laboratory&_count=50").await).len(), 25);
    assert_eq!(matches(&nextgen.search("Observation", "category=laboratory&_count=2").await).len(), 25);
}

#[tokio::test]
async fn after_the_second_page_there_is_no_next_though_the_total_is_larger() {
    let nextgen = nextgen().await;
    let first = nextgen.search("Observation", "category=laboratory").await;
    let next = link(&first, "next").unwrap();
    assert!(next.ends_with("page=2"), "{next}");
    let second = nextgen.follow(next).await.json();
    assert_eq!((matches(&second).len(), link(&second, "next")), (25, None));
    assert!(second["total"].as_u64().unwrap() > 50, "the total is true");
}

#[tokio::test]
async fn entries_do_not_say_what_they_are() {
    let nextgen = nextgen().await;
    assert_eq!(nextgen.search("Condition", "").await["entry"][0]["search"], json!(null));
}

#[tokio::test]
async fn the_address_of_a_resource_is_spelt_in_capitals() {
    let nextgen = nextgen().await;
    let page = nextgen.search("Condition", "").await;
    assert!(text(&page["entry"][0], "fullUrl").contains("/nextgen/general/FHIR/Condition/"));
}

#[tokio::test]
async fn a_refresh_token_dies_after_two_days() {
    let nextgen = nextgen().await;
    let token = text(&nextgen.tokens, "refresh_token");
    nextgen.ehr.admin(Method::POST, "/clock", json!({"advance_seconds": 47 * 3600})).await;
    assert_eq!(nextgen.ehr.refresh(token).await.status, 200);
    nextgen.ehr.admin(Method::POST, "/clock", json!({"advance_seconds": 2 * 3600})).await;
    assert_eq!(nextgen.ehr.refresh(token).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn a_care_plan_search_without_category_is_404_and_an_observation_search_400() {
    let nextgen = nextgen().await;
    let status = async |kind: &str| {
        nextgen.get(&format!("/{kind}?patient={}", nextgen.patient())).await.status.as_u16()
    };
    assert_eq!((status("CarePlan").await, status("Observation").await), (404, 400));
}

#[tokio::test]
async fn an_unknown_id_is_400_and_the_issue_has_no_code() {
    let nextgen = nextgen().await;
    let reply = nextgen.get("/Condition/abc").await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.json()["issue"][0]["code"], json!(null));
}

#[tokio::test]
async fn a_document_is_a_file_at_an_address_of_its_own() {
    let nextgen = nextgen().await;
    let page = nextgen.search("DocumentReference", "").await;
    let attachment = &matches(&page)[0]["content"][0]["attachment"];
    assert_eq!(attachment["data"], json!(null));
    let url = text(attachment, "url");
    assert!(url.contains("/fhir/document/"), "{url}");
    let reply = nextgen.follow(url).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "text/plain; charset=utf-8"));
    assert!(reply.body.contains("[canary-pat-0001]"));
}

#[tokio::test]
async fn observations_refer_to_a_code_system_as_their_performer() {
    let nextgen = nextgen().await;
    let page = nextgen.search("Observation", "category=laboratory").await;
    let reference = &matches(&page)[0]["performer"][0]["reference"];
    assert_eq!(reference, "http://terminology.hl7.org/CodeSystem/v3-NullFlavor");
}

#[tokio::test]
async fn resources_tell_no_date_of_change_and_the_id_token_no_user() {
    let nextgen = nextgen().await;
    let body = nextgen.get(&format!("/Patient/{}", nextgen.patient())).await.json();
    assert_eq!(body["meta"]["lastUpdated"], json!(null));
    assert_eq!(claims(&nextgen.tokens)["fhirUser"], json!(null));
}
