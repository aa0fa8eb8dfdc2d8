//! Every record exactly once, whatever is lost, repeated or killed on the way.

use std::{sync::Arc, time::Duration};

use prost::Message as _;
use sallyport_audit::migrations;
use sallyport_audit_client::Settings;
use sallyport_db::testing::each;
use sallyport_keyring::testing::MemoryKey;
use sallyport_model::ServiceName;
use sallyport_proto::audit::v1::{QueryRequest, SealedBatch, SealedRecord};
use sallyport_queue::{AUDIT_RECORDS, Message, Queue as _};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    house::{House, open, read, succeeded},
    queues::LossyQueue,
};

#[test]
fn the_migrations_are_twins() {
    sallyport_db::assert_twins(migrations());
}

pub(crate) async fn record_calls(house: &House, range: std::ops::Range<usize>) {
    let mut pending = Vec::new();
    for n in range {
        pending.push((n, house.gateway.begin(read(&format!("pat-{}", n % 50), "dr-who")).unwrap()));
    }
    for (n, intent) in pending {
        let record_id = intent.record_id().uuid().as_bytes().to_vec();
        intent.durable().await.unwrap();
        house.gateway.outcome(succeeded(sallyport_proto::audit::v1::Record {
            record_id,
            ..read(&format!("pat-{}", n % 50), "dr-who")
        }));
    }
    house.gateway.flush().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_records_are_stored_exactly_once_under_duplicates_and_crashes() {
    each(migrations(), |pool| async move {
        let mut house = House::start(pool).await;
        for round in 0..5 {
            // Several commits whose acks are lost; when the first duplicate was seen, a crash in the middle of the rest.
            house.queue.lose_acks(3);
            record_calls(&house, round * 1_000..(round + 1) * 1_000).await;
            while !house.metrics.render().contains("sallyport_audit_duplicates_total ") {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            house = house.crash_and_restart().await;
        }
        house.settle().await;
        assert_eq!(house.number("SELECT COUNT(*) FROM records").await, 10_000);
        let distinct =
            "SELECT COUNT(*) FROM (SELECT DISTINCT record_id FROM records WHERE phase = 1) intents";
        assert_eq!(house.number(distinct).await, 5_000);
        let span = "SELECT MAX(spool_sequence) - MIN(spool_sequence) + 1 FROM records";
        assert_eq!(house.number(span).await, 10_000, "no gap and no number twice");
        assert_eq!(house.number("SELECT COUNT(*) FROM quarantine").await, 0);
        let counts = house.counts().await;
        let shape: Vec<_> = counts
            .iter()
            .map(|c| {
                (c.kind.as_str(), c.phase.as_str(), c.outcome.as_str(), c.resource_type.as_str(), c.count)
            })
            .collect();
        assert_eq!(
            shape,
            [
                ("FHIR_CALL", "INTENT", "PENDING", "Condition", 5_000),
                ("FHIR_CALL", "OUTCOME", "SUCCESS", "Condition", 5_000)
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_crash_between_write_and_ack_stores_nothing_twice() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        house.queue.lose_acks(5);
        house.gateway.event(succeeded(read("pat-1", "dr-who"))).await.unwrap();
        house.settle().await;
        assert_eq!(house.number("SELECT COUNT(*) FROM records").await, 1);
        assert!(house.metrics.render().contains("sallyport_audit_duplicates_total 5"));
    })
    .await;
}

#[tokio::test]
async fn an_intent_without_an_outcome_stays_visible() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        house.gateway.begin(read("pat-1", "dr-who")).unwrap().durable().await.unwrap();
        house.settle().await;
        let records =
            house.query(QueryRequest { patient: "pat-1".to_owned(), ..QueryRequest::default() }).await;
        assert_eq!(records.len(), 1);
        assert_eq!(
            (records[0].phase().as_str_name(), records[0].outcome().as_str_name()),
            ("INTENT", "PENDING")
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_no_batch_leaves_a_hash_and_does_not_stop_the_next() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        for body in [&b"canary garbage that is no batch"[..], b"", &[0xff; 300]] {
            let message = Message::new(Uuid::from_u128(1), body.to_vec());
            house.deliver(message).await;
        }
        assert_eq!(house.number("SELECT COUNT(*) FROM quarantine WHERE reason = 'decode'").await, 3);
        assert_eq!(house.number("SELECT COUNT(*) FROM quarantine WHERE LENGTH(digest) = 32").await, 3);
        house.gateway.event(succeeded(read("pat-1", "dr-who"))).await.unwrap();
        house.settle().await;
        assert_eq!(house.number("SELECT COUNT(*) FROM records").await, 1);
        assert!(house.metrics.render().contains("sallyport_audit_quarantined_total{reason=\"decode\"} 3"));
    })
    .await;
}

/// A batch as the relay made it, captured from a queue of its own.
pub(crate) async fn captured(house: &House, records: usize) -> SealedBatch {
    let directory = tempfile::tempdir().unwrap();
    let (client, relay) = open(Settings::new(directory.path()), ServiceName::FhirGateway, &house.kek).await;
    let queue = LossyQueue::default();
    let mut consumer = queue.consume(AUDIT_RECORDS).await.unwrap();
    for n in 0..records {
        client.begin(read(&format!("pat-{n}"), "dr-who")).unwrap().durable().await.unwrap();
    }
    let (_stop, shutdown) = watch::channel(false);
    let relay = tokio::spawn(relay.run(Arc::new(queue.clone()), shutdown));
    let delivery = consumer.next().await.unwrap();
    let batch = SealedBatch::decode(delivery.message.body.clone()).unwrap();
    assert_eq!(batch.records.len(), records);
    relay.abort();
    batch
}

async fn publish(house: &House, batch: &SealedBatch) {
    house.deliver(Message::new(Uuid::from_u128(2), batch.encode_to_vec())).await;
}

#[tokio::test]
async fn a_forged_record_is_quarantined_and_its_neighbours_are_stored() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        let mut batch = captured(&house, 4).await;
        let damage: [fn(&mut SealedRecord); 3] = [
            |r| r.ciphertext[30] ^= 1,
            |r| r.spool_sequence += 1_000,
            |r| r.tenant = "another-hospital".to_owned(),
        ];
        for (record, damage) in batch.records.iter_mut().zip(damage) {
            damage(record);
        }
        publish(&house, &batch).await;
        assert_eq!(house.number("SELECT COUNT(*) FROM records").await, 1);
        assert_eq!(house.number("SELECT COUNT(*) FROM quarantine WHERE reason = 'sealed'").await, 2);
        assert_eq!(house.number("SELECT COUNT(*) FROM quarantine WHERE reason = 'key'").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_record_that_claims_another_service_is_quarantined() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        let mut batch = captured(&house, 1).await;
        batch.service = "token-vault".to_owned();
        publish(&house, &batch).await;
        assert_eq!(house.number("SELECT COUNT(*) FROM quarantine WHERE reason = 'origin'").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_message_under_a_foreign_key_goes_back_to_its_publisher_or_to_the_dead_letters() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        let directory = tempfile::tempdir().unwrap();
        let foreign = MemoryKey::new().kek();
        let (client, relay) = open(Settings::new(directory.path()), ServiceName::FhirGateway, &foreign).await;
        client.begin(read("pat-1", "dr-who")).unwrap().durable().await.unwrap();
        let (_stop, shutdown) = watch::channel(false);
        let relay = tokio::spawn(relay.run(Arc::new(house.queue.clone()), shutdown));
        while !house.metrics.render().contains("sallyport_audit_append_failures_total{reason=\"key\"}") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        match &house.queue.broker {
            None => assert_eq!(client.depth(), 1, "the publisher still has it"),
            Some(broker) => {
                house.queue.settled().await;
                let mut dead = Vec::new();
                while dead.is_empty() {
                    dead = broker.dead_letters(AUDIT_RECORDS, 10).await.unwrap();
                }
                assert_eq!(dead[0].reason, "rejected");
            }
        }
        assert_eq!(house.number("SELECT COUNT(*) FROM records").await, 0);
        assert_eq!(house.number("SELECT COUNT(*) FROM quarantine").await, 0);
        relay.abort();
    })
    .await;
}

#[tokio::test]
async fn the_same_place_with_other_content_is_a_finding_and_changes_nothing() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        let (one, two) = (captured(&house, 1).await, captured(&house, 1).await);
        publish(&house, &one).await;
        // Both spools number from 1; the second is made to look like the first, which its seal does not allow.
        let mut forged = two.clone();
        forged.records[0].spool_id = one.records[0].spool_id.clone();
        publish(&house, &forged).await;
        assert_eq!(house.number("SELECT COUNT(*) FROM records").await, 1);
        assert_eq!(house.number("SELECT COUNT(*) FROM quarantine WHERE reason = 'sealed'").await, 1);
        publish(&house, &two).await;
        assert_eq!(house.number("SELECT COUNT(*) FROM records").await, 2);
    })
    .await;
}

