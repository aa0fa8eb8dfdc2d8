//! Reading the log: each filter, none, pages, callers, and the record that it was read.

use sallyport_audit::migrations;
use sallyport_db::testing::each;
use sallyport_model::{Code, ServiceName};
use sallyport_proto::audit::v1::{
    CountsRequest, Kind, Outcome, QueryRequest, Record, audit_client::AuditClient as Rpc,
};
use sallyport_rpc::code_of;

use crate::house::{House, TENANT, read, succeeded, user};

const TRACE: &str = "ffffffffffffffffffffffffffffff01";

/// Three reads that differ in every filter.
async fn three(house: &House) -> Vec<Record> {
    let records = [
        succeeded(read("pat-1", "dr-who")),
        Record { endpoint: "second".to_owned(), ..succeeded(read("pat-1", "dr-no")) },
        Record { launch_id: vec![8; 16], trace_id: TRACE.to_owned(), ..succeeded(read("pat-2", "dr-who")) },
    ];
    for (n, record) in records.iter().enumerate() {
        let recorded_at = 1_000_000 * (i64::try_from(n).unwrap() + 1);
        house.gateway.event(Record { recorded_at, ..record.clone() }).await.unwrap();
    }
    house.settle().await;
    records.to_vec()
}

fn details(records: &[Record]) -> Vec<i64> {
    records.iter().map(|r| r.recorded_at / 1_000_000).collect()
}

#[tokio::test]
async fn each_filter_finds_what_it_names_and_they_narrow_each_other() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        three(&house).await;
        let none = QueryRequest::default;
        // The queries themselves are recorded now, far after these instants.
        let cases: Vec<(&str, QueryRequest, Vec<i64>)> = vec![
            (
                "patient, at every endpoint",
                QueryRequest { patient: "pat-1".to_owned(), ..none() },
                vec![1, 2],
            ),
            ("user", QueryRequest { user: Some(user("dr-who")), ..none() }, vec![1, 3]),
            ("launch", QueryRequest { launch_id: vec![8; 16], ..none() }, vec![3]),
            ("trace", QueryRequest { trace_id: TRACE.to_uppercase(), ..none() }, vec![3]),
            ("from and until", QueryRequest { from: 2_000_000, until: 3_000_000, ..none() }, vec![2]),
            ("until", QueryRequest { until: 3_000_000, ..none() }, vec![1, 2]),
            (
                "patient and user",
                QueryRequest { patient: "pat-1".to_owned(), user: Some(user("dr-who")), ..none() },
                vec![1],
            ),
            (
                "patient and another launch",
                QueryRequest { patient: "pat-1".to_owned(), launch_id: vec![8; 16], ..none() },
                vec![],
            ),
            ("nobody of that name", QueryRequest { patient: "pat-unknown".to_owned(), ..none() }, vec![]),
            (
                "another tenant",
                QueryRequest { tenant: "elsewhere".to_owned(), patient: "pat-1".to_owned(), ..none() },
                vec![],
            ),
        ];
        for (name, request, expected) in cases {
            let until = if request.until == 0 { 4_000_000 } else { request.until };
            let records = house.query(QueryRequest { until, ..request }).await;
            assert_eq!(details(&records), expected, "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_record_comes_back_exactly_as_it_was_recorded() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        let given = Record {
            record_id: vec![3; 16],
            recorded_at: 5_000_000,
            parameters: vec!["code".to_owned()],
            security_labels: vec!["R".to_owned()],
            withheld: 2,
            bytes: 4_711,
            code: "fhir.scope_denied".to_owned(),
            request_id: vec![4; 16],
            grant_id: vec![5; 16],
            run_id: vec![6; 16],
            duration_us: 12,
            detail: "kept".to_owned(),
            granted_scope: "patient/*.rs".to_owned(),
            requested_scope: "patient/*.rs".to_owned(),
            ..succeeded(read("pat-1", "dr-who"))
        };
        house.gateway.event(given.clone()).await.unwrap();
        house.settle().await;
        let records =
            house.query(QueryRequest { from: 1, until: 6_000_000, ..QueryRequest::default() }).await;
        let expected = Record { phase: 3, service: "fhir-gateway".to_owned(), ..given };
        assert_eq!(records, [expected]);
    })
    .await;
}

