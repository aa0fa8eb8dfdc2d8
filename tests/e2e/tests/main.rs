//! Walkthroughs through the front door, on the embedded back ends.

use sallyport_test_e2e::scenario;
use sallyport_testkit::assurance::Report;

/// The product's panic hook tells no messages, so a failure is told before the test ends.
#[expect(clippy::print_stderr, reason = "the harness shows what a failed test printed")]
fn told<T>(result: anyhow::Result<T>) -> T {
    if let Err(error) = &result {
        eprintln!("{error:#}");
    }
    result.expect("the scenario holds")
}

/// What this run stands on, for the account it gives.
fn back_ends() -> &'static str {
    let is_real = std::env::var("SALLYPORT_TEST_BACK_ENDS").is_ok_and(|v| v == "real");
    if is_real { "PostgreSQL, Redis, RabbitMQ, OpenBao" } else { "embedded" }
}

/// How many interleaved calls the tabs test makes; all of them with SALLYPORT_TEST_LONG=1.
fn tab_calls() -> usize {
    if std::env::var("SALLYPORT_TEST_LONG").is_ok_and(|v| v == "1") { 100_000 } else { 10_000 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_launch_holds_in_every_line_of_the_demonstration() {
    told(scenario::one_launch_holds().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tabs_with_two_patients_never_mix() {
    let report = Report::new("two tabs, two patients").scenario(back_ends()).unit("calls");
    told(scenario::two_tabs_never_mix(tab_calls()).await);
    report.tried(tab_calls() as u64).write();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_canary_turns_up_in_any_sink() {
    let report = Report::new("canaries in every sink").scenario(back_ends()).unit("searches");
    let searches = told(scenario::no_canary_in_any_sink().await);
    report.tried(searches as u64).write();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_meets_one_clear_error_each() {
    let report = Report::new("bad input").scenario(back_ends()).unit("requests");
    let requests = told(scenario::bad_input_meets_one_clear_error_each().await);
    report.tried(requests as u64).write();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_shows_the_log_without_patients_until_somebody_says_why() {
    told(scenario::the_console_shows_the_log_without_patients_until_somebody_says_why().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_chart_shows_its_own_patients_care_gaps() {
    told(scenario::each_chart_shows_its_own_patients_care_gaps().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_clicked_five_times_with_the_network_cut_is_one_record() {
    told(scenario::an_approval_clicked_five_times_with_the_network_cut_is_one_record().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_ends_what_it_covers_and_its_report_verifies() {
    told(scenario::an_incident_ends_what_it_covers_and_its_report_verifies().await);
}
