//! The key-encryption key: away, back, and rotated.

use sallyport_audit::migrations;
use sallyport_db::testing::each;
use sallyport_keyring::testing::MemoryKey;
use sallyport_model::ServiceName;
use sallyport_proto::{
    audit::v1::{Kind, QueryRequest, Record},
    keys::v1::{RewrapRequest, StatusRequest, StatusResponse, data_keys_client::DataKeysClient as Rpc},
};

use crate::house::{House, read, succeeded};

const STORED: &str = "SELECT count(*) FROM records";

async fn status(house: &House) -> StatusResponse {
    Rpc::new(house.rpc.clone()).status(StatusRequest {}).await.unwrap().into_inner()
}

fn of_another_tenant() -> Record {
    Record { tenant: "lakeside".to_owned(), ..succeeded(read("p-9", "dr")) }
}

#[tokio::test]
async fn known_keys_store_on_and_the_rest_waits() {
    each(migrations(), |pool| async move {
        let key = MemoryKey::new();
        let house = House::start_with(pool, &key).await;
        house.gateway.event(succeeded(read("p-1", "dr"))).await.unwrap();
        house.settle().await;
        let before = house.number(STORED).await;
        key.set_away(true);
        house.gateway.event(succeeded(read("p-2", "dr"))).await.unwrap();
        house.settle().await;
        assert_eq!(house.number(STORED).await, before + 1, "stored under the keys at hand");

        let refused = house.gateway.event(of_another_tenant()).await;
        assert!(refused.is_err(), "a tenant without a key in this process cannot be recorded");
        key.set_away(false);
        house.gateway.event(of_another_tenant()).await.unwrap();
        house.settle().await;
        assert_eq!(house.number(STORED).await, before + 2);
        assert_eq!(house.number("SELECT count(*) FROM quarantine").await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_a_restarted_service_cannot_open_yet_waits_for_the_key_service() {
    each(migrations(), |pool| async move {
        let key = MemoryKey::new();
        let house = House::start_with(pool, &key).await;
        house.gateway.event(succeeded(read("p-1", "dr"))).await.unwrap();
        house.settle().await;
        key.set_away(true);
        // Starts although nothing can be opened, and quarantines nothing.
        let house = house.crash_and_restart().await;
        assert_eq!(status(&house).await.kek_version, 0);
        key.set_away(false);
        house.gateway.event(succeeded(read("p-2", "dr"))).await.unwrap();
        house.settle().await;
        assert_eq!(house.number("SELECT count(*) FROM quarantine").await, 0);
        let found = house.query(QueryRequest { patient: "p-2".to_owned(), ..QueryRequest::default() }).await;
        assert_eq!(found.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_rotation_wraps_every_tenants_key_anew_and_everything_reads_on() {
    each(migrations(), |pool| async move {
        let key = MemoryKey::new();
        let house = House::start_with(pool, &key).await;
        house.gateway.event(succeeded(read("p-1", "dr"))).await.unwrap();
        house.gateway.event(of_another_tenant()).await.unwrap();
        house.settle().await;
        let before = status(&house).await;
        assert_eq!((before.kek_version, before.keys, before.outdated), (1, 3, 0));
        key.kek().rotate().await.unwrap();
        assert_eq!(status(&house).await.outdated, 3);

        let rotate = |limit| {
            let request = RewrapRequest { reason: "yearly".to_owned(), limit };
            let mut rpc = Rpc::new(house.rpc.clone());
            async move { rpc.rewrap(request).await.unwrap().into_inner() }
        };
        let first = rotate(2).await;
        assert_eq!((first.rewrapped, first.outdated), (2, 1));
        let second = rotate(2).await;
        assert_eq!((second.rewrapped, second.outdated), (1, 0));
        assert_eq!(rotate(2).await.rewrapped, 0, "done is done");
        assert_eq!(status(&house).await.oldest_version, 2);

        // In a process that has unwrapped nothing before.
        let house = house.crash_and_restart().await;
        let found = house.query(QueryRequest { patient: "p-1".to_owned(), ..QueryRequest::default() }).await;
        assert_eq!(found.len(), 1);
        house.settle().await;
        let operator = i64::from(i32::from(Kind::Operator));
        let recorded = house.number("SELECT count(*) FROM records WHERE kind = 11").await;
        assert_eq!((operator, recorded), (11, 3), "each call is recorded");
    })
    .await;
}

#[tokio::test]
async fn keys_are_for_operators_with_a_reason() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        let ask = |caller, limit, reason: &str| {
            let request = RewrapRequest { reason: reason.to_owned(), limit };
            let mut rpc = Rpc::new(house.called_by(caller));
            async move { rpc.rewrap(request).await.is_ok() }
        };
        assert!(!ask(ServiceName::FhirGateway, 1, "x").await);
        for (limit, reason) in [(0, "x"), (501, "x"), (1, ""), (1, "a\nb")] {
            assert!(!ask(ServiceName::Operator, limit, reason).await, "{limit} {reason:?}");
        }
        assert!(ask(ServiceName::Operator, 1, "x").await);
    })
    .await;
}
