//! Redeeming a code: what comes back, what is refused and how, and that nothing obtained is left lying around.

use std::time::Duration;

use sallyport_model::ServiceName;
use sallyport_proto::{
    audit::v1::{Kind, Outcome},
    convert,
    types::v1::{actor, selector::By},
    vault::v1::ExchangeRequest,
};
use serde_json::{Value, json};

use crate::{
    sign_in::Script,
    world::{START, World, code, each, each_with, eventually, usual},
};

async fn refused(world: &World, request: ExchangeRequest) -> &'static str {
    code(&world.exchange(request).await.unwrap_err())
}

#[tokio::test]
async fn a_launch_learns_who_and_what_and_never_a_token() {
    each(|world| async move {
        let answer = world.exchange(world.transaction("public")).await.unwrap();
        assert_eq!(answer.granted_scope, "openid fhirUser launch patient/*.rs");
        let user = answer.user.clone().unwrap();
        assert_eq!(user.issuer, format!("{}/oauth", world.sign_in.url));
        assert_eq!((user.subject.as_str(), user.fhir_user.as_str()), ("user-canary-1", "Practitioner/p-1"));
        assert_eq!(answer.user_display, "Dr. Ada Example");
        let context: Value = serde_json::from_str(&answer.context_json).unwrap();
        assert_eq!(context, json!({"patient":"patient-1","encounter":"encounter-1"}));
        assert!(answer.has_refresh_token);
        assert_eq!(answer.access_expires_at, START + 3_600 * 1_000_000);
        assert!(!format!("{answer:?}").contains("canary-0"), "no token is in the answer");
    })
    .await;
}

#[tokio::test]
async fn an_exchange_is_recorded_with_its_person_patient_and_scopes() {
    each(|world| async move {
        let answer = world.exchange(world.transaction("public")).await.unwrap();
        let record = world.records().await.pop().unwrap();
        assert_eq!((record.kind(), record.outcome()), (Kind::TokenExchange, Outcome::Success));
        assert_eq!((record.tenant.as_str(), record.endpoint.as_str()), ("general", "main"));
        assert_eq!((record.registration.as_str(), record.grant_id), ("public", answer.grant_id));
        assert_eq!(record.patients, ["patient-1"]);
        assert_eq!(record.granted_scope, answer.granted_scope);
        assert!(record.requested_scope.contains("online_access"));
        let Some(actor::Kind::User(user)) = record.actor.unwrap().kind else { panic!("a person") };
        assert_eq!(user.subject, "user-canary-1");
    })
    .await;
}

#[tokio::test]
async fn what_was_not_pinned_at_registration_is_never_contacted() {
    each(|world| async move {
        let good = world.transaction("public");
        let elsewhere = "http://127.0.0.1:1/oauth/token".to_owned();
        for request in [
            ExchangeRequest { token_endpoint: elsewhere.clone(), ..good.clone() },
            ExchangeRequest { jwks_uri: elsewhere.clone(), ..good.clone() },
            ExchangeRequest { revocation_endpoint: elsewhere.clone(), ..good.clone() },
            ExchangeRequest { introspection_endpoint: elsewhere.clone(), ..good.clone() },
            ExchangeRequest { token_endpoint: "http://evil.example/token".to_owned(), ..good.clone() },
        ] {
            assert_eq!(refused(&world, request).await, "launch.discovery_drift");
        }
        assert!(world.sign_in.seen("token").is_empty());
        let record = world.records().await.pop().unwrap();
        assert_eq!((record.outcome(), record.code.as_str()), (Outcome::Refused, "launch.discovery_drift"));
    })
    .await;
}

