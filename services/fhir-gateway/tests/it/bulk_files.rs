//! A file of an export, line by line.

use std::time::Duration;

use sallyport_model::{Clock, Code};
use sallyport_proto::{
    audit::v1::{Outcome as Recorded, Phase, Record},
    gateway::v1::{
        FetchBulkFileResponse, RunAuthority, call_request::Interaction, call_response::Outcome,
        fetch_bulk_file_response::Item,
    },
};
use sallyport_rpc::code_of;

use crate::{
    bulk::{begun, manifest, ready},
    ehr::{Reply, condition},
    run::{cohort, group},
    world::World,
};

fn patient(id: &str) -> String {
    format!(r#"{{"resourceType":"Patient","id":"{id}","name":[{{"text":"J\u00e9 é😀"}}]}}"#)
}

/// The handle of a file of `kind` and `of` at `/files/1`.
async fn file_of(world: &World, run: &RunAuthority, kind: &str, of: &str) -> String {
    let entry = format!(r#""{kind}":[{{"type":"{of}","url":"{}/fhir/files/1"}}]"#, world.ehr.url);
    ready(world, run, &["Patient", "Condition"], manifest(&entry)).await.files[0].handle.clone()
}

fn ndjson(body: impl Into<String>) -> Reply {
    let mut reply = Reply::json(body).with("accept-ranges", "bytes").with("etag", "\"v1\"");
    reply.headers[0].1 = "application/fhir+ndjson; charset=utf-8".to_owned();
    reply
}

#[tokio::test]
async fn a_malformed_line_stays_alone_and_its_neighbours_pass() {
    let world = World::of("hapi", |config| config.max_bulk_line_bytes = 300).await;
    let run = world.service_run(group("g"));
    let handle = file_of(&world, &run, "output", "Patient").await;
    let long = format!(r#"{{"resourceType":"Patient","id":"long","x":"{}"}}"#, "x".repeat(400));
    let labelled = r#"{"resourceType":"Patient","id":"d","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"V"}]}}"#;
    let twice = r#"{"resourceType":"Patient","id":"b","id":"c"}"#;
    let lines = [
        patient("a") + "\r\n",
        "\n".to_owned(),
        "{\"resourceType\":\"Patient\",\n".to_owned(),
        patient("b") + "\n",
        condition("1", "a") + "\n",
        labelled.to_owned() + "\n",
        long + "\n",
        twice.to_owned() + "\n",
        "  \r\n".to_owned(),
        patient("c"),
    ];
    let at = |n: usize| i64::try_from(lines[..n].concat().len()).unwrap();
    let body = lines.concat();
    world.ehr.on("/files/1", [ndjson(body.clone())]);
    let fetched = world.fetch(&run, &handle, 0, "").await;
    assert_eq!(fetched.ended, None);
    let Some(Item::Begin(begin)) = fetched.items.first() else { panic!() };
    assert_eq!((begin.content_type.as_str(), begin.etag.as_str()), ("application/fhir+ndjson", "\"v1\""));
    let kept = [&lines[0], &lines[1], &lines[3], &lines[8], &lines[9]].map(String::as_str).concat();
    assert_eq!(fetched.text(), kept);
    let expected = [
        (at(2), "bulk.line_invalid"),
        (at(4), "bulk.line_invalid"),
        (at(5), "fhir.policy_denied"),
        (at(6), "bulk.line_too_long"),
        (at(7), "bulk.line_invalid"),
    ];
    assert_eq!(fetched.withheld(), expected);
    let length = i64::try_from(body.len()).unwrap();
    assert_eq!(fetched.reach(0), length);
    let Some(Item::End(end)) = fetched.items.last() else { panic!() };
    assert_eq!((end.length, end.released, end.withheld, end.is_truncated), (length, 3, 5, false));
    let record = world.ended().await.pop().unwrap();
    assert_eq!((record.interaction.as_str(), record.released, record.withheld), ("export-file", 3, 5));
    assert_eq!(
        (record.patients, record.bytes),
        (vec!["a".into(), "b".into(), "c".into()], i64::try_from(kept.len()).unwrap())
    );
}

#[tokio::test]
async fn a_file_that_was_cut_off_says_so_and_its_last_piece_stays_here() {
    let world = World::at("hapi").await;
    let run = world.service_run(group("g"));
    let handle = file_of(&world, &run, "output", "Patient").await;
    let body = patient("a") + "\n" + &patient("b")[..20];
    world.ehr.on("/files/1", [ndjson(body)]);
    let fetched = world.fetch(&run, &handle, 0, "").await;
    assert_eq!(fetched.text(), patient("a") + "\n");
    let Some(Item::End(end)) = fetched.items.last() else { panic!() };
    assert_eq!((end.released, end.withheld, end.is_truncated), (1, 1, true));
}

#[tokio::test]
async fn a_line_of_a_patient_outside_the_cohort_ends_the_file_and_does_not_leave() {
    let world = World::at("hapi").await;
    let run = world.service_run(cohort(&["a", "b"]));
    let handle = file_of(&world, &run, "output", "Condition").await;
    let lines = [condition("1", "a"), condition("2", "b"), condition("3", "c"), condition("4", "a")];
    world.ehr.on("/files/1", [ndjson(lines.join("\n") + "\n")]);
    let fetched = world.fetch(&run, &handle, 0, "").await;
    assert_eq!(fetched.ended, Some("ehr.foreign_patient"));
    assert!(!fetched.text().contains("canary-3") && !fetched.text().contains("canary-4"));
    assert_eq!(world.ended().await.pop().unwrap().outcome(), Recorded::Failed);
}

#[tokio::test]
async fn a_file_is_gone_on_with_at_any_line_whether_the_server_has_ranges_or_not() {
    let world = World::at("hapi").await;
    let run = world.service_run(group("g"));
    let handle = file_of(&world, &run, "output", "Patient").await;
    let lines: Vec<String> = (0..20).map(|n| patient(&format!("p{n}")) + "\r\n").collect();
    let body = lines.concat();
    for has_ranges in [true, false] {
        let mut reply = ndjson(body.clone());
        if !has_ranges {
            reply.headers.retain(|(name, _)| *name != "accept-ranges");
        }
        world.ehr.on("/files/1", [reply]);
        for n in 1..lines.len() {
            let from = lines[..n].concat().len();
            let fetched = world.fetch(&run, &handle, i64::try_from(from).unwrap(), "\"v1\"").await;
            assert_eq!(fetched.ended, None);
            assert_eq!(fetched.text(), body[from..]);
            let Some(Item::Begin(begin)) = fetched.items.first() else { panic!() };
            assert_eq!(begin.is_range, has_ranges);
            assert_eq!(fetched.reach(i64::try_from(from).unwrap()), i64::try_from(body.len()).unwrap());
        }
    }
    let seen = world.ehr.seen().pop().unwrap();
    assert_eq!((seen.header("if-range"), seen.header("accept-encoding")), ("\"v1\"", "identity"));
    // Another file at the same address is not gone on with in its middle.
    let mut other = ndjson(body);
    other.headers.retain(|(name, _)| !matches!(*name, "accept-ranges" | "etag"));
    world.ehr.on("/files/1", [other.clone().with("etag", "\"v2\"")]);
    assert_eq!(world.fetch(&run, &handle, 60, "\"v1\"").await.ended, Some("bulk.file_changed"));
    other.body.truncate(40);
    world.ehr.on("/files/1", [other]);
    assert_eq!(world.fetch(&run, &handle, 60, "").await.ended, Some("bulk.file_changed"));
}

#[tokio::test]
async fn a_signed_address_gets_no_token_and_another_host_gets_nothing() {
    let world = World::at("hapi").await;
    let run = world.service_run(group("g"));
    let handle = file_of(&world, &run, "output", "Patient").await;
    let line = patient("a") + "\n";
    world.files.at("/signed", [ndjson(line.clone())]);
    let to = |url: &str| Reply::new(307, "").with("location", url);
    world.ehr.on("/files/1", [to(&format!("{}/signed?signature=s", world.files.url))]);
    assert_eq!(world.fetch(&run, &handle, 0, "").await.text(), line);
    let seen = world.files.seen();
    assert_eq!((seen.len(), seen[0].header("authorization")), (1, ""));
    assert!(world.ehr.seen().last().unwrap().header("authorization").starts_with("Bearer canary"));
    let elsewhere = crate::ehr::Ehr::start().await;
    world.ehr.on("/files/1", [to(&format!("{}/signed", elsewhere.url))]);
    assert_eq!(world.fetch(&run, &handle, 0, "").await.ended, Some("ehr.redirect"));
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_file_that_needs_no_token_gets_none() {
    let world = World::at("hapi").await;
    let run = world.service_run(group("g"));
    let entries = format!(
        r#""output":[{{"type":"Patient","url":"{}/signed"}},{{"type":"Patient","url":"{}/fhir/files/1"}}]"#,
        world.files.url, world.ehr.url
    );
    let body = manifest(&entries).replace("Token\":true", "Token\":false");
    let found = ready(&world, &run, &["Patient"], body).await;
    world.files.at("/signed", [ndjson(patient("a"))]);
    world.ehr.on("/files/1", [ndjson(patient("a"))]);
    for file in &found.files {
        assert_eq!(world.fetch(&run, &file.handle, 0, "").await.text(), patient("a"));
    }
    for seen in [world.files.seen().pop().unwrap(), world.ehr.seen().pop().unwrap()] {
        assert_eq!(seen.header("authorization"), "");
    }
}

#[tokio::test]
async fn a_file_whose_address_has_expired_is_told_from_a_failing_ehr() {
    let world = World::at("hapi").await;
    let run = world.service_run(group("g"));
    let handle = file_of(&world, &run, "output", "Patient").await;
    for (status, code) in
        [(403, "bulk.file_gone"), (404, "bulk.file_gone"), (410, "bulk.file_gone"), (500, "ehr.error")]
    {
        world.ehr.on("/files/1", [Reply::new(status, "canary")]);
        assert_eq!(world.fetch(&run, &handle, 0, "").await.ended, Some(code));
    }
    world.ehr.on("/files/1", [Reply::new(503, "").with("retry-after", "20")]);
    let fetched = world.fetch(&run, &handle, 0, "").await;
    assert!(matches!(fetched.items.as_slice(), [Item::Wait(_)]));
    let page = Reply::json("<html>sign in</html>").with("content-type", "text/html");
    let page = Reply { headers: page.headers[1..].to_vec(), ..page };
    world.ehr.on("/files/1", [page]);
    assert_eq!(world.fetch(&run, &handle, 0, "").await.ended, Some("ehr.invalid_response"));
}

#[tokio::test]
async fn one_fresh_token_is_tried_for_a_file_and_narrower_scopes_fetch_none() {
    let world = World::at("hapi").await;
    let run = world.service_run(group("g"));
    let handle = file_of(&world, &run, "output", "Patient").await;
    world.ehr.on("/files/1", [Reply::new(401, ""), ndjson(patient("a"))]);
    assert_eq!(world.fetch(&run, &handle, 0, "").await.text(), patient("a"));
    let tokens: Vec<String> =
        world.ehr.seen().iter().rev().take(2).map(|s| s.header("authorization").to_owned()).collect();
    assert_ne!(tokens[0], tokens[1]);
    "system/Condition.rs system/Observation.rs".clone_into(&mut world.owners.token_scope.lock().unwrap());
    world.advance(Duration::from_secs(61)).await;
    let asked = world.ehr.seen().len();
    let fetched = world.fetch(&run, &handle, 0, "").await;
    let [Item::ScopeChanged(change)] = fetched.items.as_slice() else { panic!() };
    assert_eq!(
        (change.lost.as_slice(), world.ehr.seen().len()),
        (&["system/Patient.rs".to_owned()][..], asked)
    );
}

#[tokio::test]
async fn errors_and_deletions_come_as_codes_and_references() {
    let world = World::at("hapi").await;
    let run = world.service_run(group("g"));
    let handle = file_of(&world, &run, "error", "OperationOutcome").await;
    let outcome = |severity: &str, code: &str| {
        format!(
            r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"{severity}","code":"{code}","diagnostics":"canary Jane"}}]}}"#
        )
    };
    let body =
        [outcome("error", "processing"), outcome("information", "informational"), patient("a")].join("\n");
    world.ehr.on("/files/1", [ndjson(body.clone())]);
    let fetched = world.fetch(&run, &handle, 0, "").await;
    let remarks: Vec<_> = fetched
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Remark(remark) => Some((remark.issues.join(","), remark.is_error)),
            _ => None,
        })
        .collect();
    assert_eq!(remarks, [("processing".to_owned(), true), ("informational".to_owned(), false)]);
    assert_eq!((fetched.withheld().len(), fetched.text()), (1, String::new()));
    assert_eq!(fetched.reach(0), i64::try_from(body.len()).unwrap());
    let handle = file_of(&world, &run, "deleted", "Bundle").await;
    let request = |method: &str, url: &str| format!(r#"{{"request":{{"method":"{method}","url":"{url}"}}}}"#);
    let bundle = |entries: &[String]| {
        format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(","))
    };
    let lines = [
        bundle(&[
            request("DELETE", "Patient/x"),
            request("DELETE", "Device/y"),
            request("DELETE", "Condition/z"),
        ]),
        bundle(&[request("PUT", "Patient/x")]),
        bundle(&[request("DELETE", "Patient/x?y")]),
    ];
    world.ehr.on("/files/1", [ndjson(lines.join("\n"))]);
    let fetched = world.fetch(&run, &handle, 0, "").await;
    let [_, Item::Deletions(deleted), Item::Withheld(_), Item::Withheld(_), Item::End(_)] =
        fetched.items.as_slice()
    else {
        panic!()
    };
    assert_eq!(deleted.references, ["Patient/x", "Condition/z"]);
}

