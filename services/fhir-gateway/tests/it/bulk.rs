//! An export from kick-off to DELETE, by a run.

use std::time::Duration;

use sallyport_model::Clock;
use sallyport_proto::gateway::v1::{
    KickOff, Manifest, RunAuthority, call_request::Interaction, call_response::Outcome, file::Kind,
    wait::Reason,
};

use crate::{
    ehr::Reply,
    run::{cohort, everyone, group, one},
    world::World,
};

/// A manifest with these members beside the required ones.
pub(crate) fn manifest(members: &str) -> String {
    format!(
        r#"{{"transactionTime":"2026-01-02T03:04:05.678Z","request":"x","requiresAccessToken":true,{members}}}"#
    )
}

/// The handle of an export that was begun.
pub(crate) async fn begun(world: &World, run: &RunAuthority, types: &[&str]) -> String {
    let location = format!("{}/fhir/jobs/1", world.ehr.url);
    let accepted = Reply::new(202, "").with("content-location", &location);
    for path in ["/Group/g/$export", "/Patient/$export"] {
        world.ehr.on(path, [accepted.clone()]);
    }
    let told = world.kick_off(run, types).await;
    let Ok(Outcome::Accepted(accepted)) = told else { panic!("{told:?}") };
    accepted.status
}

/// The manifest of an export whose status address answers `body`.
pub(crate) async fn ready(world: &World, run: &RunAuthority, types: &[&str], body: String) -> Manifest {
    let status = begun(world, run, types).await;
    world.ehr.on("/jobs/1", [Reply::json(body)]);
    let told = world.run_call(run, Interaction::Poll(status)).await;
    let Ok(Outcome::Manifest(manifest)) = told else { panic!("{told:?}") };
    manifest
}