#[tokio::test]
async fn a_registration_of_another_tenant_or_endpoint_does_not_exist() {
    each(|world| async move {
        let good = world.transaction("public");
        for request in [
            ExchangeRequest { tenant: "lakeside".to_owned(), ..good.clone() },
            ExchangeRequest { endpoint: "other".to_owned(), ..good.clone() },
            ExchangeRequest { registration: "nobody".to_owned(), ..good.clone() },
        ] {
            assert_eq!(refused(&world, request).await, "launch.registration_unknown");
        }
        for request in [
            ExchangeRequest { code: String::new(), ..good.clone() },
            ExchangeRequest { code_verifier: String::new(), ..good.clone() },
            ExchangeRequest { launch_id: vec![1], ..good.clone() },
            ExchangeRequest { tenant: "No Tenant".to_owned(), ..good.clone() },
        ] {
            assert_eq!(refused(&world, request).await, "request.invalid");
        }
        assert!(world.sign_in.seen("token").is_empty());
    })
    .await;
}

#[tokio::test]
async fn each_refusal_of_the_token_endpoint_has_its_own_meaning() {
    each(|world| async move {
        let json = |error: &str| format!(r#"{{"error":"{error}","error_description":"input <b>"}}"#);
        for (status, body, expected) in [
            (400, json("invalid_grant"), "exchange.refused"),
            (401, json("invalid_grant"), "exchange.refused"),
            (400, json("invalid_client"), "exchange.client_refused"),
            (401, "<html>no".to_owned(), "exchange.client_refused"),
            (401, String::new(), "exchange.client_refused"),
            (400, json("unauthorized_client"), "exchange.client_refused"),
            (400, json("invalid_scope"), "exchange.refused"),
            (400, "<html>what?".to_owned(), "exchange.refused"),
            (200, json("invalid_grant"), "exchange.refused"),
            (503, "busy".to_owned(), "ehr.busy"),
            (429, String::new(), "ehr.busy"),
            (307, String::new(), "ehr.redirect"),
            (200, "<html>welcome".to_owned(), "exchange.invalid_response"),
            (200, r#"{"access_token":"a","token_type":"mac"}"#.to_owned(), "exchange.invalid_response"),
            (200, r#"{"token_type":"bearer"}"#.to_owned(), "exchange.invalid_response"),
            (200, format!(r#"{{"access_token":"{}"}}"#, "x".repeat(300_000)), "exchange.invalid_response"),
        ] {
            world.sign_in.script("token", [Script::Answer(status, "application/json", body.clone())]);
            let answer = world.exchange(world.transaction("public")).await.unwrap_err();
            assert_eq!(code(&answer), expected, "{status} {}", body.get(..40).unwrap_or(&body));
            assert!(!answer.message().contains("<b>"), "no input is reflected");
        }
        assert_eq!(world.sign_in.seen("token").len(), 16, "a code is sent once");
        assert_eq!(world.text("SELECT CAST(count(*) AS TEXT) FROM grants").await, "0");
    })
    .await;
}

#[tokio::test]
async fn a_late_or_broken_answer_is_a_timeout() {
    each(|world| async move {
        world.sign_in.script("token", [Script::Lost, Script::Broken]);
        assert_eq!(refused(&world, world.transaction("public")).await, "exchange.timeout");
        assert_eq!(refused(&world, world.transaction("public")).await, "exchange.timeout");
        assert_eq!(world.sign_in.seen("token").len(), 2, "a code is sent once");
    })
    .await;
}

#[tokio::test]
async fn lifetimes_are_capped_and_defaulted() {
    each(|world| async move {
        for (expires_in, seconds) in
            [(json!(31_536_000), 3_600), (json!("120"), 120), (Value::Null, 300), (json!(-1), 300)]
        {
            world.sign_in.change_response(move |r| r["expires_in"] = expires_in.clone());
            let answer = world.exchange(world.transaction("public")).await.unwrap();
            assert_eq!(answer.access_expires_at, START + seconds * 1_000_000);
        }
    })
    .await;
}

#[tokio::test]
async fn an_absent_scope_means_as_requested() {
    each(|world| async move {
        world.sign_in.change_response(|r| r["scope"] = Value::Null);
        let answer = world.exchange(world.transaction("public")).await.unwrap();
        assert_eq!(answer.granted_scope, world.transaction("public").requested_scope);
    })
    .await;
}

#[tokio::test]
async fn an_authorisation_that_nobody_took_is_revoked() {
    each(|world| async move {
        world.sign_in.script("token", [Script::Late(Duration::from_millis(300))]);
        let mut request = tonic::Request::new(world.transaction("public"));
        request.set_timeout(Duration::from_millis(100));
        let gave_up = world.client(ServiceName::LaunchAuth).exchange(request).await.unwrap_err();
        assert_eq!(gave_up.code(), tonic::Code::DeadlineExceeded);
        eventually("the revocation", || async { world.sign_in.seen("revoke").len() == 2 }).await;
        assert_eq!(world.sign_in.seen("revoke")[0].form["token"], "refresh-canary-0001");
        assert_eq!(world.sign_in.seen("revoke")[1].form["token"], "access-canary-0001");
        assert_eq!(world.state().await, "revoked");
        assert_eq!(world.text("SELECT reason FROM grants").await, "abandoned");
    })
    .await;
}

#[tokio::test]
async fn a_grant_whose_token_nobody_asked_for_is_revoked_after_a_while() {
    each(|world| async move {
        let claimed = world.grant().await;
        let unclaimed = world.exchange(world.transaction("public")).await.unwrap().grant_id;
        world.clock.advance(Duration::from_secs(15 * 60 + 1));
        let revoked = "SELECT CAST(count(*) AS TEXT) FROM grants WHERE state = 'revoked'";
        eventually("the revocation", || async { world.text(revoked).await == "1" }).await;
        assert_eq!(code(&world.access(&unclaimed).await.unwrap_err()), "grant.revoked");
        assert!(world.access(&claimed).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_launch_that_was_revoked_meanwhile_gets_no_grant() {
    each(|world| async move {
        let request = world.transaction("public");
        world.sign_in.script("token", [Script::Late(Duration::from_millis(200))]);
        let (answer, ()) = tokio::join!(world.exchange(request.clone()), async {
            eventually("the request", || async { !world.sign_in.seen("token").is_empty() }).await;
            world.revoke(By::Launch(request.launch_id.clone())).await.unwrap();
        });
        assert_eq!(code(&answer.unwrap_err()), "grant.revoked");
        assert_eq!(world.state().await, "revoked");
        eventually("the revocation", || async { !world.sign_in.seen("revoke").is_empty() }).await;
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_handed_out() {
    each(|world| async move {
        world.vaults[0].disk.fail_sync(true);
        world.vaults[0].disk.fail_create(true);
        assert_eq!(refused(&world, world.transaction("public")).await, "audit.unavailable");
        eventually("the revocation", || async { world.state().await == "revoked" }).await;
        let sent = world.sign_in.seen("token").len();
        assert_eq!(refused(&world, world.transaction("public")).await, "audit.unavailable");
        assert_eq!(
            world.sign_in.seen("token").len(),
            sent,
            "a spool known to be broken stops the call before it starts"
        );
    })
    .await;
}

#[tokio::test]
async fn grants_of_one_launch_in_two_vaults_use_one_data_key() {
    each_with(
        2,
        usual,
        |_| {},
        |world| async move {
            let mut clients = [0, 1].map(|vault| world.client_of(vault, ServiceName::LaunchAuth));
            let [first, second] = &mut clients;
            let (a, b) = tokio::join!(
                first.exchange(world.transaction("public")),
                second.exchange(world.transaction("public"))
            );
            for (vault, grant) in [(1, a.unwrap()), (0, b.unwrap())] {
                let grant = grant.into_inner().grant_id;
                assert!(
                    world.access_of(vault, &grant, &[]).await.is_ok(),
                    "each opens what the other sealed"
                );
            }
            let keys = "SELECT CAST(count(*) AS TEXT) FROM data_keys WHERE purpose = 'grants'";
            assert_eq!(world.text(keys).await, "1");
            assert!(convert::grant_id(&[0; 3]).is_err());
        },
    )
    .await;
}
