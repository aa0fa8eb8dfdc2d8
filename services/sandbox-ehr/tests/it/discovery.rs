//! The documents a client reads first.

use http::Method;
use serde_json::{Value, json};

use crate::ehr::{Ehr, REDIRECT, text};

#[tokio::test]
async fn smart_configuration_holds_every_field_and_its_urls_lead_somewhere() {
    let ehr = Ehr::start().await;
    let reply = ehr.get(&ehr.fhir("/.well-known/smart-configuration")).await;
    assert_eq!(reply.header("content-type"), "application/json");
    let document = reply.json();
    assert_eq!(document["issuer"], ehr.oauth(""));
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(
        document["grant_types_supported"],
        json!(["authorization_code", "refresh_token", "client_credentials"])
    );
    let capabilities: Vec<&str> =
        document["capabilities"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for needed in ["launch-ehr", "launch-standalone", "authorize-post", "sso-openid-connect", "permission-v2"]
    {
        assert!(capabilities.contains(&needed), "{needed}");
    }
    assert_eq!(document["user_access_brand_identifier"]["value"], "strict-general");
    for (member, method, status) in [
        ("authorization_endpoint", Method::GET, 400),
        ("token_endpoint", Method::POST, 400),
        ("introspection_endpoint", Method::POST, 400),
        ("revocation_endpoint", Method::POST, 400),
        ("registration_endpoint", Method::POST, 400),
        ("jwks_uri", Method::GET, 200),
        ("management_endpoint", Method::GET, 200),
        ("user_access_brand_bundle", Method::GET, 200),
    ] {
        let reply = ehr.try_send(method, text(&document, member), &[], String::new()).await.unwrap();
        assert_eq!(reply.status.as_u16(), status, "{member}");
    }
}

#[tokio::test]
async fn the_openid_configuration_agrees_with_smart_configuration() {
    let ehr = Ehr::start().await;
    let smart = ehr.get(&ehr.fhir("/.well-known/smart-configuration")).await.json();
    let openid = ehr.get(&ehr.oauth("/.well-known/openid-configuration")).await.json();
    for member in ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"] {
        assert_eq!(smart[member], openid[member], "{member}");
    }
    assert_eq!(openid["id_token_signing_alg_values_supported"], json!(["RS256"]));
}

#[tokio::test]
async fn the_brand_bundle_is_not_sent_again_to_who_has_it() {
    let ehr = Ehr::start().await;
    let url = ehr.url("/strict/general/brands.json");
    let first = ehr.get(&url).await;
    assert_eq!(first.json()["entry"][1]["resource"]["address"], ehr.fhir(""));
    let tag = first.header("etag").to_owned();
    let again = ehr.try_send(Method::GET, &url, &[("if-none-match", &tag)], String::new()).await.unwrap();
    assert_eq!(again.status, 304);
}

#[tokio::test]
async fn a_browser_app_may_read_discovery_and_fhir_but_not_control() {
    let ehr = Ehr::start().await;
    let origin = [("origin", "http://localhost:8080")];
    let open = ehr
        .try_send(Method::GET, &ehr.fhir("/.well-known/smart-configuration"), &origin, String::new())
        .await;
    assert_eq!(open.unwrap().header("access-control-allow-origin"), "*");
    let preflight = [origin[0], ("access-control-request-method", "GET")];
    let allowed =
        ehr.try_send(Method::OPTIONS, &ehr.fhir("/Patient/1"), &preflight, String::new()).await.unwrap();
    assert_eq!(allowed.status, 204);
    assert!(allowed.header("access-control-allow-headers").contains("authorization"));
    let control =
        ehr.try_send(Method::GET, &ehr.url("/_admin/requests"), &origin, String::new()).await.unwrap();
    assert_eq!(control.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn an_app_that_registers_itself_can_launch() {
    let ehr = Ehr::start().await;
    let metadata = json!({"client_name": "New", "redirect_uris": [REDIRECT], "scope": "launch patient/*.rs openid",
        "token_endpoint_auth_method": "client_secret_post"});
    let reply = ehr.try_send(Method::POST, &ehr.oauth("/register"), &[], metadata.to_string()).await.unwrap();
    assert_eq!(reply.status, 201);
    let client = reply.json();
    let code = ehr.code(text(&client, "client_id")).await;
    let fields = [
        ("code", code.as_str()),
        ("client_id", text(&client, "client_id")),
        ("client_secret", text(&client, "client_secret")),
    ];
    assert_eq!(ehr.redeem_with(&fields, &[]).await.status, 200);
    let bad = json!({"redirect_uris": ["not a url"]});
    let refused = ehr.try_send(Method::POST, &ehr.oauth("/register"), &[], bad.to_string()).await.unwrap();
    assert_eq!(refused.json()["error"], "invalid_redirect_uri");
}
