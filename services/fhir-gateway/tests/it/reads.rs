//! What is answered, and how it leaves.

use sallyport_proto::audit::v1::{Outcome, Phase};

use crate::{
    ehr::{Reply, condition, searchset},
    world::World,
};

const PATIENT: &str =
    r#"{"resourceType":"Patient","id":"a","meta":{"versionId":"2"},"name":[{"family":"Canary"}]}"#;

#[tokio::test]
async fn a_read_goes_through_with_the_token_and_comes_back_as_it_was() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Patient/a", [Reply::json(PATIENT).with("etag", "W/\"2\"")]);
    let answer = world.get(&tab, "/Patient/a").await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, PATIENT));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/fhir+json; charset=utf-8");
    assert_eq!(answer.header("etag"), "W/\"2\"");
    assert_eq!(answer.header("x-intermediary"), "", "nothing was altered");
    assert_eq!(answer.header("x-request-id").len(), 32);
    let seen = world.ehr.seen().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/fhir/Patient/a"));
    assert_eq!(seen.header("authorization"), format!("Bearer {}", world.owners.token()));
    assert_eq!(seen.header("accept"), "application/fhir+json");
    assert_eq!(seen.header("x-request-id"), answer.header("x-request-id"));
}

#[tokio::test]
async fn only_listed_headers_reach_the_ehr() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Condition", [Reply::json(searchset(&[]))]);
    let request = world
        .request(&tab, "GET", "/Condition")
        .header("x-forwarded-for", "10.0.0.1")
        .header("authorization", "Bearer stolen")
        .header("x-user", "admin")
        .header("connection", "authorization");
    let answer = world.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200);
    let seen = world.ehr.seen().pop().unwrap();
    let mut names: Vec<&str> = seen.headers.keys().map(|n| n.as_str()).collect();
    names.sort_unstable();
    names.retain(|n| *n != "traceparent" && *n != "tracestate");
    assert_eq!(names, ["accept", "accept-encoding", "authorization", "host", "prefer", "x-request-id"]);
    assert_eq!(seen.header("prefer"), "handling=strict");
    assert_ne!(seen.header("authorization"), "Bearer stolen");
}

#[tokio::test]
async fn no_answer_ever_holds_the_token() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Patient/a", [Reply::json(PATIENT)]);
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("c", "a")]))]);
    for path in ["/Patient/a", "/Condition", "/Condition/missing", "/metadata"] {
        let answer = world.get(&tab, path).await;
        let all = format!("{:?}{}", answer.headers, answer.body);
        assert!(!all.contains("canary-access-token"), "{path}");
    }
}

#[tokio::test]
async fn a_search_is_bound_to_the_patient_and_its_bundle_is_ours() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "a"), &condition("2", "a")]))]);
    let answer = world.get(&tab, "/Condition?clinical-status=active").await;
    assert_eq!(answer.status, 200);
    assert_eq!(world.ehr.targets(), ["GET /fhir/Condition?patient=a&clinical-status=active"]);
    assert!(answer.body.contains("canary-1-a") && answer.body.contains("\"total\":2"));
    assert_eq!(answer.header("x-intermediary"), "sallyport");
    let own = format!("http://app.test:8080/fhir/{}/Condition?patient=a&clinical-status=active", tab.launch);
    assert!(answer.body.contains(&own), "{}", answer.body);
}

#[tokio::test]
async fn a_posted_search_is_forwarded_as_a_form() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Condition/_search", [Reply::json(searchset(&[&condition("1", "a")]))]);
    let answer = world.post(&tab, "/Condition/_search?code=x", "patient=Patient/a&_count=5").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let seen = world.ehr.seen().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/fhir/Condition/_search"));
    assert_eq!(seen.body, "code=x&patient=a&_count=5");
    assert_eq!(seen.header("content-type"), "application/x-www-form-urlencoded");
}

#[tokio::test]
async fn a_conditional_read_that_finds_nothing_new_is_an_answer_and_is_recorded() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Patient/a", [Reply::new(304, "")]);
    let request = world.request(&tab, "GET", "/Patient/a").header("if-none-match", "W/\"2\"");
    let answer = world.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (304, ""));
    assert_eq!(world.ehr.seen()[0].header("if-none-match"), "W/\"2\"");
    let ended = world.ended().await;
    assert_eq!((ended.len(), ended[0].http_status, ended[0].outcome()), (1, 304, Outcome::Success));
}

