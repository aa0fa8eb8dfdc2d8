//! The life and death of codes and tokens.

use http::Method;
use serde_json::json;

use crate::ehr::{Ehr, VERIFIER, answer, text};

async fn reads(ehr: &Ehr, token: &str) -> u16 {
    ehr.fhir_get(&format!("/Patient/{}", ehr.patient()), token).await.status.as_u16()
}

#[tokio::test]
async fn a_replayed_code_is_refused_and_kills_the_tokens_it_gave() {
    let ehr = Ehr::start().await;
    let code = ehr.code("public-app").await;
    let tokens = ehr.redeem("public-app", &code).await.json();
    assert_eq!(reads(&ehr, text(&tokens, "access_token")).await, 200);
    let again = ehr.redeem("public-app", &code).await;
    assert_eq!((again.status.as_u16(), &again.json()["error"]), (400, &json!("invalid_grant")));
    assert_eq!(reads(&ehr, text(&tokens, "access_token")).await, 401);
    assert_eq!(ehr.refresh(text(&tokens, "refresh_token")).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn of_many_simultaneous_uses_of_a_code_at_most_one_gets_tokens() {
    let ehr = Ehr::start().await;
    let code = ehr.code("public-app").await;
    let all = futures_util::future::join_all((0..8).map(|_| ehr.redeem("public-app", &code))).await;
    assert_eq!(all.iter().filter(|reply| reply.status == 200).count(), 1);
}

#[tokio::test]
async fn a_code_is_bound_to_verifier_redirect_uri_client_and_time() {
    let ehr = Ehr::start().await;
    let wrong = VERIFIER.replace('d', "e");
    let spoils = [
        ("code_verifier", wrong.as_str()),
        ("code_verifier", "short"),
        ("redirect_uri", "http://localhost:8080/second?fixed=1"),
        ("client_id", "other-app"),
    ];
    for (name, value) in spoils {
        let code = ehr.code("public-app").await;
        let mut fields = vec![("code", code.as_str()), (name, value)];
        if name != "client_id" {
            fields.push(("client_id", "public-app"));
        }
        let reply = ehr.redeem_with(&fields, &[]).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (400, &json!("invalid_grant")), "{name}");
    }
    let code = ehr.code("public-app").await;
    ehr.admin(Method::POST, "/clock", json!({"advance_seconds": 61})).await;
    assert_eq!(ehr.redeem("public-app", &code).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn a_token_request_without_verifier_is_refused_and_leaves_no_token() {
    let ehr = Ehr::start().await;
    let code = ehr.code("public-app").await;
    let fields = [("client_id", "public-app"), ("code", code.as_str()), ("code_verifier", "")];
    let reply = ehr.redeem_with(&fields, &[]).await;
    assert_eq!(reply.json()["error"], "invalid_request");
    assert!(reply.json().get("access_token").is_none());
}

#[tokio::test]
async fn refreshing_rotates_and_reuse_of_the_old_token_revokes_the_family() {
    let ehr = Ehr::start().await;
    let first = ehr.tokens().await;
    let second = ehr.refresh(text(&first, "refresh_token")).await.json();
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(second["patient"], first["patient"]);
    assert!(second["expires_in"].is_i64());
    assert!(second.get("id_token").is_none());
    assert_eq!(reads(&ehr, text(&second, "access_token")).await, 200);
    let reused = ehr.refresh(text(&first, "refresh_token")).await;
    assert_eq!((reused.status.as_u16(), &reused.json()["error"]), (400, &json!("invalid_grant")));
    assert_eq!(reads(&ehr, text(&second, "access_token")).await, 401);
    assert_eq!(ehr.refresh(text(&second, "refresh_token")).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn an_expired_access_token_is_answered_with_401_and_can_be_refreshed() {
    let ehr = Ehr::start().await;
    let tokens = ehr.tokens().await;
    ehr.admin(Method::POST, "/clock", json!({"advance_seconds": 3601})).await;
    let refused = ehr.fhir_get(&format!("/Patient/{}", ehr.patient()), text(&tokens, "access_token")).await;
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").contains("invalid_token"));
    let fresh = ehr.refresh(text(&tokens, "refresh_token")).await.json();
    assert_eq!(reads(&ehr, text(&fresh, "access_token")).await, 200);
}

#[tokio::test]
async fn a_refresh_with_a_wider_scope_is_invalid_scope_and_does_not_spend_the_token() {
    let ehr = Ehr::start().await;
    let tokens = ehr.tokens().await;
    let refresh_token = text(&tokens, "refresh_token");
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("client_id", "public-app"),
        ("scope", "user/*.rs"),
    ];
    assert_eq!(ehr.form(&ehr.oauth("/token"), &fields).await.json()["error"], "invalid_scope");
    assert_eq!(ehr.refresh(refresh_token).await.status, 200);
}

#[tokio::test]
async fn a_token_of_one_hospital_opens_nothing_at_the_other() {
    let ehr = Ehr::start().await;
    let tokens = ehr.tokens().await;
    let bearer = format!("Bearer {}", text(&tokens, "access_token"));
    let url = ehr.url(&format!("/strict/lakeside/fhir/Patient/{}", ehr.patient()));
    let reply = ehr.try_send(Method::GET, &url, &[("authorization", &bearer)], String::new()).await.unwrap();
    assert_eq!(reply.status, 401);
}

#[tokio::test]
async fn revocation_by_the_client_ends_access_and_is_silent_about_unknown_tokens() {
    let ehr = Ehr::start().await;
    let tokens = ehr.tokens().await;
    let revoke = |client: &'static str, token: String| {
        let ehr = &ehr;
        async move { ehr.form(&ehr.oauth("/revoke"), &[("client_id", client), ("token", &token)]).await }
    };
    let refresh_token = text(&tokens, "refresh_token").to_owned();
    assert_eq!(revoke("other-app", refresh_token.clone()).await.status, 400);
    assert_eq!(reads(&ehr, text(&tokens, "access_token")).await, 200);
    assert_eq!(revoke("public-app", "never-issued".to_owned()).await.status, 200);
    assert_eq!(revoke("public-app", refresh_token.clone()).await.status, 200);
    assert_eq!(reads(&ehr, text(&tokens, "access_token")).await, 401);
    assert_eq!(ehr.refresh(&refresh_token).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn introspection_describes_a_live_token_to_its_own_client_only() {
    let ehr = Ehr::start().await;
    let tokens = ehr.tokens().await;
    let token = text(&tokens, "access_token");
    let own =
        ehr.form(&ehr.oauth("/introspect"), &[("client_id", "public-app"), ("token", token)]).await.json();
    assert_eq!(own["active"], true);
    assert_eq!(own["client_id"], "public-app");
    assert_eq!(own["scope"], tokens["scope"]);
    assert_eq!(own["patient"], tokens["patient"]);
    assert!(own["exp"].as_i64().unwrap() > own["iat"].as_i64().unwrap());
    assert_eq!(own["iss"], ehr.oauth(""));
    assert!(text(&own, "fhirUser").starts_with(&ehr.fhir("/Practitioner/")));
    let other =
        ehr.form(&ehr.oauth("/introspect"), &[("client_id", "other-app"), ("token", token)]).await.json();
    assert_eq!(other, json!({"active": false}));
    let bearer = format!("Bearer {token}");
    let by_bearer =
        ehr.form_with(&ehr.oauth("/introspect"), &[("token", token)], &[("authorization", &bearer)]).await;
    assert_eq!(by_bearer.json()["active"], true);
    let anonymous = ehr.form(&ehr.oauth("/introspect"), &[("token", token)]).await;
    assert_eq!(anonymous.status, 401);
}

#[tokio::test]
async fn a_token_in_the_query_is_not_looked_at() {
    let ehr = Ehr::start().await;
    let tokens = ehr.tokens().await;
    let url = ehr.fhir(&format!("/Patient/{}?access_token={}", ehr.patient(), text(&tokens, "access_token")));
    assert_eq!(ehr.get(&url).await.status, 401);
}

#[tokio::test]
async fn online_access_gives_a_refresh_token_for_the_working_day() {
    let ehr = Ehr::start().await;
    let launch = ehr.launch("public-app").await;
    let request =
        ehr.authorize_request("public-app", Some(&launch)).with("scope", "launch online_access patient/*.rs");
    let code = answer(&ehr.get(&request.url()).await.location(), "code").unwrap();
    let tokens = ehr.redeem("public-app", &code).await.json();
    ehr.admin(Method::POST, "/clock", json!({"advance_seconds": 12 * 3600 + 1})).await;
    assert_eq!(ehr.refresh(text(&tokens, "refresh_token")).await.json()["error"], "invalid_grant");
}
