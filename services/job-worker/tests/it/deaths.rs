//! Workers that die and workers that stand still: nothing is lost, nothing doubled, nothing written late.

use std::time::Duration;

use sallyport_telemetry::metrics::Metrics;

use crate::world::{World, crawl, each, eventually, quick, tenant};

/// Deaths in a test of every day; many more in the long suite.
fn deaths(few: usize, many: usize) -> usize {
    if std::env::var("SALLYPORT_TEST_LONG").is_ok_and(|v| v == "1") { many } else { few }
}

/// A pseudo-random sequence that a failure can be repeated from.
fn pauses(seed: u64) -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(seed), |last| {
        Some(last.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1))
    })
    .map(|n| Duration::from_millis(20 + (n >> 33) % 180))
}

async fn nothing_lost_nothing_doubled(world: &World, patients: i64) {
    assert_eq!(world.number("SELECT count(DISTINCT subject) FROM results").await, patients);
    assert_eq!(world.number("SELECT count(*) FROM results").await, patients * 5);
    assert_eq!(world.number("SELECT count(*) FROM results WHERE writes <> 1").await, 0, "written twice");
    assert_eq!(world.number("SELECT CAST(SUM(position) AS BIGINT) FROM batches").await, patients);
    assert_eq!(world.number("SELECT count(*) FROM quarantine").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_deaths_lose_nothing_and_double_nothing() {
    let jobs = crawl("nightly", "general", 200, "batch_size = 10\nparallel_batches = 3");
    each(&[tenant("general", &jobs)], |world| async move {
        world.ehr.faults.lock().unwrap().delay = Duration::from_millis(8);
        let mut worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        for pause in pauses(7).take(deaths(15, 1_000)) {
            tokio::time::sleep(pause).await;
            drop(worker);
            worker = world.worker(1).await;
        }
        worker.until(&run, "done").await;
        nothing_lost_nothing_doubled(&world, 200).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_right_after_something_became_durable_doubles_nothing() {
    let jobs = crawl("nightly", "general", 4, "batch_size = 4");
    each(&[tenant("general", &jobs)], |world| async move {
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        eventually("something to be kept", || async {
            world.number("SELECT count(*) FROM results").await > 0
        })
        .await;
        drop(worker);
        let again = world.worker(1).await;
        again.until(&run, "done").await;
        nothing_lost_nothing_doubled(&world, 4).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_worker_had_in_hand_another_takes_up_after_its_lease() {
    let jobs = crawl("nightly", "general", 200, "batch_size = 10");
    each(&[tenant("general", &jobs)], |world| async move {
        world.ehr.faults.lock().unwrap().delay = Duration::from_millis(10);
        let dead = world.worker(1).await;
        let run = dead.start("general", "nightly").await.unwrap();
        dead.until_done(&run, 3).await;
        drop(dead);
        let alive = world.worker(2).await;
        assert!(alive.progress(&run).await.batches_in_hand > 0, "its leases are still there");
        alive.until(&run, "done").await;
        nothing_lost_nothing_doubled(&world, 200).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_worker_takes_its_own_leases_back_at_once() {
    let jobs = crawl("nightly", "general", 40, "batch_size = 10");
    each(&[tenant("general", &jobs)], |world| async move {
        // Longer than the test may take: whoever waits for it to run out never gets there.
        let config = sallyport_job_worker::Config { lease_ms: 600_000, ..quick() };
        world.ehr.faults.lock().unwrap().delay = Duration::from_millis(10);
        let dead = world.worker_on(1, world.pool.replica(), &config).await;
        let run = dead.start("general", "nightly").await.unwrap();
        dead.until_done(&run, 3).await;
        drop(dead);
        let again = world.worker_on(1, world.pool.replica(), &config).await;
        again.until(&run, "done").await;
        nothing_lost_nothing_doubled(&world, 40).await;
    })
    .await;
}

/// What is known of a worker on a runtime of its own.
struct Apart {
    thread: std::thread::JoinHandle<()>,
    end: tokio::sync::oneshot::Sender<()>,
    metrics: Metrics,
}

impl Apart {
    /// How many batches it has had and has no more.
    fn left(&self) -> u64 {
        let text = self.metrics.render();
        let counts = text.lines().filter(|line| line.starts_with("sallyport_job_leases_total{"));
        counts.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
    }
}

/// A worker on a runtime of its own with a single thread: when that stands still, so do its heartbeats, as in a process that was
/// stopped.
async fn apart(world: &World, id: u128) -> Apart {
    let world = world.clone();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let (born, metrics) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let worker = world.worker(id).await;
            born.send(worker.metrics.clone()).ok().unwrap();
            // A sender that is gone means the same.
            let _either_way = ended.await;
            drop(worker);
        });
    });
    Apart { thread, end, metrics: metrics.await.unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stood_still_beyond_its_lease_writes_nothing() {
    let jobs = crawl("nightly", "general", 4, "batch_size = 4");
    each(&[tenant("general", &jobs)], |world| async move {
        for _ in 0..deaths(5, 200) {
            world.execute("DELETE FROM results").await;
            world.ehr.calls.lock().unwrap().clear();
            // Beyond the lease of a second, and not so long that it would not know which grants are revoked.
            let still = Duration::from_millis(2_000);
            world.ehr.faults.lock().unwrap().stand_still.insert("p002".to_owned(), still);
            let operator = world.operator().await;
            let run = operator.start("general", "nightly").await.unwrap();
            let apart = apart(&world, 1).await;
            eventually("the worker to stand still", || async { world.ehr.patients().contains("p002") }).await;
            let before = apart.left();
            let other = world.worker(2).await;
            other.until(&run, "done").await;
            // The first one comes back: its call is answered, and it would write.
            eventually("the first one to be through with its batch", || async { apart.left() > before })
                .await;
            assert_eq!(
                world.number("SELECT count(*) FROM results WHERE writes <> 1").await,
                0,
                "written late"
            );
            assert_eq!(world.number("SELECT count(*) FROM results").await, 20);
            drop(apart.end);
            tokio::task::spawn_blocking(move || apart.thread.join().unwrap()).await.unwrap();
        }
    })
    .await;
}
