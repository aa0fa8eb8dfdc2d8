//! A registration by itself (SMART 2.2 backend-services): what is asked for, of whom, and how its token is had anew.

use std::time::Duration;

use sallyport_model::ServiceName;
use sallyport_proto::{
    audit::v1::{Kind, Outcome, Record},
    types::v1::{actor, selector::By},
    vault::v1::{ClientCredentialsRequest, ClientCredentialsResponse},
};
use sallyport_smart::pkce::sha256;
use serde_json::{Value, json};
use tonic::Status;

use crate::{
    clients::claims,
    sign_in::Script,
    world::{World, code, each, each_with, eventually, usual},
};

const SCOPE: &str = "system/Condition.rs system/Encounter.rs system/Immunization.rs system/Observation.rs \
    system/Patient.rs system/Procedure.rs";

async fn ask(
    world: &World,
    tenant: &str,
    registration: &str,
    feature: &str,
) -> Result<ClientCredentialsResponse, Status> {
    let request = ClientCredentialsRequest {
        tenant: tenant.to_owned(),
        registration: registration.to_owned(),
        feature: feature.to_owned(),
    };
    let answer = world.client(ServiceName::JobWorker).client_credentials(request).await;
    answer.map(tonic::Response::into_inner)
}

async fn service(world: &World) -> ClientCredentialsResponse {
    ask(world, "general", "service", "population-report").await.unwrap()
}

fn asked(world: &World) -> usize {
    world.sign_in.seen_grants("client_credentials").len()
}

fn words(scope: &str) -> Vec<&str> {
    let mut words: Vec<_> = scope.split(' ').collect();
    words.sort_unstable();
    words
}

#[tokio::test]
async fn a_service_posts_a_form_with_its_features_scopes_and_an_assertion() {
    each(|world| async move {
        let opened = service(&world).await;
        let seen = world.sign_in.seen_grants("client_credentials").pop().unwrap();
        assert_eq!(seen.authorization, None);
        assert_eq!(words(&seen.form["scope"]), words(SCOPE));
        assert_eq!(
            seen.form["client_assertion_type"],
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
        let names: Vec<_> = seen.form.keys().map(String::as_str).collect();
        assert_eq!(names, ["client_assertion", "client_assertion_type", "grant_type", "scope"]);
        let (header, claims) = claims(&seen.form["client_assertion"]);
        assert_eq!((&header["alg"], header["kid"].is_string()), (&json!("ES384"), true));
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("client-service"), &json!("client-service")));
        assert_eq!(claims["aud"], json!(format!("{}/oauth/token", world.sign_in.url)));
        assert!(claims["exp"].as_i64().unwrap() - world.clock_seconds() <= 300);
        assert_eq!(words(&opened.granted_scope), words(SCOPE));

        let access = world.access(&opened.grant_id).await.unwrap();
        assert_eq!((access.access_token.as_str(), access.version), ("access-canary-0001", 1));
        assert_eq!(access.granted_scope, opened.granted_scope);

        let record = world.records().await.pop().unwrap();
        assert_eq!((record.kind(), record.outcome()), (Kind::ClientCredentials, Outcome::Success));
        assert_eq!((record.feature.as_str(), record.grant_id), ("population-report", opened.grant_id));
        assert_eq!(words(&record.requested_scope), words(SCOPE));
        assert!(record.launch_id.is_empty(), "nobody launched");
        let Some(actor::Kind::Service(name)) = record.actor.unwrap().kind else { panic!("a service") };
        assert_eq!(name, "service");
    })
    .await;
}

#[tokio::test]
async fn each_request_has_an_assertion_of_its_own() {
    each(|world| async move {
        service(&world).await;
        service(&world).await;
        let ids: Vec<_> = world
            .sign_in
            .seen_grants("client_credentials")
            .iter()
            .map(|seen| claims(&seen.form["client_assertion"]).1["jti"].clone())
            .collect();
        assert_ne!(ids[0], ids[1]);
    })
    .await;
}

