//! Faults asked for by header and by rule.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::json;

use crate::ehr::{Ehr, Reply, answer, text};

async fn metadata(ehr: &Ehr, fault: &str) -> Result<Reply, String> {
    ehr.try_send(Method::GET, &ehr.fhir("/metadata"), &[("x-sandbox-fault", fault)], String::new()).await
}

#[tokio::test]
async fn statuses_and_bodies_of_broken_servers_can_be_asked_for_by_header() {
    let ehr = Ehr::start().await;
    for (fault, status, kind) in [
        ("401", 401, "application/fhir+json"),
        ("401-text", 401, "text/plain; charset=utf-8"),
        ("403", 403, "application/fhir+json"),
        ("429:7", 429, "application/fhir+json"),
        ("503", 503, "application/fhir+json"),
        ("html", 502, "text/html; charset=utf-8"),
        ("redirect", 302, ""),
    ] {
        let reply = metadata(&ehr, fault).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (status, kind), "{fault}");
    }
    assert_eq!(metadata(&ehr, "429:7").await.unwrap().header("retry-after"), "7");
    assert!(metadata(&ehr, "redirect").await.unwrap().location().host_str() != Some("127.0.0.1"));
    assert_eq!(metadata(&ehr, "no-such-fault").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_reset_ends_the_connection_without_an_answer_and_a_truncated_body_before_its_end() {
    let ehr = Ehr::start().await;
    assert!(metadata(&ehr, "reset").await.is_err());
    assert!(metadata(&ehr, "truncated").await.is_err());
    assert_eq!(ehr.get(&ehr.fhir("/metadata")).await.status, 200);
    let log = ehr.admin(Method::GET, "/requests?path=/metadata", json!(null)).await.json();
    let statuses: Vec<_> =
        log["requests"].as_array().unwrap().iter().map(|entry| entry["status"].clone()).collect();
    assert_eq!(statuses, [json!(null), json!(200), json!(200)]);
}

#[tokio::test]
async fn a_delay_holds_the_answer_back() {
    let ehr = Ehr::start().await;
    let begun = Instant::now();
    assert_eq!(metadata(&ehr, "delay:120").await.unwrap().status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn a_rule_counts_down_and_can_be_deleted() {
    let ehr = Ehr::start().await;
    let rule = json!({"match": {"kind": "fhir", "path_prefix": "/strict/general/fhir/metadata"}, "fault": "500", "times": 2});
    ehr.admin(Method::POST, "/faults", rule).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(ehr.get(&ehr.fhir("/metadata")).await.status.as_u16());
    }
    assert_eq!(seen, [500, 500, 200]);
    ehr.admin(Method::POST, "/faults", json!({"fault": "500"})).await;
    assert_eq!(ehr.admin(Method::DELETE, "/faults", json!(null)).await.json()["removed"], 1);
    assert_eq!(ehr.get(&ehr.fhir("/metadata")).await.status, 200);
    let unknown = ehr.admin(Method::POST, "/faults", json!({"fault": "sunspots"})).await;
    assert_eq!(unknown.status, 400);
}

#[tokio::test]
async fn a_token_answer_lost_on_the_way_leaves_the_refresh_token_spent() {
    let ehr = Ehr::start().await;
    let tokens = ehr.tokens().await;
    ehr.fault_once("reset-after").await;
    let fields = format!(
        "grant_type=refresh_token&client_id=public-app&refresh_token={}",
        text(&tokens, "refresh_token")
    );
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    assert!(ehr.try_send(Method::POST, &ehr.oauth("/token"), &headers, fields).await.is_err());
    assert_eq!(ehr.refresh(text(&tokens, "refresh_token")).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn the_answer_to_the_app_can_carry_a_wrong_issuer_none_or_a_wrong_state() {
    let ehr = Ehr::start().await;
    let answers = async |fault: &str| {
        ehr.fault_once(fault).await;
        let launch = ehr.launch("public-app").await;
        let location = ehr.get(&ehr.authorize_request("public-app", Some(&launch)).url()).await.location();
        (answer(&location, "iss"), answer(&location, "state"))
    };
    let (iss, _) = answers("wrong-iss").await;
    assert!(iss.is_some_and(|iss| iss != ehr.oauth("")));
    assert_eq!(answers("no-iss").await.0, None);
    assert_ne!(answers("wrong-state").await.1.as_deref(), Some("the-state"));
}

#[tokio::test]
async fn token_responses_can_lie_about_lifetime_scope_and_patient() {
    let ehr = Ehr::start().await;
    let with = async |fault: &str| {
        ehr.fault_once(fault).await;
        ehr.tokens().await
    };
    assert!(with("expires-in:missing").await.get("expires_in").is_none());
    assert_eq!(with("expires-in:string").await["expires_in"], "3600");
    assert!(with("expires-in:long").await["expires_in"].as_i64().unwrap() > 300_000_000);
    assert!(with("patient-missing").await.get("patient").is_none());
    assert_eq!(
        with("foreign-scopes").await["scope"],
        "openid fhirUser launch offline_access patient/*.rs user/*.cruds system/*.rs"
    );
    let narrowed = with("narrowed-scope").await;
    assert_eq!(narrowed["scope"], "openid fhirUser launch offline_access");
    let read = ehr.fhir_get(&format!("/Patient/{}", ehr.patient()), text(&narrowed, "access_token")).await;
    assert_eq!(read.status, 403, "the token really has the narrower scope");
}

#[tokio::test]
async fn a_search_can_hold_another_patients_resource() {
    let ehr = Ehr::start().await;
    let tokens = ehr.tokens().await;
    let bearer = format!("Bearer {}", text(&tokens, "access_token"));
    let url = ehr.fhir(&format!("/Condition?patient={}", ehr.patient()));
    let headers = [("authorization", bearer.as_str()), ("x-sandbox-fault", "foreign-patient")];
    let bundle = ehr.try_send(Method::GET, &url, &headers, String::new()).await.unwrap().json();
    let mine = format!("Patient/{}", ehr.patient());
    let subjects: Vec<&str> = bundle["entry"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|e| e["resource"]["subject"]["reference"].as_str())
        .collect();
    assert!(subjects.iter().any(|subject| *subject != mine), "{subjects:?}");
}