#[tokio::test]
async fn no_line_leaves_before_its_intent_is_durable() {
    let world = World::at("hapi").await;
    let run = world.service_run(group("g"));
    let handle = file_of(&world, &run, "output", "Patient").await;
    world.ehr.on("/files/1", [ndjson(patient("a"))]);
    assert_eq!(world.fetch(&run, &handle, 0, "").await.ended, None);
    let records = world.records().await;
    let [.., intent, outcome] = records.as_slice() else { panic!() };
    assert_eq!((intent.phase(), outcome.phase()), (Phase::Intent, Phase::Outcome));
    assert_eq!(intent.record_id, outcome.record_id);
    world.disk.fail_sync(true);
    world.disk.fail_create(true);
    let fetched = world.fetch(&run, &handle, 0, "").await;
    assert_eq!((fetched.ended, fetched.items.len()), (Some("audit.unavailable"), 0));
}

#[tokio::test]
async fn a_kick_off_is_not_sent_before_its_intent_is_durable() {
    let world = World::at("hapi").await;
    let run = world.service_run(group("g"));
    let status = begun(&world, &run, &["Patient"]).await;
    let asked = world.ehr.seen().len();
    world.disk.fail_sync(true);
    world.disk.fail_create(true);
    assert_eq!(world.kick_off(&run, &["Patient"]).await.err(), Some("audit.unavailable"));
    let told = world.run_call(&run, Interaction::Delete(status)).await;
    assert!(matches!(told, Err("audit.unavailable")), "{}", matches!(told, Ok(Outcome::Deleted(_))));
    assert_eq!(world.ehr.seen().len(), asked);
}

