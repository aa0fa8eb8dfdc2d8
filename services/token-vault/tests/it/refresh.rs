//! Refreshes one at a time: when, with what, and what each answer means.

use std::time::Duration;

use sallyport_proto::{
    audit::v1::{Kind, Outcome},
    types::v1::selector::By,
};
use sallyport_smart::pkce::sha256;
use serde_json::{Value, json};

use crate::{
    sign_in::Script,
    world::{code, each, eventually},
};

#[tokio::test]
async fn a_good_token_is_served_without_asking_anybody() {
    each(|world| async move {
        let grant = world.grant().await;
        let first = world.access(&grant).await.unwrap();
        assert_eq!((first.access_token.as_str(), first.version), ("access-canary-0001", 1));
        assert_eq!(world.access(&grant).await.unwrap().access_token, first.access_token);
        assert!(world.sign_in.seen_grants("refresh_token").is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_token_near_its_end_is_refreshed_and_the_new_refresh_token_used_next() {
    each(|world| async move {
        let grant = world.grant().await;
        for (n, expected) in [(1, "access-canary-0002"), (2, "access-canary-0003")] {
            world.until_refresh();
            let access = world.access(&grant).await.unwrap();
            assert_eq!((access.access_token.as_str(), access.version), (expected, n + 1));
        }
        let used: Vec<_> = world
            .sign_in
            .seen_grants("refresh_token")
            .iter()
            .map(|s| s.form["refresh_token"].clone())
            .collect();
        assert_eq!(used, ["refresh-canary-0001", "refresh-canary-0002"]);
        assert_eq!(world.sign_in.reuses(), 0);
        let record = world.records().await.pop().unwrap();
        assert_eq!((record.kind(), record.outcome()), (Kind::TokenRefresh, Outcome::Success));
        assert_eq!((record.detail.as_str(), record.grant_id), ("rotated", grant));
    })
    .await;
}

#[tokio::test]
async fn a_refresh_token_that_is_not_replaced_is_kept() {
    each(|world| async move {
        let grant = world.grant().await;
        world.sign_in.stop_rotating();
        for _ in 0..3 {
            world.until_refresh();
            world.access(&grant).await.unwrap();
        }
        let used = world.sign_in.seen_grants("refresh_token");
        assert!(used.len() == 3 && used.iter().all(|s| s.form["refresh_token"] == "refresh-canary-0001"));
    })
    .await;
}

#[tokio::test]
async fn a_rejected_token_is_refreshed_once_and_an_older_one_not_at_all() {
    each(|world| async move {
        let grant = world.grant().await;
        let old = world.access(&grant).await.unwrap().access_token;
        let rejected = sha256(old.as_bytes());
        let renewed = world.access_of(0, &grant, &rejected).await.unwrap();
        assert_eq!(renewed.access_token, "access-canary-0002");
        let again = world.access_of(0, &grant, &rejected).await.unwrap();
        assert_eq!(again.access_token, renewed.access_token);
        assert_eq!(world.sign_in.seen_grants("refresh_token").len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_narrowed_scope_is_stored_and_told() {
    each(|world| async move {
        let grant = world.grant().await;
        world.sign_in.change_response(|r| r["scope"] = json!("patient/Observation.rs"));
        world.until_refresh();
        assert_eq!(world.access(&grant).await.unwrap().granted_scope, "patient/Observation.rs");
        world.sign_in.change_response(|r| r["scope"] = Value::Null);
        world.until_refresh();
        assert_eq!(world.access(&grant).await.unwrap().granted_scope, "patient/Observation.rs");
    })
    .await;
}

#[tokio::test]
async fn invalid_grant_ends_the_grant_for_good() {
    each(|world| async move {
        let grant = world.grant().await;
        let body = r#"{"error":"invalid_grant"}"#.to_owned();
        world.sign_in.script("token", [Script::Answer(401, "application/json", body)]);
        world.until_expiry();
        for _ in 0..3 {
            assert_eq!(code(&world.access(&grant).await.unwrap_err()), "grant.dead");
        }
        assert_eq!(world.sign_in.seen_grants("refresh_token").len(), 1);
        assert_eq!(world.state().await, "dead");
        let record = world.records().await.pop().unwrap();
        assert_eq!((record.outcome(), record.code.as_str()), (Outcome::Refused, "grant.dead"));
    })
    .await;
}

#[tokio::test]
async fn a_busy_endpoint_is_left_alone_for_a_while_and_the_grant_lives() {
    each(|world| async move {
        let grant = world.grant().await;
        world
            .sign_in
            .script("token", [Script::Busy(503, 40), Script::Answer(500, "text/html", "<h1>".to_owned())]);
        world.until_expiry();
        assert_eq!(code(&world.access(&grant).await.unwrap_err()), "ehr.busy");
        world.clock.advance(Duration::from_secs(39));
        assert_eq!(code(&world.access(&grant).await.unwrap_err()), "ehr.busy");
        assert_eq!(world.sign_in.seen_grants("refresh_token").len(), 1, "Retry-After is kept");
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(code(&world.access(&grant).await.unwrap_err()), "ehr.busy");
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(world.access(&grant).await.unwrap().access_token, "access-canary-0002");
        assert_eq!(world.sign_in.seen_grants("refresh_token").len(), 3);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_names_the_time_to_come_back_is_left_alone_until_then() {
    each(|world| async move {
        let grant = world.grant().await;
        // Forty seconds after the token has expired.
        world.sign_in.script("token", [Script::BusyUntil(429, "Tue, 14 Nov 2023 23:14:01 GMT")]);
        world.until_expiry();
        assert_eq!(code(&world.access(&grant).await.unwrap_err()), "ehr.busy");
        world.clock.advance(Duration::from_secs(39));
        assert_eq!(code(&world.access(&grant).await.unwrap_err()), "ehr.busy");
        assert_eq!(world.sign_in.seen_grants("refresh_token").len(), 1);
        world.clock.advance(Duration::from_secs(1));
        world.access(&grant).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_failed_refresh_does_not_spoil_a_token_that_is_still_good() {
    each(|world| async move {
        let grant = world.grant().await;
        world.sign_in.script("token", [Script::Busy(503, 1)]);
        world.until_refresh();
        assert_eq!(world.access(&grant).await.unwrap().access_token, "access-canary-0001");
        assert_eq!(world.sign_in.seen_grants("refresh_token").len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_client_fault_is_not_repeated_in_a_storm() {
    each(|world| async move {
        let grant = world.grant().await;
        let body = r#"{"error":"invalid_client"}"#.to_owned();
        world.sign_in.script("token", [Script::Answer(401, "application/json", body)]);
        world.until_expiry();
        assert_eq!(code(&world.access(&grant).await.unwrap_err()), "exchange.client_refused");
        for _ in 0..5 {
            assert_eq!(code(&world.access(&grant).await.unwrap_err()), "ehr.busy");
        }
        assert_eq!(world.sign_in.seen_grants("refresh_token").len(), 1);
    })
    .await;
}

#[tokio::test]
async fn without_a_refresh_token_a_grant_lives_as_long_as_its_token() {
    each(|world| async move {
        world.sign_in.change_response(|r| r["refresh_token"] = Value::Null);
        let grant = world.grant().await;
        world.until_refresh();
        assert!(world.access(&grant).await.is_ok());
        world.until_expiry();
        assert_eq!(code(&world.access(&grant).await.unwrap_err()), "grant.dead");
        assert!(world.sign_in.seen_grants("refresh_token").is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_static_token_is_tried_again_within_its_budget() {
    each(|world| async move {
        world.sign_in.stop_rotating();
        let grant = world.grant_of("elsewhere").await;
        world.until_expiry();
        world.sign_in.script("token", [Script::Lost, Script::Broken]);
        assert_eq!(world.access(&grant).await.unwrap().access_token, "access-canary-0004");
        assert_eq!(world.sign_in.seen_grants("refresh_token").len(), 3);
        world.until_expiry();
        world.sign_in.script("token", [Script::Broken, Script::Broken, Script::Broken]);
        assert_eq!(code(&world.access(&grant).await.unwrap_err()), "ehr.timeout");
        assert_eq!(world.sign_in.seen_grants("refresh_token").len(), 6, "one and two retries");
        assert_eq!(code(&world.access(&grant).await.unwrap_err()), "ehr.busy");
        world.clock.advance(Duration::from_secs(61));
        assert!(world.access(&grant).await.is_ok(), "and later it works again");
    })
    .await;
}

#[tokio::test]
async fn a_grant_revoked_during_its_refresh_stays_revoked_and_so_does_what_came() {
    each(|world| async move {
        let grant = world.grant().await;
        world.until_expiry();
        world.sign_in.script("token", [Script::Late(Duration::from_millis(300))]);
        let (answer, ()) = tokio::join!(world.access(&grant), async {
            eventually("the refresh", || async { world.sign_in.seen_grants("refresh_token").len() == 1 })
                .await;
            world.revoke(By::Grant(grant.clone())).await.unwrap();
        });
        assert_eq!(code(&answer.unwrap_err()), "grant.revoked");
        assert_eq!(world.state().await, "revoked");
        let tokens = || world.sign_in.seen("revoke").into_iter().map(|s| s.form["token"].clone());
        eventually("the revocation", || async { tokens().any(|t| t == "refresh-canary-0002") }).await;
    })
    .await;
}

#[tokio::test]
async fn a_token_that_lives_shorter_than_the_margin_is_not_refreshed_for_each_call() {
    each(|world| async move {
        world.sign_in.change_response(|r| r["expires_in"] = json!(20));
        let grant = world.grant().await;
        for _ in 0..3 {
            assert_eq!(world.access(&grant).await.unwrap().access_token, "access-canary-0001");
        }
        world.clock.advance(Duration::from_secs(16));
        for _ in 0..3 {
            assert_eq!(world.access(&grant).await.unwrap().access_token, "access-canary-0002");
        }
        assert_eq!(world.sign_in.seen_grants("refresh_token").len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_refresh_that_cannot_be_recorded_leaves_nothing_hanging() {
    each(|world| async move {
        let grant = world.grant().await;
        world.until_expiry();
        world.vaults[0].disk.fail_sync(true);
        world.vaults[0].disk.fail_create(true);
        world.sign_in.script("token", [Script::Busy(503, 1)]);
        assert_eq!(code(&world.access(&grant).await.unwrap_err()), "audit.unavailable");
        assert_eq!(world.state().await, "active");
    })
    .await;
}
