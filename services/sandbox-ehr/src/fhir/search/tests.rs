use std::collections::HashSet;

use axum::body::to_bytes;
use serde_json::Value;

use super::*;
use crate::{
    faults::FhirFault,
    fhir::{page, paging::Cursors},
    profile::Profile,
    state::TokenInfo,
};

const BASE: &str = "http://127.0.0.1:1/strict/general/fhir";
const MINE: &str = "pat-0001";

fn context(scopes: &[&str]) -> Context {
    Context {
        records: Arc::new(Records::generate(7, 10)),
        base: BASE.to_owned(),
        token: TokenInfo {
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            patient: Some(MINE.to_owned()),
            encounter: None,
            user: None,
            client_id: "app".to_owned(),
        },
        profile: Profile::named("strict").unwrap(),
        tenant: 0,
        faults: Vec::new(),
        now_seconds: 1_793_500_000,
    }
}

fn everybody() -> Context {
    context(&["user/*.rs"])
}

fn pairs(query: &str) -> Params {
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn ids(context: &Context, kind: &str, query: &str) -> Vec<String> {
    Search::of(context, kind, pairs(query), Handling::Strict).unwrap().found
}

fn bodies<'c>(context: &'c Context, kind: &str, query: &str) -> Vec<&'c Value> {
    let read = |id: &String| context.records.read(kind, id).unwrap().as_ref();
    ids(context, kind, query).iter().map(read).collect()
}

fn refusal(context: &Context, kind: &str, query: &str) -> Failure {
    Search::of(context, kind, pairs(query), Handling::Strict).map(|_| ()).unwrap_err()
}

async fn bundle(context: &Context, cursors: &Cursors, kind: &str, query: &str) -> Value {
    let search = Search::of(context, kind, pairs(query), Handling::Strict).unwrap();
    json(page::of_search(context, cursors, search, 1).unwrap()).await
}

async fn json(response: axum::response::Response) -> Value {
    serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap()
}

fn link<'b>(bundle: &'b Value, relation: &str) -> Option<&'b str> {
    bundle["link"]
        .as_array()
        .unwrap()
        .iter()
        .find(|l| l["relation"] == relation)
        .and_then(|l| l["url"].as_str())
}

#[test]
fn patient_and_category_find_the_problem_list() {
    let context = everybody();
    let found =
        bodies(&context, "Condition", "patient=pat-0005&category=problem-list-item&clinical-status=active");
    assert!(found.len() > 20);
    for body in found {
        assert_eq!(body["subject"]["reference"], "Patient/pat-0005");
        assert_eq!(body["clinicalStatus"]["coding"][0]["code"], "active");
    }
    let all = ids(&context, "Condition", "patient=Patient/pat-0005&category=problem-list-item");
    assert_eq!(all.len(), 40);
}

#[test]
fn a_code_with_its_system_and_a_comma_find_the_union() {
    let context = everybody();
    let count = |query: &str| ids(&context, "Observation", query).len();
    let glycated = count("patient=pat-0001&code=http://loinc.org|4548-4");
    let pulse = count("patient=pat-0001&code=8867-4");
    assert!(glycated > 0 && pulse > 0);
    assert_eq!(count("patient=pat-0001&code=http://loinc.org|4548-4,8867-4"), glycated + pulse);
    assert_eq!(count("patient=pat-0001&code=http://snomed.info/sct|4548-4"), 0);
    assert_eq!(count("patient=pat-0001&code=4548-4&code=8867-4"), 0, "a repeated parameter means and");
    assert_eq!(count("patient=pat-0001&code:not=4548-4"), count("patient=pat-0001") - glycated);
}

#[test]
fn blood_pressure_is_found_by_the_codes_of_its_components() {
    let context = everybody();
    let panels = ids(&context, "Observation", "patient=pat-0001&code=85354-9");
    assert!(!panels.is_empty());
    assert_eq!(ids(&context, "Observation", "patient=pat-0001&component-code=8480-6"), panels);
    assert_eq!(ids(&context, "Observation", "patient=pat-0001&combo-code=85354-9"), panels);
}