#[tokio::test]
async fn an_export_goes_from_kick_off_to_delete() {
    let world = World::at("hapi").await;
    let run = world.service_run(group("g"));
    let status = begun(&world, &run, &["Patient", "Condition"]).await;
    let progress = Reply::new(202, "").with("x-progress", "about 40% of Jane").with("retry-after", "45");
    let output = format!(
        r#""output":[{{"type":"Patient","url":"{0}/fhir/files/1","count":2}},{{"type":"Device","url":"{0}/fhir/files/2"}}],
        "error":[{{"type":"OperationOutcome","url":"{0}/fhir/files/3"}}],
        "deleted":[{{"type":"Bundle","url":"{0}/fhir/files/4"}}],
        "link":[{{"relation":"next","url":"{0}/fhir/jobs/1/2"}}],"extension":{{"x":1}}"#,
        world.ehr.url
    );
    world.ehr.on("/jobs/1", [progress, Reply::json(manifest(&output)), Reply::new(202, "")]);
    let told = world.run_call(&run, Interaction::Poll(status.clone())).await;
    let Ok(Outcome::Running(running)) = told else { panic!("{told:?}") };
    assert_eq!((running.not_before, running.told_by_ehr), (world.clock.now() + 45_000_000, true));
    assert_eq!((running.percent, running.so_far), (40, None));
    let told = world.run_call(&run, Interaction::Poll(status.clone())).await;
    let Ok(Outcome::Manifest(found)) = told else { panic!("{told:?}") };
    assert_eq!((found.transaction_time.as_str(), found.refused), ("2026-01-02T03:04:05.678Z", 1));
    let files: Vec<_> =
        found.files.iter().map(|f| (f.kind(), f.index, f.resource_type.as_str(), f.count)).collect();
    let expected = [
        (Kind::Output, 0, "Patient", 2),
        (Kind::Error, 0, "OperationOutcome", -1),
        (Kind::Deleted, 0, "Bundle", -1),
    ];
    assert_eq!(files, expected);
    let later =
        format!(r#""output":[{{"type":"Condition","url":"{}/fhir/files/9","fileSize":77}}]"#, world.ehr.url);
    let later = manifest(&later).replace("\"request\":\"x\",", "");
    world.ehr.on("/jobs/1/2", [Reply::json(later)]);
    let told = world.run_call(&run, Interaction::Manifest(found.next)).await;
    let Ok(Outcome::Manifest(part)) = told else { panic!("{told:?}") };
    assert_eq!((part.files[0].resource_type.as_str(), part.files[0].size), ("Condition", 77));
    for was_gone in [false, true] {
        let told = world.run_call(&run, Interaction::Delete(status.clone())).await;
        let Ok(Outcome::Deleted(deleted)) = told else { panic!("{told:?}") };
        assert_eq!(deleted.was_gone, was_gone);
        world.ehr.on("/jobs/1", [Reply::new(404, "")]);
    }
    let seen = world.ehr.seen();
    let kick_off = &seen[0];
    assert_eq!(kick_off.target, "/fhir/Group/g/$export?_type=Patient,Condition");
    assert_eq!(
        (kick_off.header("prefer"), kick_off.header("accept")),
        ("respond-async", "application/fhir+json")
    );
    assert_eq!((seen[1].header("accept"), seen[1].header("prefer")), ("application/json", ""));
    assert!(seen.iter().all(|s| s.header("authorization").starts_with("Bearer canary")));
    let names: Vec<String> = world.ended().await.into_iter().map(|r| r.interaction).collect();
    let status = "export-status";
    assert_eq!(names, ["export-kick-off", status, status, status, "export-delete", "export-delete"]);
    assert!(!format!("{status}{}", found.files[0].handle).contains("127.0.0.1"));
}

#[tokio::test]
async fn a_list_is_posted_and_the_record_names_it() {
    let world = World::at("hapi").await;
    let run = world.service_run(cohort(&["b", "a"]));
    begun(&world, &run, &["Condition"]).await;
    let seen = world.ehr.seen().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/fhir/Patient/$export"));
    assert_eq!(seen.header("content-type"), "application/fhir+json");
    for member in [
        r#"{"name":"_type","valueString":"Condition"}"#,
        r#"{"reference":"Patient/a"}"#,
        r#"{"reference":"Patient/b"}"#,
    ] {
        assert!(seen.body.contains(member), "{}", seen.body);
    }
    let mut patients = world.ended().await.pop().unwrap().patients;
    patients.sort();
    assert_eq!(patients, ["a", "b"]);
}

#[tokio::test]
async fn what_the_product_or_the_run_cannot_do_is_refused_before_anything_is_sent() {
    let since =
        KickOff { types: vec!["Patient".into()], since: "2026-01-02T03:04:05Z".into(), ..KickOff::default() };
    let filter = |text: &str| KickOff {
        types: vec!["Observation".into()],
        type_filters: vec![text.to_owned()],
        ..KickOff::default()
    };
    let types = |names: &[&str]| KickOff {
        types: names.iter().map(|n| (*n).to_owned()).collect(),
        ..KickOff::default()
    };
    let world = World::at("epic").await;
    for (whose, kick_off, code) in [
        (group("g"), since, "bulk.not_offered"),
        (everyone(), types(&["Patient"]), "bulk.not_offered"),
        (one("a"), types(&["Patient"]), "bulk.not_offered"),
        (group("g"), types(&[]), "request.invalid"),
        (group("g"), types(&["Nonsense"]), "fhir.type_denied"),
        (group("g"), types(&["Patient", "MedicationRequest"]), "fhir.scope_denied"),
        (group("g"), filter("Observation"), "fhir.parameter_denied"),
        (group("g"), filter("Observation?patient=b"), "fhir.parameter_denied"),
        (group("g"), filter("Observation?_sort=date"), "fhir.parameter_denied"),
        (group("g"), filter("Condition?code=1"), "fhir.parameter_denied"),
        (group("g"), filter("Observation?nonsense=1"), "fhir.parameter_denied"),
    ] {
        let run = world.service_run(whose);
        let told = world.run_call(&run, Interaction::KickOff(kick_off)).await;
        assert_eq!(told.err(), Some(code));
    }
    assert!(world.ehr.seen().is_empty());
    let run = world.service_run(group("g"));
    world.ehr.on(
        "/Group/g/$export",
        [Reply::new(202, "").with("content-location", &format!("{}/fhir/j", world.ehr.url))],
    );
    let told = world.run_call(&run, Interaction::KickOff(filter("Observation?category=laboratory"))).await;
    assert!(matches!(told, Ok(Outcome::Accepted(_))), "{told:?}");
    let target = "/fhir/Group/g/$export?_type=Observation&_typeFilter=Observation%3Fcategory%3Dlaboratory";
    assert_eq!(world.ehr.seen()[0].target, target);
}

#[tokio::test]
async fn an_address_of_another_host_is_never_followed() {
    let world = World::at("hapi").await;
    let run = world.service_run(group("g"));
    let elsewhere = crate::ehr::Ehr::start().await;
    let located = Reply::new(202, "").with("content-location", &format!("{}/fhir/jobs/1", elsewhere.url));
    world.ehr.on("/Group/g/$export", [located]);
    assert_eq!(world.kick_off(&run, &["Patient"]).await.err(), Some("bulk.foreign_address"));
    let status = begun(&world, &run, &["Patient"]).await;
    let file = |url: &str| format!(r#"{{"type":"Patient","url":"{url}/fhir/files/1"}}"#);
    let (ours, theirs) = (file(&world.ehr.url), file(&elsewhere.url));
    for (members, is_open) in [
        (format!(r#""output":[{ours},{theirs}]"#), false),
        (format!(r#""output":[{ours}],"error":[{theirs}]"#), false),
        (format!(r#""output":[{ours}],"deleted":[{theirs}]"#), false),
        (
            format!(r#""output":[{ours}],"link":[{{"relation":"next","url":"{}/next"}}]"#, elsewhere.url),
            false,
        ),
        // Where no token is needed, only the hosts registered for files will do; and those never with one.
        (format!(r#""output":[{theirs}]"#), true),
        (format!(r#""output":[{}]"#, file(&world.files.url)), false),
    ] {
        let body = manifest(&members);
        let body = if is_open { body.replace("Token\":true", "Token\":false") } else { body };
        world.ehr.on("/jobs/1", [Reply::json(body)]);
        let told = world.run_call(&run, Interaction::Poll(status.clone())).await;
        assert_eq!(told.err(), Some("bulk.foreign_address"), "{members}");
    }
    assert!(elsewhere.seen().is_empty() && world.files.seen().is_empty());
}

#[tokio::test]
async fn a_handle_is_of_its_run_and_tenant_alone() {
    let world = World::at("hapi").await;
    let run = world.service_run(group("g"));
    let file = format!(r#""output":[{{"type":"Patient","url":"{}/fhir/files/1"}}]"#, world.ehr.url);
    let found = ready(&world, &run, &["Patient"], manifest(&file)).await;
    let status = begun(&world, &run, &["Patient"]).await;
    world.ehr.on("/files/1", [Reply::json("{\"resourceType\":\"Patient\",\"id\":\"a\"}\n")]);
    let asked = world.ehr.seen().len();
    let another = world.service_run(group("g"));
    let tenant = RunAuthority {
        tenant: "other".into(),
        registration: "other-service".into(),
        actor: Some(sallyport_proto::types::v1::Actor {
            kind: Some(sallyport_proto::types::v1::actor::Kind::Service("other-service".into())),
        }),
        ..run.clone()
    };
    for stranger in [&another, &tenant] {
        let handle = &found.files[0].handle;
        let told = world.run_call(stranger, Interaction::Poll(status.clone())).await;
        assert_eq!(told.err(), Some("bulk.handle_invalid"));
        let told = world.run_call(stranger, Interaction::Delete(status.clone())).await;
        assert_eq!(told.err(), Some("bulk.handle_invalid"));
        assert_eq!(world.fetch(stranger, handle, 0, "").await.ended, Some("bulk.handle_invalid"));
    }
    // A handle of one kind is no handle of another, and what was altered is none at all.
    assert_eq!(world.fetch(&run, &status, 0, "").await.ended, Some("bulk.handle_invalid"));
    let told = world.run_call(&run, Interaction::Poll(found.files[0].handle.clone())).await;
    assert_eq!(told.err(), Some("bulk.handle_invalid"));
    for altered in ["", "AAAA", &status[1..], &format!("{status}A")] {
        assert!(world.run_call(&run, Interaction::Poll(altered.to_owned())).await.is_err());
    }
    assert_eq!(world.ehr.seen().len(), asked);
    // Its own run, in a replica that did not seal it: an export outlives a process.
    let replica = world.replica().await;
    assert_eq!(replica.fetch(&run, &found.files[0].handle, 0, "").await.ended, None);
}

#[tokio::test]
async fn an_ehr_that_takes_no_export_now_is_not_asked_again_by_any_replica() {
    let world = World::at("oracle").await;
    let replica = world.replica().await;
    let run = world.service_run(group("g"));
    world.ehr.on("/Group/g/$export", [Reply::new(429, "").with("retry-after", "7200")]);
    world.ehr.on("/Condition", [Reply::json(crate::ehr::searchset(&[]))]);
    let not_before = world.clock.now() + 7_200_000_000;
    for world in [&world, &replica, &world] {
        let told = world.kick_off(&run, &["Patient"]).await;
        let Ok(Outcome::Wait(wait)) = told else { panic!("{told:?}") };
        assert_eq!((wait.reason(), wait.not_before), (Reason::Export, not_before));
    }
    assert_eq!(world.ehr.seen().len(), 1);
    // It is exports that it takes none of: other calls go on.
    let reading = world.service_run(one("a"));
    assert!(matches!(world.run_search(&reading, "Condition", &[]).await, Ok(Outcome::Searchset(_))));
    world.advance(Duration::from_secs(7_200)).await;
    replica.advance(Duration::ZERO).await;
    let run = RunAuthority { expires_at: i64::MAX, ..run };
    begun(&replica, &run, &["Patient"]).await;
}

#[tokio::test]
async fn the_same_group_is_asked_for_again_only_when_the_product_takes_it() {
    let world = World::at("epic").await;
    let run = world.service_run(group("g"));
    begun(&world, &run, &["Patient"]).await;
    let asked = world.ehr.seen().len();
    let told = world.kick_off(&run, &["Patient"]).await;
    let Ok(Outcome::Wait(wait)) = told else { panic!("{told:?}") };
    assert_eq!((wait.reason(), wait.not_before), (Reason::Export, world.clock.now() + 86_400_000_000));
    assert_eq!(world.ehr.seen().len(), asked);
}

#[tokio::test]
async fn a_failed_export_is_told_from_a_failed_call() {
    let world = World::at("hapi").await;
    let run = world.service_run(group("g"));
    let status = begun(&world, &run, &["Patient"]).await;
    for (status_code, expected) in [(500, Some(true)), (400, Some(false)), (404, Some(false))] {
        world.ehr.on("/jobs/1", [Reply::new(status_code, "")]);
        let told = world.run_call(&run, Interaction::Poll(status.clone())).await;
        let Ok(Outcome::Failed(failed)) = told else { panic!("{told:?}") };
        assert_eq!((failed.upstream_status, Some(failed.is_transient)), (i32::from(status_code), expected));
    }
    world.ehr.on("/jobs/1", [Reply::new(429, "").with("retry-after", "90")]);
    let told = world.run_call(&run, Interaction::Poll(status.clone())).await;
    let Ok(Outcome::Wait(wait)) = told else { panic!("{told:?}") };
    assert_eq!(wait.not_before, world.clock.now() + 90_000_000);
    for broken in ["[]", r#"{"output":[]}"#, &manifest("\"output\":[]").replace("2026-01", "soon")] {
        world.ehr.on("/jobs/1", [Reply::json(broken)]);
        let told = world.run_call(&run, Interaction::Poll(status.clone())).await;
        assert_eq!(told.err(), Some("bulk.invalid_response"), "{broken}");
    }
}
