//! What tells Oracle Health Millennium from others.

use http::Method;
use serde_json::json;

use crate::ehr::{Ehr, REDIRECT, SECRET, answer, text};
use crate::product::{Product, SCOPES, link, matches, tokens};

async fn oracle() -> Product {
    Product::launched("oracle").await
}

#[tokio::test]
async fn the_authorization_server_is_on_another_host_than_the_fhir_server() {
    let oracle = oracle().await;
    let found = oracle.ehr.get(&oracle.ehr.fhir("/.well-known/smart-configuration")).await.json();
    let authorize = url::Url::parse(text(&found, "authorization_endpoint")).unwrap();
    let fhir = url::Url::parse(&oracle.ehr.fhir("")).unwrap();
    assert_ne!(authorize.host_str(), fhir.host_str());
    assert_eq!(authorize.port(), fhir.port(), "and it is really there");
    assert_eq!(oracle.ehr.get(text(&found, "jwks_uri")).await.status, 200);
}

#[tokio::test]
async fn access_tokens_live_570_seconds() {
    let oracle = oracle().await;
    assert_eq!(oracle.tokens["expires_in"], json!(570));
    oracle.ehr.admin(Method::POST, "/clock", json!({"advance_seconds": 571})).await;
    let reply = oracle.get(&format!("/Patient/{}", oracle.patient())).await;
    assert_eq!(reply.status, 401);
    assert!(reply.json()["issue"][0]["diagnostics"].as_str().unwrap().starts_with("Bearer realm"));
}

#[tokio::test]
async fn scopes_of_version_1_are_dropped_without_a_word() {
    let ehr = Ehr::start_as("oracle").await;
    let tokens = tokens(&ehr, "public-app", "launch patient/Patient.rs patient/Condition.read").await;
    assert_eq!(text(&tokens, "scope"), "launch patient/Patient.rs");
}

#[tokio::test]
async fn wildcards_are_dropped_and_where_nothing_is_left_the_error_is_only_an_address() {
    let ehr = Ehr::start_as("oracle").await;
    let request = ehr.authorize_request("public-app", None).with("scope", "patient/*.rs");
    let back = ehr.get(&request.url()).await.location();
    assert_eq!(answer(&back, "error").as_deref(), Some("invalid_scope"));
    assert!(answer(&back, "error_uri").unwrap().contains("/instances/"));
    assert_eq!(answer(&back, "error_description"), None);
}

#[tokio::test]
async fn the_token_endpoint_tells_an_error_by_its_address_too() {
    let ehr = Ehr::start_as("oracle").await;
    let body = ehr.redeem("public-app", "made-up").await.json();
    assert_eq!(body["error"], "invalid_grant");
    assert!(text(&body, "error_uri").starts_with("https://authorization.oracle.example/errors/"));
    assert_eq!(body["error_description"], json!(null));
}

#[tokio::test]
async fn a_request_for_too_many_scopes_is_refused() {
    let ehr = Ehr::start_as("oracle").await;
    let many = "patient/Observation.rs ".repeat(200);
    let request = ehr.authorize_request("public-app", None).with("scope", many.trim());
    assert_eq!(answer(&ehr.get(&request.url()).await.location(), "error").as_deref(), Some("invalid_scope"));
}

#[tokio::test]
async fn a_refresh_brings_no_new_refresh_token_and_the_old_one_dies_of_ninety_idle_days() {
    let oracle = oracle().await;
    let token = text(&oracle.tokens, "refresh_token");
    for (days, error) in [(60, json!(null)), (60, json!(null)), (91, json!("invalid_grant"))] {
        oracle.ehr.admin(Method::POST, "/clock", json!({"advance_seconds": days * 24 * 3600})).await;
        let reply = oracle.ehr.refresh(token).await.json();
        assert_eq!((&reply["error"], &reply["refresh_token"]), (&error, &json!(null)), "{days}");
    }
}

#[tokio::test]
async fn a_suspended_refresh_token_is_refused_like_a_revoked_one_and_comes_back() {
    let oracle = oracle().await;
    let token = text(&oracle.tokens, "refresh_token");
    let of_app = json!({"client_id": "public-app"});
    assert_eq!(oracle.ehr.admin(Method::POST, "/suspend", of_app.clone()).await.json()["changed"], 1);
    assert_eq!(oracle.ehr.refresh(token).await.json()["error"], "invalid_grant");
    assert_eq!(oracle.get(&format!("/Patient/{}", oracle.patient())).await.status, 200, "access goes on");
    oracle.ehr.admin(Method::POST, "/resume", of_app).await;
    assert_eq!(oracle.ehr.refresh(token).await.status, 200);
}

#[tokio::test]
async fn the_redirect_address_may_have_a_query_of_the_apps_own() {
    let ehr = Ehr::start_as("oracle").await;
    let launch = ehr.launch("public-app").await;
    let asked = format!("{REDIRECT}?own=1");
    let request = ehr.authorize_request("public-app", Some(&launch)).with("scope", SCOPES);
    let back = ehr.get(&request.clone().with("redirect_uri", &asked).url()).await.location();
    assert!(back.as_str().starts_with(&asked) && answer(&back, "code").is_some(), "{back}");
    let other = ehr.get(&request.with("redirect_uri", &format!("{REDIRECT}/?own=1")).url()).await;
    assert_eq!(other.status, 400, "but the path is strict");
}

