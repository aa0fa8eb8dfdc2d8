//! Items that cannot be done: set aside alone, seen, tried again.

use sallyport_model::Code;
use sallyport_proto::jobs::v1::{ListDeadLettersRequest, RedriveRequest, Run};

use crate::world::{Worker, crawl, each, tenant};

async fn letters(worker: &Worker, run: &Run) -> Vec<(String, i64)> {
    let request = ListDeadLettersRequest { tenant: "general".to_owned(), run_id: run.run_id.clone() };
    let letters = worker.client().list_dead_letters(request).await.unwrap().into_inner().letters;
    letters.into_iter().map(|letter| (letter.code, letter.attempts)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_patient_is_set_aside_alone_and_its_neighbours_finish() {
    let jobs = crawl("nightly", "general", 20, "batch_size = 10\nattempts = 3");
    each(&[tenant("general", &jobs)], |world| async move {
        let poisoned = [("p003", Code::UpstreamError), ("p004", Code::UpstreamForeignPatient)];
        for (patient, code) in poisoned {
            world.ehr.faults.lock().unwrap().poisoned.insert(patient.to_owned(), code);
        }
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        let done = worker.until(&run, "done").await.progress.unwrap();
        assert_eq!((done.quarantined, done.subjects), (2, 18));
        let mut letters = letters(&worker, &run).await;
        letters.sort();
        assert_eq!(letters, [("ehr.error".to_owned(), 3), ("ehr.foreign_patient".to_owned(), 3)]);
        let searches = world.ehr.calls_about("p003", "Condition?");
        assert_eq!(searches, 3, "tried as often as the definition says");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_ehr_does_not_know_is_set_aside_at_once() {
    let jobs = crawl("nightly", "general", 5, "");
    each(&[tenant("general", &jobs)], |world| async move {
        world.ehr.faults.lock().unwrap().poisoned.insert("p001".to_owned(), Code::UpstreamNotFound);
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        worker.until(&run, "done").await;
        assert_eq!(letters(&worker, &run).await, [("ehr.not_found".to_owned(), 1)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_driven_again_once() {
    let jobs = crawl("nightly", "general", 5, "attempts = 1");
    each(&[tenant("general", &jobs)], |world| async move {
        world.ehr.faults.lock().unwrap().poisoned.insert("p001".to_owned(), Code::UpstreamError);
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        worker.until(&run, "done").await;
        world.ehr.faults.lock().unwrap().poisoned.clear();
        let request = RedriveRequest {
            run_id: run.run_id.clone(),
            letter_id: Vec::new(),
            by: "ada".to_owned(),
            reason: "the EHR is whole again".to_owned(),
        };
        assert_eq!(worker.client().redrive(request.clone()).await.unwrap().into_inner().redriven, 1);
        let done = worker.until(&run, "done").await.progress.unwrap();
        assert_eq!((done.quarantined, done.subjects), (0, 5));
        assert_eq!(worker.client().redrive(request).await.unwrap().into_inner().redriven, 0);
        assert_eq!(world.number("SELECT count(*) FROM results WHERE writes <> 1").await, 0);
    })
    .await;
}
