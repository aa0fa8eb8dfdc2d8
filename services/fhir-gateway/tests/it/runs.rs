//! A job's run reads and searches: its whole authority in every message, and nothing beyond it.

use std::time::Duration;

use sallyport_model::Clock;
use sallyport_proto::{
    audit::v1::Outcome as Recorded,
    gateway::v1::{Cohort, RunAuthority, call_response::Outcome, wait::Reason},
    types::v1::actor,
};

use crate::{
    ehr::{Reply, condition, searchset, with_next},
    owners::GrantOf,
    run::{SERVICE_SCOPES, cohort, everyone, group, one},
    world::{World, until},
};

#[tokio::test]
async fn a_service_reads_and_searches_its_patient_and_leaves_a_record() {
    let world = World::start().await;
    let run = world.service_run(one("a"));
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "a"), &condition("2", "a")]))]);
    world.ehr.on("/Condition/1", [Reply::json(condition("1", "a"))]);
    let Ok(Outcome::Searchset(found)) = world.run_search(&run, "Condition", &[]).await else { panic!() };
    assert_eq!(found.resources, [condition("1", "a"), condition("2", "a")]);
    assert!(found.partial.is_empty() && found.next.is_empty() && found.read_at == world.clock.now());
    let Ok(Outcome::Resource(read)) = world.run_read(&run, "Condition", "1").await else { panic!() };
    assert_eq!(read.json, condition("1", "a"));
    assert_eq!(world.ehr.targets(), ["GET /fhir/Condition?patient=a", "GET /fhir/Condition/1"]);
    assert!(world.ehr.seen()[0].header("authorization").starts_with("Bearer canary-access-token"));
    let ended = world.ended().await;
    for record in &ended {
        assert_eq!((record.job.as_str(), &record.run_id), ("nightly", &run.run_id));
        assert_eq!((record.feature.as_str(), record.purpose.as_str()), ("population-report", "HOPERAT"));
        assert_eq!((record.patients.as_slice(), &record.grant_id), (&["a".to_owned()][..], &run.grant_id));
        let Some(actor::Kind::Service(name)) = &record.actor.as_ref().unwrap().kind else { panic!() };
        assert_eq!((name.as_str(), record.outcome()), ("service", Recorded::Success));
        assert!(record.launch_id.is_empty(), "nobody launched");
    }
    assert_eq!((ended.len(), ended[0].released), (2, 2));
}

#[tokio::test]
async fn a_persons_offline_grant_reads_as_that_person() {
    let world = World::start().await;
    let run = world.offline_run(one("a"));
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "a")]))]);
    assert!(matches!(world.run_search(&run, "Condition", &[]).await, Ok(Outcome::Searchset(_))));
    let record = world.ended().await.pop().unwrap();
    let Some(actor::Kind::User(user)) = record.actor.unwrap().kind else { panic!() };
    assert_eq!((user.subject.as_str(), record.purpose.as_str()), ("u-1", "TREAT"));
}

#[tokio::test]
async fn a_cohorts_search_names_one_of_it_and_gets_nobody_else() {
    let world = World::start().await;
    let run = world.service_run(cohort(&["a", "b"]));
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "b"), &condition("2", "c")]))]);
    assert_eq!(world.run_search(&run, "Condition", &[]).await.err(), Some("fhir.patient_denied"));
    assert_eq!(
        world.run_search(&run, "Condition", &[("patient", "c")]).await.err(),
        Some("fhir.patient_denied")
    );
    assert_eq!(
        world.run_search(&run, "Condition", &[("patient", "a,c")]).await.err(),
        Some("fhir.patient_denied")
    );
    assert!(world.ehr.seen().is_empty());
    let told = world.run_search(&run, "Condition", &[("patient", "b")]).await;
    assert_eq!(told.err(), Some("ehr.foreign_patient"), "the answer is withheld whole");
    assert_eq!(world.ended().await.pop().unwrap().patients, ["b"], "the record names whom it was about");
}

