//! No patient, user or reason in clear: not in the spool's files, not in a queue message, not in the database.

use std::path::Path;

use prost::Message as _;
use sallyport_audit::migrations;
use sallyport_db::{Pool, on_pool, testing::TestDb};
use sallyport_proto::audit::v1::{QueryRequest, SealedBatch};
use sallyport_queue::{AUDIT_RECORDS, Message, Queue};
use sallyport_testkit::canary::Canaries;
use uuid::Uuid;

use crate::house::{House, read, succeeded};

fn canaries() -> Canaries {
    let mut canaries = Canaries::default();
    for (name, value) in [
        ("patient", "canary-patient-4711"),
        ("user", "canary-user-0815"),
        ("encounter", "encounter-of-canary-patient-4711"),
        ("resource", "condition-of-canary-patient-4711"),
        ("reason", "canary reason of a query"),
    ] {
        canaries.add(name, value);
    }
    canaries
}

fn files(directory: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.extend(std::fs::read(path).unwrap());
        }
    }
    all
}

async fn exercise(house: &House) {
    let record = read("canary-patient-4711", "canary-user-0815");
    let intent = house.gateway.begin(record.clone()).unwrap();
    let record_id = intent.record_id().uuid().as_bytes().to_vec();
    intent.durable().await.unwrap();
    house.gateway.outcome(succeeded(sallyport_proto::audit::v1::Record { record_id, ..record }));
    house.settle().await;
    let request = QueryRequest {
        tenant: crate::house::TENANT.to_owned(),
        patient: "canary-patient-4711".to_owned(),
        limit: 10,
        operator: "canary-user-0815".to_owned(),
        reason: "canary reason of a query".to_owned(),
        ..QueryRequest::default()
    };
    let mut rpc = sallyport_proto::audit::v1::audit_client::AuditClient::new(house.rpc.clone());
    assert_eq!(rpc.query(request).await.unwrap().into_inner().records.len(), 2, "the canaries went through");
    house.settle().await;
}

#[tokio::test]
async fn spool_files_and_database_files_hold_no_identity_in_clear() {
    let database = TestDb::sqlite(migrations()).await.unwrap();
    let house = House::start(database.pool.clone()).await;
    exercise(&house).await;
    assert_eq!(canaries().scan(&files(house.spools.path())), []);
    let folder = database.folder().unwrap();
    assert_eq!(canaries().scan(&files(folder)), []);
    std::fs::write(folder.join("leak"), b"{\"patient\":\"canary-patient-4711\"}").unwrap();
    assert_ne!(canaries().scan(&files(folder)), [], "the scan finds a planted leak");
    drop(house);
    database.close().await.unwrap();
}

#[tokio::test]
async fn no_column_of_a_dump_holds_an_identity_in_clear() {
    sallyport_db::testing::each(migrations(), |pool| async move {
        let house = House::start(pool.clone()).await;
        exercise(&house).await;
        let dump = dump(&pool).await;
        assert!(dump.len() > 1_000);
        assert_eq!(canaries().scan(&dump), []);
    })
    .await;
}

/// Every text and byte column of every table, one after the other.
async fn dump(pool: &Pool) -> Vec<u8> {
    let mut all = Vec::new();
    let bytes: &[&'static str] = &[
        "SELECT sealed FROM records",
        "SELECT transport_digest FROM records",
        "SELECT wrapped FROM tenant_keys",
        "SELECT wrapped FROM subject_keys WHERE wrapped IS NOT NULL",
        "SELECT blind FROM subject_keys WHERE blind IS NOT NULL",
    ];
    for sql in bytes {
        let rows: Vec<Vec<u8>> = on_pool!(*pool, |c| sqlx::query_scalar(*sql).fetch_all(c).await).unwrap();
        all.extend(rows.into_iter().flatten());
    }
    let text = "SELECT tenant || service || endpoint || registration || purpose || feature || policy_decision || \
                interaction || resource_types || code || job || trace_id FROM records";
    let rows: Vec<String> = on_pool!(*pool, |c| sqlx::query_scalar(text).fetch_all(c).await).unwrap();
    all.extend(rows.into_iter().flat_map(String::into_bytes));
    all
}

#[tokio::test]
async fn a_queue_message_holds_no_identity_in_clear() {
    let database = TestDb::sqlite(migrations()).await.unwrap();
    let house = House::start(database.pool.clone()).await;
    // A queue of its own, so that the messages can be looked at.
    let queue = sallyport_queue::InProcess::new();
    let mut consumer = queue.consume(AUDIT_RECORDS).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let settings = sallyport_audit_client::Settings::new(directory.path());
    let (client, relay) =
        crate::house::open(settings, sallyport_model::ServiceName::FhirGateway, &house.kek).await;
    let (_stop, shutdown) = tokio::sync::watch::channel(false);
    let relay = tokio::spawn(relay.run(std::sync::Arc::new(queue), shutdown));
    client.begin(read("canary-patient-4711", "canary-user-0815")).unwrap().durable().await.unwrap();
    let message = consumer.next().await.unwrap().message.clone();
    assert_eq!(SealedBatch::decode(message.body.clone()).unwrap().records.len(), 1);
    assert_eq!(canaries().scan(&everything(&message)), []);
    let leaking = Message::new(Uuid::nil(), &b"..canary-user-0815.."[..]);
    assert_ne!(canaries().scan(&everything(&leaking)), [], "the scan finds a planted leak");
    relay.abort();
    drop(house);
    database.close().await.unwrap();
}

fn everything(message: &Message) -> Vec<u8> {
    let mut all = message.body.to_vec();
    for (name, value) in &message.headers {
        all.extend_from_slice(name.as_bytes());
        all.extend_from_slice(value.as_bytes());
    }
    all
}