#[tokio::test]
async fn pkce_is_not_advertised_and_not_needed() {
    let ehr = Ehr::start_as("oracle").await;
    let found = ehr.get(&ehr.fhir("/.well-known/smart-configuration")).await.json();
    assert_eq!(found["code_challenge_methods_supported"], json!(null));
    let launch = ehr.launch("public-app").await;
    let request = ehr.authorize_request("public-app", Some(&launch)).with("scope", SCOPES);
    let request = request.without("code_challenge").without("code_challenge_method");
    let code = answer(&ehr.get(&request.url()).await.location(), "code").unwrap();
    let fields = [("client_id", "public-app"), ("code", code.as_str()), ("code_verifier", "")];
    assert_eq!(ehr.redeem_with(&fields, &[]).await.status, 200);
}

#[tokio::test]
async fn an_online_token_says_how_long_the_person_counts_as_present() {
    let ehr = Ehr::start_as("oracle").await;
    let online = tokens(&ehr, "public-app", "launch online_access patient/Patient.rs").await;
    assert_eq!(online["active_ttl"], json!(900));
    let mut fields = vec![("grant_type", "refresh_token"), ("client_id", "public-app")];
    fields.push(("refresh_token", text(&online, "refresh_token")));
    let with = |at| [fields.clone(), vec![("active_at", at)]].concat();
    assert_eq!(ehr.form(&ehr.oauth("/token"), &with("just now")).await.status, 400);
    assert_eq!(ehr.form(&ehr.oauth("/token"), &with("1793500000")).await.status, 200);
}

#[tokio::test]
async fn the_secret_is_taken_by_basic_and_not_in_the_form() {
    let ehr = Ehr::start_as("oracle").await;
    let in_form = [("client_id", "secret-app"), ("client_secret", SECRET), ("code", "x")];
    assert_eq!(ehr.redeem_with(&in_form, &[]).await.json()["error"], "invalid_client");
}

#[tokio::test]
async fn the_statement_has_no_oauth_addresses() {
    let ehr = Ehr::start_as("oracle").await;
    let statement = ehr.get(&ehr.fhir("/metadata")).await.json();
    assert_eq!(statement["rest"][0]["security"], json!({"cors": true}));
}

#[tokio::test]
async fn what_is_not_acceptable_is_406_without_a_body() {
    let oracle = oracle().await;
    let bearer = format!("Bearer {}", oracle.token());
    let headers = [("authorization", bearer.as_str()), ("accept", "application/fhir+xml")];
    let url = oracle.ehr.fhir(&format!("/Patient/{}", oracle.patient()));
    let reply = oracle.ehr.try_send(Method::GET, &url, &headers, String::new()).await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (406, ""));
}

#[tokio::test]
async fn a_type_may_be_forbidden_though_its_scope_was_granted() {
    let oracle = oracle().await;
    assert!(text(&oracle.tokens, "scope").contains("patient/CareTeam.rs"));
    let reply = oracle.get(&format!("/CareTeam?patient={}", oracle.patient())).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.json()["issue"][0]["diagnostics"]),
        (403, &json!("Forbidden resource"))
    );
}

#[tokio::test]
async fn pages_have_no_total_and_the_next_one_begins_with_the_last_match_again() {
    let oracle = oracle().await;
    let page = oracle.search("Observation", "category=laboratory&_count=5").await;
    assert_eq!(page["total"], json!(null));
    let next = link(&page, "next").unwrap();
    assert!(next.contains("-pageContext=") && next.contains("-pageDirection=NEXT"), "{next}");
    let second = oracle.follow(next).await.json();
    assert_eq!(matches(&second)[0]["id"], matches(&page)[4]["id"]);
    assert_eq!(matches(&second).len(), 6);
}

#[tokio::test]
async fn conditions_come_on_one_page_whatever_is_asked() {
    let oracle = oracle().await;
    let page = oracle.search("Condition", "_count=1").await;
    assert!(matches(&page).len() > 1);
    assert_eq!(link(&page, "next"), None);
}

#[tokio::test]
async fn patients_cannot_be_searched_without_a_parameter() {
    let oracle = oracle().await;
    assert_eq!(oracle.get("/Patient?gender=female").await.status, 422);
}

#[tokio::test]
async fn the_users_own_coding_comes_first_and_drugs_are_concepts() {
    let oracle = oracle().await;
    let page = oracle.search("MedicationRequest", "").await;
    for found in matches(&page) {
        assert_eq!(found["medicationCodeableConcept"]["coding"][0]["userSelected"], json!(true));
    }
}

#[tokio::test]
async fn documents_lie_in_binaries_by_absolute_address() {
    let oracle = oracle().await;
    let page = oracle.search("DocumentReference", "").await;
    let urls =
        matches(&page).into_iter().filter_map(|found| found["content"][0]["attachment"]["url"].as_str());
    let urls: Vec<_> = urls.map(str::to_owned).collect();
    assert!(
        !urls.is_empty() && urls.iter().all(|url| url.starts_with(&oracle.ehr.fhir("/Binary/"))),
        "{urls:?}"
    );
    assert_eq!(oracle.follow(&urls[0]).await.status, 200);
}

#[tokio::test]
async fn every_answer_carries_the_numbers_that_support_asks_for() {
    let oracle = oracle().await;
    let reply = oracle.get(&format!("/Patient/{}", oracle.patient())).await;
    assert!(!reply.header("x-request-id").is_empty() && !reply.header("opc-request-id").is_empty());
}
