//! The log at the console: patients masked, unmasked for a reason that is recorded, reviews, figures; by role and by tenant.

use sallyport_audit::migrations;
use sallyport_db::testing::each;
use sallyport_model::{Code, Secret, ServiceName};
use sallyport_proto::{
    audit::v1::{
        ActivityRequest, DisclosuresRequest, Kind, ListReviewsRequest, LogStatusRequest, Outcome, Phase,
        QueryRequest, QueryResponse, Record, SaveReviewRequest, UnmaskRequest,
        audit_client::AuditClient as Rpc,
    },
    types::v1::actor,
};
use sallyport_rpc::{Transport, code_of, console};
use tonic::{Request, Status};

use crate::{
    house::{House, TENANT, read, succeeded},
    ledger::run,
};

const PATIENTS: [&str; 3] = ["pat-1", "pat-1", "pat-2"];

async fn recorded(house: &House) {
    for (n, patient) in (1_i64..).zip(PATIENTS) {
        let record = Record { recorded_at: n * 1_000_000, ..succeeded(read(patient, "dr-who")) };
        house.gateway.event(record).await.unwrap();
    }
    house.settle().await;
}

fn web(house: &House) -> Rpc<Transport> {
    Rpc::new(house.called_by(ServiceName::Web))
}

fn signed<T>(message: T, who: &str) -> Request<T> {
    let mut request = Request::new(message);
    console::signed_in(&mut request, &Secret::new(who.to_owned()));
    request
}

fn all() -> QueryRequest {
    QueryRequest {
        tenant: TENANT.to_owned(),
        until: 4_000_000,
        limit: 100,
        reason: "console: audit page".to_owned(),
        ..QueryRequest::default()
    }
}

async fn query(house: &House, request: QueryRequest, who: &str) -> Result<QueryResponse, Code> {
    let answer = web(house).query(signed(request, who)).await;
    answer.map(tonic::Response::into_inner).map_err(|status| code_of(&status))
}

fn code<T>(answer: Result<T, Status>) -> Result<(), Code> {
    answer.map(|_told| ()).map_err(|status| code_of(&status))
}

/// Looks into the log that were recorded, by what they were.
async fn looks(house: &House, interaction: &str) -> Vec<Record> {
    house.settle().await;
    let found = house.query(QueryRequest { from: 4_000_000, ..QueryRequest::default() }).await;
    found.into_iter().filter(|record| record.interaction == interaction).collect()
}

fn who(record: &Record) -> &str {
    match record.actor.as_ref().and_then(|actor| actor.kind.as_ref()) {
        Some(actor::Kind::User(user)) => &user.subject,
        _ => "",
    }
}

#[tokio::test]
async fn at_the_console_no_answer_says_which_patient_it_is_about() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        recorded(&house).await;
        for role in ["operator", "auditor", "security"] {
            let shown = query(&house, all(), role).await.unwrap();
            assert_eq!(shown.records.len(), 3);
            assert!(!format!("{shown:?}").contains("pat-"), "{shown:?}");
            let masks: Vec<_> = shown.masks.iter().map(|mask| mask.patients.as_slice()).collect();
            let [[first], [second], [third]] = masks.as_slice() else { panic!("{masks:?}") };
            assert!(first == second && first != third && first.len() == 8, "{masks:?}");
        }
        // By whom it is asked for, the same patient is found, and no more of them is told.
        let one =
            query(&house, QueryRequest { patient: "pat-1".to_owned(), ..all() }, "auditor").await.unwrap();
        assert_eq!((one.records.len(), format!("{one:?}").contains("pat-")), (2, false));
        let clear = house.query(QueryRequest { until: 4_000_000, ..QueryRequest::default() }).await;
        assert_eq!(clear.iter().map(|r| r.patients.concat()).collect::<Vec<_>>(), PATIENTS);
        let asked = looks(&house, "search").await;
        assert_eq!(asked.iter().filter(|record| who(record) == "Olga auditor (console)").count(), 2);
    })
    .await;
}

#[tokio::test]
async fn who_a_record_is_about_is_told_for_a_reason_that_is_on_the_log() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        recorded(&house).await;
        let record = query(&house, all(), "auditor").await.unwrap().records.remove(0);
        let ask = |reason: &str| UnmaskRequest {
            tenant: TENANT.to_owned(),
            record_id: record.record_id.clone(),
            reason: reason.to_owned(),
        };
        let told = web(&house).unmask(signed(ask("complaint 4711"), "auditor")).await.unwrap().into_inner();
        assert_eq!(
            (told.patients, told.resource_id.as_str()),
            (vec!["pat-1".to_owned()], "condition-of-pat-1")
        );
        assert_eq!(code(web(&house).unmask(signed(ask("  "), "auditor")).await), Err(Code::RequestInvalid));
        let unknown = UnmaskRequest { record_id: vec![9; 16], ..ask("complaint 4711") };
        assert_eq!(code(web(&house).unmask(signed(unknown, "auditor")).await), Err(Code::RequestInvalid));
        let [good, without, nothing] = <[Record; 3]>::try_from(looks(&house, "unmask").await).unwrap();
        assert_eq!(
            (who(&good), good.outcome(), good.released),
            ("Olga auditor (console)", Outcome::Success, 1)
        );
        assert_eq!(good.patients, ["pat-1"], "the log knows whom they have seen");
        assert!(good.detail.ends_with(": complaint 4711"), "{}", good.detail);
        assert_eq!((without.outcome(), nothing.outcome()), (Outcome::Refused, Outcome::Refused));
    })
    .await;
}

