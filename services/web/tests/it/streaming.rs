//! The order in which a page is sent.

use std::time::Duration;

use axum::body::Body;
use http::{Request, header};
use http_body_util::BodyExt;
use sallyport_clinical::Section;
use tower::ServiceExt;

use crate::{fake::Canned, website::Website};

async fn chunks(website: &Website, page: &str) -> Vec<String> {
    let request = Request::get(website.address(page)).header(header::COOKIE, website.cookie());
    let answer = website.pages.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let mut body = answer.into_body();
    let mut chunks = Vec::new();
    while let Some(frame) = body.frame().await {
        chunks.push(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap());
    }
    chunks
}

#[tokio::test(start_paused = true)]
async fn the_frame_goes_first_then_the_patient_then_the_sections() {
    let mut canned = Canned::whole();
    canned.delay = Duration::from_millis(20);
    let website = Website::of(canned).await;
    let chunks = chunks(&website, "summary").await;
    assert!(chunks[0].contains("<template shadowrootmode=\"open\">") && !chunks[0].contains("ABREU"));
    assert!(chunks[1].contains("ABREU"));
    let slots: Vec<&str> =
        chunks.iter().skip(2).filter_map(|c| c.split("slot=\"").nth(1)?.split('"').next()).collect();
    let expected = [
        "problems",
        "medications",
        "banner-allergies",
        "allergies",
        "vitals",
        "results",
        "encounters",
        "documents",
        "status",
        "as-of",
    ];
    assert_eq!(slots, expected);
}

#[tokio::test(start_paused = true)]
async fn sections_that_are_ready_earlier_wait_for_the_patients_name() {
    let mut canned = Canned::whole();
    canned.resources.get_mut(&Section::Banner).unwrap().truncate(1);
    canned.never = vec![Section::Banner];
    let chunks = chunks(&Website::of(canned).await, "summary").await;
    assert!(chunks[1].contains("The patient could not be identified"));
    assert!(!chunks.concat().contains("Type 2 diabetes"));
}

#[tokio::test(start_paused = true)]
async fn a_section_that_never_answers_holds_back_only_itself_and_only_for_the_deadline() {
    let mut canned = Canned::whole();
    canned.never = vec![Section::Results];
    let website = Website::of(canned).await;
    let started = tokio::time::Instant::now();
    let page = chunks(&website, "summary").await.concat();
    assert_eq!(started.elapsed(), Duration::from_secs(2));
    assert!(page.contains("Type 2 diabetes") && page.contains("Open laboratory results"));
}

#[tokio::test]
async fn a_page_is_a_persons_act_and_asks_for_its_own_sections_only() {
    let canned = Canned::whole();
    let calls = canned.calls.clone();
    let _page = chunks(&Website::of(canned).await, "results").await;
    let mut calls = calls.lock().unwrap().clone();
    calls.sort();
    assert_eq!(calls, ["allergies by_person=true", "banner by_person=true", "results by_person=true"]);
}
