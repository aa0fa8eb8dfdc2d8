//! Erasure: the ids of one person become unreadable, all else reads, and no stored byte changes.

use sallyport_audit::{Order, migrations};
use sallyport_db::{on_pool, testing::each};
use sallyport_model::{EndpointId, PatientId, TenantId, User};
use sallyport_proto::{
    audit::v1::{Kind, QueryRequest, Record},
    types::v1::{User as PbUser, actor},
};

use crate::house::{House, TENANT, read, succeeded, user};

fn order() -> Order {
    Order { operator: "olga".to_owned(), reference: "ticket-12".to_owned() }
}

fn user_of(record: &Record) -> &PbUser {
    match record.actor.as_ref().unwrap().kind.as_ref().unwrap() {
        actor::Kind::User(user) => user,
        other => panic!("{other:?}"),
    }
}

async fn sealed(house: &House) -> Vec<Vec<u8>> {
    on_pool!(house.pool, |c| {
        sqlx::query_scalar("SELECT sealed FROM records WHERE recorded_at < 9000000 ORDER BY recorded_at")
            .fetch_all(c)
            .await
    })
    .unwrap()
}

async fn old(house: &House) -> Vec<Record> {
    house.query(QueryRequest { until: 9_000_000, ..QueryRequest::default() }).await
}

async fn record_three(house: &House) {
    let both = Record {
        recorded_at: 3_000_000,
        patients: vec!["pat-1".to_owned(), "pat-2".to_owned()],
        ..succeeded(read("pat-1", "dr-who"))
    };
    let one = Record { recorded_at: 1_000_000, ..succeeded(read("pat-1", "dr-who")) };
    let two = Record { recorded_at: 2_000_000, ..succeeded(read("pat-2", "dr-who")) };
    for record in [one, two, both] {
        house.gateway.event(record).await.unwrap();
    }
    house.settle().await;
}

#[tokio::test]
async fn an_erased_patient_is_unreadable_and_everything_else_reads() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        record_three(&house).await;
        let (bytes, before) = (sealed(&house).await, old(&house).await);
        let (tenant, endpoint) = (TenantId::parse(TENANT).unwrap(), EndpointId::parse("main").unwrap());
        let patient = PatientId::parse("pat-1").unwrap();
        assert!(house.erasure.patient(&tenant, &endpoint, &patient, &order()).await.unwrap());
        let after = old(&house).await;
        let erased = |record: &Record, patients: &[&str]| Record {
            patients: patients.iter().map(|p| (*p).to_owned()).collect(),
            encounter: "[erased]".to_owned(),
            resource_id: "[erased]".to_owned(),
            ..record.clone()
        };
        let expected = [
            erased(&before[0], &["[erased]"]),
            before[1].clone(),
            erased(&before[2], &["[erased]", "pat-2"]),
        ];
        assert_eq!(after, expected);
        assert_eq!(sealed(&house).await, bytes, "what proofs hash is untouched");
        let found =
            house.query(QueryRequest { patient: "pat-1".to_owned(), until: 9_000_000, ..Default::default() });
        assert!(found.await.is_empty(), "the blind index is gone too");
        assert!(!house.erasure.patient(&tenant, &endpoint, &patient, &order()).await.unwrap(), "once");
    })
    .await;
}

#[tokio::test]
async fn an_erased_user_is_unreadable_and_the_patients_read() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        record_three(&house).await;
        let tenant = TenantId::parse(TENANT).unwrap();
        let who = user("dr-who");
        let who = User { issuer: who.issuer, subject: who.subject, fhir_user: None };
        assert!(house.erasure.user(&tenant, &who, &order()).await.unwrap());
        for record in old(&house).await {
            let gone = PbUser { subject: "[erased]".to_owned(), ..PbUser::default() };
            assert_eq!(*user_of(&record), gone);
            assert!(
                record.patients[0].starts_with("pat-") && record.resource_id.starts_with("condition-of-")
            );
        }
    })
    .await;
}

#[tokio::test]
async fn what_comes_after_an_erasure_is_a_new_subject() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        record_three(&house).await;
        let (tenant, endpoint) = (TenantId::parse(TENANT).unwrap(), EndpointId::parse("main").unwrap());
        let patient = PatientId::parse("pat-1").unwrap();
        house.erasure.patient(&tenant, &endpoint, &patient, &order()).await.unwrap();
        house
            .gateway
            .event(Record { recorded_at: 4_000_000, ..succeeded(read("pat-1", "dr-who")) })
            .await
            .unwrap();
        house.settle().await;
        let request = QueryRequest { patient: "pat-1".to_owned(), until: 9_000_000, ..Default::default() };
        let found = house.query(request).await;
        assert_eq!(found.iter().map(|r| r.recorded_at).collect::<Vec<_>>(), [4_000_000]);
    })
    .await;
}

#[tokio::test]
async fn an_erasure_is_on_the_log_without_naming_the_erased() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        record_three(&house).await;
        let (tenant, endpoint) = (TenantId::parse(TENANT).unwrap(), EndpointId::parse("main").unwrap());
        house
            .erasure
            .patient(&tenant, &endpoint, &PatientId::parse("pat-1").unwrap(), &order())
            .await
            .unwrap();
        house.settle().await;
        let records = house.query(QueryRequest { from: 9_000_000, ..QueryRequest::default() }).await;
        let erasures: Vec<_> = records.iter().filter(|r| r.kind() == Kind::Operator).collect();
        let phases: Vec<_> = erasures.iter().map(|r| r.phase().as_str_name()).collect();
        assert_eq!(phases, ["INTENT", "OUTCOME"]);
        assert!(erasures.iter().all(|r| r.patients.is_empty() && r.detail == "ticket-12"));
        assert_eq!(user_of(erasures[0]).subject, "olga");
    })
    .await;
}
