//! Databases for tests: each test gets its own and leaves nothing behind.

use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::Connection;

use crate::{Error, Migrations, Pool};

/// Which Postgres tests use: `SALLYPORT_TEST_POSTGRES`, or the local one.
const DEFAULT_POSTGRES: &str = "postgres://postgres@127.0.0.1:5432/postgres";

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A database of one test.
pub struct TestDb {
    /// Migrated and empty.
    pub pool: Pool,
    schema: Option<(String, String)>,
    folder: Option<std::path::PathBuf>,
}

impl TestDb {
    /// A SQLite file of its own.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn sqlite(migrations: Migrations) -> Result<Self, Error> {
        let folder = std::env::temp_dir().join(format!("sallyport-db-{}", unique()));
        std::fs::create_dir_all(&folder).map_err(sqlx::Error::Io)?;
        let pool = Pool::sqlite(&folder.join("test.sqlite")).await?;
        pool.migrate(migrations).await?;
        Ok(Self { pool, schema: None, folder: Some(folder) })
    }

    /// A schema of its own on the test server.
    ///
    /// # Errors
    /// When the server is not there: that is a failure, not a skip (see [`each`]).
    pub async fn postgres(migrations: Migrations) -> Result<Self, Error> {
        let url =
            std::env::var("SALLYPORT_TEST_POSTGRES").unwrap_or_else(|_unset| DEFAULT_POSTGRES.to_owned());
        let schema = format!("t_{}", unique());
        let pool = Pool::postgres(&url, &schema).await?;
        pool.migrate(migrations).await?;
        Ok(Self { pool, schema: Some((url, schema)), folder: None })
    }

    /// The SQLite file's folder, for canary scans.
    pub fn folder(&self) -> Option<&std::path::Path> {
        self.folder.as_deref()
    }

    /// Drops everything.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn close(self) -> Result<(), Error> {
        self.pool.close().await;
        if let Some((url, schema)) = &self.schema {
            let mut connection = sqlx::PgConnection::connect(url).await?;
            let drop = format!("DROP SCHEMA IF EXISTS {schema} CASCADE");
            sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&mut connection).await?;
            connection.close().await?;
        }
        if let Some(folder) = &self.folder {
            std::fs::remove_dir_all(folder).map_err(sqlx::Error::Io)?;
        }
        Ok(())
    }
}

/// Runs one test on every back end: SQLite, and Postgres unless `SALLYPORT_TEST_QUICK=1` says that only cargo is here
/// (then it says so).
///
/// # Panics
/// When a database cannot be made, or the test fails.
#[expect(clippy::print_stderr, reason = "a test run on fewer back ends must say so")]
pub async fn each<F, Fut>(migrations: Migrations, test: F)
where
    F: Fn(Pool) -> Fut,
    Fut: Future<Output = ()>,
{
    let quick = std::env::var("SALLYPORT_TEST_QUICK").is_ok_and(|v| v == "1");
    let mut databases = vec![TestDb::sqlite(migrations).await];
    if quick {
        eprintln!("note: SALLYPORT_TEST_QUICK=1, this test ran on SQLite only");
    } else {
        databases.push(TestDb::postgres(migrations).await);
    }
    for database in databases {
        let database = database.expect("tests need their database; set SALLYPORT_TEST_POSTGRES or start it");
        test(database.pool.clone()).await;
        database.close().await.expect("a test removes its database");
    }
}

fn unique() -> String {
    format!("{}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    static MIGRATIONS: Migrations = Migrations { sqlite: &EMPTY, postgres: &EMPTY };
    static EMPTY: sqlx::migrate::Migrator = sqlx::migrate::Migrator::DEFAULT;

    async fn table(pool: &Pool) {
        crate::on_pool!(*pool, |c| sqlx::query("CREATE TABLE t (id BIGINT PRIMARY KEY, at BIGINT NOT NULL)")
            .execute(c)
            .await
            .map(|done| done.rows_affected()))
        .unwrap();
    }

    async fn count(pool: &Pool) -> i64 {
        crate::on_pool!(*pool, |c| sqlx::query_scalar::<_, i64>("SELECT count(*) FROM t").fetch_one(c).await)
            .unwrap()
    }

    #[tokio::test]
    async fn a_dropped_transaction_leaves_nothing_and_a_committed_one_stays() {
        each(MIGRATIONS, |pool| async move {
            table(&pool).await;
            for (id, commit) in [(1_i64, false), (2, true)] {
                let mut tx = pool.begin().await.unwrap();
                crate::on_tx!(tx, |c| sqlx::query("INSERT INTO t (id, at) VALUES ($1, $2)")
                    .bind(id)
                    .bind(7_i64)
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))
                .unwrap();
                if commit {
                    tx.commit().await.unwrap();
                }
            }
            assert_eq!(count(&pool).await, 1);
        })
        .await;
    }

    #[tokio::test]
    async fn a_second_row_with_the_same_key_is_a_unique_violation() {
        each(MIGRATIONS, |pool| async move {
            table(&pool).await;
            let insert = || async {
                crate::on_pool!(pool, |c| sqlx::query("INSERT INTO t (id, at) VALUES (1, 1)")
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))
            };
            insert().await.unwrap();
            let error = insert().await.unwrap_err();
            assert!(error.is_unique_violation() && !error.is_unavailable());
        })
        .await;
    }

    #[tokio::test]
    async fn a_closed_pool_is_unavailable() {
        each(MIGRATIONS, |pool| async move {
            pool.close().await;
            assert!(pool.ping().await.unwrap_err().is_unavailable());
        })
        .await;
    }
}
