//! Databases for tests: each test gets its own and leaves nothing behind.

pub mod next_version;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sallyport_model::{RequestId, SystemClock};
use sqlx::Connection;

use crate::{Error, Migrations, Pool, Settings};

/// Which Postgres tests use: `SALLYPORT_TEST_POSTGRES`, or the local one.
const DEFAULT_POSTGRES: &str = "postgres://postgres@127.0.0.1:5432/postgres";

/// A database of one test. Dropped by a test that failed, it is removed all the same.
pub struct TestDb {
    /// Migrated and empty.
    pub pool: Pool,
    home: Home,
}

/// What has to be removed at the end.
enum Home {
    Schema { url: String, name: String },
    Folder(PathBuf),
    Removed,
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
        Self { pool, home: Home::Folder(folder) }.migrated(migrations).await
    }

    /// A schema of its own on the test server.
    ///
    /// # Errors
    /// When the server is not there: that is a failure, not a skip (see [`each`]).
    pub async fn postgres(migrations: Migrations) -> Result<Self, Error> {
        let url =
            std::env::var("SALLYPORT_TEST_POSTGRES").unwrap_or_else(|_unset| DEFAULT_POSTGRES.to_owned());
        let name = format!("t_{}", unique());
        // What a test turns is its own clock, not the server's.
        let pool = Pool::postgres(&url, &name, Settings::default())?.with_callers_clock();
        Self { pool, home: Home::Schema { url, name } }.migrated(migrations).await
    }

    /// The same for a test that is about a server: `None` when `SALLYPORT_TEST_QUICK=1` says that only cargo is here
    /// (then it says so).
    ///
    /// # Panics
    /// When the server is not there.
    #[expect(clippy::print_stderr, reason = "a test that does not run must say so")]
    pub async fn server(migrations: Migrations) -> Option<Self> {
        if is_quick() {
            eprintln!("note: SALLYPORT_TEST_QUICK=1, this test needs Postgres and did not run");
            return None;
        }
        Some(
            Self::postgres(migrations)
                .await
                .expect("tests need Postgres; set SALLYPORT_TEST_POSTGRES or start it"),
        )
    }

    /// A pool over the same rows that comes by another way, such as a proxy that fails, and does not wait long for it.
    ///
    /// # Errors
    /// When `url` is none.
    ///
    /// # Panics
    /// When this database is not on a server.
    pub fn by_way_of(&self, url: &str) -> Result<Pool, Error> {
        let settings = Settings {
            wait: Duration::from_millis(300),
            statement: Duration::from_millis(1_000),
            ..Settings::default()
        };
        let schema = self.schema().expect("a file has no other way");
        Ok(Pool::postgres(url, schema, settings)?.with_callers_clock())
    }

    async fn migrated(self, migrations: Migrations) -> Result<Self, Error> {
        self.pool.migrate(migrations).await?;
        if std::env::var_os(next_version::VARIABLE).is_some() {
            next_version::expand(&self.pool).await?;
        }
        Ok(self)
    }

    /// The server, where it is one: for tests that come to it by another way, such as a proxy that fails.
    pub fn url(&self) -> Option<&str> {
        match &self.home {
            Home::Schema { url, .. } => Some(url),
            Home::Folder(_) | Home::Removed => None,
        }
    }

    /// The SQLite file's folder, for canary scans.
    pub fn folder(&self) -> Option<&Path> {
        match &self.home {
            Home::Folder(folder) => Some(folder),
            Home::Schema { .. } | Home::Removed => None,
        }
    }

    /// The Postgres schema's name, for canary scans.
    pub fn schema(&self) -> Option<&str> {
        match &self.home {
            Home::Schema { name, .. } => Some(name),
            Home::Folder(_) | Home::Removed => None,
        }
    }

    /// Drops everything.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn close(mut self) -> Result<(), Error> {
        self.pool.close().await;
        std::mem::replace(&mut self.home, Home::Removed).remove().await
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let home = std::mem::replace(&mut self.home, Home::Removed);
        if matches!(home, Home::Removed) {
            return;
        }
        // Not on the test's own runtime, which may be the one that is going down.
        let remover = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(home.remove()))
        });
        let _best_effort = remover.join();
    }
}

impl Home {
    async fn remove(self) -> Result<(), Error> {
        match self {
            Self::Schema { url, name } => {
                let mut connection = sqlx::PgConnection::connect(&url).await?;
                let drop = format!("DROP SCHEMA IF EXISTS {name} CASCADE");
                sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&mut connection).await?;
                connection.close().await?;
            }
            Self::Folder(folder) => std::fs::remove_dir_all(folder).map_err(sqlx::Error::Io)?,
            Self::Removed => {}
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
    let quick = is_quick();
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

fn is_quick() -> bool {
    std::env::var("SALLYPORT_TEST_QUICK").is_ok_and(|v| v == "1")
}

/// Unique over processes and machines that share a server.
fn unique() -> String {
    RequestId::new(&SystemClock).uuid().simple().to_string()
}
