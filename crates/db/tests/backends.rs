//! Everything the crate promises, on both databases.
#![cfg(test)]

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use sallyport_db::{
    Error, Handle, Migrations, Pool, Settings, Tx, assert_twins, on_pool, on_tx,
    testing::{TestDb, each},
};
use sallyport_model::{RequestId, SystemClock};

static MIGRATIONS: Migrations = Migrations {
    sqlite: &sqlx::migrate!("tests/migrations/sqlite"),
    postgres: &sqlx::migrate!("tests/migrations/postgres"),
};

static FAILING: Migrations = Migrations {
    sqlite: &sqlx::migrate!("tests/migrations/failing"),
    postgres: &sqlx::migrate!("tests/migrations/failing"),
};

static NONE: Migrations =
    Migrations { sqlite: &sqlx::migrate::Migrator::DEFAULT, postgres: &sqlx::migrate::Migrator::DEFAULT };

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
struct Thing {
    id: uuid::Uuid,
    at: i64,
    body: Vec<u8>,
    is_done: bool,
    note: Option<String>,
}

fn thing() -> Thing {
    let id = RequestId::new(&SystemClock).uuid();
    Thing { id, at: 1_772_366_400_123_456, body: vec![0, 255, 7], is_done: true, note: None }
}

async fn insert(tx: &mut Tx, thing: &Thing) -> Result<u64, Error> {
    on_tx!(*tx, |c| sqlx::query(
        "INSERT INTO things (id, at, body, is_done, note) VALUES ($1, $2, $3, $4, $5)"
    )
    .bind(thing.id)
    .bind(thing.at)
    .bind(&thing.body)
    .bind(thing.is_done)
    .bind(&thing.note)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))
}

async fn things(pool: &Pool) -> Vec<Thing> {
    on_pool!(*pool, |c| sqlx::query_as::<_, Thing>("SELECT * FROM things").fetch_all(c).await).unwrap()
}

#[test]
fn the_twins_are_twins() {
    assert_twins(MIGRATIONS);
}

#[test]
#[should_panic(expected = "not twins")]
fn folders_that_drifted_apart_are_noticed() {
    assert_twins(Migrations { postgres: NONE.postgres, ..MIGRATIONS });
}

