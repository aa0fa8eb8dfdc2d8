//! Discovery against the sample of the specification's conformance page, and each way to fail.

use serde_json::json;

use super::*;

const BASE: &str = "https://ehr.example.org/r4";
const STRICT: Requirements = Requirements { pkce: true, loopback_http: false, authorize: true };

/// The shape of the specification's discovery sample: seven capabilities, associated endpoints, unknown members.
fn sample() -> Value {
    json!({
        "issuer": "https://ehr.example.org",
        "jwks_uri": "https://ehr.example.org/.well-known/jwks.json",
        "authorization_endpoint": "https://ehr.example.org/auth/authorize",
        "token_endpoint": "https://ehr.example.org/auth/token",
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "registration_endpoint": "https://ehr.example.org/auth/register",
        "scopes_supported": ["openid", "profile", "launch", "launch/patient", "patient/*.rs", "user/*.rs", "offline_access"],
        "response_types_supported": ["code"],
        "management_endpoint": "https://ehr.example.org/user/manage",
        "introspection_endpoint": "https://ehr.example.org/user/introspect",
        "revocation_endpoint": "https://ehr.example.org/user/revoke",
        "code_challenge_methods_supported": ["S256"],
        "capabilities": ["launch-ehr", "permission-patient", "permission-v2", "client-public",
            "client-confidential-symmetric", "context-ehr-patient", "sso-openid-connect"],
        "associated_endpoints": [{"url": "https://ehr.example.org/r2", "capabilities": ["launch-ehr"]}],
        "https://vendor.example/extension": {"anything": [1, null]}
    })
}

fn parse(document: &Value) -> Result<Smart, Fault> {
    Smart::parse(BASE, document.to_string().as_bytes())
}

fn with(member: &str, value: Value) -> Value {
    let mut document = sample();
    document[member] = value;
    document
}

#[test]
fn the_sample_of_the_specification_is_understood() {
    let smart = parse(&sample()).unwrap();
    assert_eq!(smart.check(STRICT), Ok(()));
    assert_eq!(smart.issuer.as_deref(), Some("https://ehr.example.org"));
    assert_eq!(smart.token.as_ref().map(Url::as_str), Some("https://ehr.example.org/auth/token"));
    assert_eq!(smart.capabilities.len(), 7);
    assert!(smart.offers("permission-v2") && !smart.offers("launch-standalone"));
    assert!(!smart.announces_response_issuer);
}

#[test]
fn the_document_stands_below_the_whole_base_path() {
    for base in [BASE, "https://ehr.example.org/r4/"] {
        let url = well_known_url(base).unwrap();
        assert_eq!(url.as_str(), "https://ehr.example.org/r4/.well-known/smart-configuration");
        assert_eq!(metadata_url(base).unwrap().as_str(), "https://ehr.example.org/r4/metadata");
    }
    assert_eq!(
        well_known_url("https://ehr.example.org").unwrap().as_str(),
        "https://ehr.example.org/.well-known/smart-configuration"
    );
    for bad in ["", "r4", "https://ehr.example.org/r4?x=1", "https://ehr.example.org/#f", "data:text/plain,x"]
    {
        assert_eq!(well_known_url(bad), Err(Fault::BaseInvalid), "{bad:?}");
    }
}

#[test]
fn a_base_of_more_than_a_thousand_characters_is_no_problem() {
    let base = format!("https://ehr.example.org/v/r4/sim/{}/fhir", "WzIsIiIs".repeat(150));
    assert!(well_known_url(&base).unwrap().as_str().ends_with("/fhir/.well-known/smart-configuration"));
}

#[test]
fn relative_endpoints_are_resolved_against_the_base() {
    let smart = parse(&with("token_endpoint", json!("auth/token"))).unwrap();
    assert_eq!(smart.token.unwrap().as_str(), "https://ehr.example.org/r4/auth/token");
    let smart = parse(&with("token_endpoint", json!("/auth/token"))).unwrap();
    assert_eq!(smart.token.unwrap().as_str(), "https://ehr.example.org/auth/token");
}