#[tokio::test]
async fn a_role_without_the_right_and_a_session_for_another_tenant_are_told_nothing() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        recorded(&house).await;
        assert_eq!(query(&house, all(), "viewer").await.unwrap_err(), Code::ConsoleNotPermitted);
        assert_eq!(query(&house, all(), "nobody").await.unwrap_err(), Code::ConsoleSignedOut);
        assert_eq!(query(&house, all(), "auditor@elsewhere").await.unwrap_err(), Code::ConsoleTenantDenied);
        let mut web = web(&house);
        assert_eq!(code(web.query(all()).await), Err(Code::CallerDenied), "web alone is nobody");
        let unmask =
            UnmaskRequest { tenant: TENANT.to_owned(), record_id: vec![9; 16], reason: "curious".to_owned() };
        assert_eq!(
            code(web.unmask(signed(unmask.clone(), "operator")).await),
            Err(Code::ConsoleNotPermitted)
        );
        let elsewhere = web.unmask(signed(unmask.clone(), "security@elsewhere")).await;
        assert_eq!(code(elsewhere), Err(Code::ConsoleTenantDenied));
        let house_itself = Rpc::new(house.rpc.clone()).unmask(unmask).await;
        assert_eq!(code(house_itself), Err(Code::CallerDenied), "without a session nobody unmasks");
        let disclosures = DisclosuresRequest {
            tenant: TENANT.to_owned(),
            patient: "pat-1".to_owned(),
            limit: 10,
            reason: "curious".to_owned(),
            ..DisclosuresRequest::default()
        };
        assert_eq!(
            code(web.disclosures(signed(disclosures, "operator")).await),
            Err(Code::ConsoleNotPermitted)
        );
        let logs = LogStatusRequest { tenant: String::new() };
        let of_all = web.log_status(signed(logs, "viewer@elsewhere")).await;
        assert_eq!(code(of_all), Err(Code::ConsoleTenantDenied));
        house.settle().await;
        assert!(looks(&house, "unmask").await.is_empty(), "nothing was asked of the log");
    })
    .await;
}

#[tokio::test]
async fn the_newest_come_first_when_asked_for_and_pages_cover_everything_once() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        let records: Vec<_> = (1_i64..=7)
            .map(|n| Record { recorded_at: (n / 2 + 1) * 1_000_000, ..succeeded(read("pat-1", "dr-who")) })
            .collect();
        for record in &records {
            house.gateway.event(record.clone()).await.unwrap();
        }
        house.settle().await;
        let oldest: Vec<_> = query(&house, all_of(8), "auditor").await.unwrap().records;
        let (mut newest, mut after) = (Vec::new(), Vec::new());
        loop {
            let request = QueryRequest { newest_first: true, limit: 2, after_record: after, ..all_of(8) };
            let page = query(&house, request, "auditor").await.unwrap().records;
            let Some(last) = page.last() else { break };
            after = [last.record_id.as_slice(), &[u8::try_from(last.phase).unwrap()]].concat();
            newest.extend(page);
        }
        newest.reverse();
        assert_eq!((newest.len(), &newest), (7, &oldest));
    })
    .await;
}

fn all_of(until: i64) -> QueryRequest {
    QueryRequest { until: until * 1_000_000, ..all() }
}

