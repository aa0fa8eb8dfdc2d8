//! Answers that break clients, on request of any product: pages that never end, bodies that are none.

use std::collections::HashSet;

use http::Method;
use serde_json::{Value, json};

use crate::ehr::{Ehr, Reply, text};
use crate::product::{Product, link, matches};

const SEARCH: &str = "category=laboratory&_count=10";

async fn asked(product: &Product, url: &str, fault: &str) -> Reply {
    let bearer = format!("Bearer {}", product.token());
    let headers =
        [("authorization", bearer.as_str()), ("accept", "application/fhir+json"), ("x-sandbox-fault", fault)];
    product.ehr.try_send(Method::GET, url, &headers, String::new()).await.unwrap()
}

async fn first_page(product: &Product, fault: &str) -> Reply {
    let url = product.ehr.fhir(&format!("/Observation?patient={}&{SEARCH}", product.patient()));
    asked(product, &url, fault).await
}

#[tokio::test]
async fn a_looping_page_names_itself_as_the_next() {
    let strict = Product::launched("strict").await;
    let page = first_page(&strict, "page-loop").await.json();
    assert_eq!(link(&page, "next"), link(&page, "self"));
}

#[tokio::test]
async fn a_stalling_page_leads_to_the_same_matches_under_ever_new_addresses() {
    let strict = Product::launched("strict").await;
    let mut page = first_page(&strict, "page-stall").await.json();
    let (mut addresses, mut ids) = (HashSet::new(), HashSet::new());
    for _ in 0..4 {
        ids.insert(text(matches(&page)[0], "id").to_owned());
        let next = link(&page, "next").unwrap().to_owned();
        page = asked(&strict, &next, "page-stall").await.json();
        addresses.insert(next);
    }
    assert_eq!((addresses.len(), ids.len()), (4, 1));
}

#[tokio::test]
async fn a_short_page_lacks_matches_and_the_way_on_though_the_total_is_larger() {
    let strict = Product::launched("strict").await;
    let page = first_page(&strict, "page-short").await.json();
    assert_eq!((matches(&page).len(), link(&page, "next")), (5, None));
    assert!(page["total"].as_u64().unwrap() > 10);
}

#[tokio::test]
async fn a_duplicating_page_tells_a_match_twice() {
    let strict = Product::launched("strict").await;
    let page = first_page(&strict, "page-duplicate").await.json();
    assert_eq!(matches(&page).first(), matches(&page).last());
}

#[tokio::test]
async fn a_page_can_expire_before_its_time_in_each_products_words() {
    for (profile, status) in [("strict", 410), ("epic", 400)] {
        let product = Product::launched(profile).await;
        let page = first_page(&product, "none").await.json();
        let reply = asked(&product, link(&page, "next").unwrap(), "page-expired").await;
        assert_eq!(reply.status.as_u16(), status, "{profile}");
    }
}

#[tokio::test]
async fn waits_are_told_in_seconds_as_a_date_since_1970_in_words_or_not_at_all() {
    let strict = Product::launched("strict").await;
    let retry_after = async |fault: &str| {
        let reply = first_page(&strict, fault).await;
        assert_eq!(reply.status, 429, "{fault}");
        (reply.header("retry-after").to_owned(), reply.body)
    };
    assert_eq!(retry_after("429:844").await.0, "844");
    assert!(retry_after("429-date:844").await.0.ends_with(" GMT"));
    assert!(retry_after("429-unix:844").await.0.parse::<i64>().unwrap() > 1_700_000_000);
    let (header, body) = retry_after("429-text:844").await;
    assert!(header.is_empty() && body.contains("Try in another 844 seconds"), "{body}");
    assert_eq!(retry_after("429-untold").await.0, "");
}

#[tokio::test]
async fn bodies_can_be_empty_mistyped_or_no_proper_json() {
    let strict = Product::launched("strict").await;
    let empty = first_page(&strict, "empty:200").await;
    assert_eq!((empty.status.as_u16(), empty.body.as_str()), (200, ""));
    assert_eq!(first_page(&strict, "content-type-html").await.header("content-type"), "text/html");
    assert_eq!(first_page(&strict, "content-type-none").await.header("content-type"), "");
    let twice = first_page(&strict, "duplicate-keys").await;
    let key = twice.body.split('"').nth(1).unwrap().to_owned();
    assert!(twice.body.starts_with(&format!("{{\"{key}\":null,\"{key}\":")), "{}", &twice.body[..60]);
    let half = first_page(&strict, "lone-surrogate").await;
    assert!(half.body.contains("\\ud800") && serde_json::from_str::<Value>(&half.body).is_err());
}

#[tokio::test]
async fn bodies_can_be_deep_and_huge() {
    let strict = Product::launched("strict").await;
    let deep = first_page(&strict, "deep:100000").await;
    assert_eq!(deep.body.matches('[').count(), 100_000);
    let huge = first_page(&strict, "huge:20000").await;
    assert_eq!(huge.json()["entry"].as_array().unwrap().len(), 20_000);
}

#[tokio::test]
async fn discovery_can_be_missing_while_the_statement_still_names_the_addresses() {
    let ehr = Ehr::start_as("meditech").await;
    let rule = json!({"match": {"kind": "discovery"}, "fault": "empty:404"});
    ehr.admin(Method::POST, "/faults", rule).await;
    assert_eq!(ehr.get(&ehr.fhir("/.well-known/smart-configuration")).await.status, 404);
    let statement = ehr.get(&ehr.fhir("/metadata")).await.json();
    assert!(statement["rest"][0]["security"].to_string().contains("/oauth/token"));
}
