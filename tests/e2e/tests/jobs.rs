//! Jobs in the composed binary, over a sandbox EHR that lives on while the binary dies.

use sallyport_test_e2e::jobs;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crawl_of_two_hundred_patients_keeps_everything_once() -> anyhow::Result<()> {
    jobs::a_crawl_keeps_everything_once().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_in_the_middle_of_a_crawl_lose_nothing_and_double_nothing() -> anyhow::Result<()> {
    jobs::kills_lose_nothing_and_double_nothing().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_stood_still_beyond_its_lease_writes_nothing_late() -> anyhow::Result<()> {
    jobs::a_process_that_stood_still_writes_nothing_late().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ehr_that_is_gone_is_waited_for() -> anyhow::Result<()> {
    jobs::an_ehr_that_is_gone_is_waited_for().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_that_is_taken_away_stops_the_run_which_goes_on_when_it_is_back() -> anyhow::Result<()> {
    jobs::a_scope_that_is_taken_away_stops_the_run().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_is_killed_keeps_what_an_undisturbed_one_keeps() -> anyhow::Result<()> {
    jobs::a_killed_export_keeps_what_an_undisturbed_one_keeps().await
}
