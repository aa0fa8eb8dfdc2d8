use axum::{body::Body, body::to_bytes};
use http::{
    Method, Request, StatusCode, header::ACCEPT, header::AUTHORIZATION, header::ETAG, header::IF_NONE_MATCH,
};
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;
use crate::{
    Config, Sandbox,
    grants::{CodeAsked, CodePresented, Grant},
};

const VERIFIER: &str = "a-verifier-of-more-than-forty-three-characters-0123";
const BASE: &str = "/strict/general/fhir";

/// A sandbox and an access token for its first patient.
async fn sandbox(scopes: &[&str]) -> (Running, String) {
    let sandbox = crate::build(Config { patients: 3, ..Config::default() }).await.unwrap();
    let place = Place { profile: "strict".to_owned(), tenant: "general".to_owned() };
    let (state, redirect) = (&sandbox.state, "http://app.example/cb");
    let grant = Grant {
        place: place.clone(),
        client_id: "app".to_owned(),
        user: None,
        patient: Some("pat-0001".to_owned()),
        encounter: None,
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        launch: None,
        nonce: None,
        intent: None,
        need_patient_banner: true,
        fhir_context: Vec::new(),
        state: None,
    };
    let (profile, now) = (state.profile(&place), state.clock().now_seconds());
    let asked =
        CodeAsked { redirect_uri: redirect.to_owned(), challenge: Some(crate::digest::s256(VERIFIER)) };
    let code = state.grants().issue_code(grant, asked, profile, now);
    let shown = CodePresented {
        code: &code,
        client_id: "app",
        place: &place,
        redirect_uri: redirect,
        code_verifier: Some(VERIFIER),
        may_refresh: true,
    };
    let token = state.grants().redeem(&shown, profile, now).unwrap().access_token;
    (Running { router: sandbox.router(), sandbox }, token)
}

