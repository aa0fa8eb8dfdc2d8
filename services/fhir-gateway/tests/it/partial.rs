//! Searches of several pages that lose rows, repeat them, turn in circles or are forgotten: each has an end and a word.

use sallyport_clinical::{ChartSection, Content, SectionState};

use crate::{
    ehr::{Reply, condition, with_next},
    paging::next,
    world::{Answer, Tab, World},
};

/// Follows `next` links to the end; the last answer and every id met.
async fn follow(world: &World, tab: &Tab, path: &str) -> (Answer, Vec<String>) {
    let (mut answer, mut ids) = (world.get(tab, path).await, Vec::new());
    loop {
        ids.extend(
            answer.body.split("canary-").skip(1).filter_map(|rest| Some(rest.split('-').next()?.to_owned())),
        );
        let path = next(&answer, tab.launch);
        if path.is_empty() {
            return (answer, ids);
        }
        answer = world.get(tab, &path).await;
    }
}

/// A page of Conditions of patient a, with a count and a way on.
fn page(world: &World, ids: &[&str], total: usize, on: Option<&str>) -> Reply {
    let rows: Vec<String> = ids.iter().map(|id| condition(id, "a")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let link = on.map(|on| format!("{}/fhir/Condition?page={on}", world.ehr.url));
    let text = with_next(&rows, link.as_deref());
    Reply::json(text.replace(&format!(r#""total":{}"#, ids.len()), &format!(r#""total":{total}"#)))
}

async fn problems(world: &World, tab: &Tab) -> ChartSection {
    let request = http::Request::get(format!("/api/{}/v1/chart/problems", tab.launch))
        .header("sec-fetch-site", "same-origin")
        .header(
            "cookie",
            format!("{}={}", sallyport_model::session::cookie_name(tab.launch), tab.secret.expose()),
        );
    let answer = world.send(request.body(axum::body::Body::empty()).unwrap()).await;
    serde_json::from_str(&answer.body).unwrap()
}

fn items(section: &ChartSection) -> usize {
    match &section.content {
        Content::Problems { items } => items.len(),
        _ => 0,
    }
}

#[tokio::test]
async fn pages_that_stop_before_the_last_row_are_told() {
    let world = World::at("nextgen").await;
    let tab = world.tab("a");
    world.ehr.on("/Condition", [page(&world, &["1", "2"], 5, Some("2")), page(&world, &["2", "3"], 5, None)]);
    let (last, ids) = follow(&world, &tab, "/Condition").await;
    assert_eq!(ids, ["1", "2", "3"], "a row that comes again is dropped");
    assert_eq!(last.code(), "partial.short_read", "{}", last.body);
    assert_eq!(world.ended().await[1].detail, "partial.short_read");
}

#[tokio::test]
async fn a_circle_of_pages_is_left() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on(
        "/Condition",
        [
            page(&world, &["1"], 9, Some("2")),
            page(&world, &["2"], 9, Some("3")),
            page(&world, &["3"], 9, Some("2")),
            page(&world, &["4"], 9, Some("5")),
            page(&world, &["5"], 9, None),
        ],
    );
    let (last, ids) = follow(&world, &tab, "/Condition").await;
    assert_eq!((last.code(), ids.len()), ("partial.page_loop", 3), "{}", last.body);
}

#[tokio::test]
async fn pages_without_anything_new_are_not_followed_for_ever() {
    let world = World::start().await;
    let tab = world.tab("a");
    let same: Vec<Reply> = (2..40).map(|n| page(&world, &["1", "2"], 2, Some(&n.to_string()))).collect();
    world.ehr.on("/Condition", same);
    let (last, ids) = follow(&world, &tab, "/Condition").await;
    assert_eq!((last.code(), ids.len()), ("partial.page_stall", 2), "{}", last.body);
    let empty: Vec<Reply> = (2..40).map(|n| page(&world, &[], 0, Some(&n.to_string()))).collect();
    world.ehr.on("/Condition", empty);
    let (last, _) = follow(&world, &tab, "/Condition").await;
    assert_eq!(last.code(), "partial.page_stall", "{}", last.body);
    assert!(world.ehr.seen().len() <= 6, "{}", world.ehr.seen().len());
}

#[tokio::test]
async fn a_forgotten_search_is_an_error_of_its_own_and_the_chart_starts_again() {
    let world = World::at("epic").await;
    let tab = world.tab("a");
    let expired = || {
        Reply::new(
            400,
            r#"{"resourceType":"OperationOutcome","issue":[{"severity":"fatal","code":"processing","details":{"coding":[{"system":"urn:oid:1.2.840.114350.1.13.0.1.7.2.657369","code":"4113"}]}}]}"#,
        )
    };
    world.ehr.on("/Condition", [page(&world, &["1"], 1, Some("2")), expired()]);
    let (last, _) = follow(&world, &tab, "/Condition").await;
    assert_eq!((last.status.as_u16(), last.code()), (409, "ehr.page_expired"), "{}", last.body);
    let start = || page(&world, &["1"], 1, Some("2"));
    world.ehr.on("/Condition", [start(), expired(), start(), page(&world, &["2"], 1, None)]);
    let section = problems(&world, &tab).await;
    assert_eq!((section.state, items(&section)), (SectionState::Complete, 2), "{:?}", section.problems);
    world.ehr.on("/Condition", [start(), expired(), start(), expired()]);
    let section = problems(&world, &tab).await;
    assert_eq!((section.state, items(&section)), (SectionState::Partial, 1), "{:?}", section.problems);
}

#[tokio::test]
async fn the_chart_reads_every_page_and_says_what_is_missing() {
    let world = World::start().await;
    let tab = world.tab("a");
    let pages = |last: usize| -> Vec<Reply> {
        (1..=last)
            .map(|n| {
                let on = (n < last).then(|| (n + 1).to_string());
                page(&world, &[&n.to_string()], 12, on.as_deref())
            })
            .collect()
    };
    world.ehr.on("/Condition", pages(12));
    let section = problems(&world, &tab).await;
    assert_eq!((section.state, items(&section)), (SectionState::Complete, 12), "{:?}", section.problems);
    world.ehr.on("/Condition", pages(11));
    let section = problems(&world, &tab).await;
    assert_eq!((section.state, items(&section)), (SectionState::Partial, 11));
    assert_eq!(section.problems[0].code, "partial.short_read");
}
