//! An EHR that fails, lies or babbles: each has one answer of ours, and nothing of theirs shows.

use std::time::Duration;

use crate::{
    ehr::{Reply, condition, searchset},
    world::World,
};

#[tokio::test]
async fn every_kind_of_error_answer_has_its_code_and_none_of_its_words() {
    let world = World::start().await;
    let tab = world.tab("a");
    let words = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"processing","diagnostics":"Mary Miller"}]}"#;
    for (reply, status, code) in [
        (Reply::new(403, words), 403, "ehr.forbidden"),
        (Reply::new(404, "<html>Mary Miller"), 404, "ehr.not_found"),
        (Reply::new(410, ""), 404, "ehr.gone"),
        (Reply::new(400, words), 502, "ehr.error"),
        (Reply::new(418, "Mary Miller"), 502, "ehr.error"),
        (Reply::new(302, "").with("location", "http://evil.test/"), 502, "ehr.redirect"),
        (Reply::json(""), 502, "ehr.invalid_response"),
        (Reply::json("<html>Mary Miller</html>"), 502, "ehr.invalid_response"),
        (Reply::json(r#"{"resourceType":"Condition""#), 502, "ehr.invalid_response"),
        (Reply::json(r#"{"resourceType":"Condition","id":"1","id":"2"}"#), 502, "ehr.invalid_response"),
        (Reply::json(format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))), 502, "ehr.invalid_response"),
        (Reply::json(words), 502, "ehr.invalid_response"),
        (Reply::json(condition("other", "a")), 502, "ehr.invalid_response"),
        (Reply::new(204, ""), 502, "ehr.invalid_response"),
        (Reply::new(304, ""), 502, "ehr.invalid_response"),
    ] {
        world.ehr.on("/Condition/1", [reply]);
        let answer = world.get(&tab, "/Condition/1").await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{}", answer.body);
        assert!(
            !answer.body.contains("Mary") && answer.body.starts_with(r#"{"resourceType":"OperationOutcome""#)
        );
    }
    let records = world.ended().await;
    assert!(records.len() == 15 && records.iter().all(|r| r.upstream_status != 0 && !r.code.is_empty()));
}

#[tokio::test]
async fn a_401_is_answered_by_one_refresh_and_one_replay() {
    let world = World::start().await;
    let tab = world.tab("a");
    let unauthorized = Reply { headers: vec![], ..Reply::new(401, "Unauthorized") };
    world.ehr.on("/Condition", [unauthorized.clone(), Reply::json(searchset(&[&condition("1", "a")]))]);
    let answer = world.get(&tab, "/Condition").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let tokens: Vec<String> = world.ehr.seen().iter().map(|s| s.header("authorization").to_owned()).collect();
    assert_eq!(tokens, ["Bearer canary-access-token-1", "Bearer canary-access-token-2"]);
    world.ehr.on("/Condition", [unauthorized]);
    let answer = world.get(&tab, "/Condition").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (401, "ehr.unauthorized"));
    assert_eq!(world.ehr.seen().len(), 4, "one replay, not more");
}

#[tokio::test]
async fn a_grant_that_is_dead_or_uncertain_is_told_as_such() {
    let world = World::start().await;
    let tab = world.tab("a");
    for code in [
        sallyport_model::Code::GrantDead,
        sallyport_model::Code::GrantUncertain,
        sallyport_model::Code::DependencyDown,
    ] {
        *world.owners.vault_refuses.lock().unwrap() = Some(code);
        let answer = world.get(&tab, "/Condition").await;
        assert_eq!(answer.code(), code.as_str());
    }
    assert!(world.ehr.seen().is_empty());
}

#[tokio::test]
async fn the_token_at_hand_is_used_while_the_vault_has_none_to_give() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Condition", [Reply::json(searchset(&[])), Reply::json(searchset(&[]))]);
    assert_eq!(world.get(&tab, "/Condition").await.status, 200);
    *world.owners.vault_refuses.lock().unwrap() = Some(sallyport_model::Code::DependencyDown);
    assert_eq!(world.get(&tab, "/Condition").await.status, 200);
    world.advance(Duration::from_secs(61)).await;
    assert_eq!(world.get(&tab, "/Condition").await.code(), "service.unavailable");
    assert_eq!(world.ehr.seen().len(), 2, "nothing is sent without a token");
}

#[tokio::test]
async fn a_slow_ehr_is_not_waited_for_longer_than_told() {
    let world = World::with(|config| {
        config.call_timeout_ms = 200;
        config.section_deadline_ms = 200;
    })
    .await;
    let tab = world.tab("a");
    world.ehr.on("/Condition", [Reply::json(searchset(&[])).after(Duration::from_secs(30))]);
    let answer = world.get(&tab, "/Condition").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (504, "ehr.timeout"));
}

