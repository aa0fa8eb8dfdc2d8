//! What tells Epic's authorization server from others.

use serde_json::json;

use crate::ehr::{Ehr, SECRET, answer, text};
use crate::product::{SCOPES, claims, code, tokens};

async fn launched() -> (Ehr, serde_json::Value) {
    let ehr = Ehr::start_as("epic").await;
    let tokens = tokens(&ehr, "public-app", SCOPES).await;
    (ehr, tokens)
}

#[tokio::test]
async fn scopes_come_back_in_version_1_whatever_was_asked() {
    let (_ehr, tokens) = launched().await;
    let scope = text(&tokens, "scope");
    assert!(scope.contains("patient/Condition.read"), "{scope}");
    assert!(!scope.contains(".rs"), "{scope}");
}

#[tokio::test]
async fn scopes_are_told_twice_in_mixed_case() {
    let (_ehr, tokens) = launched().await;
    assert!(text(&tokens, "scope").contains("patient/Binary.Read patient/Binary.read"), "{tokens}");
}

#[tokio::test]
async fn the_banner_is_a_text_and_not_a_boolean() {
    let (_ehr, tokens) = launched().await;
    assert_eq!(tokens["need_patient_banner"], "true");
}

#[tokio::test]
async fn the_code_has_a_thousand_characters_and_so_have_the_tokens() {
    let ehr = Ehr::start_as("epic").await;
    let code = code(&ehr, "public-app", SCOPES).await;
    assert_eq!(code.len(), 1000);
    let tokens = ehr.redeem("public-app", &code).await.json();
    assert_eq!(text(&tokens, "access_token").len(), 1000);
}

#[tokio::test]
async fn the_token_type_is_written_small_and_the_lifetime_is_less_than_an_hour() {
    let (_ehr, tokens) = launched().await;
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("bearer"), &json!(3240)));
}

#[tokio::test]
async fn the_response_repeats_the_state_and_tells_an_old_patient_id() {
    let (_ehr, tokens) = launched().await;
    assert_eq!(tokens["state"], "the-state");
    assert!(text(&tokens, "__epic.dstu2.patient").len() > 3);
}

#[tokio::test]
async fn a_public_app_gets_no_refresh_token_and_a_confidential_one_does_without_the_scope_being_told() {
    let (ehr, public) = launched().await;
    assert_eq!(public["refresh_token"], json!(null));
    let confidential = tokens(&ehr, "secret-app", SCOPES).await;
    assert!(confidential["refresh_token"].is_string());
    assert!(!text(&confidential, "scope").contains("offline_access"));
}

#[tokio::test]
async fn the_answer_to_a_refresh_holds_no_refresh_token_and_the_old_one_goes_on() {
    let ehr = Ehr::start_as("epic").await;
    let first = tokens(&ehr, "secret-app", SCOPES).await;
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&first, "refresh_token")),
        ("client_id", "secret-app"),
        ("client_secret", SECRET),
    ];
    for _ in 0..2 {
        let again = ehr.form(&ehr.oauth("/token"), &fields).await;
        assert_eq!((again.status.as_u16(), &again.json()["refresh_token"]), (200, &json!(null)));
    }
}

#[tokio::test]
async fn a_provider_who_opens_the_app_by_itself_brings_no_patient() {
    let ehr = Ehr::start_as("epic").await;
    let scopes = "openid fhirUser launch/patient user/Patient.rs";
    let request = ehr.authorize_request("public-app", None).with("scope", scopes);
    let login = ehr.get(&request.url()).await.location();
    let page = ehr.get(login.as_str()).await;
    let (flow, clinician) = (page.input("flow"), page.input("clinician"));
    let fields = [("flow", flow.as_str()), ("clinician", clinician.as_str())];
    let consent = ehr.form(&ehr.oauth("/login"), &fields).await.location();
    assert!(consent.path().ends_with("/consent"), "no patient is asked for: {consent}");
    let page = ehr.get(consent.as_str()).await;
    let flow = page.input("flow");
    let mut fields = vec![("flow", flow.as_str()), ("decision", "approve")];
    let kept = page.inputs("scope");
    fields.extend(kept.iter().map(|scope| ("scope", scope.as_str())));
    let back = ehr.form(&ehr.oauth("/consent"), &fields).await.location();
    let tokens = ehr.redeem("public-app", &answer(&back, "code").unwrap()).await.json();
    assert_eq!(tokens["patient"], json!(null));
}

#[tokio::test]
async fn only_the_bearer_of_a_token_may_ask_about_one() {
    let (ehr, _) = launched().await;
    let tokens = tokens(&ehr, "secret-app", SCOPES).await;
    let token = text(&tokens, "access_token");
    let as_client = [("token", token), ("client_id", "secret-app"), ("client_secret", SECRET)];
    assert_eq!(ehr.form(&ehr.oauth("/introspect"), &as_client).await.status, 401);
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let refresh = [("token", text(&tokens, "refresh_token"))];
    let told = ehr.form_with(&ehr.oauth("/introspect"), &refresh, &headers).await.json();
    assert_eq!(told["active"], json!(true), "refresh tokens too");
}

#[tokio::test]
async fn the_subject_is_the_practitioners_id_and_comes_with_a_user_name() {
    let (_ehr, tokens) = launched().await;
    let claims = claims(&tokens);
    let user = text(&claims, "fhirUser");
    assert!(user.ends_with(&format!("/Practitioner/{}", text(&claims, "sub"))), "{claims}");
    assert!(claims["preferred_username"].is_string());
}

#[tokio::test]
async fn refusals_of_the_token_endpoint_describe_nothing() {
    let ehr = Ehr::start_as("epic").await;
    let reply = ehr.redeem("public-app", "made-up").await;
    let body = reply.json();
    assert_eq!(body, json!({"error": "invalid_grant", "error_description": null}));
}

#[tokio::test]
async fn the_old_issuer_a_proxy_and_a_missing_user_can_be_asked_for() {
    let ehr = Ehr::start_as("epic").await;
    ehr.fault_once("id-token:old-iss").await;
    let old = claims(&tokens(&ehr, "public-app", SCOPES).await);
    assert!(text(&old, "iss").ends_with("/oauth/token"));
    ehr.fault_once("id-token:proxy").await;
    let proxy = claims(&tokens(&ehr, "public-app", SCOPES).await);
    assert!(text(&proxy, "fhirUser").contains("/RelatedPerson/"));
    ehr.fault_once("id-token:no-fhir-user").await;
    assert_eq!(claims(&tokens(&ehr, "public-app", SCOPES).await)["fhirUser"], json!(null));
}
