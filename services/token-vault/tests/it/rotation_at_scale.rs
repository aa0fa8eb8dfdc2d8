//! A rotation over many rows while calls go on: no call fails, every row opens afterwards.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sallyport_db::{on_pool, testing::TestDb};
use sallyport_keyring::{DataKey, DataKeyContext, KeyEncryptionKey as _};
use sallyport_model::TenantId;
use sallyport_testkit::assurance::Report;
use sallyport_token_vault::{Config, MIGRATIONS};
use uuid::Uuid;

use crate::{
    rotation::count_under_new,
    world::{World, each, usual},
};

/// Grants as an exchange leaves them, made faster: copies of one row with tokens sealed for their own place.
async fn fill(world: &World, rows: u32) -> Vec<Uuid> {
    let first = u128::from_be_bytes(*b"\x01\x90\0\0\0\0\x70\0\x80\0\0\0\0\0\0\0");
    let ids: Vec<Uuid> = (0..rows).map(|n| Uuid::from_u128(first + u128::from(n))).collect();
    let key = data_key(world).await;
    for some in ids.chunks(1_000) {
        let marks: Vec<String> =
            (0..some.len()).map(|n| format!("(${}, ${})", 2 * n + 1, 2 * n + 2)).collect();
        let text = format!(
            "INSERT INTO grants SELECT v.column1, tenant, endpoint, registration, launch_id, user_index, state, \
             reason, version, data_key_id, v.column2, NULL, access_expires_at, granted_scope, token_endpoint, issuer, \
             revocation_endpoint, introspection_endpoint, created_at, claimed_at, refreshed_at, ended_at, failures, \
             not_before, lease_epoch, lease_expires_at, upstream, upstream_attempts, upstream_at, service_scope \
             FROM (VALUES {}) AS v, (SELECT * FROM grants ORDER BY created_at LIMIT 1) AS g",
            marks.join(", ")
        );
        on_pool!(world.pool, |c| {
            let mut query = sqlx::query(sqlx::AssertSqlSafe(text.clone()));
            for id in some {
                query = query.bind(*id).bind(key.seal(&place(*id), b"access-in-bulk"));
            }
            query.execute(c).await.map(|_done| ())
        })
        .unwrap();
    }
    ids
}

/// The tenant's data key, opened as the vault opens it.
async fn data_key(world: &World) -> DataKey {
    let (key_id, wrapped): (Uuid, Vec<u8>) = on_pool!(world.pool, |c| sqlx::query_as(
        "SELECT key_id, wrapped FROM data_keys WHERE tenant = 'general' AND purpose = 'grants'"
    )
    .fetch_one(c)
    .await)
    .unwrap();
    let context = DataKeyContext { tenant: TenantId::parse("general").unwrap(), purpose: "grants", key_id };
    DataKey::from_secret(world.kek.unwrap(&context.aad(), &wrapped).await.unwrap()).unwrap()
}

fn place(grant: Uuid) -> Vec<u8> {
    let mut place = Vec::new();
    for part in [&b"general"[..], grant.as_bytes(), b"access_token"] {
        place.extend_from_slice(&(part.len() as u64).to_be_bytes());
        place.extend_from_slice(part);
    }
    place
}

async fn rotate_under_load(world: &World, living: usize, rows: u32) {
    let report = Report::new("rotation over many sealed rows while serving")
        .scenario(&format!("{living} grants in use"))
        .unit("rows")
        .tried(u64::from(rows));
    let mut grants = Vec::new();
    for _ in 0..living {
        grants.push(world.grant().await);
    }
    let filled = fill(world, rows).await;
    let is_over = AtomicBool::new(false);
    let (mut calls, mut errors) = (0_u32, 0_u32);
    let load = async {
        while !is_over.load(Ordering::SeqCst) {
            for grant in &grants {
                calls += 1;
                errors += u32::from(world.access(grant).await.is_err());
            }
            // New grants arrive while it goes on.
            errors += u32::from(world.exchange(world.transaction("public")).await.is_err());
        }
    };
    let rotation = async {
        world.start_rotation().await;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(300);
        while world.keys().await.rotation.is_none_or(|rotation| rotation.closed_at == 0) {
            assert!(tokio::time::Instant::now() < deadline, "the rotation did not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        is_over.store(true, Ordering::SeqCst);
    };
    tokio::join!(load, rotation);
    assert!(calls > 0);
    assert_eq!(errors, 0, "of {calls} calls");
    for grant in &grants {
        world.access(grant).await.unwrap();
    }
    // Each of them in a small run, one of a hundred in a large one.
    for id in filled.iter().step_by(filled.len().div_ceil(1_000)) {
        let access = world.access(id.as_bytes()).await.unwrap();
        assert_eq!(access.access_token, "access-in-bulk");
    }
    let status = world.keys().await;
    let rotation = status.rotation.unwrap();
    assert_eq!((status.outdated_rows, rotation.unreadable), (0, 0));
    let all = world.text("SELECT CAST(count(*) AS TEXT) FROM grants").await;
    assert_eq!(count_under_new(world).await, all, "every row names the new key");
    assert!(rotation.resealed > i64::from(rows));
    report.write();
}

#[tokio::test]
async fn a_rotation_over_a_thousand_rows_disturbs_no_call() {
    let living = if is_long() { 1_000 } else { 100 };
    each(|world| async move { rotate_under_load(&world, living, 1_000).await }).await;
}

/// A quick run has no Postgres, and SQLite is seen by the test above.
#[tokio::test]
async fn a_rotation_over_very_many_rows_disturbs_no_call() {
    let Some(database) = TestDb::server(MIGRATIONS).await else { return };
    let rows = if is_long() { 100_000 } else { 10_000 };
    let config = Config { sweep_interval_ms: 20, ..Config::default() };
    let world = World::start(database.pool.clone(), 1, usual, config).await;
    rotate_under_load(&world, 20, rows).await;
    drop(world);
    database.close().await.unwrap();
}

fn is_long() -> bool {
    std::env::var("SALLYPORT_TEST_LONG").is_ok_and(|long| long == "1")
}