#[test]
fn each_way_to_fail_has_its_own_reason() {
    let cases = [
        (with("code_challenge_methods_supported", json!([])), Fault::S256Absent),
        (with("code_challenge_methods_supported", json!(null)), Fault::S256Absent),
        (with("code_challenge_methods_supported", json!(["S256", "plain"])), Fault::PlainOffered),
        (with("authorization_endpoint", json!(null)), Fault::EndpointMissing("authorization_endpoint")),
        (with("token_endpoint", json!("")), Fault::EndpointMissing("token_endpoint")),
        (with("token_endpoint", json!("http://ehr.example.org/token")), Fault::NotHttps("token_endpoint")),
        (with("jwks_uri", json!("http://127.0.0.1/jwks")), Fault::NotHttps("jwks_uri")),
    ];
    for (document, fault) in cases {
        assert_eq!(parse(&document).unwrap().check(STRICT), Err(fault));
    }
    for bad in
        ["https://user:pw@ehr.example.org/token", "https://ehr.example.org/token#x", "javascript:alert(1)"]
    {
        let fault = Fault::EndpointInvalid("token_endpoint");
        assert_eq!(parse(&with("token_endpoint", json!(bad))), Err(fault), "{bad}");
    }
    assert_eq!(parse(&with("token_endpoint", json!(7))), Err(Fault::EndpointInvalid("token_endpoint")));
    for bad in [&b"<html>"[..], b"[]", b"\"x\"", b"", b"{\"a\":"] {
        assert_eq!(Smart::parse(BASE, bad), Err(Fault::NotJson));
    }
}

#[test]
fn loopback_http_is_a_matter_of_the_tenant_and_of_the_address() {
    let needs = Requirements { loopback_http: true, ..STRICT };
    let local = with("token_endpoint", json!("http://127.0.0.1:8090/token"));
    assert_eq!(parse(&local).unwrap().check(needs), Ok(()));
    let remote = with("token_endpoint", json!("http://10.0.0.1/token"));
    assert_eq!(parse(&remote).unwrap().check(needs), Err(Fault::NotHttps("token_endpoint")));
}

#[test]
fn methods_under_a_name_that_is_wrong_are_found() {
    let mut document = sample();
    document.as_object_mut().unwrap().remove("token_endpoint_auth_methods_supported");
    document["token_endpoint_auth_methods"] = serde_json::json!(["client_secret_post"]);
    assert_eq!(parse(&document).unwrap().token_auth_methods, ["client_secret_post"]);
}

#[test]
fn a_vendor_can_waive_the_announcement_of_s256() {
    let needs = Requirements { pkce: false, ..STRICT };
    assert_eq!(parse(&with("code_challenge_methods_supported", json!([]))).unwrap().check(needs), Ok(()));
}

#[test]
fn the_capability_statement_names_the_endpoints_where_there_is_no_well_known() {
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "rest": [{"mode": "server", "security": {"extension": [
            {"url": "http://fhir-registry.smarthealthit.org/StructureDefinition/capabilities", "valueCode": "launch-ehr"},
            {"url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris", "extension": [
                {"url": "token", "valueUri": "https://ehr.example.org/auth/token"},
                {"url": "authorize", "valueUri": "https://ehr.example.org/auth/authorize"},
                {"url": "revoke", "valueUri": "https://ehr.example.org/user/revoke"}
            ]}
        ]}}]
    });
    let smart = parse_capability_statement(BASE, statement.to_string().as_bytes()).unwrap();
    assert_eq!(smart.check(STRICT), Ok(()));
    assert_eq!(smart.source, Source::CapabilityStatement);
    assert_eq!(smart.authorize.as_ref().map(Url::as_str), Some("https://ehr.example.org/auth/authorize"));
    assert!(smart.offers("launch-ehr"));
    let empty = json!({"resourceType": "CapabilityStatement", "rest": [{}]});
    assert_eq!(parse_capability_statement(BASE, empty.to_string().as_bytes()), Err(Fault::NoOauthUris));
}

proptest::proptest! {
    #[test]
    fn no_document_panics(document in ".{0,200}") {
        let _ = Smart::parse(BASE, document.as_bytes());
        let _ = parse_capability_statement(BASE, document.as_bytes());
    }
}