/// A sandbox behind one router, which keeps the pages.
#[derive(Clone)]
struct Running {
    router: Router,
    sandbox: Sandbox,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

async fn send(
    sandbox: &Running,
    token: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = Request::builder().method(method).uri(format!("{BASE}{path}"));
    if !token.is_empty() {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response =
        sandbox.router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or_default() }
}

async fn get(sandbox: &Running, token: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(sandbox, token, Method::GET, path, headers, "").await
}

#[tokio::test]
async fn every_answer_is_fhir_json_not_to_be_stored_and_carries_the_request_id() {
    let (sandbox, token) = sandbox(&["patient/*.rs"]).await;
    for path in [
        "/Patient/pat-0001",
        "/Condition",
        "/Patient/none",
        "/Shoe",
        "/Condition?shoe=1",
        "/metadata",
        "/a/b/c/d/e",
    ] {
        let answer = get(&sandbox, &token, path, &[("x-request-id", "abc-1")]).await;
        assert!(
            answer.headers[CONTENT_TYPE].to_str().unwrap().starts_with("application/fhir+json"),
            "{path}"
        );
        assert_eq!(answer.headers["x-request-id"], "abc-1", "{path}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
        assert_eq!(answer.status.is_success(), answer.body["resourceType"] != "OperationOutcome", "{path}");
    }
}

#[tokio::test]
async fn without_a_valid_token_there_is_a_challenge_but_metadata_is_open() {
    let (sandbox, token) = sandbox(&["patient/*.rs"]).await;
    let missing = get(&sandbox, "", "/Patient/pat-0001", &[]).await;
    assert_eq!(missing.status, StatusCode::UNAUTHORIZED);
    assert!(!missing.headers["www-authenticate"].to_str().unwrap().contains("error"));
    let wrong = get(&sandbox, "made-up", "/Patient/pat-0001", &[]).await;
    assert!(wrong.headers["www-authenticate"].to_str().unwrap().contains("invalid_token"));
    assert_eq!(get(&sandbox, "", "/metadata", &[]).await.body["fhirVersion"], "4.0.1");
    assert_eq!(get(&sandbox, &token, "/Patient/pat-0001", &[]).await.body["id"], "pat-0001");
}

#[tokio::test]
async fn post_search_finds_what_get_finds() {
    let (sandbox, token) = sandbox(&["patient/*.rs"]).await;
    let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    let body = "patient=pat-0001&category=problem-list-item";
    let posted = send(&sandbox, &token, Method::POST, "/Condition/_search", &form, body).await;
    let got = get(&sandbox, &token, &format!("/Condition?{body}"), &[]).await;
    assert!(got.body["total"].as_u64().unwrap() > 0);
    assert_eq!(posted.body["entry"], got.body["entry"]);
    let both =
        send(&sandbox, &token, Method::POST, "/Condition/_search?clinical-status=resolved", &form, body)
            .await;
    assert_eq!(both.body["total"], 0, "parameters of address and form count together");
    let within = get(&sandbox, &token, "/Patient/pat-0001/Condition?category=problem-list-item", &[]).await;
    assert_eq!(within.body["entry"], got.body["entry"]);
}

#[tokio::test]
async fn a_form_must_be_a_form_and_of_reasonable_length() {
    let (sandbox, token) = sandbox(&["patient/*.rs"]).await;
    let send = |kind: &'static str, body: String| {
        let (sandbox, token) = (sandbox.clone(), token.clone());
        async move {
            send(&sandbox, &token, Method::POST, "/Condition/_search", &[("content-type", kind)], &body)
                .await
                .status
        }
    };
    assert_eq!(send("application/json", "{}".to_owned()).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let long = "x".repeat(FORM_LIMIT + 1);
    assert_eq!(send("application/x-www-form-urlencoded", long).await, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn deleting_and_patching_are_refused_whatever_the_scope() {
    let (sandbox, token) = sandbox(&["patient/*.cruds"]).await;
    for (method, path) in [(Method::DELETE, "/Patient/pat-0001"), (Method::PATCH, "/Condition/cond-0001-01")]
    {
        let answer = send(&sandbox, &token, method, path, &[], "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.body["resourceType"], "OperationOutcome");
    }
}

#[tokio::test]
async fn what_is_not_fhir_json_is_not_acceptable_and_an_unchanged_resource_is_not_sent() {
    let (sandbox, token) = sandbox(&["patient/*.rs"]).await;
    let html = get(&sandbox, &token, "/Patient/pat-0001", &[(ACCEPT.as_str(), "text/html")]).await;
    assert_eq!(html.status, StatusCode::NOT_ACCEPTABLE);
    let xml = get(&sandbox, &token, "/Patient/pat-0001?_format=xml", &[]).await;
    assert_eq!(xml.status, StatusCode::NOT_ACCEPTABLE);
    let first = get(&sandbox, &token, "/Patient/pat-0001", &[]).await;
    let etag = first.headers[ETAG].to_str().unwrap();
    let again = get(&sandbox, &token, "/Patient/pat-0001", &[(IF_NONE_MATCH.as_str(), etag)]).await;
    assert_eq!((again.status, again.body), (StatusCode::NOT_MODIFIED, Value::Null));
}

#[tokio::test]
async fn pages_expire_with_the_sandboxs_own_clock() {
    let (sandbox, token) = sandbox(&["patient/*.rs"]).await;
    let page = get(&sandbox, &token, "/Observation?_count=3", &[]).await;
    let next = page.body["link"][1]["url"].as_str().unwrap().split_once(BASE).unwrap().1.to_owned();
    assert_eq!(get(&sandbox, &token, &next, &[]).await.status, StatusCode::OK, "the same server keeps it");
    sandbox.sandbox.state.clock().advance(16 * 60);
    assert_eq!(get(&sandbox, &token, &next, &[]).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn faults_of_content_are_carried_out_on_request() {
    let (sandbox, token) = sandbox(&["patient/*.rs"]).await;
    let asked = [("x-sandbox-fault", "foreign-patient")];
    let page = get(&sandbox, &token, "/Condition", &asked).await;
    assert!(page.body.to_string().contains("Patient/pat-0002"));
    assert!(!get(&sandbox, &token, "/Condition", &[]).await.body.to_string().contains("Patient/pat-0002"));
    let read = get(&sandbox, &token, "/Patient/pat-0001", &asked).await;
    assert_eq!(read.body["id"], "pat-0002");
}
