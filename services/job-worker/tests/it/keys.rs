//! The key-encryption key gets a new version: what runs have kept reads on when the older version is gone.

use sallyport_keyring::KeyEncryptionKey;
use sallyport_model::ServiceName;
use sallyport_proto::keys::v1::{RewrapRequest, StatusRequest, data_keys_client::DataKeysClient};

use crate::world::{crawl, each, tenant};

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_wrapped_anew_and_a_paused_run_goes_on_in_a_process_that_has_none_at_hand() {
    let jobs = crawl("nightly", "general", 12, "batch_size = 3");
    each(&[tenant("general", &jobs)], |world| async move {
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        worker.until_done(&run, 3).await;
        let mut operator = DataKeysClient::new(worker.transport(ServiceName::Operator));
        let before = operator.status(StatusRequest {}).await.unwrap().into_inner();
        assert_eq!((before.kek_version, before.outdated, before.oldest_version), (1, 0, 1));
        assert!(before.keys >= 1);

        world.kek.rotate().await.unwrap();
        let request = |limit| RewrapRequest { reason: "yearly".to_owned(), limit };
        let told = operator.rewrap(request(500)).await.unwrap().into_inner();
        assert_eq!((told.rewrapped, told.outdated), (before.keys, 0));
        let after = operator.status(StatusRequest {}).await.unwrap().into_inner();
        assert_eq!((after.kek_version, after.outdated, after.oldest_version), (2, 0, 2));
        assert_eq!(operator.rewrap(request(500)).await.unwrap().into_inner().rewrapped, 0, "done is done");

        worker.end().await;
        let worker = world.worker(1).await;
        let done = worker.until(&run, "done").await;
        assert_eq!(done.progress.unwrap().items_done, 12);
        let records = world.records().await;
        let asked = records.iter().filter(|record| record.detail == "yearly").count();
        assert_eq!(asked, 2, "each call is recorded");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_for_operators_with_a_reason() {
    each(&[tenant("general", &crawl("nightly", "general", 1, ""))], |world| async move {
        let worker = world.worker(1).await;
        let ask = |caller, limit, reason: &str| {
            let request = RewrapRequest { reason: reason.to_owned(), limit };
            let mut client = DataKeysClient::new(worker.transport(caller));
            async move { client.rewrap(request).await.is_ok() }
        };
        assert!(!ask(ServiceName::FhirGateway, 1, "x").await);
        for (limit, reason) in [(0, "x"), (501, "x"), (1, ""), (1, "a\nb")] {
            assert!(!ask(ServiceName::Operator, limit, reason).await, "{limit} {reason:?}");
        }
        assert!(ask(ServiceName::Operator, 1, "x").await);
    })
    .await;
}
