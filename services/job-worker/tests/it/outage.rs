//! The broker and the database gone in the middle of a run: it comes to its end when they are back, and nothing is doubled.

use std::{sync::atomic::Ordering, time::Duration};

use sallyport_db::testing::TestDb;
use sallyport_job_worker::MIGRATIONS;
use sallyport_testkit::fault_proxy::{Fault, FaultProxy, address_in};

use crate::world::{World, crawl, each, eventually, quick, tenant};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_broker_refuses_or_forgets_is_handed_over_again() {
    let jobs = crawl("nightly", "general", 40, "batch_size = 4");
    each(&[tenant("general", &jobs)], |world| async move {
        let worker = world.worker(1).await;
        world.queue.is_gone.store(true, Ordering::SeqCst);
        let run = worker.start("general", "nightly").await.unwrap();
        eventually("refusals", || async { world.queue.lost.load(Ordering::SeqCst) >= 3 }).await;
        assert_eq!(world.ehr.count(), 0);
        world.queue.is_gone.store(false, Ordering::SeqCst);
        worker.until_done(&run, 8).await;
        let before = world.queue.lost.load(Ordering::SeqCst);
        world.queue.forgets.store(true, Ordering::SeqCst);
        eventually("losses", || async { world.queue.lost.load(Ordering::SeqCst) > before }).await;
        world.queue.forgets.store(false, Ordering::SeqCst);
        let done = worker.until(&run, "done").await.progress.unwrap();
        assert_eq!((done.subjects, done.rewritten, done.quarantined), (40, 0, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_a_run_stands_still_and_goes_on_from_its_checkpoints() {
    let Some(database) = TestDb::server(MIGRATIONS).await else { return };
    let url = database.url().unwrap();
    let proxy = FaultProxy::start(address_in(url)).await;
    let pool = database.by_way_of(&proxy.instead_of(url)).unwrap();
    let jobs = crawl("nightly", "general", 120, "batch_size = 10\nattempts = 1");
    let world = World::new(pool, &[tenant("general", &jobs)], &quick());
    world.ehr.faults.lock().unwrap().delay = Duration::from_millis(10);
    let worker = world.worker(1).await;
    let run = worker.start("general", "nightly").await.unwrap();
    for fault in [Fault::Blackhole, Fault::Reset] {
        let done = worker.progress(&run).await.items_done;
        worker.until_done(&run, done + 5).await;
        proxy.set(fault);
        // The lease is a second: until it is over work may go on, and then it must not.
        tokio::time::sleep(Duration::from_millis(6_000)).await;
        let calls = world.ehr.count();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(world.ehr.count(), calls, "{fault:?}: a call under a lease that could not be renewed");
        proxy.set(Fault::Pass);
        eventually("the database to be used again", || async {
            let request = sallyport_proto::jobs::v1::GetRunRequest { run_id: run.run_id.clone() };
            worker.client().get_run(request).await.is_ok()
        })
        .await;
    }
    let done = worker.until(&run, "done").await.progress.unwrap();
    assert_eq!((done.subjects, done.rewritten, done.quarantined), (120, 0, 0));
    drop(worker);
    world.pool.close().await;
    database.close().await.unwrap();
}
