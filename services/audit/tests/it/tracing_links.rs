//! One trace id in the record, and a consumer span that links to every call whose record it stores.

use sallyport_audit::migrations;
use sallyport_db::testing::TestDb;
use sallyport_proto::audit::v1::{QueryRequest, Record};
use sallyport_telemetry::{LogSink, Settings, init, propagate::current_trace_id};
use tracing::Instrument as _;

use crate::house::{House, read, succeeded};

#[tokio::test]
async fn the_consumers_span_links_to_the_calls_and_the_records_carry_their_trace() {
    let settings = Settings {
        service: "audit-test".to_owned(),
        otlp_endpoint: None,
        sample_ratio: 1.0,
        span_ring: 100_000,
        log: LogSink::Buffer(std::sync::Arc::default()),
    };
    let telemetry = init(settings).unwrap();
    let database = TestDb::sqlite(migrations()).await.unwrap();
    let house = House::start(database.pool.clone()).await;
    let mut traces = Vec::new();
    for n in 0..3 {
        let call = tracing::info_span!(target: "sallyport_test", "test.call");
        let record = Record { trace_id: String::new(), ..succeeded(read(&format!("pat-{n}"), "dr-who")) };
        let recorded = async {
            house.gateway.event(record).await.unwrap();
            current_trace_id().unwrap()
        };
        traces.push(recorded.instrument(call).await);
    }
    house.settle().await;
    for (n, trace) in traces.iter().enumerate() {
        let records = house.query(QueryRequest { trace_id: trace.clone(), ..QueryRequest::default() }).await;
        let patients: Vec<_> = records.iter().flat_map(|r| r.patients.clone()).collect();
        assert_eq!(patients, [format!("pat-{n}")]);
    }
    telemetry.flush();
    for name in ["audit.relay.publish", "audit.records.append"] {
        let spans: Vec<_> = telemetry.ring.all().into_iter().filter(|span| span.name == name).collect();
        for trace in &traces {
            assert!(spans.iter().any(|span| span.links.contains(trace)), "{name} links to {trace}");
        }
    }
    drop(house);
    database.close().await.unwrap();
}
