//! Schedules: one run for a moment, over all workers and restarts.

use crate::world::{crawl, each, eventually, tenant};

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_of_the_schedule_starts_one_run_over_all_workers() {
    let jobs = crawl("minutely", "general", 2, "schedule = \"* * * * *\"");
    each(&[tenant("general", &jobs)], |world| async move {
        // The last start was two minutes ago, as far as the rows tell: one is due now.
        let operator = world.operator().await;
        let first = operator.start("general", "minutely").await.unwrap();
        let now = sallyport_model::Clock::now(&sallyport_model::SystemClock);
        assert!(now > 0);
        let moment = now - now.rem_euclid(60_000_000) - 120_000_000;
        sallyport_db::on_pool!(world.pool, |c| sqlx::query(
            "UPDATE runs SET scheduled_for = $1, state = 'done', is_planned = 1"
        )
        .bind(moment)
        .execute(c)
        .await
        .map(|_done| ()))
        .unwrap();
        world.execute("UPDATE batches SET state = 'done'").await;
        world.execute("DELETE FROM outbox").await;
        let workers = [world.worker(1).await, world.worker(2).await, world.worker(3).await];
        eventually("a scheduled run", || async {
            world.number("SELECT count(*) FROM runs WHERE started_by = 'schedule'").await > 0
        })
        .await;
        tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
        let doubled = "SELECT count(*) FROM (SELECT scheduled_for FROM runs GROUP BY scheduled_for \
                       HAVING count(*) > 1) AS twice";
        assert_eq!(world.number(doubled).await, 0);
        let started = world.number("SELECT count(*) FROM runs WHERE started_by = 'schedule'").await;
        assert!((1..=2).contains(&started), "{started} runs: a minute may have turned meanwhile");
        assert_eq!(workers[0].run(&first).await.state, "done");
    })
    .await;
}
