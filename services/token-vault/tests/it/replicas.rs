//! Two or three replicas on one database: clocks that differ, a process that dies with a refresh under way, keys that
//! are made at once.

use std::{sync::Arc, time::Duration};

use sallyport_db::testing::TestDb;
use sallyport_model::{Clock, ServiceName, SystemClock, TestClock};
use sallyport_proto::vault::v1::PublicKeysRequest;
use sallyport_token_vault::{Config, MIGRATIONS};
use tokio::{sync::Notify, task::JoinSet};

use crate::{
    sign_in::Script,
    world::{START, World, code, each_with, eventually, patient, usual},
};

#[tokio::test]
async fn a_replica_whose_clock_is_minutes_ahead_takes_no_living_refresh_for_dead() {
    each_with(
        0,
        patient,
        |config| config.access_wait_ms = 400,
        |mut world| async move {
            let theirs = world.clock.clone();
            let ahead = Arc::new(TestClock::at(START + 240_000_000));
            for clock in [theirs.clone(), ahead.clone()] {
                let pool = world.pool.replica().with_database_clock(theirs.clone());
                world.add_vault(pool, clock).await;
            }
            let grant = world.grant().await;
            world.until_expiry();
            ahead.advance(Duration::from_secs(3_601));
            let release = Arc::new(Notify::new());
            world.sign_in.script("token", [Script::Held(Arc::clone(&release))]);
            let asked = world.vaults[0].access(&grant, &[]);
            let ((), first) = tokio::join!(
                async {
                    eventually("the refresh", || async { refreshes(&world) == 1 }).await;
                    // Asks again and again for 400 ms, while its sweep looks every 20 ms for what others left behind.
                    let waited = world.vaults[1].access(&grant, &[]).await;
                    assert_eq!(code(&waited.unwrap_err()), "ehr.timeout");
                    assert_eq!(world.state().await, "refreshing");
                    release.notify_one();
                },
                asked
            );
            // The caller's own wait may be over before the refresh; the tokens are stored all the same.
            drop(first);
            eventually("the new token", || async { world.vaults[1].access(&grant, &[]).await.is_ok() }).await;
            assert_eq!((refreshes(&world), world.sign_in.reuses()), (1, 0));
        },
    )
    .await;
}

#[tokio::test]
async fn on_a_server_leases_go_by_its_own_clock() {
    let Some(database) = TestDb::server(MIGRATIONS).await else { return };
    let pool = database.pool.replica().with_servers_clock();
    let config = Config { sweep_interval_ms: 20, lease_ms: 600, ..Config::default() };
    let world = World::start_at(SystemClock.now(), pool, 2, patient, config).await;
    let grant = world.grant().await;
    let old = world.access(&grant).await.unwrap().access_token;
    let rejected = sallyport_smart::pkce::sha256(old.as_bytes());
    // Three times as long as the lease: renewed meanwhile, it is nobody else's.
    world.sign_in.script("token", [Script::Late(Duration::from_millis(1_800))]);
    let (one, two) =
        tokio::join!(world.vaults[0].access(&grant, &rejected), world.vaults[1].access(&grant, &rejected));
    assert_eq!(one.unwrap().access_token, two.unwrap().access_token);
    assert_eq!((refreshes(&world), world.sign_in.reuses()), (1, 0));
    world.execute("UPDATE grants SET state = 'refreshing', lease_expires_at = 5").await;
    eventually("the finding", || async { world.state().await == "uncertain" }).await;
    world.pool.close().await;
    drop(world);
    database.close().await.unwrap();
}

fn refreshes(world: &World) -> usize {
    world.sign_in.seen_grants("refresh_token").len()
}

/// A refresh is sent by a process that dies before the answer.
async fn dies_while_refreshing(world: &World, grant: &[u8]) {
    let before = refreshes(world);
    world.sign_in.script("token", [Script::Held(Arc::new(Notify::new()))]);
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let clock: Arc<dyn Clock> = world.clock.clone();
    let pool = world.pool.replica();
    // Everything it does runs on its own runtime, and ends with it.
    let vault = {
        let _entered = doomed.enter();
        world.vault(pool, clock).await
    };
    let grant = grant.to_vec();
    doomed.spawn(async move { vault.access(&grant, &[]).await });
    eventually("the refresh", || async { refreshes(world) == before + 1 }).await;
    assert_eq!(world.state().await, "refreshing");
    doomed.shutdown_background();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_whose_process_died_is_uncertain_at_every_other_once_its_lease_has_run_out() {
    each_with(
        2,
        usual,
        |_| {},
        |world| async move {
            let grant = world.grant().await;
            world.until_expiry();
            dies_while_refreshing(&world, &grant).await;
            world.clock.advance(Duration::from_secs(2));
            for vault in &world.vaults {
                assert_eq!(code(&vault.access(&grant, &[]).await.unwrap_err()), "grant.uncertain");
            }
            assert_eq!((refreshes(&world), world.sign_in.reuses()), (1, 0));
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_same_token_may_be_sent_again_one_other_replica_does() {
    each_with(
        2,
        usual,
        |_| {},
        |world| async move {
            world.sign_in.stop_rotating();
            let grant = world.grant_of("elsewhere").await;
            world.until_expiry();
            dies_while_refreshing(&world, &grant).await;
            world.clock.advance(Duration::from_secs(2));
            let mut calls = JoinSet::new();
            let world = Arc::new(world);
            for n in 0..20 {
                let (world, grant) = (Arc::clone(&world), grant.clone());
                calls.spawn(async move { world.vaults[n % 2].access(&grant, &[]).await.is_ok() });
            }
            assert!(calls.join_all().await.into_iter().all(|is_ok| is_ok));
            assert_eq!(refreshes(&world), 2, "once by the one that died, once again");
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_replicas_that_make_the_signing_key_at_once_publish_the_same() {
    each_with(
        3,
        usual,
        |_| {},
        |world| async move {
            let mut asked = JoinSet::new();
            for vault in 0..3 {
                let mut client = world.client_of(vault, ServiceName::LaunchAuth);
                asked.spawn(async move {
                    client.public_keys(PublicKeysRequest {}).await.unwrap().into_inner().jwks_json
                });
            }
            let answers = asked.join_all().await;
            assert!(answers[0].contains("\"kid\""), "{answers:?}");
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        },
    )
    .await;
}