#[test]
fn date_bounds_cut_a_window_out() {
    let context = everybody();
    let all = bodies(&context, "Observation", "patient=pat-0001&category=laboratory");
    let window = bodies(
        &context,
        "Observation",
        "patient=pat-0001&category=laboratory&date=ge2025-06&date=lt2026-02-01",
    );
    let wanted = all.iter().filter(|body| {
        let at = body["effectiveDateTime"].as_str().unwrap();
        ("2025-06-01".."2026-02-01").contains(&at)
    });
    assert!(!window.is_empty() && window.len() < all.len());
    assert_eq!(window.len(), wanted.count());
    assert_eq!(
        ids(&context, "Encounter", "patient=pat-0001&date=ge2026-11-02").len(),
        1,
        "the one under way"
    );
}

#[test]
fn people_are_found_by_name_birth_date_identifier_and_gender() {
    let context = everybody();
    assert_eq!(ids(&context, "Patient", "name=orteg"), [MINE]);
    assert_eq!(ids(&context, "Patient", "family=ORTEGA&given=mar"), [MINE]);
    assert_eq!(ids(&context, "Patient", "family:exact=ortega"), Vec::<String>::new());
    let birth = context.records.patient(MINE).unwrap().birth_date;
    assert_eq!(ids(&context, "Patient", &format!("birthdate={birth}&gender=female")), [MINE]);
    assert!(ids(&context, "Patient", &format!("birthdate={}", &birth[..4])).contains(&MINE.to_owned()));
    let number = context.records.patient(MINE).unwrap().mrn;
    let system = "https://sandbox.sallyport.example/mrn";
    assert_eq!(ids(&context, "Patient", &format!("identifier={system}|{number}")), [MINE]);
    assert!(ids(&context, "Patient", &format!("identifier=urn:x|{number}")).is_empty());
    assert_eq!(ids(&context, "Patient", "_id=pat-0002,pat-0003").len(), 2);
}

#[test]
fn class_type_status_and_last_updated_are_searched() {
    let context = everybody();
    let ward = bodies(&context, "Encounter", "class=IMP");
    assert!(!ward.is_empty() && ward.iter().all(|body| body["class"]["code"] == "IMP"));
    assert!(!ids(&context, "Encounter", "type=http://snomed.info/sct|410620009").is_empty());
    assert!(!ids(&context, "DocumentReference", "patient=pat-0001&type=11506-3&status=current").is_empty());
    assert!(ids(&context, "Patient", "_lastUpdated=gt2026-11-03").is_empty());
    assert_eq!(ids(&context, "Patient", "_lastUpdated=le2026-11-02").len(), 10);
    assert_eq!(ids(&context, "Condition", "_security=R").len(), 1);
}

#[test]
fn results_are_sorted_by_date_in_both_directions_and_what_has_none_comes_last() {
    let context = everybody();
    let dates = |query: &str| -> Vec<String> {
        let found = bodies(&context, "Observation", query);
        found.iter().map(|body| body["effectiveDateTime"].as_str().unwrap().to_owned()).collect()
    };
    let up = dates("patient=pat-0001&code=4548-4&_sort=date");
    let mut down = dates("patient=pat-0001&code=4548-4&_sort=-date");
    assert!(up.len() > 2 && up.is_sorted());
    down.reverse();
    assert_eq!(up, down);
    let deaths = bodies(&context, "Patient", "_sort=-death-date");
    assert!(deaths[0]["deceasedDateTime"].is_string() && deaths[1].get("deceasedDateTime").is_none());
}

