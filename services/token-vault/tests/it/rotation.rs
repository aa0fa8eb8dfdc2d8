//! Keys are rotated while tokens are asked for, refreshed and revoked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sallyport_model::ServiceName;
use sallyport_proto::{
    audit::v1::Kind,
    types::v1::selector::By,
    vault::v1::{KeyStatusRequest, PublicKeysRequest, RotateKeysRequest},
};
use tokio::sync::Notify;

use crate::{
    sign_in::Script,
    world::{World, code, each, each_with, eventually, usual},
};

const UNDER_NEW: &str = "SELECT CAST(count(*) AS TEXT) FROM grants WHERE data_key_id = \
    (SELECT key_id FROM data_keys WHERE tenant = 'general' AND purpose = 'grants' ORDER BY generation DESC LIMIT 1)";

#[tokio::test]
async fn a_rotation_wraps_and_seals_everything_anew() {
    each(|world| async move {
        let grants = [world.grant().await, world.grant_of("jwt").await];
        let before = world.keys().await;
        assert_eq!((before.kek_version, before.outdated_wrappings, before.outdated_rows), (1, 0, 0));
        let published =
            world.client(ServiceName::LaunchAuth).public_keys(PublicKeysRequest {}).await.unwrap();

        let after = world.rotate().await;
        let rotation = after.rotation.unwrap();
        assert_eq!((after.kek_version, after.oldest_version), (2, 2));
        assert_eq!((after.outdated_wrappings, after.outdated_rows, rotation.unreadable), (0, 0, 0));
        assert_eq!(rotation.resealed, 5, "two grants and the signing keys of three registrations");
        assert_eq!(world.text(UNDER_NEW).await, "2");
        assert_eq!(
            world.text("SELECT CAST(count(*) AS TEXT) FROM data_keys WHERE purpose = 'users'").await,
            "1"
        );
        for grant in &grants {
            world.access(grant).await.unwrap();
        }
        let again = world.client(ServiceName::LaunchAuth).public_keys(PublicKeysRequest {}).await.unwrap();
        assert_eq!(again.into_inner(), published.into_inner(), "the signing keys are the same keys");

        // After a while the old data keys are gone, and with them their wrapping by the old version.
        assert_eq!(after.outdated_data_keys, 1);
        world.clock.advance(Duration::from_secs(1_000));
        eventually("that the old key is gone", || async { world.keys().await.outdated_data_keys == 0 }).await;
        for grant in &grants {
            world.access(grant).await.unwrap();
        }
        let records = world.records().await;
        assert_eq!(
            records.iter().filter(|r| r.kind() == Kind::Operator).count(),
            2,
            "the beginning and the end"
        );
    })
    .await;
}

#[tokio::test]
async fn a_person_is_still_found_after_a_rotation() {
    each(|world| async move {
        let grant = world.grant().await;
        world.rotate().await;
        let user = sallyport_proto::types::v1::User {
            issuer: format!("{}/oauth", world.sign_in.url),
            subject: "user-canary-1".to_owned(),
            fhir_user: String::new(),
        };
        assert_eq!(world.revoke(By::User(user)).await.unwrap().grants, 1);
        assert_eq!(code(&world.access(&grant).await.unwrap_err()), "grant.revoked");
    })
    .await;
}

#[tokio::test]
async fn a_refresh_in_the_middle_of_a_rotation_is_not_undone() {
    each(|world| async move {
        let grant = world.grant().await;
        for _ in 0..5 {
            let release = Arc::new(Notify::new());
            world.sign_in.script("token", [Script::Held(Arc::clone(&release))]);
            world.until_expiry();
            let asked = world.sign_in.seen("token").len();
            let refresh = async { world.access(&grant).await.unwrap() };
            let rotate = async {
                eventually("the refresh", || async { world.sign_in.seen("token").len() > asked }).await;
                world.start_rotation().await;
                release.notify_one();
                eventually("the rotation", || async {
                    world.keys().await.rotation.is_some_and(|rotation| rotation.closed_at > 0)
                })
                .await;
            };
            let (access, ()) = tokio::join!(refresh, rotate);
            assert_eq!(world.access(&grant).await.unwrap().access_token, access.access_token);
        }
        race(&world, &grant).await;
    })
    .await;
}

/// Many refreshes against many rotations: the token that was served last is the one that is stored.
async fn race(world: &World, grant: &[u8]) {
    let is_over = AtomicBool::new(false);
    let rotations = async {
        for _ in 0..12 {
            world.rotate().await;
        }
        is_over.store(true, Ordering::SeqCst);
    };
    let refreshes = async {
        let mut rejected = Vec::new();
        while !is_over.load(Ordering::SeqCst) {
            let access = world.access_of(0, grant, &rejected).await.unwrap();
            let stored = world.access_of(0, grant, &[]).await.unwrap();
            assert_eq!(stored.access_token, access.access_token, "an older token came back");
            rejected = sallyport_smart::pkce::sha256(access.access_token.as_bytes()).to_vec();
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(rotations, refreshes);
}

#[tokio::test]
async fn a_rotation_waits_for_the_key_service_and_ends_when_it_is_back() {
    each(|world| async move {
        let grant = world.grant().await;
        // Also so that the audit spool has a key for what follows.
        world.rotate().await;
        world.kek.set_away(true);
        world.start_rotation().await;
        world.access(&grant).await.unwrap();
        let status = world.keys().await;
        assert_eq!((status.kek_version, status.rotation.unwrap().closed_at), (0, 0));
        // Asked again while it certainly waits: once the key service is back it may be over before anybody asks.
        world.start_rotation().await;
        world.kek.set_away(false);
        let status = world.rotated().await;
        assert_eq!(status.rotation.unwrap().number, 2, "the same one");
        world.access(&grant).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn two_processes_share_a_rotation_and_one_takes_over_from_one_that_died() {
    each_with(2, usual, |_| {}, |world| async move {
        let grant = world.grant().await;
        world.rotate().await;
        assert_eq!(world.keys().await.kek_version, 2, "the key-encryption key was rotated once");
        // As a process leaves it that was killed: begun, not closed, its lease still running.
        world.clock.advance(Duration::from_millis(1));
        let lease = "INSERT INTO key_rotations SELECT 2, started_at + 1000000000, 0, 0, 1, 0, 0, 0, 0, NULL, 1, \
                     started_at + 1000000000 FROM key_rotations WHERE number = 1";
        world.execute(lease).await;
        world.clock.advance(Duration::from_secs(1_001));
        eventually("the end of it", || async {
            world.keys().await.rotation.is_some_and(|rotation| rotation.number == 2 && rotation.closed_at > 0)
        })
        .await;
        assert_eq!(world.text(UNDER_NEW).await, "1");
        world.access(&grant).await.unwrap();
        world.access_of(1, &grant, &[]).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_rotation_is_for_operators_with_a_reason() {
    each(|world| async move {
        for caller in [ServiceName::LaunchAuth, ServiceName::FhirGateway, ServiceName::Web] {
            let request = RotateKeysRequest { reason: "x".to_owned(), ..RotateKeysRequest::default() };
            assert!(world.client(caller).rotate_keys(request).await.is_err());
            assert!(world.client(caller).key_status(KeyStatusRequest {}).await.is_err());
        }
        let silent = world.client(ServiceName::Operator).rotate_keys(RotateKeysRequest::default()).await;
        assert_eq!(code(&silent.unwrap_err()), "request.invalid");
        assert!(world.keys().await.rotation.is_none());
    })
    .await;
}

/// For the test at scale.
pub(crate) async fn count_under_new(world: &World) -> String {
    world.text(UNDER_NEW).await
}
