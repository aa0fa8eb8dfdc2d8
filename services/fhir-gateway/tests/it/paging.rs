//! Pages: links are sealed, lead only where they may, and are checked like the search they belong to.

use crate::{
    ehr::{Reply, condition, with_next},
    world::{Answer, World},
};

/// The path of the `next` link below the launch.
pub(crate) fn next(answer: &Answer, launch: impl std::fmt::Display) -> String {
    let (_, after) = answer.body.split_once(r#""relation":"next","url":""#).unwrap_or_default();
    let url = after.split('"').next().unwrap_or_default();
    url.strip_prefix(&format!("http://app.test:8080/fhir/{launch}")).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_search_is_followed_page_by_page_through_sealed_links() {
    let world = World::start().await;
    let tab = world.tab("a");
    let link = format!("{}/fhir/Condition?_getpages=secret-cursor&patient=a", world.ehr.url);
    world.ehr.on(
        "/Condition",
        [
            Reply::json(with_next(&[&condition("1", "a")], Some(&link))),
            Reply::json(with_next(&[&condition("2", "a")], None)),
        ],
    );
    let first = world.get(&tab, "/Condition").await;
    let path = next(&first, tab.launch);
    assert!(path.starts_with("/_page/"), "{}", first.body);
    assert!(!first.body.contains("secret-cursor") && !first.body.contains(&world.ehr.url));
    let second = world.get(&tab, &path).await;
    assert!(second.status == 200 && second.body.contains("canary-2-a"), "{}", second.body);
    assert_eq!(next(&second, tab.launch), "");
    assert_eq!(world.ehr.targets()[1], "GET /fhir/Condition?_getpages=secret-cursor&patient=a");
    assert_eq!(world.ehr.seen()[1].header("authorization"), format!("Bearer {}", world.owners.token()));
    let records = world.ended().await;
    assert_eq!((records.len(), records[1].resource_types.as_slice()), (2, &["Condition".to_owned()][..]));
}

#[tokio::test]
async fn a_page_link_opens_in_its_own_launch_until_it_expires() {
    let world = World::start().await;
    let (tab, other) = (world.tab("a"), world.tab("a"));
    let link = format!("{}/fhir?_getpages=1", world.ehr.url);
    world.ehr.on("/Condition", [Reply::json(with_next(&[&condition("1", "a")], Some(&link)))]);
    let path = next(&world.get(&tab, "/Condition").await, tab.launch);
    assert_eq!(world.get(&other, &path).await.code(), "fhir.page_invalid");
    assert_eq!(world.get(&tab, "/_page/AAAA").await.code(), "fhir.page_invalid");
    world.advance(std::time::Duration::from_secs(899)).await;
    world.ehr.on("", [Reply::json(with_next(&[], None))]);
    assert_eq!(world.get(&tab, &path).await.status, 200);
}

#[tokio::test]
async fn a_page_with_another_patient_is_withheld() {
    let world = World::start().await;
    let tab = world.tab("a");
    let link = format!("{}/fhir?_getpages=1", world.ehr.url);
    world.ehr.on("/Condition", [Reply::json(with_next(&[&condition("1", "a")], Some(&link)))]);
    world.ehr.on("", [Reply::json(with_next(&[&condition("2", "b")], None))]);
    let path = next(&world.get(&tab, "/Condition").await, tab.launch);
    let answer = world.get(&tab, &path).await;
    assert_eq!(answer.code(), "ehr.foreign_patient");
}

#[tokio::test]
async fn a_next_link_to_another_host_is_never_followed() {
    let world = World::start().await;
    let tab = world.tab("a");
    let elsewhere = crate::ehr::Ehr::start().await;
    elsewhere.on("", [Reply::json(with_next(&[], None))]);
    for link in [
        format!("{}/fhir?_getpages=1", elsewhere.url),
        format!("{}@{}/fhir?x=1", world.ehr.url, elsewhere.url.trim_start_matches("http://")),
        format!("{}/other?_getpages=1", world.ehr.url),
        "//evil.test/fhir?x=1".to_owned(),
    ] {
        world.ehr.on("/Condition", [Reply::json(with_next(&[&condition("1", "a")], Some(&link)))]);
        let answer = world.get(&tab, "/Condition").await;
        assert_eq!((answer.status.as_u16(), answer.code()), (502, "ehr.foreign_link"), "{link}");
        assert!(!answer.body.contains("canary"));
    }
    assert!(elsewhere.seen().is_empty());
    assert_eq!(world.ended().await.len(), 4);
}

#[tokio::test]
async fn a_page_that_leads_to_itself_ends_the_search() {
    let world = World::start().await;
    let tab = world.tab("a");
    let link = format!("{}/fhir/Condition?patient=a", world.ehr.url);
    world.ehr.on("/Condition", [Reply::json(with_next(&[&condition("1", "a")], Some(&link)))]);
    let answer = world.get(&tab, "/Condition").await;
    assert_eq!((answer.status.as_u16(), next(&answer, tab.launch)), (200, String::new()));
}