#[test]
fn patient_scopes_narrow_a_search_without_a_patient_and_refuse_another_one() {
    let context = context(&["patient/*.rs"]);
    let found = bodies(&context, "Condition", "");
    assert!(!found.is_empty() && found.iter().all(|body| body["subject"]["reference"] == "Patient/pat-0001"));
    assert_eq!(ids(&context, "Patient", ""), [MINE]);
    for query in
        ["patient=pat-0002", "subject=Patient/pat-0002", "patient=http://other.example/Patient/pat-0001"]
    {
        assert_eq!(refusal(&context, "Condition", query), Failure::OTHER_PATIENT, "{query}");
    }
    assert_eq!(refusal(&context, "Patient", "_id=pat-0002"), Failure::OTHER_PATIENT);
    assert_eq!(ids(&context, "Condition", "patient=pat-0001,pat-0002").len(), found.len(), "others fall out");
    assert!(!ids(&context, "Practitioner", "").is_empty(), "shared types are open");
}

#[test]
fn a_missing_scope_is_refused_and_a_constrained_one_narrows() {
    assert_eq!(refusal(&context(&["patient/Condition.rs"]), "Observation", ""), Failure::NO_SCOPE);
    assert_eq!(refusal(&context(&["patient/Observation.r"]), "Observation", ""), Failure::NO_SCOPE);
    let category = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory";
    let narrow = context(&[&format!("patient/Observation.rs?category={category}")]);
    let found = bodies(&narrow, "Observation", "");
    assert!(found.len() > 10);
    assert!(found.iter().all(|body| body["category"][0]["coding"][0]["code"] == "laboratory"));
    assert!(ids(&narrow, "Observation", "category=vital-signs").is_empty());
}

#[test]
fn unknown_types_are_not_found() {
    assert_eq!(refusal(&everybody(), "Shoe", ""), Failure::NO_SUCH_ADDRESS);
    assert_eq!(refusal(&everybody(), "Binary", ""), Failure::NO_SUCH_ADDRESS);
}

#[tokio::test]
async fn the_pages_of_a_search_hold_every_match_once() {
    let (context, cursors) = (everybody(), Cursors::default());
    let all = ids(&context, "Observation", "patient=pat-0001&_sort=-date");
    for size in [1, 7, 50, 1000] {
        let query = format!("patient=pat-0001&_sort=-date&_count={size}");
        let mut page = bundle(&context, &cursors, "Observation", &query).await;
        let mut seen = Vec::new();
        loop {
            assert_eq!(page["total"], all.len());
            let entries = page["entry"].as_array().unwrap();
            assert!(entries.len() <= size.min(200));
            seen.extend(entries.iter().map(|e| e["resource"]["id"].as_str().unwrap().to_owned()));
            let Some(next) = link(&page, "next").map(str::to_owned) else { break };
            assert!(next.starts_with(&format!("{BASE}/Observation?_getpages=")));
            let cursor = next.rsplit('=').next().unwrap();
            page = json(page::following(&context, &cursors, cursor).unwrap()).await;
            assert_eq!(link(&page, "self"), Some(next.as_str()));
        }
        assert_eq!(seen, all, "in order, with nothing missing");
        assert_eq!(seen.iter().collect::<HashSet<_>>().len(), all.len());
    }
}

#[tokio::test]
async fn a_page_follows_the_scopes_of_the_token_that_asks_for_it() {
    let (mut context, cursors) = (context(&["patient/Observation.rs"]), Cursors::default());
    let page = bundle(&context, &cursors, "Observation", "_count=5").await;
    let cursor = link(&page, "next").unwrap().rsplit('=').next().unwrap().to_owned();
    context.token.scopes = vec!["patient/Condition.rs".to_owned()];
    assert_eq!(page::following(&context, &cursors, &cursor).unwrap_err(), Failure::NO_SCOPE);
    context.token.patient = Some("pat-0002".to_owned());
    assert_eq!(page::following(&context, &cursors, &cursor).unwrap_err(), Failure::CURSOR_GONE);
}