/// More than can be on its way at a time.
fn large() -> String {
    let line = format!(r#"{{"resourceType":"Patient","id":"a","x":"{}"}}"#, "x".repeat(9_000)) + "\n";
    line.repeat(700)
}

#[tokio::test]
async fn a_file_that_takes_longer_than_a_lease_comes_whole() {
    let world = World::of("hapi", |_| {}).await;
    let run = world.service_run(group("g"));
    let handle = file_of(&world, &run, "output", "Patient").await;
    world.ehr.on("/files/1", [ndjson(large())]);
    let run = RunAuthority { expires_at: world.clock.now() + 2_000_000, ..run };
    let mut stream = world.begin_fetch(&run, &handle).await;
    let mut bytes = stream.message().await.unwrap().map_or(0, released);
    world.advance(Duration::from_millis(2_500)).await;
    while let Some(message) = stream.message().await.unwrap() {
        bytes += released(message);
    }
    assert_eq!(bytes, large().len());
}

#[tokio::test]
async fn a_file_is_not_kept_open_for_a_worker_that_takes_nothing() {
    let world = World::of("hapi", |_| {}).await;
    let run = world.service_run(group("g"));
    let handle = file_of(&world, &run, "output", "Patient").await;
    world.ehr.on("/files/1", [ndjson(large())]);
    let run = RunAuthority { expires_at: world.clock.now() + 300_000, ..run };
    let mut stream = world.begin_fetch(&run, &handle).await;
    assert!(stream.message().await.unwrap().is_some());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let is_over = |record: &Record| record.interaction == "export-file" && record.code == "run.expired";
    while !world.ended().await.iter().any(is_over) {
        assert!(tokio::time::Instant::now() < deadline, "the file is still open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut bytes = 0;
    let end = loop {
        match stream.message().await {
            Ok(Some(message)) => bytes += released(message),
            Ok(None) => panic!("it ended as if it were whole"),
            Err(status) => break status,
        }
    };
    assert_eq!(code_of(&end), Code::RunExpired);
    assert!(bytes < large().len());
}

fn released(message: FetchBulkFileResponse) -> usize {
    match message.item {
        Some(Item::Lines(lines)) => lines.data.len(),
        _ => 0,
    }
}
