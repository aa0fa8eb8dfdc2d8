//! The accounting of disclosures: what counts, pages, the period, an erased patient, and the record of the look itself.

use sallyport_audit::{Order, migrations};
use sallyport_db::testing::each;
use sallyport_model::{Code, EndpointId, PatientId, TenantId};
use sallyport_proto::audit::v1::{
    Disclosure, DisclosuresRequest, DisclosuresResponse, Kind, Outcome, QueryRequest, Record,
    audit_client::AuditClient as Rpc, disclosure::What,
};
use sallyport_rpc::code_of;

use crate::house::{House, TENANT, read, succeeded, user};

async fn try_ask(house: &House, request: DisclosuresRequest) -> Result<DisclosuresResponse, tonic::Status> {
    let request = DisclosuresRequest {
        tenant: if request.tenant.is_empty() { TENANT.to_owned() } else { request.tenant },
        limit: if request.limit == 0 { 1_000 } else { request.limit },
        operator: "olga".to_owned(),
        ..request
    };
    Rpc::new(house.rpc.clone()).disclosures(request).await.map(tonic::Response::into_inner)
}

async fn ask(house: &House, request: DisclosuresRequest) -> DisclosuresResponse {
    try_ask(house, DisclosuresRequest { reason: "request 12".to_owned(), ..request }).await.unwrap()
}

fn of(patient: &str) -> DisclosuresRequest {
    DisclosuresRequest { patient: patient.to_owned(), from: 1, until: 9_000_000, ..Default::default() }
}

fn seconds(disclosures: &[Disclosure]) -> Vec<(i64, What)> {
    disclosures.iter().map(|one| (one.at / 1_000_000, one.what())).collect()
}

/// A call as the gateway records it; without an end where `outcome` gives none.
async fn call(house: &House, second: i64, record: Record, outcome: Option<Record>) {
    let id = u8::try_from(second).unwrap();
    let at = |record: Record| Record { record_id: vec![id; 16], recorded_at: second * 1_000_000, ..record };
    house.gateway.begin(at(record)).unwrap().durable().await.unwrap();
    if let Some(outcome) = outcome {
        house.gateway.outcome(at(outcome));
    }
}

#[tokio::test]
async fn what_was_or_may_have_been_disclosed_is_told_and_nothing_else() {
    Box::pin(each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        let asked = || read("pat-1", "dr-who");
        let refused =
            Record { outcome: Outcome::Refused.into(), code: "fhir.scope_denied".to_owned(), ..asked() };
        let empty = Record { released: 0, ..succeeded(asked()) };
        let sent = Record { interaction: "create".to_owned(), released: 0, ..succeeded(asked()) };
        let unsent = Record { outcome: Outcome::Failed.into(), ..sent.clone() };
        call(&house, 1, asked(), Some(succeeded(asked()))).await;
        call(&house, 2, asked(), None).await;
        call(&house, 3, asked(), Some(refused)).await;
        call(&house, 4, asked(), Some(empty)).await;
        call(&house, 5, asked(), Some(sent)).await;
        call(&house, 6, asked(), Some(unsent)).await;
        call(&house, 7, read("pat-2", "dr-who"), Some(succeeded(read("pat-2", "dr-who")))).await;
        let launched = Record { kind: Kind::Launch.into(), recorded_at: 8_000_000, ..succeeded(asked()) };
        house.gateway.event(launched).await.unwrap();
        house.settle().await;
        let told = ask(&house, of("pat-1")).await;
        assert!(told.is_known);
        assert_eq!(seconds(&told.disclosures), [(1, What::Shown), (2, What::MaybeShown), (5, What::Written)]);
        let first = &told.disclosures[0];
        assert_eq!(first.actor.as_ref().unwrap().kind, asked().actor.unwrap().kind);
        assert_eq!(
            (first.endpoint.as_str(), first.purpose.as_str(), first.released, first.patients),
            ("main", "TREAT", 1, 1)
        );
        assert_eq!(first.resource_types, ["Condition"]);
    }))
    .await;
}

#[tokio::test]
async fn pages_tell_each_disclosure_once_and_end() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        for n in 0..10 {
            // Two at each instant, and as many of another in between.
            for patient in ["pat-1", "pat-2"] {
                let record = succeeded(read(patient, "dr-who"));
                house.gateway.event(Record { recorded_at: 1_000_000 * (1 + n / 2), ..record }).await.unwrap();
            }
        }
        house.settle().await;
        let (mut seen, mut pages, mut after) = (Vec::new(), 0, Vec::new());
        loop {
            let page = ask(&house, DisclosuresRequest { limit: 3, after, ..of("pat-1") }).await;
            assert!(page.disclosures.len() <= 3);
            assert_eq!((page.from, page.until), (1, 9_000_000));
            seen.extend(page.disclosures.into_iter().map(|one| one.record_id));
            if page.next.is_empty() {
                break;
            }
            (pages, after) = (pages + 1, page.next);
        }
        assert_eq!((seen.len(), pages), (10, 4));
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 10);
    })
    .await;
}