#[tokio::test]
async fn what_and_where_narrow_and_are_no_filter_alone() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        let run_id = vec![5; 16];
        let records = [
            succeeded(read("pat-1", "dr-who")),
            Record { endpoint: "second".to_owned(), ..succeeded(read("pat-1", "dr-who")) },
            Record { outcome: Outcome::Failed.into(), ..read("pat-1", "dr-who") },
            Record { kind: Kind::Job.into(), run_id: run_id.clone(), ..succeeded(read("pat-1", "dr-who")) },
        ];
        for (n, record) in (1_i64..).zip(records) {
            house.gateway.event(Record { recorded_at: n * 1_000_000, ..record }).await.unwrap();
        }
        house.settle().await;
        let cases = [
            (QueryRequest { endpoint: "second".to_owned(), ..all_of(9) }, vec![2]),
            (QueryRequest { outcome: Outcome::Failed.into(), ..all_of(9) }, vec![3]),
            (QueryRequest { kind: Kind::Job.into(), ..all_of(9) }, vec![4]),
            (QueryRequest { kind: Kind::Job.into(), endpoint: "second".to_owned(), ..all_of(9) }, vec![]),
            (QueryRequest { run_id, until: 0, ..all() }, vec![4]),
        ];
        for (request, expected) in cases {
            let shown = query(&house, request.clone(), "auditor").await.unwrap();
            let found: Vec<_> = shown.records.iter().map(|record| record.recorded_at / 1_000_000).collect();
            assert_eq!(found, expected, "{request:?}");
        }
        for alone in [
            QueryRequest { until: 0, endpoint: "second".to_owned(), ..all() },
            QueryRequest { until: 0, kind: Kind::Job.into(), ..all() },
            QueryRequest { until: 0, outcome: Outcome::Failed.into(), ..all() },
        ] {
            assert_eq!(query(&house, alone, "auditor").await.unwrap_err(), Code::RequestInvalid);
        }
        let first = query(&house, all_of(2), "auditor").await.unwrap().records.remove(0);
        let one = QueryRequest { until: 0, record_id: first.record_id.clone(), ..all() };
        assert_eq!(query(&house, one, "auditor").await.unwrap().records, [first]);
    })
    .await;
}

#[tokio::test]
async fn figures_tell_whose_fault_it_was_and_name_nobody() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        let failed = |code: Code, upstream_status: i32| Record {
            phase: Phase::Event.into(),
            outcome: Outcome::Failed.into(),
            code: code.as_str().to_owned(),
            upstream_status,
            ..read("pat-1", "dr-who")
        };
        let records = [
            succeeded(read("pat-1", "dr-who")),
            succeeded(read("pat-2", "dr-who")),
            failed(Code::UpstreamInvalid, 200),
            failed(Code::DependencyDown, 0),
            Record { outcome: Outcome::Refused.into(), ..failed(Code::ScopeRequiredMissing, 0) },
        ];
        for record in records {
            house.gateway.event(Record { recorded_at: 1_000_000, ..record }).await.unwrap();
        }
        house.settle().await;
        let ask = |until: i64| ActivityRequest { tenant: TENANT.to_owned(), from: 1, until };
        let figures = web(&house).activity(signed(ask(2_000_000), "viewer")).await.unwrap().into_inner();
        let [cell] = figures.cells.as_slice() else { panic!("{figures:?}") };
        let place = (cell.endpoint.as_str(), cell.kind(), cell.resource_type.as_str());
        assert_eq!(place, ("main", Kind::FhirCall, "Condition"));
        assert_eq!((cell.succeeded, cell.refused, cell.failed_there, cell.failed_here), (2, 1, 1, 1));
        for wrong in [1, 0, 32 * 86_400 * 1_000_000] {
            let answer = web(&house).activity(signed(ask(wrong), "viewer")).await;
            assert_eq!(code(answer), Err(Code::RequestInvalid), "{wrong}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_review_is_kept_for_good_and_names_no_patient() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        recorded(&house).await;
        let review = SaveReviewRequest {
            tenant: TENANT.to_owned(),
            filter: "kind=FHIR_CALL&endpoint=main".to_owned(),
            from: 1,
            until: 4_000_000,
            records: 3,
            finding: "nothing out of the ordinary".to_owned(),
        };
        let kept = web(&house).save_review(signed(review.clone(), "auditor")).await.unwrap().into_inner();
        assert_eq!((kept.reviewer.as_str(), kept.records), ("Olga auditor (console)", 3));
        for wrong in [
            SaveReviewRequest { finding: String::new(), ..review.clone() },
            SaveReviewRequest { filter: "patient=pat-1".to_owned(), ..review.clone() },
            SaveReviewRequest { until: 0, ..review.clone() },
            SaveReviewRequest { finding: "x".repeat(2_001), ..review.clone() },
        ] {
            let answer = web(&house).save_review(signed(wrong, "auditor")).await;
            assert_eq!(code(answer), Err(Code::RequestInvalid));
        }
        let denied = web(&house).save_review(signed(review, "operator")).await;
        assert_eq!(code(denied), Err(Code::ConsoleNotPermitted));
        let list = ListReviewsRequest { tenant: TENANT.to_owned() };
        let listed = web(&house).list_reviews(signed(list, "operator")).await.unwrap().into_inner();
        assert_eq!(listed.reviews, [kept]);
        assert_eq!(looks(&house, "review").await.len(), 1);
        for change in ["UPDATE reviews SET finding = ''", "DELETE FROM reviews"] {
            assert!(run(&house.pool, change).await.is_err(), "{change}");
        }
    })
    .await;
}
