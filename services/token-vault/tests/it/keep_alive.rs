//! Where tokens die unused, they are used before they do.

use std::time::Duration;

use crate::world::{each, each_with, eventually, sleepy};

#[tokio::test]
async fn an_idle_grant_is_refreshed_in_the_background() {
    each_with(
        2,
        sleepy,
        |_| {},
        |world| async move {
            let grant = world.grant().await;
            world.access(&grant).await.unwrap();
            for n in 1..=3 {
                world.clock.advance(Duration::from_secs(601));
                let is_renewed =
                    || async { world.access(&grant).await.is_ok_and(|access| access.version == n + 1) };
                eventually("the refresh", is_renewed).await;
            }
            assert_eq!(world.sign_in.seen_grants("refresh_token").len(), 3);
            assert_eq!(world.sign_in.reuses(), 0, "two vaults kept one grant alive");
        },
    )
    .await;
}

#[tokio::test]
async fn other_products_are_left_in_peace() {
    each(|world| async move {
        let grant = world.grant().await;
        world.access(&grant).await.unwrap();
        world.clock.advance(Duration::from_secs(1_800));
        // Several sweeps of 20 ms pass.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(world.sign_in.seen_grants("refresh_token").is_empty());
    })
    .await;
}
