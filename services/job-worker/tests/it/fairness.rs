//! Fair over tenants: many waiting batches of one do not keep another's from starting.

use std::time::Duration;

use crate::world::{crawl, each, eventually, tenant};

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_with_a_thousand_waiting_batches_does_not_keep_another_waiting() {
    let many = crawl("huge", "general", 999, "batch_size = 1\nparallel_batches = 64");
    let few = crawl("small", "lakeside", 4, "batch_size = 2");
    each(&[tenant("general", &many), tenant("lakeside", &few)], |world| async move {
        world.ehr.faults.lock().unwrap().delay = Duration::from_millis(15);
        let worker = world.worker(1).await;
        let huge = worker.start("general", "huge").await.unwrap();
        worker.until_done(&huge, 8).await;
        let before = world.ehr.count();
        let small = worker.start("lakeside", "small").await.unwrap();
        worker.until(&small, "done").await;
        let first = world.ehr.tenants().iter().skip(before).position(|tenant| tenant == "lakeside").unwrap();
        // A slot's turn is one batch of five calls; a few of them were on their way.
        assert!(first < 1_000, "{first} calls of another tenant came first");
        assert_eq!(worker.run(&huge).await.state, "running", "the large one is far from its end");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_batch_gives_way_while_others_wait_and_goes_on_where_it_was() {
    let long = crawl("long", "general", 400, "batch_size = 100\nparallel_batches = 4");
    let short = crawl("short", "lakeside", 4, "batch_size = 2");
    each(&[tenant("general", &long), tenant("lakeside", &short)], |world| async move {
        world.ehr.faults.lock().unwrap().delay = Duration::from_millis(5);
        let worker = world.worker(1).await;
        let long = worker.start("general", "long").await.unwrap();
        eventually("all places to be taken", || async { worker.progress(&long).await.batches_in_hand == 4 })
            .await;
        let short = worker.start("lakeside", "short").await.unwrap();
        worker.until(&short, "done").await;
        let progress = worker.progress(&long).await;
        assert!(progress.items_done < 400, "{progress:?}");
        world.ehr.faults.lock().unwrap().delay = Duration::ZERO;
        let done = worker.until(&long, "done").await.progress.unwrap();
        assert_eq!((done.items_done, done.subjects), (400, 400));
        assert_eq!(world.number("SELECT count(*) FROM results WHERE writes <> 1").await, 0);
    })
    .await;
}