#[tokio::test]
async fn a_registration_of_version_1_asks_in_its_words() {
    each(|world| async move {
        ask(&world, "general", "service-v1", "population-report").await.unwrap();
        let seen = world.sign_in.seen_grants("client_credentials").pop().unwrap();
        assert_eq!(words(&seen.form["scope"]), words(&SCOPE.replace(".rs", ".read")));
    })
    .await;
}

#[tokio::test]
async fn a_services_token_is_asked_for_again_once_over_two_vaults() {
    each_with(
        2,
        usual,
        |_| {},
        |world| async move {
            let grant = service(&world).await.grant_id;
            world.access(&grant).await.unwrap();
            world.clock.advance(Duration::from_secs(290));
            world.sign_in.script("token", [Script::Late(Duration::from_millis(200))]);
            let calls = (0..40).map(|n| world.access_of(n % 2, &grant, &[]));
            for access in futures_util::future::join_all(calls).await {
                assert_eq!(access.unwrap().access_token, "access-canary-0002");
            }
            assert_eq!((asked(&world), world.sign_in.discoveries()), (2, 1), "where to ask is stored");
            let rejected = sha256(b"access-canary-0002");
            let renewed = world.access_of(1, &grant, &rejected).await.unwrap();
            assert_eq!((renewed.access_token.as_str(), renewed.version), ("access-canary-0003", 3));
            // Two vaults have a spool each: which record is the last of both is not said.
            let is_again =
                |record: &&Record| record.kind() == Kind::ClientCredentials && record.detail == "asked_again";
            assert_eq!(world.records().await.iter().filter(is_again).count(), 2);
        },
    )
    .await;
}

