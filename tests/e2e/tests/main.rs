//! Walkthroughs through the front door, on the embedded back ends.

use sallyport_test_e2e::scenario;

/// The product's panic hook tells no messages, so a failure is told before the test ends.
#[expect(clippy::print_stderr, reason = "the harness shows what a failed test printed")]
fn told(result: &anyhow::Result<()>) {
    if let Err(error) = result {
        eprintln!("{error:#}");
    }
    assert!(result.is_ok(), "the scenario does not hold");
}

/// How many interleaved calls the tabs test makes; all of them with SALLYPORT_TEST_LONG=1.
fn tab_calls() -> usize {
    if std::env::var("SALLYPORT_TEST_LONG").is_ok_and(|v| v == "1") { 100_000 } else { 10_000 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_launch_holds_in_every_line_of_the_demonstration() {
    told(&scenario::one_launch_holds().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tabs_with_two_patients_never_mix() {
    told(&scenario::two_tabs_never_mix(tab_calls()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_canary_turns_up_in_any_sink() {
    told(&scenario::no_canary_in_any_sink().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_meets_one_clear_error_each() {
    told(&scenario::bad_input_meets_one_clear_error_each().await);
}