#[tokio::test]
async fn a_query_that_names_nothing_or_nobody_is_refused() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        three(&house).await;
        let patient = || QueryRequest { patient: "pat-1".to_owned(), ..QueryRequest::default() };
        let nameless = sallyport_proto::types::v1::User { issuer: "x".to_owned(), ..Default::default() };
        for (name, request) in [
            ("nothing set", QueryRequest::default()),
            ("half a user", QueryRequest { user: Some(nameless), ..QueryRequest::default() }),
            ("a launch id that is none", QueryRequest { launch_id: vec![1; 3], ..patient() }),
            ("a trace id that is none", QueryRequest { trace_id: "x".to_owned(), ..patient() }),
            ("a limit out of range", QueryRequest { limit: 1_001, ..patient() }),
            ("a tenant that is none", QueryRequest { tenant: "*".to_owned(), ..patient() }),
            ("a page after nothing known", QueryRequest { after_record: vec![1; 17], ..patient() }),
        ] {
            let refused = house.try_query(request).await.unwrap_err();
            assert_eq!(code_of(&refused), Code::RequestInvalid, "{name}");
        }
        for (operator, reason) in [("", "why"), ("olga", " ")] {
            let request = QueryRequest {
                tenant: TENANT.to_owned(),
                limit: 10,
                operator: operator.to_owned(),
                reason: reason.to_owned(),
                ..patient()
            };
            let refused = Rpc::new(house.rpc.clone()).query(request).await.unwrap_err();
            assert_eq!(code_of(&refused), Code::RequestInvalid, "who asks and why");
        }
    })
    .await;
}

#[tokio::test]
async fn pages_cover_everything_once_even_between_intent_and_outcome() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        for n in 0..10_u8 {
            // All at one instant: only id and phase order them.
            let record = Record { record_id: vec![n; 16], recorded_at: 1_000_000, ..read("pat-1", "dr-who") };
            house.gateway.begin(record.clone()).unwrap().durable().await.unwrap();
            house.gateway.outcome(succeeded(record));
        }
        house.settle().await;
        let mut seen = Vec::new();
        let mut after_record = Vec::new();
        loop {
            let request =
                QueryRequest { until: 2_000_000, limit: 3, after_record, ..QueryRequest::default() };
            let page = house.query(request).await;
            let Some(last) = page.last() else { break };
            assert!(page.len() <= 3);
            after_record = last.record_id.clone();
            after_record.push(u8::try_from(last.phase).unwrap());
            seen.extend(page.iter().map(|r| (r.record_id[0], r.phase)));
        }
        assert_eq!(seen, (0..10).flat_map(|n| [(n, 1), (n, 2)]).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn reading_the_log_is_itself_on_the_log() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        three(&house).await;
        house.query(QueryRequest { patient: "pat-1".to_owned(), ..QueryRequest::default() }).await;
        house.try_query(QueryRequest::default()).await.unwrap_err();
        house.settle().await;
        let about = house
            .query(QueryRequest { patient: "pat-1".to_owned(), from: 4_000_000, ..QueryRequest::default() })
            .await;
        assert_eq!(about.len(), 1);
        let record = &about[0];
        assert_eq!(
            (record.kind(), record.outcome(), record.released),
            (Kind::AuditQuery, Outcome::Success, 2)
        );
        assert_eq!((record.service.as_str(), record.detail.as_str()), ("audit", "test"));
        assert_eq!(record.parameters, ["patient"]);
        let everything = house.query(QueryRequest { from: 4_000_000, ..QueryRequest::default() }).await;
        let refused: Vec<_> = everything.iter().filter(|r| r.outcome() == Outcome::Refused).collect();
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].code, "request.invalid");
    })
    .await;
}

#[tokio::test]
async fn only_the_operator_may_ask() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        for caller in [
            ServiceName::LaunchAuth,
            ServiceName::TokenVault,
            ServiceName::FhirGateway,
            ServiceName::JobWorker,
            ServiceName::Audit,
            ServiceName::Web,
        ] {
            let mut rpc = Rpc::new(house.called_by(caller));
            let query = rpc.query(QueryRequest::default()).await.unwrap_err();
            let counts = rpc.counts(CountsRequest::default()).await.unwrap_err();
            assert_eq!(
                (code_of(&query), code_of(&counts)),
                (Code::CallerDenied, Code::CallerDenied),
                "{caller:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn counts_are_refused_without_a_tenant() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        let refused = Rpc::new(house.rpc.clone()).counts(CountsRequest::default()).await.unwrap_err();
        assert_eq!(code_of(&refused), Code::RequestInvalid);
    })
    .await;
}

#[tokio::test]
async fn a_page_of_large_records_ends_before_it_is_too_large_to_send() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        for n in 0..6_u8 {
            let patients =
                (0..8_000).map(|p| format!("a-patient-with-quite-a-long-id-{n}-{p:06}-{}", "x".repeat(80)));
            let record = Record {
                record_id: vec![n; 16],
                recorded_at: 1_000_000 + i64::from(n),
                patients: patients.take(if n < 5 { 7_000 } else { 1 }).collect(),
                ..succeeded(read("pat-1", "dr-who"))
            };
            house.gateway.event(record).await.unwrap();
        }
        house.settle().await;
        let mut seen = Vec::new();
        let mut after_record = Vec::new();
        loop {
            let request = QueryRequest { until: 2_000_000, after_record, ..QueryRequest::default() };
            let page = house.query(request).await;
            let Some(last) = page.last() else { break };
            after_record = last.record_id.clone();
            after_record.push(3);
            seen.push(page.len());
        }
        assert_eq!(seen.iter().sum::<usize>(), 6, "{seen:?}");
        assert!(seen.len() > 1, "{seen:?}");
    })
    .await;
}
