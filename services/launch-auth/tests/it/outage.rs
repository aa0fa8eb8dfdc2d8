//! The database away, behind a network that swallows packets, and back; and a clock that is wrong.

use std::{sync::Arc, time::Duration};

use sallyport_db::testing::{self, TestDb};
use sallyport_launch_auth::{Config, MIGRATIONS};
use sallyport_model::{ServiceName, TestClock};
use sallyport_proto::launch::v1::ResolveRequest;
use sallyport_rpc::code_of;
use sallyport_testkit::fault_proxy::{Fault, FaultProxy, address_in};

use crate::{
    browser::Browser,
    world::{START, World, eventually},
};

/// The code that the gateway gets for a session that is open.
async fn resolve(world: &World, browser: &Browser) -> &'static str {
    let (name, secret) = browser.jar.iter().find(|(name, _)| name.starts_with("__Host-s-")).unwrap();
    let launch = sallyport_model::LaunchId::parse(name.trim_start_matches("__Host-s-")).unwrap();
    let request =
        ResolveRequest { launch_id: launch.uuid().as_bytes().to_vec(), session_secret: secret.clone() };
    let asked = async { world.client(ServiceName::FhirGateway).resolve(request).await };
    match tokio::time::timeout(Duration::from_secs(60), asked).await.expect("an answer") {
        Ok(_) => "open",
        Err(status) => code_of(&status).as_str(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_launches_and_sessions_are_refused_in_time_and_served_again() {
    let Some(database) = TestDb::server(MIGRATIONS).await else { return };
    let url = database.url().unwrap();
    let proxy = FaultProxy::start(address_in(url)).await;
    let pool = database.by_way_of(&proxy.instead_of(url)).unwrap();
    let world = World::start(pool, Config { sweep_interval_ms: 20, ..Config::default() }).await;
    let mut browser = world.browser();
    world.open(&mut browser).await;
    eventually("ready", || async { (world.ready)().is_ok() }).await;
    for fault in [Fault::Blackhole, Fault::Reset] {
        let departed = world.depart(&mut browser).await;
        proxy.set(fault);
        for _ in 0..3 {
            assert_eq!(resolve(&world, &browser).await, "service.unavailable", "{fault:?}");
            let launch = browser.get(&world.launch_path()).await;
            assert_eq!((launch.status, launch.code()), (503, "service.unavailable"), "{fault:?}");
        }
        let exchanges = world.vault.exchanges.lock().unwrap().len();
        let callback = browser.get(&world.answer_path(&departed)).await;
        assert_eq!((callback.status, callback.code()), (503, "service.unavailable"), "{fault:?}");
        assert_eq!(world.vault.exchanges.lock().unwrap().len(), exchanges, "no code is spent for nothing");
        eventually("not ready", || async { (world.ready)().is_err_and(|why| why.contains("database")) })
            .await;
        proxy.set(Fault::Pass);
        eventually("ready again", || async { (world.ready)().is_ok() }).await;
        assert_eq!(resolve(&world, &browser).await, "open");
        assert_eq!(browser.get(&world.answer_path(&departed)).await.status, 303, "the launch goes on");
    }
    world.pool.close().await;
    database.close().await.unwrap();
}

#[tokio::test]
async fn with_a_wrong_clock_nothing_is_served_and_nothing_is_ended() {
    testing::each(MIGRATIONS, |pool| async move {
        let theirs = Arc::new(TestClock::at(START));
        let pool = pool.replica().with_database_clock(theirs.clone());
        let world = World::start(pool, Config { sweep_interval_ms: 20, ..Config::default() }).await;
        let mut browser = world.browser();
        world.open(&mut browser).await;
        // An hour ahead every session looks idle.
        world.clock.advance(Duration::from_secs(3_600));
        eventually("the finding", || async { resolve(&world, &browser).await == "service.clock_skew" }).await;
        assert!((world.ready)().is_err_and(|why| why.contains("clock")));
        let launch = browser.get(&world.launch_path()).await;
        assert_eq!((launch.status, launch.code()), (503, "service.clock_skew"));
        let open = sallyport_db::on_pool!(world.pool.regardless(), |c| sqlx::query_scalar::<_, i64>(
            "SELECT count(*) FROM sessions WHERE ended_at IS NULL"
        )
        .fetch_one(c)
        .await);
        assert_eq!(open.unwrap(), 1, "the sweep goes by both clocks");
        theirs.advance(Duration::from_secs(3_600));
        eventually("ready again", || async { (world.ready)().is_ok() }).await;
        world.open(&mut world.browser()).await;
        world.pool.close().await;
    })
    .await;
}