#[tokio::test]
async fn a_refresh_token_that_a_service_gets_all_the_same_is_not_kept() {
    each(|world| async move {
        world.sign_in.change_response(|r| r["refresh_token"] = json!("refresh-canary-9999"));
        let grant = service(&world).await.grant_id;
        world.access(&grant).await.unwrap();
        world.clock.advance(Duration::from_secs(301));
        world.access(&grant).await.unwrap();
        let kept = "SELECT CAST(count(*) AS TEXT) FROM grants WHERE refresh_sealed IS NOT NULL";
        assert_eq!(world.text(kept).await, "0");
        assert!(world.sign_in.seen_grants("refresh_token").is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_unknown_outcome_is_asked_again_because_nothing_was_used_up() {
    each(|world| async move {
        let grant = service(&world).await.grant_id;
        world.access(&grant).await.unwrap();
        world.clock.advance(Duration::from_secs(301));
        world.sign_in.script("token", [Script::Broken]);
        assert!(world.access(&grant).await.is_ok());
        assert_eq!((asked(&world), world.state().await.as_str()), (3, "active"));
    })
    .await;
}

#[tokio::test]
async fn a_narrower_grant_is_told_now_and_later() {
    each(|world| async move {
        world.sign_in.change_response(|r| r["scope"] = json!("system/Patient.rs"));
        let opened = service(&world).await;
        assert_eq!(opened.granted_scope, "system/Patient.rs");
        assert_eq!(world.access(&opened.grant_id).await.unwrap().granted_scope, "system/Patient.rs");
        world.sign_in.change_response(|r| r["scope"] = Value::Null);
        world.clock.advance(Duration::from_secs(301));
        let access = world.access(&opened.grant_id).await.unwrap();
        assert_eq!(words(&access.granted_scope), words(SCOPE), "no scope means what was asked for");
    })
    .await;
}

#[tokio::test]
async fn only_a_registration_for_services_asks_and_only_for_a_service_feature() {
    each(|world| async move {
        for (tenant, registration, feature, refusal) in [
            ("general", "jwt", "population-report", "grant.backend_not_allowed"),
            ("general", "service", "patient-summary", "feature.unknown"),
            ("general", "service", "care-gap-alerting", "feature.unknown"),
            ("lakeside", "service", "population-report", "launch.registration_unknown"),
            ("general", "nobody", "population-report", "launch.registration_unknown"),
        ] {
            let status = ask(&world, tenant, registration, feature).await.unwrap_err();
            assert_eq!(code(&status), refusal, "{registration} {feature}");
        }
        assert_eq!((asked(&world), world.sign_in.discoveries()), (0, 0), "nobody was asked");
    })
    .await;
}

#[tokio::test]
async fn a_token_endpoint_that_was_not_pinned_gets_no_assertion() {
    each(|world| async move {
        world.sign_in.change_discovery(|d| d["token_endpoint"] = json!("http://127.0.0.1:9/token"));
        let status = ask(&world, "general", "service", "population-report").await.unwrap_err();
        assert_eq!(code(&status), "launch.discovery_drift");
        world.sign_in.change_discovery(|d| d["token_endpoint"] = Value::Null);
        let status = ask(&world, "general", "service", "population-report").await.unwrap_err();
        assert_eq!(code(&status), "launch.discovery_failed");
        let record = world.records().await.pop().unwrap();
        assert_eq!((record.outcome(), record.detail.as_str()), (Outcome::Failed, "document"));
    })
    .await;
}

#[tokio::test]
async fn a_refusal_says_whose_fault_it_is() {
    each(|world| async move {
        let refusals = [
            (400, "invalid_scope", "exchange.refused"),
            (401, "invalid_client", "exchange.client_refused"),
            (400, "unauthorized_client", "exchange.client_refused"),
        ];
        for (status, error, expected) in refusals {
            let body = json!({ "error": error }).to_string();
            world.sign_in.script("token", [Script::Answer(status, "application/json", body)]);
            let refused = ask(&world, "general", "service", "population-report").await.unwrap_err();
            assert_eq!(code(&refused), expected);
            let record = world.records().await.pop().unwrap();
            assert_eq!((record.code.as_str(), record.detail.as_str()), (expected, error));
        }
        world.sign_in.script("token", [Script::Busy(503, 5)]);
        let refused = ask(&world, "general", "service", "population-report").await.unwrap_err();
        assert_eq!(code(&refused), "ehr.busy");
    })
    .await;
}

#[tokio::test]
async fn a_services_grant_is_revoked_here_and_at_the_ehr() {
    // The sweep may tell the EHR first, and then it is not this call that did.
    each_with(
        1,
        usual,
        |config| config.sweep_interval_ms = 60_000,
        |world| async move {
            let grant = service(&world).await.grant_id;
            world.access(&grant).await.unwrap();
            let outcome = world.revoke(By::Endpoint("main".to_owned())).await.unwrap();
            assert_eq!((outcome.grants, outcome.revoked_upstream), (1, 1));
            assert_eq!(code(&world.access(&grant).await.unwrap_err()), "grant.revoked");
            let told = world.sign_in.seen("revoke").pop().unwrap();
            assert_eq!(
                (told.form["token"].as_str(), told.form["token_type_hint"].as_str()),
                ("access-canary-0001", "access_token")
            );
            let record = world.records().await.pop().unwrap();
            assert_eq!(record.kind(), Kind::TokenRevoke);
            assert!(matches!(record.actor.unwrap().kind, Some(actor::Kind::Service(_))));
        },
    )
    .await;
}

#[tokio::test]
async fn a_grant_that_no_job_takes_is_ended() {
    each(|world| async move {
        service(&world).await;
        world.clock.advance(Duration::from_secs(3_600));
        eventually("the end of it", || async { world.state().await == "revoked" }).await;
    })
    .await;
}

#[tokio::test]
async fn a_grant_that_cannot_be_recorded_is_not_given() {
    each(|world| async move {
        world.vaults[0].disk.fail_sync(true);
        world.vaults[0].disk.fail_create(true);
        let refused = ask(&world, "general", "service", "population-report").await.unwrap_err();
        assert_eq!(code(&refused), "audit.unavailable");
    })
    .await;
}
