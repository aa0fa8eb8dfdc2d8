//! The role that `deploy/postgres/audit-role.sql` describes: the service works as it, and it cannot change the log,
//! with no trigger to stop it.

use sallyport_audit::migrations;
use sallyport_db::{Migrate, Pool, Settings, testing::TestDb};

use crate::{
    house::{House, read, succeeded},
    ledger::{TABLES, disarm, run},
    queues::LossyQueue,
};

const RIGHTS: &str = include_str!("../../../../deploy/postgres/audit-role.sql");

/// The statements of the file, for a schema and a role.
fn rights(schema: &str, role: &str) -> Vec<String> {
    let text: String = RIGHTS.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
    let text = text.replace(":\"schema\"", schema).replace(":\"role\"", role);
    text.split(';').map(str::trim).filter(|statement| !statement.is_empty()).map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn the_service_works_with_a_role_that_cannot_change_the_log() {
    let Some(database) = TestDb::server(migrations()).await else { return };
    let (url, schema) = (database.url().unwrap().to_owned(), database.schema().unwrap().to_owned());
    let role = format!("{schema}_writer");
    run(&database.pool, &format!("CREATE ROLE {role} LOGIN PASSWORD 'writer'")).await.unwrap();
    for statement in rights(&schema, &role) {
        run(&database.pool, &statement).await.unwrap();
    }
    let (_, server) = url.rsplit_once('@').unwrap();
    let settings = Settings { migrate: Migrate::Refuse, ..Settings::default() };
    let pool = Pool::postgres(&format!("postgres://{role}:writer@{server}"), &schema, settings).unwrap();

    let house = House::start_over(pool.clone(), LossyQueue::default()).await;
    house.gateway.event(succeeded(read("pat-1", "dr-who"))).await.unwrap();
    house.settle().await;
    assert_eq!(house.number("SELECT COUNT(*) FROM records").await, 1);
    assert_eq!(house.number("SELECT size FROM log_heads WHERE tenant <> '_system'").await, 1);

    // The triggers are one wall; this is about the other.
    disarm(&database.pool).await;
    for table in TABLES.iter().filter(|table| **table != "log_heads").chain(&["quarantine"]) {
        for statement in [
            format!("UPDATE {table} SET tenant = 'x'"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
            format!("ALTER TABLE {table} DISABLE TRIGGER USER"),
            format!("DROP TABLE {table}"),
        ] {
            assert!(run(&pool, &statement).await.is_err(), "{statement}");
        }
    }
    assert!(run(&pool, "DELETE FROM log_heads").await.is_err());
    assert!(run(&pool, "DELETE FROM subject_keys").await.is_err());
    assert_eq!(house.number("SELECT COUNT(*) FROM records").await, 1);
    drop(house);
    pool.close().await;
    run(&database.pool, &format!("DROP OWNED BY {role}")).await.unwrap();
    run(&database.pool, &format!("DROP ROLE {role}")).await.unwrap();
    database.close().await.unwrap();
}

#[test]
fn every_table_of_the_log_is_in_the_file() {
    for table in TABLES {
        assert!(RIGHTS.contains(&format!("\"schema\".{table}")), "{table}");
    }
}