#[tokio::test]
async fn what_is_absent_refuses_and_never_means_all() {
    type Without = fn(&mut RunAuthority);
    let world = World::start().await;
    let whole = world.service_run(one("a"));
    let without: [(&str, Without); 15] = [
        ("tenant", |run| run.tenant.clear()),
        ("endpoint", |run| run.endpoint.clear()),
        ("registration", |run| run.registration.clear()),
        ("job", |run| run.job.clear()),
        ("run", |run| run.run_id.clear()),
        ("batch", |run| run.batch_id.clear()),
        ("feature", |run| run.feature.clear()),
        ("purpose", |run| run.purpose.clear()),
        ("grant", |run| run.grant_id.clear()),
        ("actor", |run| run.actor = None),
        ("cohort", |run| run.cohort = None),
        ("whose", |run| run.cohort = Some(Cohort { whose: None })),
        ("patients", |run| run.cohort = Some(Cohort { whose: Some(cohort(&[])) })),
        ("scopes", |run| run.pinned_scope.clear()),
        ("lease", |run| run.expires_at = 0),
    ];
    for (what, change) in without {
        let mut run = whole.clone();
        change(&mut run);
        assert!(world.run_search(&run, "Condition", &[]).await.is_err(), "{what}");
        assert!(world.kick_off(&run, &["Condition"]).await.is_err(), "{what}");
        assert_eq!(world.fetch(&run, "x", 0, "").await.items.len(), 0, "{what}");
    }
    let other = |change: fn(&mut RunAuthority)| {
        let mut run = whole.clone();
        change(&mut run);
        run
    };
    // A group's and everybody's data are for exports alone; what is another's is not taken for ours.
    for (run, code) in [
        (other(|run| run.cohort = Some(Cohort { whose: Some(group("g")) })), "fhir.patient_denied"),
        (other(|run| run.cohort = Some(Cohort { whose: Some(everyone()) })), "fhir.patient_denied"),
        (other(|run| run.purpose = "TREAT".into()), "run.denied"),
        (other(|run| run.tenant = "other".into()), "run.denied"),
        (other(|run| run.feature = "care-gap-alerting".into()), "run.denied"),
        (other(|run| run.feature = "patient-summary".into()), "feature.unknown"),
        (other(|run| run.registration = "offline".into()), "run.denied"),
        (other(|run| run.pinned_scope = "system/Condition.rs".into()), "feature.off"),
    ] {
        assert_eq!(world.run_search(&run, "Condition", &[]).await.err(), Some(code));
    }
    assert_eq!(world.run_search(&whole, "MedicationRequest", &[]).await.err(), Some("fhir.scope_denied"));
    assert!(world.ehr.seen().is_empty());
    let ended = world.ended().await;
    assert_eq!(ended.len(), 15 * 3 + 9, "every refusal is recorded");
    assert!(ended.iter().all(|record| record.outcome() == Recorded::Refused));
}

#[tokio::test]
async fn a_grant_that_is_another_ones_is_never_used() {
    let world = World::start().await;
    let (service, offline) = (world.service_run(one("a")), world.offline_run(one("a")));
    let whose = |endpoint: &str, registration: &str, is_service| GrantOf {
        endpoint: endpoint.into(),
        registration: registration.into(),
        is_service,
    };
    for (run, scopes, grant) in [
        (&service, SERVICE_SCOPES, whose("elsewhere", "service", true)),
        (&service, SERVICE_SCOPES, whose("main", "scripted", true)),
        (&service, SERVICE_SCOPES, whose("main", "service", false)),
        (&service, SERVICE_SCOPES, GrantOf::default()),
        (&offline, &offline.pinned_scope, whose("main", "offline", true)),
        // A session's grant: not for use without the person.
        (&offline, &offline.pinned_scope.replace("offline_access ", ""), whose("main", "offline", false)),
    ] {
        *world.owners.grant_of.lock().unwrap() = grant;
        scopes.clone_into(&mut world.owners.token_scope.lock().unwrap());
        world.advance(Duration::from_secs(61)).await;
        assert_eq!(world.run_search(run, "Condition", &[]).await.err(), Some("run.denied"));
    }
    assert!(world.ehr.seen().is_empty());
}

#[tokio::test]
async fn scopes_that_are_not_those_pinned_stop_the_run_and_are_named() {
    let world = World::start().await;
    let run = world.service_run(one("a"));
    world.ehr.on("/Condition", [Reply::json(searchset(&[]))]);
    let mut told = Vec::new();
    for granted in [
        "system/Patient.rs system/Condition.r system/Observation.rs",
        "system/Patient.rs system/Condition.rs system/Observation.rs?category=laboratory",
        "system/*.rs",
        "",
    ] {
        granted.clone_into(&mut world.owners.token_scope.lock().unwrap());
        world.advance(Duration::from_secs(61)).await;
        let answer = world.run_search(&run, "Condition", &[]).await;
        let Ok(Outcome::ScopeChanged(change)) = answer else { panic!("{granted}: {answer:?}") };
        told.push((change.lost, change.added));
    }
    let words = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    assert_eq!(told[0], (words(&["system/Condition.rs"]), vec![]));
    assert_eq!(told[1], (words(&["system/Observation.rs"]), vec![]));
    assert_eq!(told[2], (vec![], words(&["system/*.rs"])));
    assert_eq!(told[3].0.len(), 3);
    assert!(world.ehr.seen().is_empty());
    assert_eq!(world.ended().await.last().unwrap().code, "job.scope_changed");
}

