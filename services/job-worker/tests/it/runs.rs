//! Runs from start to end, and what an operator does to them.

use std::time::Duration;

use sallyport_proto::jobs::v1::{DryRunRequest, EraseRequest, KillRequest, ListJobsRequest, ListRunsRequest};

use crate::world::{code, control, crawl, each, eventually, tenant};

fn kill(what: &str, name: &str) -> KillRequest {
    let (tenant, vendor) = if what == "tenant" { (name, "") } else { ("", name) };
    KillRequest {
        tenant: tenant.to_owned(),
        vendor: vendor.to_owned(),
        by: "ada".to_owned(),
        reason: "a test".to_owned(),
        ..KillRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_reads_every_patient_once_and_keeps_what_it_read() {
    let jobs = crawl("nightly", "general", 23, "batch_size = 5\nparallel_batches = 2");
    each(&[tenant("general", &jobs)], |world| async move {
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        let done = worker.until(&run, "done").await;
        let progress = done.progress.unwrap();
        assert_eq!((progress.items, progress.items_done, progress.quarantined), (23, 23, 0));
        assert_eq!((progress.batches, progress.batches_done), (6, 6), "five of items, one of planning");
        assert_eq!(progress.subjects, 23);
        // Patient, Observation, Condition, MedicationRequest and one Medication each.
        assert_eq!((progress.results, progress.resources), (23 * 5, 23 * (1 + 3 + 1 + 1)));
        assert_eq!(progress.calls, 23 * 5);
        let searches = world.ehr.searches();
        assert!(searches.len() == 23 && searches.values().all(|count| *count == 1), "{searches:?}");
        assert_eq!(world.number("SELECT count(*) FROM results WHERE writes <> 1").await, 0);
        assert_eq!(world.number("SELECT count(*) FROM outbox").await, 0);
        let records = world.records().await;
        let start = records.iter().find(|record| record.interaction == "start").unwrap();
        assert_eq!((start.job.as_str(), start.detail.as_str()), ("nightly", "ada: a test"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_run_keeps_can_be_read_in_the_database() {
    each(&[tenant("general", &crawl("nightly", "general", 3, ""))], |world| async move {
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        worker.until(&run, "done").await;
        let plain = "SELECT count(*) FROM results WHERE CAST(sealed AS TEXT) LIKE '%Observation%' \
                     OR CAST(subject AS TEXT) LIKE '%p001%'";
        assert_eq!(world.number(plain).await, 0);
        let items = "SELECT count(*) FROM batches WHERE CAST(items_sealed AS TEXT) LIKE '%p001%'";
        assert_eq!(world.number(items).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_run_makes_no_call_until_it_is_resumed() {
    let jobs = crawl("nightly", "general", 300, "batch_size = 10");
    each(&[tenant("general", &jobs)], |world| async move {
        world.ehr.faults.lock().unwrap().delay = Duration::from_millis(10);
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        worker.until_done(&run, 5).await;
        worker.client().pause(control(&run)).await.unwrap();
        eventually("batches to be put back", || async { worker.progress(&run).await.batches_in_hand == 0 })
            .await;
        let calls = world.ehr.count();
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(world.ehr.count(), calls);
        let refused = worker.client().retry(control(&run)).await.unwrap_err();
        assert_eq!(code(&refused), "run.state", "a paused run is resumed, not retried");
        worker.client().resume(control(&run)).await.unwrap();
        assert_eq!(worker.until(&run, "done").await.progress.unwrap().items_done, 300);
        assert_eq!(world.number("SELECT count(*) FROM results WHERE writes <> 1").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_goes_on_from_its_checkpoints() {
    let jobs = crawl("nightly", "general", 300, "batch_size = 10");
    each(&[tenant("general", &jobs)], |world| async move {
        world.ehr.faults.lock().unwrap().delay = Duration::from_millis(10);
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        worker.until_done(&run, 5).await;
        let stopped = worker.client().stop(control(&run)).await.unwrap().into_inner();
        assert_eq!((stopped.state.as_str(), stopped.code.as_str()), ("stopped", "job.stopped"));
        eventually("batches to be put back", || async { worker.progress(&run).await.batches_in_hand == 0 })
            .await;
        let before = worker.progress(&run).await.items_done;
        assert!((5..300).contains(&before), "{before}");
        worker.client().retry(control(&run)).await.unwrap();
        let done = worker.until(&run, "done").await.progress.unwrap();
        assert_eq!((done.items_done, done.subjects), (300, 300));
        assert_eq!(world.number("SELECT count(*) FROM results WHERE writes <> 1").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_stops_every_run_of_a_tenant_or_vendor_and_keeps_new_ones_from_starting() {
    let general = crawl("nightly", "general", 200, "batch_size = 10");
    let lakeside = crawl("nightly", "lakeside", 200, "batch_size = 10");
    each(&[tenant("general", &general), tenant("lakeside", &lakeside)], |world| async move {
        world.ehr.faults.lock().unwrap().delay = Duration::from_millis(20);
        let worker = world.worker(1).await;
        let ours = worker.start("general", "nightly").await.unwrap();
        let theirs = worker.start("lakeside", "nightly").await.unwrap();
        worker.until_done(&ours, 1).await;
        worker.until_done(&theirs, 1).await;
        let killed = worker.client().kill(kill("tenant", "general")).await.unwrap().into_inner();
        assert_eq!(killed.stopped, 1);
        assert_eq!(worker.run(&ours).await.code, "job.killed");
        assert_eq!(worker.run(&theirs).await.state, "running", "another tenant's run goes on");
        let refused = worker.start("general", "nightly").await.unwrap_err();
        assert_eq!(code(&refused), "job.blocked");
        let refused = worker.client().retry(control(&ours)).await.unwrap_err();
        assert_eq!(code(&refused), "job.blocked");
        assert_eq!(worker.client().kill(kill("vendor", "generic")).await.unwrap().into_inner().stopped, 1);
        assert_eq!(worker.run(&theirs).await.code, "job.killed");
        for whose in [kill("tenant", "general"), kill("vendor", "generic")] {
            assert!(worker.client().allow(whose).await.unwrap().into_inner().was_blocked);
        }
        worker.client().retry(control(&ours)).await.unwrap();
        worker.until_done(&ours, worker.progress(&ours).await.items_done + 1).await;
        let nobody = KillRequest { tenant: String::new(), ..kill("tenant", "") };
        assert_eq!(code(&worker.client().kill(nobody).await.unwrap_err()), "request.invalid");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_of_an_endpoint_a_registration_or_grants_stops_its_own_runs_and_no_neighbours() {
    let general = crawl("nightly", "general", 200, "batch_size = 10");
    let lakeside = crawl("nightly", "lakeside", 200, "batch_size = 10");
    each(&[tenant("general", &general), tenant("lakeside", &lakeside)], |world| async move {
        world.ehr.faults.lock().unwrap().delay = Duration::from_millis(20);
        let worker = world.worker(1).await;
        let registration = |tenant: &str| format!("{tenant}-backend");
        let endpoint = KillRequest { endpoint: "main".to_owned(), ..kill("tenant", "general") };
        let by_registration = KillRequest { registration: registration("general"), ..kill("vendor", "") };
        let theirs = worker.start("lakeside", "nightly").await.unwrap();
        worker.until_done(&theirs, 1).await;
        for whose in [endpoint, by_registration] {
            let ours = worker.start("general", "nightly").await.unwrap();
            worker.until_done(&ours, 1).await;
            let dry = KillRequest { dry_run: true, ..whose.clone() };
            assert_eq!(worker.client().kill(dry).await.unwrap().into_inner().stopped, 1);
            assert_eq!(worker.run(&ours).await.state, "running", "a dry run stops nothing");
            let since = worker.run(&ours).await.created_at;
            let killed = worker.client().kill(KillRequest { since, ..whose.clone() }).await.unwrap();
            assert_eq!(killed.into_inner().stopped, 1, "{whose:?}");
            assert_eq!(worker.run(&ours).await.code, "job.killed");
            let again = worker.client().kill(KillRequest { since, ..whose.clone() }).await.unwrap();
            let again = again.into_inner();
            assert_eq!((again.stopped, again.stopped_since), (0, 1), "told again after a death");
            assert_eq!(code(&worker.start("general", "nightly").await.unwrap_err()), "job.blocked");
            assert!(worker.client().allow(whose).await.unwrap().into_inner().was_blocked);
        }
        assert_eq!(worker.run(&theirs).await.state, "running", "another tenant's of the same names");
        // By the grant it runs on: only that run, and nothing is blocked.
        let grant: Vec<u8> = world.grant_of("lakeside").await;
        let foreign = KillRequest { grants: vec![grant.clone()], ..kill("tenant", "general") };
        assert_eq!(worker.client().kill(foreign).await.unwrap().into_inner().stopped, 0);
        let own = KillRequest { grants: vec![grant], ..kill("tenant", "lakeside") };
        assert_eq!(worker.client().kill(own.clone()).await.unwrap().into_inner().stopped, 1);
        assert_eq!(code(&worker.client().allow(own).await.unwrap_err()), "request.invalid");
        for bad in [
            KillRequest { endpoint: "main".to_owned(), ..kill("vendor", "") },
            KillRequest { registration: registration("general"), ..kill("tenant", "general") },
            KillRequest { registration: registration("general"), ..kill("vendor", "generic") },
            KillRequest { grants: vec![vec![1; 3]], ..kill("tenant", "general") },
        ] {
            assert_eq!(code(&worker.client().kill(bad).await.unwrap_err()), "request.invalid");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_what_would_happen_and_does_nothing() {
    let jobs = crawl("nightly", "general", 50, "batch_size = 20\ncalls_per_minute = 100");
    each(&[tenant("general", &jobs)], |world| async move {
        let worker = world.worker(1).await;
        let request = DryRunRequest { tenant: "general".to_owned(), job: "nightly".to_owned() };
        let seen = worker.client().dry_run(request).await.unwrap().into_inner();
        // Patient, Condition, MedicationRequest, Observation.
        assert_eq!((seen.items, seen.batches, seen.calls), (50, 3, 200));
        assert_eq!((seen.duration_seconds, seen.paced_by.as_str()), (120, "calls_per_minute of the job"));
        assert_eq!(seen.required_scope, "system/Observation.rs system/Patient.rs");
        assert!(seen.obstacles.is_empty());
        assert_eq!(world.ehr.count(), 0);
        assert!(world.owners.opened.lock().unwrap().is_empty(), "no token was asked for");
        assert_eq!(world.number("SELECT count(*) FROM runs").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_of_a_job_at_a_time_and_lists_tell_of_it() {
    let jobs = crawl("nightly", "general", 100, "batch_size = 10");
    each(&[tenant("general", &jobs)], |world| async move {
        world.ehr.faults.lock().unwrap().delay = Duration::from_millis(20);
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        assert_eq!(code(&worker.start("general", "nightly").await.unwrap_err()), "job.run_open");
        assert_eq!(code(&worker.start("general", "daily").await.unwrap_err()), "job.unknown");
        let jobs = worker.client().list_jobs(ListJobsRequest { tenant: "general".to_owned() }).await;
        let jobs = jobs.unwrap().into_inner().jobs;
        assert_eq!(jobs[0].last_run.as_ref().unwrap().run_id, run.run_id);
        let request = ListRunsRequest { tenant: "lakeside".to_owned(), job: String::new(), limit: 10 };
        assert!(worker.client().list_runs(request).await.unwrap().into_inner().runs.is_empty());
        let refused = world.records().await;
        assert!(refused.iter().any(|r| r.interaction == "start" && r.code == "job.run_open"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_of_a_patient_is_erased_alone_and_of_a_tenant_altogether() {
    each(&[tenant("general", &crawl("nightly", "general", 4, ""))], |world| async move {
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        worker.until(&run, "done").await;
        let request = EraseRequest {
            tenant: "general".to_owned(),
            endpoint: "main".to_owned(),
            patient: "p002".to_owned(),
            by: "ada".to_owned(),
            reason: "asked for".to_owned(),
        };
        assert_eq!(worker.client().erase(request.clone()).await.unwrap().into_inner().results, 5);
        assert_eq!(world.number("SELECT count(*) FROM results").await, 15);
        let half = EraseRequest { endpoint: String::new(), ..request.clone() };
        assert_eq!(code(&worker.client().erase(half).await.unwrap_err()), "request.invalid");
        let all = EraseRequest { endpoint: String::new(), patient: String::new(), ..request };
        assert_eq!(worker.client().erase(all).await.unwrap().into_inner().results, 15);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_does_not_go_on_under_another_definition() {
    let jobs = crawl("nightly", "general", 200, "batch_size = 10");
    each(&[tenant("general", &jobs)], |world| async move {
        world.ehr.faults.lock().unwrap().delay = Duration::from_millis(20);
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        worker.until_done(&run, 1).await;
        worker.end().await;
        let (path, text) = tenant("general", &jobs_with_another_feature());
        let world = world.with(&[(path, text.replace("[\"crawl\", ", "[\"crawl\", \"crawl-2\", "))]);
        let worker = world.worker(1).await;
        let stopped = worker.until(&run, "stopped").await;
        assert_eq!(stopped.code, "job.definition_changed");
    })
    .await;
}

fn jobs_with_another_feature() -> String {
    let feature = "[[feature]]\nid = \"crawl-2\"\ntitle = \"Another\"\nkind = \"service\"\n\
                   required = [\"system/Patient.rs\"]\npurpose = \"HOPERAT\"\nposture = \"read-only\"\n\
                   justification = \"A test.\"\n";
    let job = crawl("nightly", "general", 200, "").replace("feature = \"crawl\"", "feature = \"crawl-2\"");
    format!("{feature}\n{job}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_paused_at_its_very_end_is_done_when_it_is_resumed() {
    each(&[tenant("general", &crawl("nightly", "general", 2, ""))], |world| async move {
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        worker.until(&run, "done").await;
        // As if the pause had come between the last batch's look at the run and its commit.
        world.execute("UPDATE runs SET state = 'paused', ended_at = NULL").await;
        worker.client().resume(control(&run)).await.unwrap();
        assert_eq!(worker.run(&run).await.state, "done");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_and_results_are_removed_when_their_time_is_over() {
    each(&[tenant("general", &crawl("nightly", "general", 3, "attempts = 1"))], |world| async move {
        world
            .ehr
            .faults
            .lock()
            .unwrap()
            .poisoned
            .insert("p001".to_owned(), sallyport_model::Code::UpstreamError);
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        worker.until(&run, "done").await;
        drop(worker);
        world.execute("UPDATE runs SET ended_at = 1").await;
        world.execute("UPDATE results SET expires_at = 1").await;
        let _worker = world.worker(1).await;
        let left = "SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM batches) \
                    + (SELECT count(*) FROM quarantine) + (SELECT count(*) FROM results)";
        eventually("everything to be removed", || async { world.number(left).await == 0 }).await;
    })
    .await;
}