#[tokio::test]
async fn one_record_twice_under_one_id_with_other_content_is_a_conflict() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        let record_id = vec![9; 16];
        for patient in ["pat-1", "pat-2"] {
            let record = sallyport_proto::audit::v1::Record {
                record_id: record_id.clone(),
                ..read(patient, "dr-who")
            };
            house.gateway.event(succeeded(record)).await.unwrap();
        }
        house.settle().await;
        assert_eq!(house.number("SELECT COUNT(*) FROM records").await, 1);
        assert_eq!(house.number("SELECT COUNT(*) FROM quarantine WHERE reason = 'conflict'").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_record_the_database_cannot_hold_does_not_keep_its_neighbours_out() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        for code in ["fine", "a nul \0 byte", "fine too"] {
            let record = sallyport_proto::audit::v1::Record {
                code: code.to_owned(),
                ..succeeded(read("pat-1", "dr-who"))
            };
            house.gateway.event(record).await.unwrap();
        }
        house.settle().await;
        // SQLite takes the byte, Postgres refuses it; the neighbours are there either way.
        let stored = house.number("SELECT COUNT(*) FROM records").await;
        let aside = house.number("SELECT COUNT(*) FROM quarantine WHERE reason = 'unstorable'").await;
        assert_eq!(stored + aside, 3);
        assert_eq!(house.number("SELECT COUNT(*) FROM records WHERE code LIKE 'fine%'").await, 2);
    })
    .await;
}
