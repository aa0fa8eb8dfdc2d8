//! The EHR launch: from the launch value to a token that reads the patient.

use http::Method;
use serde_json::json;

use crate::ehr::{Ehr, REDIRECT, answer, text};

#[tokio::test]
async fn an_ehr_launch_gives_a_code_at_once_and_a_token_that_reads_the_patient_in_context() {
    let ehr = Ehr::start().await;
    let launch = ehr.launch("public-app").await;
    let reply = ehr.get(&ehr.authorize_request("public-app", Some(&launch)).url()).await;
    let location = reply.location();
    assert!(location.as_str().starts_with(REDIRECT));
    assert_eq!(answer(&location, "state").as_deref(), Some("the-state"));
    assert_eq!(answer(&location, "iss"), Some(ehr.oauth("")));
    let reply = ehr.redeem("public-app", &answer(&location, "code").unwrap()).await;
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("pragma"), "no-cache");
    let tokens = reply.json();
    assert_eq!(text(&tokens, "patient"), ehr.patient());
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(tokens["need_patient_banner"], true);
    assert_eq!(tokens["tenant"], "general");
    assert_eq!(tokens["scope"], "openid fhirUser launch offline_access patient/*.rs");
    let read = ehr.fhir_get(&format!("/Patient/{}", ehr.patient()), text(&tokens, "access_token")).await;
    assert_eq!((read.status.as_u16(), &read.json()["id"]), (200, &json!(ehr.patient())));
    let style = ehr.get(text(&tokens, "smart_style_url")).await;
    assert_eq!(style.status, 200);
}

#[tokio::test]
async fn the_context_of_the_launch_arrives_in_the_token_response() {
    let ehr = Ehr::start().await;
    let patient = ehr.patient();
    let encounter = ehr.sandbox.records().encounters(&patient)[0].id.clone();
    let context = json!([{"reference": "DocumentReference/d1", "role": "launch"}]);
    let launch = json!({"client_id": "public-app", "patient": patient, "encounter": encounter, "fhir_context": context,
        "intent": "reconcile-medications", "need_patient_banner": false});
    let made = ehr.admin(Method::POST, "/launches", launch).await.json();
    assert_eq!(made["iss"], ehr.fhir(""));
    assert!(text(&made, "launch_url").starts_with("http://localhost:8080/launch/sandbox?iss="));
    let reply = ehr.get(&ehr.authorize_request("public-app", Some(text(&made, "launch"))).url()).await;
    let tokens = ehr.redeem("public-app", &answer(&reply.location(), "code").unwrap()).await.json();
    assert_eq!(tokens["encounter"], encounter);
    assert_eq!(tokens["intent"], "reconcile-medications");
    assert_eq!(tokens["need_patient_banner"], false);
    assert_eq!(tokens["fhirContext"], context);
}

#[tokio::test]
async fn an_authorize_request_by_post_is_answered_like_one_by_get() {
    let ehr = Ehr::start().await;
    let launch = ehr.launch("public-app").await;
    let request = ehr.authorize_request("public-app", Some(&launch));
    let reply = ehr.form(&request.endpoint, &request.fields()).await;
    let code = answer(&reply.location(), "code").unwrap();
    assert_eq!(ehr.redeem("public-app", &code).await.status, 200);
}

#[tokio::test]
async fn an_answer_by_form_post_is_a_form_that_submits_itself_to_the_app() {
    let ehr = Ehr::start().await;
    let launch = ehr.launch("public-app").await;
    let request = ehr.authorize_request("public-app", Some(&launch)).with("response_mode", "form_post");
    let reply = ehr.get(&request.url()).await;
    assert_eq!(reply.status, 200);
    assert!(reply.body.contains(&format!("method=\"post\" action=\"{REDIRECT}\"")), "{}", reply.body);
    assert_eq!(reply.input("state"), "the-state");
    assert_eq!(reply.input("iss"), ehr.oauth(""));
    let nonce =
        reply.header("content-security-policy").split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert!(reply.body.contains(&format!("<script nonce=\"{nonce}\">")));
    assert_eq!(ehr.redeem("public-app", &reply.input("code")).await.status, 200);
}

#[tokio::test]
async fn a_redirect_uri_with_a_query_keeps_it() {
    let ehr = Ehr::start().await;
    let launch = ehr.launch("public-app").await;
    let second = "http://localhost:8080/second?fixed=1";
    let request = ehr.authorize_request("public-app", Some(&launch)).with("redirect_uri", second);
    let location = ehr.get(&request.url()).await.location();
    assert_eq!(answer(&location, "fixed").as_deref(), Some("1"));
    let code = answer(&location, "code").unwrap();
    let fields = [("client_id", "public-app"), ("code", code.as_str()), ("redirect_uri", second)];
    assert_eq!(ehr.redeem_with(&fields, &[]).await.status, 200);
}

#[tokio::test]
async fn a_launch_that_shows_consent_waits_for_the_person() {
    let ehr = Ehr::start().await;
    let launch = json!({"client_id": "public-app", "patient": ehr.patient(), "show_consent": true});
    let made = ehr.admin(Method::POST, "/launches", launch).await.json();
    let reply = ehr.get(&ehr.authorize_request("public-app", Some(text(&made, "launch"))).url()).await;
    assert_eq!(reply.location().path(), "/strict/general/oauth/consent");
}

#[tokio::test]
async fn pages_of_the_authorization_may_be_framed_by_the_ehr_and_by_the_app() {
    let ehr = Ehr::start().await;
    let reply = ehr.get(&ehr.authorize_request("public-app", None).with("scope", "patient/*.rs").url()).await;
    let page = ehr.get(reply.location().as_str()).await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains("frame-ancestors 'self' http://localhost:8080"), "{policy}");
    assert_eq!(page.header("x-frame-options"), "");
}
