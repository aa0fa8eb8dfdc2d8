//! The data and the pace of a hospital.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::Method;
use serde_json::json;

use crate::ehr::{Ehr, text};
use crate::product::{Product, link, matches};

async fn hospital() -> Product {
    Product::launched("production-like").await
}

#[tokio::test]
async fn there_are_ten_thousand_patients_and_the_last_has_a_chart() {
    let ehr = Ehr::start_as("production-like").await;
    let patients = ehr.admin(Method::GET, "/patients?profile=production-like", json!(null)).await.json();
    assert_eq!(patients.as_array().unwrap().len(), 10_000);
    let launch = ehr.launch_of("public-app", "pat-10000").await;
    let request = ehr.authorize_request("public-app", Some(&launch));
    let code = crate::ehr::answer(&ehr.get(&request.url()).await.location(), "code").unwrap();
    let tokens = ehr.redeem("public-app", &code).await.json();
    let page = ehr.fhir_get("/Encounter?patient=pat-10000", text(&tokens, "access_token")).await.json();
    assert!(!matches(&page).is_empty());
}

#[tokio::test]
async fn twenty_years_of_results_come_by_twenty_five_until_there_are_five_thousand() {
    let hospital = hospital().await;
    let mut page = hospital.search("Observation", "_count=1000").await;
    assert!(page["total"].as_u64().unwrap() >= 5_000);
    let (mut seen, mut years) = (HashSet::new(), HashSet::new());
    for _ in 0..20 {
        assert_eq!(matches(&page).len(), 25);
        for found in matches(&page) {
            seen.insert(text(found, "id").to_owned());
            years.extend(found["effectiveDateTime"].as_str().map(|at| at[..4].to_owned()));
        }
        page = hospital.follow(link(&page, "next").unwrap()).await.json();
    }
    assert_eq!(seen.len(), 500, "no match comes twice");
    let oldest = hospital.search("Observation", "date=lt2007-01-01&_summary=count").await;
    assert!(oldest["total"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn every_page_takes_its_time() {
    let hospital = hospital().await;
    let begun = Instant::now();
    hospital.search("Condition", "").await;
    assert!(begun.elapsed() >= Duration::from_millis(20));
}

#[tokio::test]
async fn nobody_searches_all_charts_at_once() {
    let hospital = hospital().await;
    let reply = hospital.get("/Observation?category=laboratory").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["issue"][0]["code"]), (422, &json!("too-costly")));
}

#[tokio::test]
async fn more_than_thirty_requests_at_once_are_refused_with_the_wait_in_words() {
    let hospital = hospital().await;
    let path = format!("/Condition?patient={}", hospital.patient());
    // Held back long enough that all of them are there at once.
    let replies = join_all((0..60).map(|_| hospital.get(&path))).await;
    let refused: Vec<_> = replies.iter().filter(|reply| reply.status == 429).collect();
    assert!(!refused.is_empty());
    assert!(refused[0].body.contains("Try in another"), "{}", refused[0].body);
    assert_eq!(refused[0].header("retry-after"), "");
    assert_eq!(hospital.get(&path).await.status, 200, "and there is room again");
}
