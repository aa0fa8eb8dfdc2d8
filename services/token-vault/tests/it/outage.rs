//! The database away, behind a network that swallows packets, and back: nothing is refreshed that could not be stored,
//! and what was refreshed is not lost.

use std::{sync::Arc, time::Duration};

use sallyport_db::testing::{self, TestDb};
use sallyport_model::TestClock;
use sallyport_testkit::fault_proxy::{Fault, FaultProxy, address_in};
use sallyport_token_vault::{Config, MIGRATIONS};
use tokio::sync::Notify;

use crate::{
    sign_in::Script,
    world::{START, World, code, eventually, patient},
};

/// What the gateway gets; within any bound, or the test fails.
async fn access(world: &World, grant: &[u8]) -> Result<String, &'static str> {
    let asked = tokio::time::timeout(Duration::from_secs(60), world.access(grant)).await;
    asked.expect("an answer").map(|access| access.access_token).map_err(|status| code(&status))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_the_vault_refuses_in_time_and_loses_no_token() {
    let Some(database) = TestDb::server(MIGRATIONS).await else { return };
    let url = database.url().unwrap();
    let proxy = FaultProxy::start(address_in(url)).await;
    let pool = database.by_way_of(&proxy.instead_of(url)).unwrap();
    let config = Config { sweep_interval_ms: 20, lease_ms: 60_000, ..Config::default() };
    let world = World::start(pool, 1, patient, config).await;
    let grant = world.grant().await;
    let ready = &world.vaults[0].ready;
    eventually("ready", || async { ready().is_ok() }).await;
    for (round, fault) in [Fault::Blackhole, Fault::Reset].into_iter().enumerate() {
        let refreshes = || world.sign_in.seen_grants("refresh_token").len();
        // Away: refused, nothing is sent, no code is spent.
        proxy.set(fault);
        for _ in 0..3 {
            assert_eq!(access(&world, &grant).await, Err("service.unavailable"), "{fault:?}");
        }
        eventually("not ready", || async { ready().is_err_and(|why| why.contains("database")) }).await;
        let exchanges = world.sign_in.seen_grants("authorization_code").len();
        let refused = world.exchange(world.transaction("public")).await.unwrap_err();
        assert_eq!(code(&refused), "service.unavailable");
        assert_eq!(world.sign_in.seen_grants("authorization_code").len(), exchanges);
        assert_eq!(refreshes(), round);
        proxy.set(Fault::Pass);
        eventually("ready again", || async { ready().is_ok() }).await;
        // Lost while a refresh is under way: the new tokens wait until they can be stored.
        world.until_expiry();
        let release = Arc::new(Notify::new());
        world.sign_in.script("token", [Script::Held(Arc::clone(&release))]);
        let (answer, ()) = tokio::join!(access(&world, &grant), async {
            eventually("the refresh", || async { refreshes() == round + 1 }).await;
            proxy.set(fault);
            eventually("not ready", || async { ready().is_err() }).await;
            release.notify_one();
            eventually("the answer", || async { world.sign_in.released() > round }).await;
            // Only to let the vault meet the outage with the answer in its hands.
            tokio::time::sleep(Duration::from_millis(300)).await;
            proxy.set(Fault::Pass);
        });
        eventually("ready again", || async { ready().is_ok() }).await;
        let wanted = format!("access-canary-{:04}", round + 2);
        assert!(answer.as_ref().is_ok_and(|token| *token == wanted), "{fault:?}: {answer:?}");
        assert_eq!(access(&world, &grant).await.as_deref(), Ok(wanted.as_str()));
        assert_eq!((refreshes(), world.sign_in.reuses()), (round + 1, 0));
    }
    world.pool.close().await;
    database.close().await.unwrap();
}

#[tokio::test]
async fn with_a_wrong_clock_no_token_is_served_or_refreshed() {
    testing::each(MIGRATIONS, |pool| async move {
        let theirs = Arc::new(TestClock::at(START));
        let pool = pool.replica().with_database_clock(theirs.clone());
        let config = Config { sweep_interval_ms: 20, ..Config::default() };
        let world = World::start(pool, 1, patient, config).await;
        let grant = world.grant().await;
        world.clock.advance(Duration::from_secs(600));
        let ready = &world.vaults[0].ready;
        eventually("the finding", || async { ready().is_err_and(|why| why.contains("clock")) }).await;
        assert_eq!(access(&world, &grant).await, Err("service.clock_skew"));
        let exchanges = world.sign_in.seen_grants("authorization_code").len();
        let refused = world.exchange(world.transaction("public")).await.unwrap_err();
        assert_eq!(code(&refused), "service.clock_skew");
        assert_eq!(world.sign_in.seen_grants("authorization_code").len(), exchanges, "no code is spent");
        let by = sallyport_proto::types::v1::selector::By::Grant(grant.clone());
        assert_eq!(world.revoke(by).await.unwrap().grants, 1, "a revocation is never refused for it");
        theirs.advance(Duration::from_secs(600));
        eventually("ready again", || async { ready().is_ok() }).await;
        assert_eq!(access(&world, &grant).await, Err("grant.revoked"));
        world.pool.close().await;
    })
    .await;
}
