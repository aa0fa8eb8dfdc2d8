//! The database itself refuses to change what was appended, and a wrong key is found at the start.

use std::sync::Arc;

use sallyport_audit::{BuildError, Config, Ports, build, migrations};
use sallyport_audit_client::Settings;
use sallyport_db::{Error, Handle, Pool, on_pool, testing::each};
use sallyport_keyring::testing::MemoryKey;
use sallyport_model::{ServiceName, SystemClock};
use sallyport_telemetry::metrics::Metrics;
use tokio::sync::watch;

use crate::{
    house::{House, by_role, open, read, seed, succeeded},
    queues::LossyQueue,
};

async fn run(pool: &Pool, sql: &'static str) -> Result<u64, Error> {
    on_pool!(*pool, |c| sqlx::query(sql).execute(c).await.map(|done| done.rows_affected()))
}

#[tokio::test]
async fn appended_rows_can_be_neither_changed_nor_deleted() {
    each(migrations(), |pool| async move {
        let house = House::start(pool.clone()).await;
        house.gateway.event(succeeded(read("pat-1", "dr-who"))).await.unwrap();
        house.settle().await;
        run(&pool, "INSERT INTO quarantine SELECT transport_digest, 'test', record_id, NULL, NULL, 1, 1 FROM records")
            .await
            .unwrap();
        for sql in [
            "UPDATE records SET outcome = 2",
            "UPDATE records SET sealed = transport_digest",
            "DELETE FROM records",
            "UPDATE record_subjects SET recorded_at = 1",
            "DELETE FROM record_subjects",
            "UPDATE quarantine SET reason = 'none'",
            "DELETE FROM quarantine",
        ] {
            assert!(run(&pool, sql).await.is_err(), "{sql}");
        }
        let by_other_means: &[&str] = match pool.handle() {
            Handle::Postgres(_) => &["TRUNCATE records", "TRUNCATE record_subjects", "TRUNCATE quarantine"],
            Handle::Sqlite(_) => &[],
        };
        for sql in by_other_means {
            assert!(run(&pool, sql).await.is_err(), "{sql}");
        }
        assert_eq!(house.number("SELECT COUNT(*) FROM records").await, 1);
        assert_eq!(house.number("SELECT COUNT(*) FROM record_subjects").await, 2);
    })
    .await;
}

#[tokio::test]
async fn replacing_a_row_is_refused_where_replace_exists() {
    each(migrations(), |pool| async move {
        let house = House::start(pool.clone()).await;
        house.gateway.event(succeeded(read("pat-1", "dr-who"))).await.unwrap();
        house.settle().await;
        if let Handle::Sqlite(_) = pool.handle() {
            let before = house.number("SELECT http_status FROM records").await;
            let columns = "INSERT OR REPLACE INTO records SELECT tenant, record_id, phase, kind, recorded_at, stored_at, \
                 service, spool_id, spool_sequence, transport_digest, endpoint, registration, purpose, feature, \
                 policy_decision, interaction, resource_types, released, withheld, outcome, code, 999, \
                 upstream_status, request_id, launch_id, grant_id, run_id, job, trace_id, sealed, log_index FROM records";
            assert_eq!(run(&pool, columns).await.unwrap(), 0);
            assert_eq!(house.number("SELECT http_status FROM records").await, before);
        }
    })
    .await;
}

#[tokio::test]
async fn a_start_with_another_key_is_refused_before_anything_is_consumed() {
    each(migrations(), |pool| async move {
        drop(House::start(pool.clone()).await);
        let directory = tempfile::tempdir().unwrap();
        let other = MemoryKey::new().kek();
        let (audit, _relay) = open(Settings::new(directory.path()), ServiceName::Audit, &other).await;
        let (_stop, shutdown) = watch::channel(false);
        let ports = Ports {
            pool,
            queue: Arc::new(LossyQueue::default()),
            kek: other,
            checkpoint_seed: seed(),
            audit,
            sessions: by_role(),
            clock: Arc::new(SystemClock),
            metrics: Metrics::new(),
            shutdown,
        };
        assert!(matches!(build(Config::default(), ports).await, Err(BuildError::Keys(_))));
    })
    .await;
}

#[tokio::test]
async fn an_impossible_configuration_is_refused() {
    each(migrations(), |pool| async move {
        let directory = tempfile::tempdir().unwrap();
        let kek = MemoryKey::new().kek();
        let (audit, _relay) = open(Settings::new(directory.path()), ServiceName::Audit, &kek).await;
        let (_stop, shutdown) = watch::channel(false);
        let ports = Ports {
            pool,
            queue: Arc::new(LossyQueue::default()),
            kek,
            checkpoint_seed: seed(),
            audit,
            sessions: by_role(),
            clock: Arc::new(SystemClock),
            metrics: Metrics::new(),
            shutdown,
        };
        assert!(matches!(
            build(Config { consumers: 0, ..Config::default() }, ports).await,
            Err(BuildError::Config(_))
        ));
    })
    .await;
}