#[tokio::test]
async fn metadata_describes_only_what_passes_and_needs_no_token() {
    let world = World::start().await;
    let tab = world.tab("a");
    let statement = r#"{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","date":"2026-01-01","rest":[{"mode":"server","resource":[
        {"type":"Patient","interaction":[{"code":"read"},{"code":"update"}]},
        {"type":"Immunization","interaction":[{"code":"read"}]},
        {"type":"Group","interaction":[{"code":"read"}]}]}]}"#;
    world.ehr.on("/metadata", [Reply::json(statement)]);
    let first = world.get(&tab, "/metadata").await;
    assert_eq!(first.status, 200);
    assert!(first.body.contains(r#""fhirVersion":"4.0.1""#) && first.body.contains(r#""type":"Patient""#));
    for hidden in ["update", "Immunization", "Group"] {
        assert!(!first.body.contains(hidden), "{hidden}");
    }
    assert_eq!(world.get(&tab, "/metadata?_format=json").await.body, first.body);
    let seen = world.ehr.seen();
    assert_eq!((seen.len(), seen[0].header("authorization")), (1, ""), "asked once, without a token");
    assert_eq!(world.ended().await.len(), 2);
}

#[tokio::test]
async fn what_a_checked_resource_refers_to_can_be_read_and_nothing_else() {
    let world = World::start().await;
    let (tab, other) = (world.tab("a"), world.tab("a"));
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "a")]))]);
    world.ehr.on("/Practitioner/doc-1", [Reply::json(r#"{"resourceType":"Practitioner","id":"doc-1"}"#)]);
    world.ehr.on("/Practitioner/me", [Reply::json(r#"{"resourceType":"Practitioner","id":"me"}"#)]);
    assert_eq!(world.get(&tab, "/Practitioner/doc-1").await.code(), "fhir.patient_denied");
    world.get(&tab, "/Condition").await;
    assert_eq!(world.get(&tab, "/Practitioner/doc-1").await.status, 200);
    assert_eq!(
        world.get(&other, "/Practitioner/doc-1").await.code(),
        "fhir.patient_denied",
        "another launch"
    );
    assert_eq!(world.get(&tab, "/Practitioner/me").await.status, 200, "the signed-in person");
    assert_eq!(world.get(&tab, "/Practitioner/unheard-of").await.code(), "fhir.patient_denied");
}

#[tokio::test]
async fn a_warm_read_makes_no_hop_but_the_ehrs() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Patient/a", [Reply::json(PATIENT)]);
    for _ in 0..5 {
        assert_eq!(world.get(&tab, "/Patient/a").await.status, 200);
    }
    let hops = |to: &str| format!("sallyport_gateway_hops_total{{to=\"{to}\"}}");
    let text = world.metrics.render();
    assert!(text.contains(&format!("{} 1\n", hops("launch-auth"))), "{text}");
    assert!(text.contains(&format!("{} 1\n", hops("token-vault"))), "{text}");
    assert!(text.contains(&format!("{} 5\n", hops("ehr"))), "{text}");
}

#[tokio::test]
async fn counters_equal_the_records() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Patient/a", [Reply::json(PATIENT)]);
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "b")]))]);
    for path in [
        "/Patient/a",
        "/Patient/a",
        "/Patient/b",
        "/Condition",
        "/Condition?_include=x",
        "/Patient/..",
        "/Observation/none",
    ] {
        world.get(&tab, path).await;
    }
    let records = world.records().await;
    let text = world.metrics.render();
    let counted: u64 = text
        .lines()
        .filter(|line| line.starts_with("sallyport_fhir_calls_total{"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum();
    assert_eq!(counted, 7);
    assert_eq!(records.iter().filter(|r| r.phase() != Phase::Intent).count(), 7);
    assert!(text.contains(r#"sallyport_fhir_calls_total{endpoint="main",interaction="read",outcome="success",resource_type="Patient",tenant="general"} 2"#), "{text}");
    assert!(text.contains(r#"code="ehr.foreign_patient""#), "{text}");
}

#[tokio::test]
async fn thousands_of_interleaved_calls_of_two_tabs_never_mix() {
    let world = World::with(|config| config.concurrent_calls_per_launch = 64).await;
    let (a, b) = (world.tab("a"), world.tab("b"));
    // The EHR answers for the patient it is asked about.
    for patient in ["a", "b"] {
        let body = format!(
            r#"{{"resourceType":"Patient","id":"{patient}","name":[{{"family":"canary-of-{patient}"}}]}}"#
        );
        world.ehr.on(&format!("/Patient/{patient}"), [Reply::json(body)]);
    }
    for _ in 0..20 {
        let calls = (0..50).map(|n| {
            let (world, tab, own) = if n % 2 == 0 { (&world, &a, "a") } else { (&world, &b, "b") };
            let asked = if n % 5 == 0 { ["b", "a"][n % 2] } else { own };
            async move { (own, asked, world.get(tab, &format!("/Patient/{asked}")).await) }
        });
        for (own, asked, answer) in futures_util::future::join_all(calls).await {
            let foreign = if own == "a" { "canary-of-b" } else { "canary-of-a" };
            assert!(!answer.body.contains(foreign));
            assert_eq!(answer.status == 200, own == asked, "{}", answer.body);
        }
    }
}
