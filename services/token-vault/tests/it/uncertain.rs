//! When it is not known whether a refresh worked, nobody tries again with the same token.

use std::time::Duration;

use sallyport_proto::{audit::v1::Outcome, types::v1::selector::By};

use crate::{
    sign_in::Script,
    world::{World, code, each, eventually},
};

async fn becomes_uncertain(world: &World, script: Script) {
    let grant = world.grant().await;
    world.until_expiry();
    let before = world.sign_in.seen_grants("refresh_token").len();
    world.sign_in.script("token", [script]);
    for _ in 0..3 {
        assert_eq!(code(&world.access(&grant).await.unwrap_err()), "grant.uncertain");
        world.clock.advance(Duration::from_secs(120));
    }
    assert_eq!(world.sign_in.seen_grants("refresh_token").len(), before + 1, "sent once, never again");
    assert_eq!(world.state().await, "uncertain");
    let record = world.records().await.pop().unwrap();
    assert_eq!((record.outcome(), record.code.as_str()), (Outcome::Refused, "grant.uncertain"));
}

#[tokio::test]
async fn an_answer_that_never_came_leaves_the_grant_uncertain() {
    each(|world| async move { becomes_uncertain(&world, Script::Lost).await }).await;
}

#[tokio::test]
async fn a_connection_that_broke_leaves_the_grant_uncertain() {
    each(|world| async move { becomes_uncertain(&world, Script::Broken).await }).await;
}

#[tokio::test]
async fn an_unreadable_yes_leaves_the_grant_uncertain() {
    each(|world| async move {
        let yes = Script::Answer(200, "text/html", "<h1>Welcome back</h1>".to_owned());
        becomes_uncertain(&world, yes).await;
        assert_eq!(world.vaults[0].health.uncertain_grants().await, Ok(1));
    })
    .await;
}

#[tokio::test]
async fn a_refresh_that_a_dead_process_left_behind_is_uncertain_even_if_nobody_asks() {
    each(|world| async move {
        world.grant().await;
        world.execute("UPDATE grants SET state = 'refreshing', lease_epoch = 1, lease_expires_at = 5").await;
        let is_recorded = || async {
            let record = world.records().await.pop().unwrap();
            (record.code.as_str(), record.detail.as_str()) == ("grant.uncertain", "left_behind")
        };
        eventually("the finding", is_recorded).await;
        assert_eq!(world.state().await, "uncertain");
        assert!(world.sign_in.seen_grants("refresh_token").is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_static_refresh_that_a_dead_process_left_behind_is_made_again() {
    each(|world| async move {
        world.sign_in.stop_rotating();
        let grant = world.grant_of("elsewhere").await;
        world.until_expiry();
        world.execute("UPDATE grants SET state = 'refreshing', lease_epoch = 1, lease_expires_at = 5").await;
        assert_eq!(world.access(&grant).await.unwrap().access_token, "access-canary-0002");
        assert_eq!(world.sign_in.seen_grants("refresh_token").len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_uncertain_grant_can_still_be_revoked_at_the_ehr() {
    each(|world| async move {
        let grant = world.grant().await;
        world.until_expiry();
        world.sign_in.script("token", [Script::Broken]);
        assert_eq!(code(&world.access(&grant).await.unwrap_err()), "grant.uncertain");
        let outcome = world.revoke(By::Grant(grant)).await.unwrap();
        assert_eq!((outcome.grants, outcome.revoked_upstream), (1, 1));
        assert_eq!(world.sign_in.seen("revoke")[0].form["token"], "refresh-canary-0001");
    })
    .await;
}