#[tokio::test]
async fn nothing_begins_and_nothing_is_released_after_the_lease() {
    let world = World::start().await;
    let run = RunAuthority { expires_at: world.clock.now() + 1_000_000, ..world.service_run(one("a")) };
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "a")]))]);
    let gate = world.ehr.hold();
    let call = world.run_search(&run, "Condition", &[]);
    let late = async {
        until("the EHR was asked", || !world.ehr.seen().is_empty()).await;
        world.advance(Duration::from_secs(1)).await;
        gate.add_permits(100);
    };
    let (told, ()) = tokio::join!(call, late);
    assert_eq!(told.err(), Some("run.expired"), "the lease ended while the EHR was being waited for");
    assert_eq!(world.run_search(&run, "Condition", &[]).await.err(), Some("run.expired"));
    assert_eq!(world.ehr.seen().len(), 1);
}

#[tokio::test]
async fn a_revoked_grant_stops_the_run_at_once() {
    let world = World::start().await;
    let run = world.offline_run(one("a"));
    world.ehr.on("/Condition", [Reply::json(searchset(&[]))]);
    assert!(world.run_search(&run, "Condition", &[]).await.is_ok());
    world.owners.revoke_grant(&run.grant_id);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while world.run_search(&run, "Condition", &[]).await.err() != Some("grant.revoked") {
        assert!(tokio::time::Instant::now() < deadline, "the revocation never came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Turns the clock of all replicas, and waits until each knows that its knowledge is fresh.
async fn together(world: &World, replicas: &[World], by: Duration) {
    world.advance(by).await;
    for replica in replicas {
        replica.advance(Duration::ZERO).await;
    }
}

#[tokio::test]
async fn no_replica_calls_for_a_job_before_the_time_that_the_ehr_named() {
    let world = World::start().await;
    let replicas = [world.replica().await, world.replica().await];
    let tab = world.tab_with("a", |session| session.idle_expires_at = session.absolute_expires_at);
    let run = world.service_run(one("a"));
    let five_hours = 18_000_i64;
    let busy = Reply::new(429, "").with("retry-after", "18000");
    world.ehr.on("/Condition", [busy, Reply::json(searchset(&[]))]);
    let not_before = world.clock.now() + five_hours * 1_000_000;
    let told = world.run_search(&run, "Condition", &[]).await;
    let Ok(Outcome::Wait(wait)) = told else { panic!("{told:?}") };
    assert_eq!((wait.reason(), wait.not_before), (Reason::Ehr, not_before));
    for step in 0..10 {
        for replica in replicas.iter().chain([&world]) {
            let run = RunAuthority { expires_at: i64::MAX, ..run.clone() };
            let told = replica.run_search(&run, "Condition", &[]).await;
            let Ok(Outcome::Wait(wait)) = told else { panic!("step {step}: {told:?}") };
            assert_eq!((wait.reason(), wait.not_before), (Reason::Ehr, not_before), "step {step}");
        }
        together(&world, &replicas, Duration::from_secs(1_799)).await;
    }
    assert_eq!(world.ehr.seen().len(), 1, "calls inside the closed window");
    // People are told to wait for half a minute at most.
    crate::world::ALL_SCOPES.clone_into(&mut world.owners.token_scope.lock().unwrap());
    assert_eq!(world.get(&tab, "/Condition").await.status, 200);
    SERVICE_SCOPES.clone_into(&mut world.owners.token_scope.lock().unwrap());
    together(&world, &replicas, Duration::from_secs(10)).await;
    let run = RunAuthority { expires_at: i64::MAX, ..run };
    for replica in replicas.iter().chain([&world]) {
        assert!(matches!(replica.run_search(&run, "Condition", &[]).await, Ok(Outcome::Searchset(_))));
    }
}

#[tokio::test]
async fn a_page_is_of_its_run_alone() {
    let world = World::start().await;
    let (run, other) = (world.service_run(one("a")), world.service_run(one("a")));
    let next = format!("{}/fhir/Condition?page=2", world.ehr.url);
    let pages = [
        Reply::json(with_next(&[&condition("1", "a")], Some(&next))),
        Reply::json(searchset(&[&condition("2", "a")])),
    ];
    world.ehr.on("/Condition", pages);
    let Ok(Outcome::Searchset(first)) = world.run_search(&run, "Condition", &[]).await else { panic!() };
    let page = |run: RunAuthority| {
        let page = sallyport_proto::gateway::v1::call_request::Interaction::Page(first.next.clone());
        let world = &world;
        async move { world.run_call(&run, page).await }
    };
    assert_eq!(page(other).await.err(), Some("fhir.page_invalid"));
    let Ok(Outcome::Searchset(second)) = page(run).await else { panic!() };
    assert_eq!(second.resources, [condition("2", "a")]);
}
