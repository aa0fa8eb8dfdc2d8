//! The schema that the next version will have, as far as anybody can know it: every table has one more column, there
//! is one more table, and a migration is noted that this version does not have. During a roll-out this version runs
//! on it.

use std::process::Command;

use crate::{Error, Handle, Pool, on_pool};

/// Set in the environment, [`TestDb`](super::TestDb) makes databases with the next version's schema.
pub const VARIABLE: &str = "SALLYPORT_TEST_NEXT_SCHEMA";

/// Runs the tests that `filters` name, of the test binary that is running, on the next version's schema.
///
/// # Panics
/// When one of them fails, or a filter names none.
#[expect(clippy::panic, reason = "a failed test tells its output")]
pub fn run(filters: &[&str]) {
    for filter in filters {
        let binary = std::env::current_exe().expect("a test binary has a path");
        let run = Command::new(binary)
            .args([filter, "--skip", "next_version", "--test-threads", "2"])
            .env(VARIABLE, "1")
            .output()
            .expect("the test binary runs");
        let text = String::from_utf8_lossy(&run.stdout);
        if !run.status.success() || text.contains("running 0 tests") {
            panic!(
                "{filter} on the next version's schema:\n{text}\n{}",
                String::from_utf8_lossy(&run.stderr)
            );
        }
    }
}

/// Expands a schema as a later migration may.
pub(super) async fn expand(pool: &Pool) -> Result<(), Error> {
    let tables: Vec<String> = on_pool!(*pool, |c| {
        sqlx::query_scalar(pool.sql(
        "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = current_schema() \
         AND table_type = 'BASE TABLE' AND table_name <> '_sqlx_migrations'",
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
         AND name <> '_sqlx_migrations'"
    ))
    .fetch_all(c)
    .await
    })?;
    let mut statements: Vec<String> = tables
        .iter()
        .map(|table| format!("ALTER TABLE {table} ADD COLUMN of_the_next_version TEXT"))
        .collect();
    statements.push("CREATE TABLE of_the_next_version (id BIGINT PRIMARY KEY, note TEXT)".to_owned());
    let checksum = match pool.handle() {
        Handle::Sqlite(_) => "x'01'",
        Handle::Postgres(_) => "'\\x01'",
    };
    statements.push(format!(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'of the next version', TRUE, {checksum}, 0)"
    ));
    for statement in statements {
        on_pool!(*pool, |c| sqlx::query(sqlx::AssertSqlSafe(statement.clone()))
            .execute(c)
            .await
            .map(|_done| ()))?;
    }
    Ok(())
}
