//! The policy for migrations, and the watch over a database: what is missing is said, refused, and found again.
#![cfg(test)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sallyport_db::{
    Error, Migrate, Migrations, Missing, Pool, Settings, Tending, on_pool,
    testing::{TestDb, each},
};
use sallyport_model::{Clock, Code, Micros, SystemClock, TestClock};
use sallyport_telemetry::metrics::Metrics;
use tokio::sync::watch;

static MIGRATIONS: Migrations = Migrations {
    sqlite: &sqlx::migrate!("tests/migrations/sqlite"),
    postgres: &sqlx::migrate!("tests/migrations/postgres"),
};

static NONE: Migrations =
    Migrations { sqlite: &sqlx::migrate::Migrator::DEFAULT, postgres: &sqlx::migrate::Migrator::DEFAULT };

/// A watch that ends with the test.
struct Watched {
    metrics: Metrics,
    _stop: watch::Sender<bool>,
}

fn watched(pool: &Pool, migrations: Migrations, clock: Arc<dyn Clock>) -> Watched {
    let (stop, shutdown) = watch::channel(false);
    let metrics = Metrics::new();
    let tending = Tending { migrations, clock, metrics: metrics.for_service("audit"), shutdown };
    tokio::spawn(pool.clone().tend(tending));
    Watched { metrics, _stop: stop }
}

