//! A Postgres that is killed, or that no packet reaches: statements are refused in time, and the pool goes on by itself.
#![cfg(test)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sallyport_db::{Error, Migrations, Missing, Pool, Settings, Tending, on_pool, on_tx, testing::TestDb};
use sallyport_model::SystemClock;
use sallyport_telemetry::metrics::Metrics;
use sallyport_testkit::{
    fault_proxy::{Fault, FaultProxy, address_in},
    servers::Private,
};
use tokio::sync::watch;

static MIGRATIONS: Migrations = Migrations {
    sqlite: &sqlx::migrate!("tests/migrations/sqlite"),
    postgres: &sqlx::migrate!("tests/migrations/postgres"),
};

/// Far beyond every bound: reached only by what hangs.
const HANGS: Duration = Duration::from_secs(60);

fn hasty() -> Settings {
    Settings {
        wait: Duration::from_millis(300),
        statement: Duration::from_millis(400),
        connections: 4,
        ..Settings::default()
    }
}

async fn ready(pool: &Pool, expected: Result<(), Missing>) {
    let deadline = Instant::now() + HANGS;
    while pool.ready() != expected {
        assert!(Instant::now() < deadline, "wanted {expected:?}, have {:?}", pool.ready());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn tended(pool: &Pool) -> watch::Sender<bool> {
    let (stop, shutdown) = watch::channel(false);
    let tending =
        Tending { migrations: MIGRATIONS, clock: Arc::new(SystemClock), metrics: Metrics::new(), shutdown };
    tokio::spawn(pool.clone().tend(tending));
    stop
}

async fn count(pool: &Pool) -> Result<i64, Error> {
    let counting = async {
        on_pool!(*pool, |c| sqlx::query_scalar::<_, i64>("SELECT count(*) FROM jobs").fetch_one(c).await)
    };
    tokio::time::timeout(HANGS, counting).await.expect("a statement ends")
}

/// One transaction that adds a row.
async fn add(pool: &Pool, id: i64) -> Result<(), Error> {
    let adding = async {
        let mut tx = pool.begin().await?;
        on_tx!(tx, |c| sqlx::query("INSERT INTO jobs (id) VALUES ($1)").bind(id).execute(c).await.map(drop))?;
        tx.commit().await
    };
    tokio::time::timeout(HANGS, adding).await.expect("a transaction ends")
}

/// As many at once as there are connections, twice over: none may be lost.
async fn all_at_once(pool: &Pool) {
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let pool = pool.clone();
        tasks.push(tokio::spawn(async move { count(&pool).await.map(drop) }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_killed_is_used_again_when_it_is_back() {
    let Some(servers) = Private::start(&["postgres"]).await else { return };
    let settings = Settings { connections: 4, ..Settings::default() };
    let pool = Pool::postgres(servers.variable("SALLYPORT_TEST_POSTGRES"), "killed", settings).unwrap();
    pool.prepare(MIGRATIONS).await.unwrap();
    let _stop = tended(&pool);
    add(&pool, 1).await.unwrap();
    all_at_once(&pool).await;
    for round in 0..2 {
        servers.kill("postgres").await;
        let lost = count(&pool).await.unwrap_err();
        assert!(lost.is_unavailable(), "{lost:?}");
        ready(&pool, Err(Missing::Away)).await;
        for _ in 0..100 {
            let refused = count(&pool).await;
            assert!(matches!(refused, Err(Error::Unready(Missing::Away))), "at once: {refused:?}");
        }
        assert!(add(&pool, 100).await.unwrap_err().is_unavailable());
        servers.start_again("postgres").await;
        ready(&pool, Ok(())).await;
        add(&pool, 2 + round).await.unwrap();
        all_at_once(&pool).await;
        assert_eq!(count(&pool).await.unwrap(), 2 + round, "what was committed is there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn into_a_black_hole_statements_end_within_their_bound_and_the_pool_goes_on_when_it_heals() {
    let Some(database) = TestDb::server(MIGRATIONS).await else { return };
    let (url, schema) = (database.url().unwrap(), database.schema().unwrap());
    let proxy = FaultProxy::start(address_in(url)).await;
    let pool = Pool::postgres(&proxy.instead_of(url), schema, hasty()).unwrap();
    pool.prepare(MIGRATIONS).await.unwrap();
    let _stop = tended(&pool);
    all_at_once(&pool).await;
    ready(&pool, Ok(())).await;
    let mut open = pool.begin().await.unwrap();
    proxy.set(Fault::Blackhole);
    let held = on_tx!(open, |c| sqlx::query("INSERT INTO jobs (id) VALUES (7)").execute(c).await.map(drop));
    assert!(matches!(held, Err(Error::Late)), "{held:?}");
    drop(open);
    let mut tasks = Vec::new();
    for _ in 0..12 {
        let pool = pool.clone();
        tasks.push(tokio::spawn(async move { count(&pool).await.map(drop) }));
    }
    for task in tasks {
        assert!(task.await.unwrap().unwrap_err().is_unavailable());
    }
    ready(&pool, Err(Missing::Away)).await;
    proxy.set(Fault::Pass);
    ready(&pool, Ok(())).await;
    all_at_once(&pool).await;
    assert_eq!(count(&pool).await.unwrap(), 0, "what was not committed is not there");
    add(&pool, 1).await.unwrap();
    pool.close().await;
    database.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_server_is_waited_for_and_a_statement_that_takes_too_long_is_ended_there_too() {
    let Some(database) = TestDb::server(MIGRATIONS).await else { return };
    let (url, schema) = (database.url().unwrap(), database.schema().unwrap());
    let proxy = FaultProxy::start(address_in(url)).await;
    let pool = Pool::postgres(&proxy.instead_of(url), schema, Settings::default()).unwrap();
    pool.prepare(MIGRATIONS).await.unwrap();
    let _stop = tended(&pool);
    proxy.set(Fault::Latency(Duration::from_millis(100)));
    assert_eq!(count(&pool).await.unwrap(), 0);
    ready(&pool, Ok(())).await;
    proxy.set(Fault::Pass);
    let hasty = Pool::postgres(url, schema, hasty()).unwrap();
    let long = on_pool!(hasty, |c| sqlx::query("SELECT pg_sleep(30)").execute(c).await.map(drop));
    let error = long.unwrap_err();
    assert!(error.is_unavailable() && format!("{error:?}").contains("57014"), "{error:?}");
    hasty.close().await;
    pool.close().await;
    database.close().await.unwrap();
}
