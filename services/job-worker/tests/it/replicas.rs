//! Several workers: a batch is worked on by one of them, whatever the queue does.

use std::time::Duration;

use sallyport_queue::{Message, Queue};
use uuid::Uuid;

use crate::world::{World, crawl, each, eventually, quick, tenant};

/// Every batch there is, handed over once more: a queue delivers at least once. A worker has taken each or left it when this
/// comes back.
async fn again(world: &World) {
    let ids: Vec<(Uuid,)> =
        sallyport_db::on_pool!(world.pool, |c| sqlx::query_as("SELECT batch_id FROM batches")
            .fetch_all(c)
            .await)
        .unwrap();
    for (id,) in ids {
        world.queue.publish("jobs.batches", Message::new(id, id.as_bytes().to_vec())).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_again_and_again_starts_no_batch_twice() {
    let jobs = crawl("nightly", "general", 40, "batch_size = 10\nparallel_batches = 6");
    each(&[tenant("general", &jobs)], |world| async move {
        let (open, answers) = tokio::sync::watch::channel(false);
        world.ehr.faults.lock().unwrap().answers = Some(answers);
        // Leases longer than the test may take: one that runs out makes the batch another's. Slots enough for every message.
        let config = sallyport_job_worker::Config { lease_ms: 600_000, slots: 32, ..quick() };
        let workers = [
            world.worker_on(1, world.pool.replica(), &config).await,
            world.worker_on(2, world.pool.replica(), &config).await,
            world.worker_on(3, world.pool.replica(), &config).await,
        ];
        let run = workers[0].start("general", "nightly").await.unwrap();
        // All four batches are in hand, each at its first patient, whose call is not answered yet.
        eventually("every batch to be begun", || async { world.ehr.patients().len() == 4 }).await;
        for _ in 0..5 {
            again(&world).await;
        }
        open.send_replace(true);
        workers[1].until(&run, "done").await;
        let twice = world.ehr.asked_twice();
        assert!(twice.is_empty(), "read twice: {twice:?}");
        assert_eq!(world.ehr.searches().len(), 40);
        assert_eq!(world.number("SELECT count(*) FROM results WHERE writes <> 1").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_has_no_more_batches_in_hand_than_its_definition_says() {
    let jobs = crawl("nightly", "general", 60, "batch_size = 5\nparallel_batches = 1");
    each(&[tenant("general", &jobs)], |world| async move {
        world.ehr.faults.lock().unwrap().delay = Duration::from_millis(3);
        let workers = [world.worker(1).await, world.worker(2).await];
        let run = workers[0].start("general", "nightly").await.unwrap();
        let mut most = 0;
        while workers[0].run(&run).await.state == "running" {
            most = most.max(world.number("SELECT count(*) FROM batches WHERE state = 'leased'").await);
        }
        assert_eq!(most, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_the_queue_lost_is_published_again() {
    let jobs = crawl("nightly", "general", 10, "batch_size = 5");
    each(&[tenant("general", &jobs)], |world| async move {
        let operator = world.operator().await;
        let run = operator.start("general", "nightly").await.unwrap();
        // As if somebody else had handed it to a broker that forgot it.
        world.execute("UPDATE outbox SET published_at = due_at, published_by = batch_id").await;
        let worker = world.worker(1).await;
        worker.until(&run, "done").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_asked_to_end_puts_its_batches_back() {
    let jobs = crawl("nightly", "general", 40, "batch_size = 20");
    each(&[tenant("general", &jobs)], |world| async move {
        world.ehr.faults.lock().unwrap().delay = Duration::from_millis(10);
        let operator = world.operator().await;
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        worker.until_done(&run, 3).await;
        worker.end().await;
        assert_eq!(operator.progress(&run).await.batches_in_hand, 0);
        let other = world.worker(2).await;
        other.until(&run, "done").await;
        assert_eq!(world.number("SELECT count(*) FROM results WHERE writes <> 1").await, 0);
    })
    .await;
}
