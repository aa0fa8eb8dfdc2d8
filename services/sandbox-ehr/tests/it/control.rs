//! `/_admin`: request log, grants, revocation, registration.

use http::Method;
use serde_json::{Value, json};

use crate::ehr::{Ehr, REDIRECT, text};

#[tokio::test]
async fn the_request_log_tells_what_came_without_telling_secrets() {
    let ehr = Ehr::start().await;
    let launch = ehr.launch("public-app").await;
    let location = ehr.get(&ehr.authorize_request("public-app", Some(&launch)).url()).await.location();
    let code = crate::ehr::answer(&location, "code").unwrap();
    let tokens = ehr.redeem("public-app", &code).await.json();
    let token = text(&tokens, "access_token");
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("x-request-id", "r-1"), ("cookie", "c=1")];
    let path = format!("/Patient/{}", ehr.patient());
    ehr.try_send(Method::GET, &ehr.fhir(&path), &headers, String::new()).await.unwrap();
    let reply = ehr.admin(Method::GET, "/requests", json!(null)).await;
    for secret in [token, text(&tokens, "refresh_token"), text(&tokens, "id_token"), &code, "c=1"] {
        assert!(!reply.body.contains(secret));
    }
    let log = reply.json();
    let entries = log["requests"].as_array().unwrap();
    let kinds: Vec<&str> = entries.iter().map(|entry| text(entry, "kind")).collect();
    assert_eq!(kinds, ["oauth", "oauth", "fhir"]);
    let read = entries.last().unwrap();
    assert_eq!(read["launch"], launch);
    assert_eq!(read["status"], 200);
    assert_eq!(read["headers"]["x-request-id"], "r-1");
    assert_eq!(read["headers"]["authorization"], true);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(read["headers"]["token_sha256"], hex);
}

#[tokio::test]
async fn the_request_log_is_filtered_and_cleared() {
    let ehr = Ehr::start().await;
    ehr.get(&ehr.fhir("/metadata")).await;
    ehr.get(&ehr.fhir("/.well-known/smart-configuration")).await;
    ehr.get(&ehr.oauth("/jwks")).await;
    let count = async |query: &str| {
        let log = ehr.admin(Method::GET, &format!("/requests{query}"), json!(null)).await.json();
        log["requests"].as_array().unwrap().len()
    };
    assert_eq!(count("").await, 3);
    assert_eq!(count("?since=1").await, 2);
    assert_eq!(count("?kind=fhir").await, 1);
    assert_eq!(count("?kind=discovery").await, 1);
    assert_eq!(count("?path=jwks").await, 1);
    assert_eq!(ehr.admin(Method::DELETE, "/requests", json!(null)).await.status, 204);
    assert_eq!(count("").await, 0);
}

#[tokio::test]
async fn an_administrator_revokes_by_patient_and_the_grant_is_seen_to_be_dead() {
    let ehr = Ehr::start().await;
    let tokens = ehr.tokens().await;
    let grants = ehr.admin(Method::GET, "/grants", json!(null)).await.json();
    assert_eq!(grants[0]["live_access_tokens"], 1);
    assert!(!grants.to_string().contains(text(&tokens, "access_token")));
    assert_eq!(
        ehr.admin(Method::POST, "/revoke", json!({})).await.status,
        400,
        "naming nothing revokes nothing"
    );
    let none = ehr.admin(Method::POST, "/revoke", json!({"patient": "someone-else"})).await.json();
    assert_eq!(none["revoked"], 0);
    let one = ehr.admin(Method::POST, "/revoke", json!({"patient": ehr.patient()})).await.json();
    assert_eq!(one["revoked"], 1);
    let read = ehr.fhir_get(&format!("/Patient/{}", ehr.patient()), text(&tokens, "access_token")).await;
    assert_eq!(read.status, 401);
    assert_eq!(ehr.admin(Method::GET, "/grants", json!(null)).await.json()[0]["is_revoked"], true);
}

#[tokio::test]
async fn a_client_registered_over_control_can_launch_and_its_secret_is_not_listed() {
    let ehr = Ehr::start().await;
    let client = json!({"client_id": "late-app", "name": "Late", "launch_url": "http://localhost:9/launch",
        "redirect_uris": [REDIRECT], "auth": {"type": "secret", "value": "hidden-value"}, "scopes": ["launch", "openid", "patient/*.rs"]});
    assert_eq!(ehr.admin(Method::POST, "/clients", client).await.status, 201);
    let code = ehr.code("late-app").await;
    let fields = [("code", code.as_str()), ("client_id", "late-app"), ("client_secret", "hidden-value")];
    assert_eq!(ehr.redeem_with(&fields, &[]).await.status, 200);
    let list = ehr.admin(Method::GET, "/clients", json!(null)).await;
    assert!(list.body.contains("late-app") && !list.body.contains("hidden-value"));
}

#[tokio::test]
async fn a_launch_of_someone_who_is_not_there_is_refused() {
    let ehr = Ehr::start().await;
    let patient = ehr.patient();
    let other = ehr.sandbox.records().patients()[1].id.clone();
    let foreign = ehr.sandbox.records().encounters(&other)[0].id.clone();
    for launch in [
        json!({"client_id": "nobody", "patient": patient}),
        json!({"client_id": "public-app", "patient": "nobody"}),
        json!({"client_id": "public-app", "patient": patient, "clinician": "nobody"}),
        json!({"client_id": "public-app", "patient": patient, "encounter": foreign}),
        json!({"client_id": "public-app", "patient": patient, "tenant": "nowhere"}),
        json!({"client_id": "public-app", "patient": patient, "surprise": 1}),
        Value::Null,
    ] {
        assert_eq!(ehr.admin(Method::POST, "/launches", launch.clone()).await.status, 400, "{launch}");
    }
}
