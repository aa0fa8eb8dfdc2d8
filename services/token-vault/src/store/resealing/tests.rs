use std::sync::Arc;

use sallyport_db::testing::each;
use sallyport_model::{EndpointId, GrantId, LaunchId, RegistrationId, SystemClock, TenantId};

use super::*;
use crate::store::{MIGRATIONS, NewGrant, Sealed};

#[test]
fn places_are_counted_through() {
    assert_eq!(places(2, 2), "($3, $4, $5, $6, $7), ($8, $9, $10, $11, $12)");
}

fn grant(under: Uuid) -> NewGrant {
    NewGrant {
        id: GrantId::new(&SystemClock),
        tenant: TenantId::parse("general").unwrap(),
        endpoint: EndpointId::parse("clinic").unwrap(),
        registration: RegistrationId::parse("clinic-web").unwrap(),
        launch: LaunchId::new(&SystemClock),
        user_index: None,
        sealed: Sealed { data_key: under, access: Some(b"first".to_vec()), refresh: None },
        access_expires_at: 0,
        granted_scope: String::new(),
        token_endpoint: String::new(),
        issuer: String::new(),
        revocation_endpoint: String::new(),
        introspection_endpoint: String::new(),
        service_scope: None,
        now: 0,
    }
}

/// What a refresh does that began before the rotation: a new token, still under the old key.
async fn refresh(store: &Store, grant: Uuid) {
    on_pool!(store.pool, |c| sqlx::query("UPDATE grants SET access_sealed = $2 WHERE grant_id = $1")
        .bind(grant)
        .bind(b"second".as_slice())
        .execute(c)
        .await
        .map(|_done| ()))
    .unwrap();
}

#[tokio::test]
async fn a_grant_that_was_refreshed_after_it_was_read_is_left_for_the_next_round() {
    each(MIGRATIONS, |pool| async move {
        #[cfg(feature = "planted-bugs")]
        if let Ok(name) = std::env::var(sallyport_testkit::planted::VARIABLE) {
            sallyport_model::planted::set(&[&name]);
        }
        let store = Store::new(pool, Arc::new(SystemClock));
        let (old, new) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for _ in 0..2 {
            assert!(store.insert_grant(&grant(old), None).await.unwrap());
        }
        let read = store.grants_under(old, Uuid::nil()).await.unwrap();
        refresh(&store, read[0].grant_id).await;

        let resealed =
            |row: &SealedRow| SealedRow { access_sealed: Some(b"resealed".to_vec()), ..row.clone() };
        let pairs: Vec<_> = read.iter().map(|row| (row.clone(), resealed(row))).collect();
        assert_eq!(store.reseal_grants(old, new, &pairs).await.unwrap(), 1, "its neighbour alone");

        let left = store.grants_under(old, Uuid::nil()).await.unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].grant_id, read[0].grant_id);
        assert_eq!(left[0].access_sealed.as_deref(), Some(b"second".as_slice()), "the newer token stands");
        let done = store.grants_under(new, Uuid::nil()).await.unwrap();
        assert_eq!(done[0].access_sealed.as_deref(), Some(b"resealed".as_slice()));
    })
    .await;
}

#[cfg(feature = "planted-bugs")]
#[test]
fn each_planted_bug_turns_its_test_red() {
    sallyport_testkit::planted::each_turns_its_test_red(&[(
        "reseal-overwrites",
        "store::resealing::tests::a_grant_that_was_refreshed_after_it_was_read_is_left_for_the_next_round",
    )]);
}
