//! The authorisation matrix.

use sallyport_test_e2e::matrix;
use sallyport_testkit::assurance::Report;

#[test]
fn every_method_of_every_contract_has_a_row() -> anyhow::Result<()> {
    matrix::every_method_has_a_row()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_method_answers_as_its_row_says_whoever_calls_and_in_whatever_state() -> anyhow::Result<()> {
    let report = Report::new("authorisation matrix").unit("calls");
    let cells = matrix::holds().await?;
    report.tried(u64::try_from(cells)?).write();
    println!("{cells} calls: each method, each caller, each state, in process and over mutual TLS");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_console_a_method_answers_as_its_row_says_whoever_is_signed_in() -> anyhow::Result<()> {
    let report = Report::new("authorisation matrix").scenario("the console").unit("calls");
    let cells = matrix::console_holds().await?;
    report.tried(u64::try_from(cells)?).write();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ran_out_opens_nothing_whoever_asks() -> anyhow::Result<()> {
    let report = Report::new("authorisation matrix").scenario("sessions that ran out").unit("calls");
    let cells = matrix::sessions_that_ran_out_open_nothing().await?;
    report.tried(u64::try_from(cells)?).write();
    Ok(())
}

#[test]
fn the_page_of_the_matrix_is_current() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/AUTHORISATION.md");
    if std::env::var("SALLYPORT_GENERATE").is_ok_and(|v| v == "write") {
        std::fs::write(&path, matrix::page()).expect("docs can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == matrix::page(), "docs/AUTHORISATION.md is stale: run scripts/generate");
}
