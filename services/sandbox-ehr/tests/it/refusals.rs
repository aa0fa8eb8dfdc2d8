//! Authorize requests that are refused, and whether the app is told.

use crate::ehr::{Ehr, answer};

#[tokio::test]
async fn a_request_whose_sender_cannot_be_trusted_is_shown_to_the_person_and_never_redirected() {
    let ehr = Ehr::start().await;
    let launch = ehr.launch("public-app").await;
    let good = ehr.authorize_request("public-app", Some(&launch));
    let cases = [
        good.clone().with("client_id", "nobody"),
        good.clone().without("client_id"),
        good.clone().without("redirect_uri"),
        good.clone().with("redirect_uri", "http://localhost:8080/callback/sandbox/"),
        good.clone().with("redirect_uri", "http://localhost:8080/callback/sandbox?x=1"),
        good.clone().with("redirect_uri", "http://LOCALHOST:8080/callback/sandbox"),
        good.clone().with("redirect_uri", "http://evil.example/callback"),
    ];
    for case in cases {
        let reply = ehr.get(&case.url()).await;
        assert_eq!(reply.status, 400, "{}", case.url());
        assert!(reply.headers.get("location").is_none());
        assert!(!reply.body.contains("evil.example"), "input must not be reflected");
    }
}

#[tokio::test]
async fn a_faulty_request_of_a_known_app_is_answered_to_the_app_with_its_state() {
    let ehr = Ehr::start().await;
    let launch = ehr.launch("public-app").await;
    let good = ehr.authorize_request("public-app", Some(&launch));
    let cases = [
        (good.clone().without("code_challenge"), "invalid_request"),
        (good.clone().without("code_challenge_method"), "invalid_request"),
        (good.clone().with("code_challenge_method", "plain"), "invalid_request"),
        (good.clone().with("code_challenge", "too-short"), "invalid_request"),
        (good.clone().without("aud"), "invalid_request"),
        (good.clone().with("aud", &ehr.fhir("/")), "invalid_request"),
        (good.clone().with("aud", &ehr.url("/strict/lakeside/fhir")), "invalid_request"),
        (good.clone().without("response_type"), "invalid_request"),
        (good.clone().with("response_type", "token"), "unsupported_response_type"),
        (good.clone().with("response_mode", "fragment"), "invalid_request"),
        (good.clone().without("scope"), "invalid_request"),
        (good.clone().with("scope", "system/*.rs nonsense"), "invalid_scope"),
        (good.clone().without("launch"), "invalid_request"),
        (good.clone().with("launch", "made-up"), "invalid_request"),
        (good.clone().with("scope", "patient/*.rs"), "invalid_request"),
    ];
    for (case, code) in cases {
        let location = ehr.get(&case.url()).await.location();
        assert_eq!(answer(&location, "error").as_deref(), Some(code), "{}", case.url());
        assert_eq!(answer(&location, "state").as_deref(), Some("the-state"));
        assert_eq!(answer(&location, "iss"), Some(ehr.oauth("")));
        assert_eq!(answer(&location, "code"), None);
    }
}

#[tokio::test]
async fn a_request_without_state_or_with_a_doubled_parameter_is_refused() {
    let ehr = Ehr::start().await;
    let launch = ehr.launch("public-app").await;
    let good = ehr.authorize_request("public-app", Some(&launch));
    let location = ehr.get(&good.clone().without("state").url()).await.location();
    assert_eq!(answer(&location, "error").as_deref(), Some("invalid_request"));
    assert_eq!(answer(&location, "state"), None);
    let location = ehr.get(&format!("{}&scope=openid", good.url())).await.location();
    assert_eq!(answer(&location, "error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn a_launch_of_another_app_or_of_another_hospital_is_refused() {
    let ehr = Ehr::start().await;
    let launch = ehr.launch("other-app").await;
    let request = ehr.authorize_request("public-app", Some(&launch));
    assert_eq!(
        answer(&ehr.get(&request.url()).await.location(), "error").as_deref(),
        Some("invalid_request")
    );
    let launch = ehr.launch("public-app").await;
    let mut request =
        ehr.authorize_request("public-app", Some(&launch)).with("aud", &ehr.url("/strict/lakeside/fhir"));
    request.endpoint = ehr.url("/strict/lakeside/oauth/authorize");
    assert_eq!(
        answer(&ehr.get(&request.url()).await.location(), "error").as_deref(),
        Some("invalid_request")
    );
}

#[tokio::test]
async fn an_old_launch_value_is_refused() {
    let ehr = Ehr::start().await;
    let launch = ehr.launch("public-app").await;
    ehr.admin(http::Method::POST, "/clock", serde_json::json!({"advance_seconds": 301})).await;
    let request = ehr.authorize_request("public-app", Some(&launch));
    assert_eq!(
        answer(&ehr.get(&request.url()).await.location(), "error").as_deref(),
        Some("invalid_request")
    );
}

#[tokio::test]
async fn scopes_beyond_the_registration_are_dropped() {
    let ehr = Ehr::start().await;
    let launch = ehr.launch("public-app").await;
    let asked = "launch patient/Observation.sr user/Patient.cruds system/Patient.rs patient/Patient.read";
    let request = ehr.authorize_request("public-app", Some(&launch)).with("scope", asked);
    let code = answer(&ehr.get(&request.url()).await.location(), "code").unwrap();
    let tokens = ehr.redeem("public-app", &code).await.json();
    assert_eq!(tokens["scope"], "launch user/Patient.rs patient/Patient.read");
}

#[tokio::test]
async fn a_place_that_does_not_exist_is_not_found() {
    let ehr = Ehr::start().await;
    for path in
        ["/strict/nowhere/fhir/metadata", "/cerberus/general/fhir/metadata", "/strict/nowhere/oauth/jwks"]
    {
        assert_eq!(ehr.get(&ehr.url(path)).await.status, 404, "{path}");
    }
}