#[tokio::test]
async fn six_years_are_told_unless_a_period_is_named() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        let now = ask(&house, DisclosuresRequest { from: 0, until: 0, ..of("pat-1") }).await.until;
        let years = |years: i64| now - years * 365 * 86_400 * 1_000_000;
        for age in [7, 6, 5] {
            let record = Record { recorded_at: years(age), ..succeeded(read("pat-1", "dr-who")) };
            house.gateway.event(record).await.unwrap();
        }
        house.settle().await;
        let all = ask(&house, DisclosuresRequest { from: 0, until: 0, ..of("pat-1") }).await;
        assert_eq!(all.disclosures.iter().map(|one| one.at).collect::<Vec<_>>(), [years(6), years(5)]);
        let named = ask(&house, DisclosuresRequest { from: years(7), until: years(6), ..of("pat-1") }).await;
        assert_eq!(named.disclosures.iter().map(|one| one.at).collect::<Vec<_>>(), [years(7)]);
    })
    .await;
}

#[tokio::test]
async fn an_erased_patient_is_answered_like_one_who_was_never_there() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        for patient in ["pat-1", "pat-2"] {
            let record = Record { recorded_at: 1_000_000, ..succeeded(read(patient, "dr-who")) };
            house.gateway.event(record).await.unwrap();
        }
        house.settle().await;
        let (tenant, endpoint) = (TenantId::parse(TENANT).unwrap(), EndpointId::parse("main").unwrap());
        let order = Order { operator: "olga".to_owned(), reference: "ticket-12".to_owned() };
        let patient = PatientId::parse("pat-1").unwrap();
        assert!(house.erasure.patient(&tenant, &endpoint, &patient, &order).await.unwrap());
        let erased = ask(&house, of("pat-1")).await;
        let never = ask(&house, of("pat-9")).await;
        assert!(!erased.is_known && erased.disclosures.is_empty() && erased.next.is_empty());
        assert_eq!(erased, never);
        assert_eq!(ask(&house, of("pat-2")).await.disclosures.len(), 1, "the other one is not touched");
    })
    .await;
}

#[tokio::test]
async fn the_look_is_recorded_with_who_why_and_about_whom() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        let shown = Record { recorded_at: 1_000_000, ..succeeded(read("pat-1", "dr-who")) };
        house.gateway.event(shown).await.unwrap();
        house.settle().await;
        ask(&house, of("pat-1")).await;
        let unreasoned = try_ask(&house, of("pat-1")).await.unwrap_err();
        assert_eq!(code_of(&unreasoned), Code::RequestInvalid);
        let nobody =
            try_ask(&house, DisclosuresRequest { reason: "r".to_owned(), ..of("") }).await.unwrap_err();
        assert_eq!(code_of(&nobody), Code::RequestInvalid);
        let backwards = DisclosuresRequest { until: 1, reason: "r".to_owned(), ..of("pat-1") };
        assert_eq!(code_of(&try_ask(&house, backwards).await.unwrap_err()), Code::RequestInvalid);
        house.settle().await;
        let looks = QueryRequest { patient: "pat-1".to_owned(), from: 9_000_000, ..Default::default() };
        let looks = house.query(looks).await;
        let told: Vec<_> = looks.iter().map(|r| (r.interaction.as_str(), r.outcome(), r.released)).collect();
        assert_eq!(
            told,
            [
                ("disclosures", Outcome::Success, 1),
                ("disclosures", Outcome::Refused, 0),
                ("disclosures", Outcome::Refused, 0)
            ]
        );
        assert_eq!(looks[0].detail, "request 12");
        let Some(sallyport_proto::types::v1::actor::Kind::User(who)) = looks[0].actor.clone().unwrap().kind
        else {
            panic!("an operator is a user")
        };
        assert_eq!((who.subject.as_str(), user("x").issuer == who.issuer), ("olga", false));
    })
    .await;
}

#[tokio::test]
async fn another_tenant_has_nothing_of_it() {
    each(migrations(), |pool| async move {
        let house = House::start(pool).await;
        let shown = Record { recorded_at: 1_000_000, ..succeeded(read("pat-1", "dr-who")) };
        house.gateway.event(shown).await.unwrap();
        house.settle().await;
        let elsewhere = DisclosuresRequest { tenant: "elsewhere".to_owned(), ..of("pat-1") };
        let told = ask(&house, elsewhere).await;
        assert!(!told.is_known && told.disclosures.is_empty());
    })
    .await;
}
