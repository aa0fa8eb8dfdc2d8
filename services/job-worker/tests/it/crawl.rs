//! The kind `crawl`: changes since the last time, full readings in between, and what is left out with a word.

use sallyport_model::Code;

use crate::world::{crawl, each, tenant};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_asks_for_changes_and_keeps_what_did_not_change() {
    each(&[tenant("general", &crawl("nightly", "general", 2, ""))], |world| async move {
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        worker.until(&run, "done").await;
        world.ehr.changed.lock().unwrap().insert("p001".to_owned(), "2026-06-01T00:00:00Z".to_owned());
        world.ehr.calls.lock().unwrap().clear();
        let second = worker.start("general", "nightly").await.unwrap();
        let done = worker.until(&second, "done").await.progress.unwrap();
        let calls = world.ehr.calls.lock().unwrap().clone();
        let since: Vec<_> = calls
            .iter()
            .filter(|call| call.what == "Observation?")
            .map(|call| call.parameters.clone())
            .collect();
        let asked = ("_lastUpdated".to_owned(), "ge2026-01-01T00:00:00Z".to_owned());
        assert!(since.len() == 2 && since.iter().all(|pairs| *pairs == [asked.clone()]), "{since:?}");
        // p000's observations came no more and are kept; p001's came and replaced what was there.
        assert_eq!(done.resources, 2 * (1 + 3 + 1 + 1));
        assert!(done.oldest_full_read_at > 0);
        let marks = "SELECT count(*) FROM results WHERE resource_type = 'Observation' \
                     AND watermark = '2026-06-01T00:00:00Z'";
        assert_eq!(world.number(marks).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_is_read_whole_again_when_its_last_full_reading_is_old() {
    each(&[tenant("general", &crawl("nightly", "general", 1, ""))], |world| async move {
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        worker.until(&run, "done").await;
        world.execute("UPDATE results SET full_read_at = full_read_at - 864000000000").await;
        world.ehr.calls.lock().unwrap().clear();
        let second = worker.start("general", "nightly").await.unwrap();
        worker.until(&second, "done").await;
        let calls = world.ehr.calls.lock().unwrap().clone();
        assert!(calls.iter().all(|call| call.parameters.is_empty()), "{calls:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_named_types_are_read_and_a_pilot_is_only_its_first_patients() {
    let jobs = crawl("nightly", "general", 9, "pilot_patients = 2")
        .replace("\"general\"\npilot", "\"pilot\"\npilot")
        + "[job.options]\ntypes = [\"Observation\"]\nhydrate = false\n";
    each(&[tenant("general", &jobs)], |world| async move {
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        let done = worker.until(&run, "done").await.progress.unwrap();
        assert_eq!((done.items, done.calls, done.resources), (2, 2, 6));
        assert!(world.ehr.calls.lock().unwrap().iter().all(|call| call.what == "Observation?"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_that_leads_nowhere_is_told_and_does_not_hold_the_patient_up() {
    each(&[tenant("general", &crawl("nightly", "general", 1, ""))], |world| async move {
        world
            .ehr
            .faults
            .lock()
            .unwrap()
            .missing
            .insert("Medication/aspirin".to_owned(), Code::UpstreamNotFound);
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        let done = worker.until(&run, "done").await.progress.unwrap();
        assert_eq!((done.quarantined, done.resources), (0, 5));
        let told =
            "SELECT count(*) FROM results WHERE resource_type = 'Medication' AND partial = 'ehr.not_found'";
        assert_eq!(world.number(told).await, 1);
    })
    .await;
}