#[tokio::test]
async fn every_type_of_the_map_comes_back_as_it_went() {
    each(MIGRATIONS, |pool| async move {
        let thing = thing();
        let mut tx = pool.begin().await.unwrap();
        assert_eq!(insert(&mut tx, &thing).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(things(&pool).await, [thing]);
    })
    .await;
}

#[tokio::test]
async fn a_transaction_that_is_dropped_leaves_nothing() {
    each(MIGRATIONS, |pool| async move {
        let mut tx = pool.begin().await.unwrap();
        insert(&mut tx, &thing()).await.unwrap();
        drop(tx);
        assert_eq!(things(&pool).await, []);
    })
    .await;
}

#[tokio::test]
async fn migrations_run_twice_change_nothing() {
    each(MIGRATIONS, |pool| async move {
        pool.migrate(MIGRATIONS).await.unwrap();
        pool.ping().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_older_program_runs_on_a_newer_schema() {
    each(MIGRATIONS, |pool| async move {
        pool.migrate(NONE).await.unwrap();
        let mut tx = pool.begin().await.unwrap();
        insert(&mut tx, &thing()).await.unwrap();
        tx.commit().await.unwrap();
    })
    .await;
}

/// A connection that kept the migrator's lock would make the second run wait for ever.
#[tokio::test]
async fn a_failed_migration_does_not_block_the_next_run() {
    each(NONE, |pool| async move {
        assert!(matches!(pool.migrate(FAILING).await, Err(Error::Migrate(_))));
        let again = tokio::time::timeout(std::time::Duration::from_secs(20), pool.migrate(FAILING)).await;
        assert!(matches!(again.expect("the lock was left behind"), Err(Error::Migrate(_))));
    })
    .await;
}

#[tokio::test]
async fn eight_workers_reserve_two_hundred_jobs_exactly_once() {
    each(MIGRATIONS, |pool| async move {
        for id in 0..200_i64 {
            on_pool!(pool, |c| sqlx::query("INSERT INTO jobs (id) VALUES ($1)")
                .bind(id)
                .execute(c)
                .await
                .map(drop))
            .unwrap();
        }
        let workers: Vec<_> = (0..8_i64).map(|worker| tokio::spawn(work(pool.clone(), worker))).collect();
        let mut done = Vec::new();
        for worker in workers {
            done.extend(worker.await.unwrap());
        }
        done.sort_unstable();
        assert_eq!(done, (0..200).collect::<Vec<i64>>());
    })
    .await;
}

async fn work(pool: Pool, worker: i64) -> Vec<i64> {
    let sql = pool.sql(
        "UPDATE jobs SET worker = $1 WHERE id = (SELECT id FROM jobs WHERE worker IS NULL ORDER BY id LIMIT 1 \
         FOR UPDATE SKIP LOCKED) RETURNING id",
        "UPDATE jobs SET worker = $1 WHERE id = (SELECT id FROM jobs WHERE worker IS NULL ORDER BY id LIMIT 1) \
         RETURNING id",
    );
    let mut done = Vec::new();
    loop {
        let mut tx = pool.begin().await.unwrap();
        let id: Option<i64> =
            on_tx!(tx, |c| sqlx::query_scalar(sql).bind(worker).fetch_optional(c).await).unwrap();
        tx.commit().await.unwrap();
        match id {
            Some(id) => done.push(id),
            None => return done,
        }
    }
}

#[tokio::test]
async fn a_second_row_with_the_same_key_is_a_unique_violation_that_quotes_no_value() {
    each(MIGRATIONS, |pool| async move {
        let thing = thing();
        let mut tx = pool.begin().await.unwrap();
        insert(&mut tx, &thing).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = pool.begin().await.unwrap();
        let error = insert(&mut tx, &thing).await.unwrap_err();
        assert!(error.is_unique_violation() && !error.is_unavailable());
        let told = format!("{error} {error:?}");
        assert!(!told.contains(&thing.id.to_string()), "{told}");
    })
    .await;
}

#[tokio::test]
async fn a_mistake_in_a_statement_is_told_in_debug() {
    each(NONE, |pool| async move {
        let asked = on_pool!(pool, |c| sqlx::query("SELECT * FROM nowhere").execute(c).await.map(drop));
        assert!(format!("{:?}", asked.unwrap_err()).contains("nowhere"));
    })
    .await;
}

#[tokio::test]
async fn a_closed_pool_is_unavailable() {
    each(NONE, |pool| async move {
        pool.close().await;
        assert!(pool.ping().await.unwrap_err().is_unavailable());
    })
    .await;
}

#[tokio::test]
async fn sqlite_syncs_every_commit_and_keeps_its_file_private() {
    let database = TestDb::sqlite(MIGRATIONS).await.unwrap();
    let Handle::Sqlite(pool) = database.pool.handle() else { unreachable!("this is SQLite") };
    for (pragma, value) in
        [("PRAGMA synchronous", 2_i64), ("PRAGMA foreign_keys", 1), ("PRAGMA busy_timeout", 5_000)]
    {
        let found: i64 = sqlx::query_scalar(pragma).fetch_one(pool).await.unwrap();
        assert_eq!(found, value, "{pragma}");
    }
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await.unwrap();
    assert_eq!(mode, "wal");
    #[cfg(unix)]
    for file in std::fs::read_dir(database.folder().unwrap()).unwrap() {
        let file = file.unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "{:?}", file.file_name());
    }
    database.close().await.unwrap();
}

#[tokio::test]
async fn a_busy_sqlite_writer_is_unavailable_not_broken() {
    let database = TestDb::sqlite(MIGRATIONS).await.unwrap();
    let Handle::Sqlite(pool) = database.pool.handle() else { unreachable!("this is SQLite") };
    let _writer = database.pool.begin().await.unwrap();
    let mut other = pool.acquire().await.unwrap();
    sqlx::query("PRAGMA busy_timeout = 1").execute(&mut *other).await.unwrap();
    let refused = sqlx::query("INSERT INTO jobs (id) VALUES (1)").execute(&mut *other).await;
    assert!(Error::from(refused.unwrap_err()).is_unavailable());
}

#[tokio::test]
async fn a_test_that_fails_leaves_nothing_behind() {
    let database = TestDb::sqlite(MIGRATIONS).await.unwrap();
    let folder = database.folder().unwrap().to_owned();
    let reached = Arc::new(AtomicBool::new(false));
    let inside = Arc::clone(&reached);
    let failed = tokio::spawn(async move {
        let _database = database;
        inside.store(true, Ordering::SeqCst);
        panic!("as tests do");
    });
    assert!(failed.await.is_err() && reached.load(Ordering::SeqCst));
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_schema_name_is_not_a_place_for_sql() {
    for name in ["", "a b", "a;drop", "A", "a\"b", "a-b"] {
        let refused = Pool::postgres("postgres://127.0.0.1:1/none", name, Settings::default());
        assert!(matches!(refused, Err(Error::SchemaName)), "{name}");
    }
}

mod postgres_alone {
    use super::*;

    /// Says so when it has nothing to test; every other run needs the server.
    fn url() -> Option<String> {
        if std::env::var("SALLYPORT_TEST_QUICK").is_ok_and(|v| v == "1") {
            eprintln!("note: SALLYPORT_TEST_QUICK=1, this test needs Postgres and did not run");
            return None;
        }
        let given = std::env::var("SALLYPORT_TEST_POSTGRES").ok();
        Some(given.unwrap_or_else(|| "postgres://postgres@127.0.0.1:5432/postgres".to_owned()))
    }

    #[tokio::test]
    async fn a_server_that_confirms_what_it_could_lose_is_refused() {
        let Some(url) = url() else { return };
        let separator = if url.contains('?') { '&' } else { '?' };
        let careless = format!("{url}{separator}options=-c%20synchronous_commit%3Doff");
        let pool = Pool::postgres(&careless, "public", Settings::default()).unwrap();
        let refused = pool.migrate(NONE).await;
        assert!(matches!(refused, Err(Error::NotDurable("synchronous_commit"))), "{refused:?}");
    }

    #[tokio::test]
    async fn a_value_that_the_server_quotes_stays_out_of_text_and_debug() {
        if url().is_none() {
            return;
        }
        let database = TestDb::postgres(NONE).await.unwrap();
        let cast = on_pool!(database.pool, |c| sqlx::query_scalar::<_, i64>(
            "SELECT CAST(CAST($1 AS TEXT) AS BIGINT)"
        )
        .bind("canary-4711")
        .fetch_one(c)
        .await);
        let error = cast.unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(told.contains("22P02") && !told.contains("canary"), "{told}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("canary"), "the server did not quote it, so this shows nothing: {source}");
        database.close().await.unwrap();
    }

    #[tokio::test]
    async fn two_services_on_one_server_do_not_see_each_other() {
        if url().is_none() {
            return;
        }
        let one = TestDb::postgres(MIGRATIONS).await.unwrap();
        let two = TestDb::postgres(NONE).await.unwrap();
        let seen = on_pool!(two.pool, |c| sqlx::query("SELECT * FROM things").execute(c).await.map(drop));
        assert!(seen.is_err());
        one.close().await.unwrap();
        two.close().await.unwrap();
    }

    /// The other replica has created the schema but not committed when this one looks for it.
    #[tokio::test]
    async fn a_replica_that_starts_while_another_creates_the_schema_gets_it_too() {
        let Some(url) = url() else { return };
        let guard = TestDb::postgres(NONE).await.unwrap();
        let name = guard.schema().unwrap().to_owned();
        let Handle::Postgres(other) = guard.pool.handle() else { unreachable!("this is Postgres") };
        sqlx::query(sqlx::AssertSqlSafe(format!("DROP SCHEMA {name} CASCADE"))).execute(other).await.unwrap();
        let mut creating = other.begin().await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {name}"));
        sqlx::query(create).execute(&mut *creating).await.unwrap();
        let schema = name.clone();
        let starting = tokio::spawn(async move {
            Pool::postgres(&url, &schema, Settings::default()).unwrap().migrate(NONE).await
        });
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1";
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let waiting: i64 =
                sqlx::query_scalar(waits).bind(format!("%{name}%")).fetch_one(other).await.unwrap();
            if waiting > 0 {
                break;
            }
            assert!(std::time::Instant::now() < deadline, "the second start never met the first");
            tokio::task::yield_now().await;
        }
        creating.commit().await.unwrap();
        starting.await.unwrap().unwrap();
        guard.close().await.unwrap();
    }
}