#[tokio::test]
async fn an_answer_beyond_the_cap_is_not_taken() {
    let world = World::with(|config| {
        config.max_answer_bytes = 2_000;
        config.max_entries = 3;
    })
    .await;
    let tab = world.tab("a");
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition(&"x".repeat(3_000), "a")]))]);
    assert_eq!(world.get(&tab, "/Condition").await.code(), "ehr.too_large");
    world.ehr.on("/Condition", [Reply::json(searchset(&[r#"{"resourceType":"Condition"}"#; 4]))]);
    assert_eq!(world.get(&tab, "/Condition").await.code(), "ehr.too_large");
}

#[tokio::test]
async fn an_ehr_that_says_come_back_later_is_left_alone_until_then() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Condition", [Reply::new(429, "").with("retry-after", "7"), Reply::json(searchset(&[]))]);
    let answer = world.get(&tab, "/Condition").await;
    assert_eq!((answer.status.as_u16(), answer.code(), answer.header("retry-after")), (503, "ehr.busy", "7"));
    let answer = world.get(&tab, "/Condition").await;
    assert_eq!((answer.code(), answer.header("retry-after")), ("ehr.busy", "7"));
    assert_eq!(world.ehr.seen().len(), 1, "it was not asked again");
    world.advance(Duration::from_secs(7)).await;
    assert_eq!(world.get(&tab, "/Condition").await.status, 200);
}

#[tokio::test]
async fn an_ehr_that_keeps_failing_is_paused_and_tried_again() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Condition", [Reply::new(500, "<html>")]);
    for _ in 0..5 {
        assert_eq!(world.get(&tab, "/Condition").await.code(), "ehr.error");
    }
    let answer = world.get(&tab, "/Condition").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "ehr.circuit_open"));
    assert_eq!(world.ehr.seen().len(), 5);
    assert!(
        world
            .metrics
            .render()
            .contains(r#"sallyport_gateway_circuit_open{endpoint="main",tenant="general"} 1"#)
    );
    world.ehr.on("/Condition", [Reply::json(searchset(&[]))]);
    world.advance(Duration::from_secs(6)).await;
    assert_eq!(world.get(&tab, "/Condition").await.status, 200);
}

#[tokio::test]
async fn a_search_answered_with_absurd_size_shape_or_spelling_is_refused() {
    let world = World::start().await;
    let tab = world.tab("a");
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let bundle = |entries: &str| {
        Reply::json(format!(r#"{{"resourceType":"Bundle","type":"searchset","entry":[{entries}]}}"#))
    };
    let resource = |inside: &str| {
        bundle(&format!(
            r#"{{"resource":{{"resourceType":"Condition","subject":{{"reference":"Patient/a"}},{inside}}}}}"#
        ))
    };
    for (reply, code) in [
        (bundle(&format!("{}{{}}", "{},".repeat(999_999))), "ehr.too_large"),
        (resource(&format!(r#""x":{deep}"#)), "ehr.invalid_response"),
        (resource(r#""id":"\ud800""#), "ehr.invalid_response"),
        (resource(r#""id":"1","id":"2""#), "ehr.invalid_response"),
        (resource(r#""id":"1","\u0069d":"2""#), "ehr.invalid_response"),
        (Reply::json(""), "ehr.invalid_response"),
        (Reply::json("<Bundle xmlns=\"http://hl7.org/fhir\"/>"), "ehr.invalid_response"),
        (Reply::json("null"), "ehr.invalid_response"),
        (Reply::json(condition("1", "a")), "ehr.invalid_response"),
    ] {
        world.ehr.on("/Condition", [reply]);
        let answer = world.get(&tab, "/Condition").await;
        assert_eq!((answer.status.as_u16(), answer.code()), (502, code), "{}", answer.body);
    }
}

#[tokio::test]
async fn what_the_body_is_counts_and_not_what_the_ehr_calls_it() {
    let world = World::start().await;
    let tab = world.tab("a");
    for content_type in ["text/html", "application/json+fhir", "application/xml", "image/svg+xml", ""] {
        let headers = vec![("content-type", content_type.to_owned())];
        world.ehr.on("/Condition/1", [Reply { headers, ..Reply::json(condition("1", "a")) }]);
        let answer = world.get(&tab, "/Condition/1").await;
        assert_eq!(answer.status, 200, "{content_type}");
        assert_eq!(
            (answer.header("content-type"), answer.header("x-content-type-options")),
            ("application/fhir+json; charset=utf-8", "nosniff")
        );
    }
}

#[tokio::test]
async fn ids_are_as_long_as_the_product_makes_them() {
    let (epic, strict) = (World::at("epic").await, World::start().await);
    for (world, length, status) in
        [(&epic, 130, 200), (&epic, 131, 400), (&strict, 64, 200), (&strict, 65, 400)]
    {
        let tab = world.tab("a");
        let path = format!("/Condition/{}", "i".repeat(length));
        world.ehr.on(&path, [Reply::json(condition(&"i".repeat(length), "a"))]);
        let answer = world.get(&tab, &path).await;
        assert_eq!(answer.status, status, "{length}: {}", answer.body);
    }
}
