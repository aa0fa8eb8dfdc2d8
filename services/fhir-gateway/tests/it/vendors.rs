//! What differs between products: a search that the EHR would not take, and errors that mean something else than they say.

use crate::{
    ehr::{Reply, condition, searchset},
    world::World,
};

const OUTCOME: &str = "OperationOutcome";

fn observation(id: &str) -> String {
    format!(r#"{{"resourceType":"Observation","id":"{id}","subject":{{"reference":"Patient/a"}}}}"#)
}

/// An error body with a code of the product's own and words that must not be told.
fn outcome(system: &str, code: &str) -> String {
    format!(
        r#"{{"resourceType":"{OUTCOME}","issue":[{{"severity":"fatal","code":"processing","diagnostics":"Mary Miller","details":{{"text":"Mary Miller","coding":[{{"system":"{system}","code":"{code}","display":"Mary Miller"}}]}}}}]}}"#
    )
}

#[tokio::test]
async fn what_the_ehr_requires_is_added_and_rows_lost_by_it_are_told() {
    let world = World::at("epic").await;
    let tab = world.tab("a");
    world.ehr.on("/Observation", [Reply::json(searchset(&[&observation("1")]))]);
    let answer = world.get(&tab, "/Observation").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let target = &world.ehr.targets()[0];
    assert!(target.contains("patient=a") && target.contains("category=vital-signs%2Claboratory"), "{target}");
    assert!(answer.body.contains(r#""code":"incomplete""#), "{}", answer.body);
    assert_eq!(answer.code(), "partial.narrowed");
    assert!(!answer.body.contains(r#""total""#), "an EHR's count of a page is nobody's total");
    let records = world.ended().await;
    assert_eq!(records[0].detail, "partial.narrowed");
    assert!(records[0].parameters.contains(&"category".to_owned()), "{:?}", records[0].parameters);
}

#[tokio::test]
async fn what_loses_no_row_is_added_without_a_word() {
    let world = World::at("athena-one").await;
    let tab = world.tab("a");
    world.ehr.on("/MedicationRequest", [Reply::json(searchset(&[]))]);
    let answer = world.get(&tab, "/MedicationRequest").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (200, ""), "{}", answer.body);
    assert!(world.ehr.targets()[0].contains("intent=proposal%2Cplan%2Corder"), "{:?}", world.ehr.targets());
}

#[tokio::test]
async fn where_a_posted_search_has_no_second_page_it_is_sent_as_a_get() {
    for (vendor, method) in [("azure", "GET /fhir/Condition?"), ("sandbox", "POST /fhir/Condition/_search")] {
        let world = World::at(vendor).await;
        let tab = world.tab("a");
        for path in ["/Condition", "/Condition/_search"] {
            world.ehr.on(path, [Reply::json(searchset(&[]))]);
        }
        assert_eq!(world.post(&tab, "/Condition/_search", "patient=a").await.status, 200);
        assert!(world.ehr.targets()[0].starts_with(method), "{:?}", world.ehr.targets());
    }
}

#[tokio::test]
async fn what_the_ehr_would_not_understand_never_reaches_it() {
    let world = World::at("epic").await;
    let scope = "patient/Patient.rs patient/CarePlan.rs patient/Condition.rs";
    scope.clone_into(&mut world.owners.token_scope.lock().unwrap());
    let tab = world.tab_with("a", |s| s.granted_scope = scope.to_owned());
    // Epic ignores _lastUpdated: the answer would look filtered and would not be.
    let answer = world.get(&tab, "/Condition?_lastUpdated=gt2026-01-01").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "fhir.parameter_denied"), "{}", answer.body);
    let answer = world.get(&tab, "/CarePlan").await;
    assert!(world.ehr.seen().is_empty(), "{:?}", world.ehr.targets());
    if answer.code() != "fhir.scope_denied" {
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (400, "fhir.parameter_missing"),
            "{}",
            answer.body
        );
        assert!(
            answer.body.contains("one of these is needed: patient with category, _id"),
            "{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn a_403_for_a_missing_parameter_is_no_question_of_rights() {
    let world = World::at("athena-one").await;
    let tab = world.tab("a");
    let body = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"forbidden","diagnostics":"required parameter combinations [[patient,intent],[_id]] for Mary Miller"}]}"#;
    world.ehr.on("/MedicationRequest", [Reply::new(403, body).with("x-request-id", "req-77")]);
    let answer = world.get(&tab, "/MedicationRequest").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "fhir.parameter_missing"), "{}", answer.body);
    assert!(
        answer.body.contains("patient with intent, _id") && !answer.body.contains("Mary"),
        "{}",
        answer.body
    );
    assert!(answer.body.contains(r#""valueString":"req-77""#), "{}", answer.body);
    assert_eq!(world.ehr.seen().len(), 1, "no other token is asked for");
    let records = world.ended().await;
    assert_eq!(
        (records[0].vendor_request_id.as_str(), records[0].code.as_str()),
        ("req-77", "fhir.parameter_missing")
    );
}

#[tokio::test]
async fn every_shape_of_error_becomes_one_outcome_with_the_ehrs_code_and_none_of_its_words() {
    let epic = "urn:oid:1.2.840.114350.1.13.0.1.7.2.657369";
    for (vendor, reply, code, said) in [
        ("epic", Reply::new(400, outcome(epic, "59108")), "fhir.parameter_missing", r#""code":"59108""#),
        ("epic", Reply::new(403, outcome(epic, "4118")), "ehr.forbidden", r#""code":"4118""#),
        ("epic", Reply::new(404, outcome(epic, "59008")), "ehr.not_found", r#""code":"59008""#),
        ("epic", Reply::new(404, "<html>Mary Miller</html>"), "ehr.not_offered", ""),
        (
            "epic",
            Reply::new(403, "").with("www-authenticate", "Bearer error=\"insufficient_scope\""),
            "ehr.forbidden",
            "",
        ),
        ("epic", Reply::new(401, "\"\""), "ehr.unauthorized", ""),
        (
            "nextgen",
            Reply::new(
                400,
                r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","diagnostics":"Error retreiving data from EHR of Mary Miller"}]}"#,
            ),
            "ehr.not_found",
            "",
        ),
        (
            "meditech",
            Reply::new(401, r#"{"resource":"Mary Miller","detail":"Mary Miller"}"#),
            "ehr.unauthorized",
            "",
        ),
        ("oracle", Reply::new(500, outcome("x", "required")), "ehr.error", ""),
        (
            "oracle",
            Reply::new(
                403,
                r#"{"error":"urn:x","error_uri":"https://authorization.example/errors/1?client=Mary"}"#,
            ),
            "ehr.forbidden",
            r#""valueUri":"https://authorization.example/errors/1""#,
        ),
    ] {
        let world = World::at(vendor).await;
        let tab = world.tab("a");
        world.ehr.on("/Condition/1", [reply]);
        let answer = world.get(&tab, "/Condition/1").await;
        assert_eq!(answer.code(), code, "{vendor}: {}", answer.body);
        assert!(answer.body.contains(said), "{vendor} {said}: {}", answer.body);
        assert!(!answer.body.contains("Mary"), "{vendor}: {}", answer.body);
        let record = world.ended().await.pop().unwrap();
        assert!(!record.detail.contains("Mary") && !record.vendor_request_id.contains("Mary"));
    }
}

#[tokio::test]
async fn the_wait_is_read_from_wherever_the_product_tells_it_and_has_a_cap() {
    let sentence = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"throttled","diagnostics":"User Rate Limit Exceeded, Try in another 844 seconds"}]}"#;
    let start = 1_760_000_000;
    for (vendor, reply, seconds) in [
        ("sandbox", Reply::new(429, "").with("retry-after", "7"), "7"),
        ("sandbox", Reply::new(429, "").with("retry-after", "Thu, 09 Oct 2025 08:53:30 GMT"), "10"),
        ("sandbox", Reply::new(429, "").with("retry-after", &(start + 12).to_string()), "12"),
        ("sandbox", Reply::new(429, "").with("retry-after", "999999"), "3600"),
        ("athena-one", Reply::new(429, "").with("x-ratelimit-reset", "3"), "3"),
        ("athena-flow", Reply::new(429, sentence), "844"),
        // 08:53:20 by the clock: forty seconds to the next full minute.
        ("eclinicalworks", Reply::new(429, ""), "40"),
        ("sandbox", Reply::new(429, "").with("retry-after", "soon"), ""),
    ] {
        let world = World::at(vendor).await;
        let tab = world.tab("a");
        world.ehr.on("/Condition/1", [reply]);
        let answer = world.get(&tab, "/Condition/1").await;
        assert_eq!((answer.code(), answer.header("retry-after")), ("ehr.busy", seconds), "{vendor}");
    }
}

#[tokio::test]
async fn an_ehr_that_says_softly_that_something_is_missing_is_heard() {
    let world = World::at("epic").await;
    let tab = world.tab("a");
    let remark = |code: &str| {
        format!(
            r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"warning","code":"processing","diagnostics":"Mary Miller","details":{{"coding":[{{"code":"{code}"}}]}}}}]}}"#
        )
    };
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "a"), &remark("59204")]))]);
    let answer = world.get(&tab, "/Condition").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (200, "partial.ehr_withheld"), "{}", answer.body);
    assert!(answer.body.contains("canary-1-a") && !answer.body.contains("Mary"));
    world.ehr.on("/Condition", [Reply::json(searchset(&[&remark("4101")]))]);
    let answer = world.get(&tab, "/Condition").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (200, ""), "nothing is not a gap: {}", answer.body);
    let details: Vec<String> = world.ended().await.into_iter().map(|record| record.detail).collect();
    assert_eq!(details, ["partial.ehr_withheld", ""]);
}