async fn until(pool: &Pool, expected: Result<(), Missing>) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while pool.ready() != expected {
        assert!(Instant::now() < deadline, "wanted {expected:?}, have {:?}", pool.ready());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn one(pool: &Pool) -> Result<i64, Error> {
    on_pool!(*pool, |c| sqlx::query_scalar::<_, i64>("SELECT CAST(1 AS BIGINT)").fetch_one(c).await)
}

fn total() -> usize {
    MIGRATIONS.sqlite.iter().count()
}

#[tokio::test]
async fn a_service_that_may_not_migrate_says_how_much_is_pending_and_works_once_it_is_applied() {
    each(NONE, |operators| async move {
        let services = operators.replica().with_migrate(Migrate::Refuse);
        assert_eq!(services.ready(), Err(Missing::Unprepared));
        let refused = services.migrate(MIGRATIONS).await;
        assert!(matches!(&refused, Err(Error::MigrationsPending(n)) if *n == total()), "{refused:?}");
        assert_eq!(services.ready(), Err(Missing::MigrationsPending(total())));
        assert_eq!(one(&services).await.unwrap_err().code(), Code::DependencyDown);
        services.prepare(MIGRATIONS).await.expect("a start waits for the operator");
        let _watched = watched(&services, MIGRATIONS, Arc::new(SystemClock));
        assert_eq!(operators.pending(MIGRATIONS).await.unwrap(), total());
        operators.with_migrate(Migrate::Refuse).apply(MIGRATIONS).await.unwrap();
        until(&services, Ok(())).await;
        assert_eq!(one(&services).await.unwrap(), 1);
        assert_eq!(services.pending(MIGRATIONS).await.unwrap(), 0);
        services.migrate(MIGRATIONS).await.expect("nothing is left to do");
        services.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_schema_of_a_newer_version_lacks_nothing() {
    each(MIGRATIONS, |pool| async move {
        on_pool!(pool, |c| sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (9999, 'of the next version', TRUE, $1, 0)"
        )
        .bind(vec![1_u8])
        .execute(c)
        .await
        .map(|_| ()))
        .unwrap();
        let older = pool.replica().with_migrate(Migrate::Refuse);
        older.migrate(MIGRATIONS).await.unwrap();
        pool.migrate(MIGRATIONS).await.unwrap();
        older.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_migration_that_was_changed_after_it_was_applied_is_no_reason_to_wait() {
    each(MIGRATIONS, |pool| async move {
        on_pool!(pool, |c| sqlx::query("UPDATE _sqlx_migrations SET checksum = $1")
            .bind(vec![1_u8])
            .execute(c)
            .await
            .map(|_| ()))
        .unwrap();
        for policy in [Migrate::AtStart, Migrate::Refuse] {
            let other = pool.replica().with_migrate(policy);
            assert!(matches!(other.prepare(MIGRATIONS).await, Err(Error::Migrate(_))), "{policy:?}");
            other.close().await;
        }
    })
    .await;
}

#[tokio::test]
async fn clocks_too_far_apart_refuse_with_a_code_until_they_agree_again() {
    each(MIGRATIONS, |pool| async move {
        #[cfg(feature = "planted-bugs")]
        if let Ok(name) = std::env::var("SALLYPORT_PLANTED") {
            sallyport_model::planted::set(&[&name]);
        }
        let (ours, theirs) = (Arc::new(TestClock::at(START)), Arc::new(TestClock::at(START)));
        let pool = pool.replica().with_database_clock(theirs.clone());
        pool.prepare(MIGRATIONS).await.unwrap();
        let watched = watched(&pool, MIGRATIONS, ours.clone());
        until(&pool, Ok(())).await;
        ours.advance(Duration::from_secs(299));
        until_metric(&watched, 299).await;
        assert!(pool.ready().is_ok() && one(&pool).await.is_ok(), "within five minutes");
        ours.advance(Duration::from_secs(60));
        until(&pool, Err(Missing::ClockSkew)).await;
        until_metric(&watched, 359).await;
        let refused = one(&pool).await;
        assert_eq!(refused.expect_err("refused").code(), Code::ClockSkew);
        assert!(pool.begin().await.is_err_and(|error| error.is_unavailable()));
        assert_eq!(one(&pool.regardless()).await.unwrap(), 1, "what must be finished is");
        theirs.advance(Duration::from_secs(3_600));
        until_metric(&watched, 359 - 3_600).await;
        assert_eq!(pool.ready(), Err(Missing::ClockSkew));
        ours.advance(Duration::from_secs(3_241));
        until(&pool, Ok(())).await;
        assert_eq!(one(&pool).await.unwrap(), 1);
        pool.close().await;
    })
    .await;
}

const START: Micros = 1_760_000_000_000_000;

async fn until_metric(watched: &Watched, seconds: i64) {
    let wanted = format!("sallyport_clock_skew_seconds{{service=\"audit\"}} {seconds}\n");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !watched.metrics.render().contains(&wanted) {
        assert!(Instant::now() < deadline, "never {wanted}: {}", watched.metrics.render());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[cfg(feature = "planted-bugs")]
#[test]
fn every_planted_bug_of_the_database_turns_its_test_red() {
    sallyport_testkit::planted::each_turns_its_test_red(&[(
        "clock-skew-ignored",
        "clocks_too_far_apart_refuse_with_a_code_until_they_agree_again",
    )]);
}

mod postgres_alone {
    use super::*;

    /// A clock ten minutes ahead.
    struct Ahead;

    impl Clock for Ahead {
        fn now(&self) -> Micros {
            SystemClock.now() + 600_000_000
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_keeps_nobody_from_starting() {
        let nowhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let url = format!("postgres://u:secret-canary@{nowhere}/none");
        let settings = Settings { wait: Duration::from_millis(200), ..Settings::default() };
        let pool = Pool::postgres(&url, "audit", settings).unwrap();
        assert!(!format!("{pool:?}").contains("canary"));
        assert!(one(&pool).await.unwrap_err().is_unavailable());
        pool.prepare(MIGRATIONS).await.unwrap();
        let _watched = watched(&pool, MIGRATIONS, Arc::new(SystemClock));
        assert_eq!(pool.ready(), Err(Missing::Unprepared));
        assert!(matches!(one(&pool).await, Err(Error::Unready(Missing::Unprepared))));
    }

    #[tokio::test]
    async fn the_servers_own_clock_is_compared() {
        let Some(database) = TestDb::server(MIGRATIONS).await else { return };
        let pool = database.pool.replica().with_servers_clock();
        pool.prepare(MIGRATIONS).await.unwrap();
        let wrong = watched(&pool, MIGRATIONS, Arc::new(Ahead));
        until(&pool, Err(Missing::ClockSkew)).await;
        drop(wrong);
        let right = database.pool.replica().with_servers_clock();
        right.prepare(MIGRATIONS).await.unwrap();
        let seen = watched(&right, MIGRATIONS, Arc::new(SystemClock));
        until_metric(&seen, 0).await;
        assert_eq!(right.ready(), Ok(()));
        pool.close().await;
        right.close().await;
        database.close().await.unwrap();
    }
}
