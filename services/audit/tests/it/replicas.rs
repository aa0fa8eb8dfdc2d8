//! Two replicas with several consumers each on one database: nothing twice, one key for whoever is met by both at once,
//! and a log that can be read meanwhile.

use std::sync::Arc;

use prost::Message as _;
use sallyport_audit::migrations;
use sallyport_db::testing::each;
use sallyport_proto::audit::v1::{QueryRequest, SealedBatch};
use sallyport_queue::{AUDIT_RECORDS, Message, Queue as _};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    house::House,
    queues::LossyQueue,
    storing::{captured, record_calls},
};

/// Publishes where one replica alone consumes. This queue answers when the consumer has acked: then it is stored,
/// whoever stored it.
async fn deliver(house: &House, batch: &SealedBatch) {
    let message = Message::new(Uuid::from_u128(2), batch.encode_to_vec());
    house.queue.publish(AUDIT_RECORDS, message).await.unwrap();
}

/// How many calls the log shows; that it was read is in it too.
async fn calls(house: &House, request: QueryRequest) -> usize {
    house.query(request).await.iter().filter(|record| record.service == "fhir-gateway").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_batch_that_two_replicas_get_at_once_is_stored_once() {
    each(migrations(), |pool| async move {
        let one = Arc::new(House::start_over(pool, LossyQueue::default()).await);
        let two = Arc::new(one.replica().await);
        let mut deliveries = JoinSet::new();
        for _ in 0..8 {
            let batch = captured(&one, 20).await;
            for house in [&one, &two, &one] {
                let (house, batch) = (Arc::clone(house), batch.clone());
                deliveries.spawn(async move { deliver(&house, &batch).await });
            }
        }
        deliveries.join_all().await;
        assert_eq!(one.number("SELECT COUNT(*) FROM records").await, 160);
        assert_eq!(one.number("SELECT COUNT(*) FROM (SELECT DISTINCT record_id FROM records) r").await, 160);
        assert_eq!(one.number("SELECT COUNT(*) FROM quarantine").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn people_whom_two_replicas_meet_first_at_once_have_one_key_each_and_are_found_by_both() {
    each(migrations(), |pool| async move {
        let one = Arc::new(House::start_over(pool, LossyQueue::default()).await);
        let two = Arc::new(one.replica().await);
        // The same twenty patients in each batch, in a tenant whose key nobody has made yet.
        let batches = [captured(&one, 20).await, captured(&one, 20).await];
        let mut deliveries = JoinSet::new();
        for (house, batch) in [&one, &two].into_iter().zip(batches) {
            let house = Arc::clone(house);
            deliveries.spawn(async move { deliver(&house, &batch).await });
        }
        deliveries.join_all().await;
        assert_eq!(one.number("SELECT COUNT(*) FROM tenant_keys WHERE tenant <> '_system'").await, 1);
        for house in [&one, &two] {
            for n in 0..20 {
                let request = QueryRequest { patient: format!("pat-{n}"), ..QueryRequest::default() };
                assert_eq!(calls(house, request).await, 2, "patient {n}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_log_is_read_at_one_replica_while_the_other_stores() {
    each(migrations(), |pool| async move {
        let one = Arc::new(House::start_over(pool, LossyQueue::default()).await);
        let two = one.replica().await;
        let storing = tokio::spawn({
            let one = Arc::clone(&one);
            async move {
                record_calls(&one, 0..300).await;
                one.settle().await;
            }
        });
        let mut seen = 0;
        while !storing.is_finished() || seen < 12 {
            let request = QueryRequest { patient: "pat-7".to_owned(), ..QueryRequest::default() };
            let found = calls(&two, request).await;
            assert!(found >= seen, "what was seen once stays: {found} after {seen}");
            seen = found;
        }
        storing.await.unwrap();
        // Six calls about each of fifty patients, an intent and an outcome each.
        assert_eq!(seen, 12);
    })
    .await;
}
