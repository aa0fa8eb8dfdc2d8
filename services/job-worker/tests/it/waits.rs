//! Closed windows: what the EHR said, its limits, the job's own hours and pace.

use std::time::Duration;

use sallyport_model::{Clock, Code, SystemClock};
use sallyport_proto::gateway::v1::wait::Reason;

use crate::world::{crawl, each, eventually, tenant};

const HOUR: i64 = 3_600 * 1_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn no_call_is_made_before_the_time_that_the_ehr_named() {
    let jobs = crawl("nightly", "general", 1_000, "batch_size = 5\nparallel_batches = 6");
    each(&[tenant("general", &jobs)], |world| async move {
        world.ehr.faults.lock().unwrap().delay = Duration::from_millis(3);
        let workers = [world.worker(1).await, world.worker(2).await, world.worker(3).await];
        let run = workers[0].start("general", "nightly").await.unwrap();
        workers[0].until_done(&run, 10).await;
        let until = SystemClock.now() + 5 * HOUR;
        world.ehr.faults.lock().unwrap().closed_until = Some((until, Reason::Ehr));
        eventually("batches to be put back", || async {
            let progress = workers[1].progress(&run).await;
            progress.waits_for == "vendor" && progress.batches_in_hand == 0
        })
        .await;
        assert_eq!(workers[1].progress(&run).await.waits_until, until);
        let calls = world.ehr.count();
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(world.ehr.count(), calls, "called inside the closed window");
        assert_eq!(workers[1].run(&run).await.state, "running");
        // The window ends.
        {
            let mut faults = world.ehr.faults.lock().unwrap();
            (faults.closed_until, faults.delay) = (None, Duration::ZERO);
        }
        world.execute("UPDATE holds SET until = 0").await;
        world.execute("UPDATE outbox SET due_at = 0").await;
        world.execute("UPDATE batches SET not_before = 0").await;
        let done = workers[2].until(&run, "done").await.progress.unwrap();
        assert_eq!((done.items_done, done.quarantined), (1_000, 0));
        assert_eq!(world.number("SELECT count(*) FROM results WHERE writes <> 1").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_wait_is_sat_out() {
    each(&[tenant("general", &crawl("nightly", "general", 3, ""))], |world| async move {
        let until = SystemClock.now() + 500_000;
        world.ehr.faults.lock().unwrap().closed_until = Some((until, Reason::Places));
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        worker.until(&run, "done").await;
        assert_eq!(world.number("SELECT count(*) FROM holds").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ehr_that_is_away_costs_no_item_an_attempt() {
    each(&[tenant("general", &crawl("nightly", "general", 3, "attempts = 1"))], |world| async move {
        world.ehr.faults.lock().unwrap().everything = Some(Code::UpstreamUnreachable);
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        eventually("the run to wait", || async { worker.progress(&run).await.waits_for == "vendor" }).await;
        world.ehr.faults.lock().unwrap().everything = None;
        let done = worker.until(&run, "done").await.progress.unwrap();
        assert_eq!((done.items_done, done.quarantined), (3, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_ours_that_is_away_is_waited_for() {
    each(&[tenant("general", &crawl("nightly", "general", 3, "attempts = 1"))], |world| async move {
        world.ehr.faults.lock().unwrap().everything = Some(Code::AuditUnavailable);
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        eventually("calls to be made", || async { world.ehr.count() >= 3 }).await;
        world.ehr.faults.lock().unwrap().everything = None;
        let done = worker.until(&run, "done").await.progress.unwrap();
        assert_eq!((done.items_done, done.quarantined), (3, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_its_hours_a_run_asks_nobody_for_anything() {
    // Every day of a year is blacked out, whenever this test runs.
    let today = SystemClock.now().div_euclid(86_400 * 1_000_000);
    let days: Vec<String> = (-2..3)
        .map(|ahead| {
            let moment = jiff::Timestamp::from_second((today + ahead) * 86_400).unwrap();
            moment.to_string()[..10].to_owned()
        })
        .collect();
    let jobs = crawl("nightly", "general", 3, &format!("blackout = [{}]", days.join(", ")));
    each(&[tenant("general", &jobs)], |world| async move {
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        eventually("the run to wait", || async { worker.progress(&run).await.waits_for == "window" }).await;
        assert!(worker.progress(&run).await.waits_until > SystemClock.now());
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(world.ehr.count(), 0);
        assert!(world.owners.opened.lock().unwrap().is_empty(), "no token was asked for");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_keeps_to_its_own_pace_over_all_its_places() {
    let jobs =
        crawl("nightly", "general", 30, "batch_size = 3\nparallel_batches = 4\ncalls_per_minute = 1200")
            + "[job.options]\ntypes = [\"Observation\"]\nhydrate = false\n";
    each(&[tenant("general", &jobs)], |world| async move {
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        worker.until(&run, "done").await;
        let calls: Vec<i64> = world.ehr.calls.lock().unwrap().iter().map(|call| call.at).collect();
        let (first, last) = (calls.iter().min().unwrap(), calls.iter().max().unwrap());
        // 30 calls at 20 a second, the first lot of 5 at once: never under 25 intervals of 50 ms, less clocks' grain.
        assert!(last - first >= 1_150_000, "{} µs for {} calls", last - first, calls.len());
    })
    .await;
}