#[tokio::test]
async fn an_empty_result_has_no_entry_and_the_self_link_says_what_was_asked() {
    let page = bundle(&everybody(), &Cursors::default(), "Condition", "patient=pat-0006&_format=json").await;
    assert_eq!(page["total"], 0);
    assert!(page.get("entry").is_none());
    assert_eq!(link(&page, "self"), Some(format!("{BASE}/Condition?patient=pat-0006").as_str()));
    assert_eq!(link(&page, "next"), None);
}

#[tokio::test]
async fn counting_alone_gives_no_entries() {
    for query in ["patient=pat-0001&_summary=count", "patient=pat-0001&_count=0"] {
        let page = bundle(&everybody(), &Cursors::default(), "Condition", query).await;
        assert!(
            page["total"].as_u64().unwrap() > 0
                && page.get("entry").is_none()
                && link(&page, "next").is_none()
        );
    }
    let page = bundle(&everybody(), &Cursors::default(), "Condition", "_total=none").await;
    assert!(page.get("total").is_none());
}

#[tokio::test]
async fn an_include_brings_each_medication_once_and_only_with_its_scope() {
    let query = "patient=pat-0005&_include=MedicationRequest:medication";
    let page = bundle(&everybody(), &Cursors::default(), "MedicationRequest", query).await;
    let entries = page["entry"].as_array().unwrap();
    let mode = |wanted: &str| entries.iter().filter(|e| e["search"]["mode"] == wanted).collect::<Vec<_>>();
    let included: Vec<_> =
        mode("include").iter().map(|e| e["fullUrl"].as_str().unwrap().to_owned()).collect();
    assert!(!included.is_empty() && included.iter().collect::<HashSet<_>>().len() == included.len());
    assert_eq!(page["total"], mode("match").len());
    for entry in mode("match") {
        if let Some(reference) = entry["resource"]["medicationReference"]["reference"].as_str() {
            assert!(included.contains(&format!("{BASE}/{reference}")));
        }
    }
    let narrow = context(&["user/MedicationRequest.rs"]);
    let page = bundle(&narrow, &Cursors::default(), "MedicationRequest", query).await;
    assert!(page["entry"].as_array().unwrap().iter().all(|e| e["search"]["mode"] == "match"));
}

#[tokio::test]
async fn what_was_ignored_is_told_in_an_outcome_entry() {
    let context = everybody();
    let search =
        Search::of(&context, "Condition", pairs("patient=pat-0001&shoe=44"), Handling::Lenient).unwrap();
    let page = json(page::of_search(&context, &Cursors::default(), search, 1).unwrap()).await;
    let last = page["entry"].as_array().unwrap().last().unwrap();
    assert_eq!(last["search"]["mode"], "outcome");
    assert_eq!(last["resource"]["issue"][0]["severity"], "warning");
    assert!(!page.to_string().contains("shoe"));
}

#[tokio::test]
async fn the_foreign_patient_fault_puts_one_in_and_nothing_else_does() {
    let mut context = context(&["patient/*.rs"]);
    let clean = bundle(&context, &Cursors::default(), "Condition", "").await;
    context.faults = vec![FhirFault::ForeignPatient];
    let dirty = bundle(&context, &Cursors::default(), "Condition", "").await;
    let foreign = |page: &Value| {
        let entries = page["entry"].as_array().unwrap();
        entries.iter().filter(|e| e["resource"]["subject"]["reference"] != "Patient/pat-0001").count()
    };
    assert_eq!((foreign(&clean), foreign(&dirty)), (0, 1));
}

#[tokio::test]
async fn the_foreign_next_fault_points_elsewhere() {
    let mut context = everybody();
    context.faults = vec![FhirFault::ForeignNext];
    let page = bundle(&context, &Cursors::default(), "Condition", "patient=pat-0001").await;
    assert!(!link(&page, "next").unwrap().starts_with(BASE));
}
