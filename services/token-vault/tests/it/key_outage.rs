//! The key service away, or without the key: what still works, for how long, and what a person is told.

use std::time::Duration;

use sallyport_model::ServiceName;
use sallyport_proto::{types::v1::selector::By, vault::v1::RotateKeysRequest};

use crate::world::{World, code, each, eventually};

#[tokio::test]
async fn a_token_is_served_a_thousand_times_for_one_question_to_the_key_service() {
    each(|world| async move {
        let grant = world.grant().await;
        let before = world.kek.calls();
        for _ in 0..1_000 {
            world.access(&grant).await.unwrap();
        }
        assert_eq!(world.kek.calls(), before);
        world.clock.advance(Duration::from_secs(300));
        for _ in 0..100 {
            world.access(&grant).await.unwrap();
        }
        assert_eq!(world.kek.calls(), before + 1, "one key of one tenant, once in five minutes");
    })
    .await;
}

#[tokio::test]
async fn cached_keys_serve_for_five_minutes_and_then_nothing_does() {
    each(|world| async move {
        let grant = world.grant().await;
        world.kek.set_away(true);
        world.clock.advance(Duration::from_secs(299));
        world.access(&grant).await.unwrap();
        world.clock.advance(Duration::from_secs(1));
        let refused = world.access(&grant).await.unwrap_err();
        assert_eq!(code(&refused), "service.unavailable");
        assert_eq!(world.state().await, "active", "the grant is as it was");
        world.kek.set_away(false);
        world.access(&grant).await.unwrap();
    })
    .await;
}

/// Reads until the key was asked for again in the background and the answer has come.
async fn proven_again(world: &World, grant: &[u8]) {
    let before = world.kek.calls();
    eventually("the proof in the background", || async {
        world.access(grant).await.unwrap();
        world.kek.calls() > before
    })
    .await;
    // The fake answers in the turn after the one in which it counts.
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn an_outage_just_before_a_proof_ends_is_felt_four_minutes_later_at_the_earliest() {
    each(|world| async move {
        let grant = world.grant().await;
        for _ in 0..4 {
            world.clock.advance(Duration::from_secs(60));
            proven_again(&world, &grant).await;
        }
        world.clock.advance(Duration::from_secs(59));
        world.kek.set_away(true);
        for _ in 0..24 {
            world.clock.advance(Duration::from_secs(10));
            world.access(&grant).await.unwrap();
        }
        world.clock.advance(Duration::from_secs(1));
        let refused = world.access(&grant).await.unwrap_err();
        assert_eq!(code(&refused), "service.unavailable");
        world.kek.set_away(false);
        world.access(&grant).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_key_that_does_not_open_any_more_ends_within_a_minute_of_use() {
    each(|world| async move {
        let grant = world.grant().await;
        world.kek.lose();
        world.clock.advance(Duration::from_secs(59));
        world.access(&grant).await.unwrap();
        world.clock.advance(Duration::from_secs(1));
        eventually("the keeper's no", || async {
            world.access(&grant).await.is_err_and(|refused| code(&refused) == "grant.unreadable")
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn without_the_key_service_no_code_is_used_up() {
    each(|world| async move {
        world.grant().await;
        world.kek.set_away(true);
        world.clock.advance(Duration::from_secs(300));
        let refused = world.exchange(world.transaction("public")).await.unwrap_err();
        assert_eq!(code(&refused), "service.unavailable");
        assert_eq!(world.sign_in.seen("token").len(), 1, "nothing was sent that could not be kept");
        assert_eq!(world.text("SELECT CAST(count(*) AS TEXT) FROM grants").await, "1");
        world.kek.set_away(false);
        world.exchange(world.transaction("public")).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_refresh_that_cannot_be_kept_is_not_made() {
    each(|world| async move {
        let grant = world.grant().await;
        let sent = world.sign_in.seen("token").len();
        world.kek.set_away(true);
        world.until_expiry();
        let refused = world.access(&grant).await.unwrap_err();
        assert_eq!(code(&refused), "service.unavailable");
        assert_eq!(world.sign_in.seen("token").len(), sent);
        world.kek.set_away(false);
        // The pause after a failure is over.
        world.clock.advance(Duration::from_secs(120));
        world.access(&grant).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_database_without_its_key_asks_for_another_launch_and_nothing_else_breaks() {
    each(|world| async move {
        let grant = world.grant().await;
        world.grant_of("jwt").await;
        world.kek.lose();
        world.clock.advance(Duration::from_secs(300));
        let refused = world.access(&grant).await.unwrap_err();
        assert_eq!(code(&refused), "grant.unreadable");
        let refused = world.exchange(world.transaction("public")).await.unwrap_err();
        assert_eq!(code(&refused), "grant.unreadable", "nothing is sealed under a key that does not open");

        replace_lost(&world).await;
        let new = world.grant().await;
        world.access(&new).await.unwrap();
        assert_eq!(code(&world.access(&grant).await.unwrap_err()), "grant.unreadable");
        world.revoke(By::Grant(grant.clone())).await.unwrap();
        assert_eq!(code(&world.access(&grant).await.unwrap_err()), "grant.revoked");
        world.access(&new).await.unwrap();
    })
    .await;
}

async fn replace_lost(world: &World) {
    let request = RotateKeysRequest {
        replace_lost: true,
        reason: "restored".to_owned(),
        ..RotateKeysRequest::default()
    };
    world.client(ServiceName::Operator).rotate_keys(request).await.unwrap();
    eventually("the new keys", || async { world.keys().await.rotation.is_some_and(|r| r.closed_at > 0) })
        .await;
}
