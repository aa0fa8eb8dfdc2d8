//! The suite, once for each product. A product may be worse than `strict`, but never without a word, never with another
//! patient's data, and never by a defect of ours.

use sallyport::certify::row::{self, State};
use sallyport_test_contract::suite::{self, Outcome};

/// Runs the suite and checks what holds for every product.
async fn found(profile: &str, test: &str) -> anyhow::Result<Outcome> {
    let outcome = suite::run(profile, test).await?;
    row::write(profile, &outcome.rows)?;
    anyhow::ensure!(outcome.foreign.is_empty(), "others' canaries: {:?}", outcome.foreign);
    anyhow::ensure!(outcome.broken.is_empty(), "defects of ours: {:?}", outcome.broken);
    anyhow::ensure!(outcome.silent.is_empty(), "wrong without a word: {:?}", outcome.silent);
    anyhow::ensure!(!outcome.rows.is_empty(), "a suite that tried nothing found nothing");
    Ok(outcome)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strict_is_verified_in_every_cell() -> anyhow::Result<()> {
    let outcome = found("strict", "products::strict_is_verified_in_every_cell").await?;
    let wrong: Vec<_> = outcome.rows.iter().filter(|row| row.state != State::Verified).collect();
    anyhow::ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_that_loses_matches_is_not_verified() -> anyhow::Result<()> {
    let outcome = suite::run_spoiled("strict", "none: a planted fault", "page-short").await?;
    let lost = |row: &&row::Row| row.interaction == "search" && row.state == State::Verified;
    let whole: Vec<_> = outcome.rows.iter().filter(lost).map(|row| row.resource.clone()).collect();
    anyhow::ensure!(whole.len() < 3, "half of each page was lost and nobody saw it: {whole:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cell_of_epic_has_a_state() -> anyhow::Result<()> {
    found("epic", "products::every_cell_of_epic_has_a_state").await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cell_of_oracle_has_a_state() -> anyhow::Result<()> {
    found("oracle", "products::every_cell_of_oracle_has_a_state").await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cell_of_athena_has_a_state() -> anyhow::Result<()> {
    found("athena", "products::every_cell_of_athena_has_a_state").await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cell_of_ecw_has_a_state() -> anyhow::Result<()> {
    found("ecw", "products::every_cell_of_ecw_has_a_state").await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cell_of_meditech_has_a_state() -> anyhow::Result<()> {
    found("meditech", "products::every_cell_of_meditech_has_a_state").await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cell_of_nextgen_has_a_state() -> anyhow::Result<()> {
    found("nextgen", "products::every_cell_of_nextgen_has_a_state").await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cell_of_veradigm_has_a_state() -> anyhow::Result<()> {
    found("veradigm", "products::every_cell_of_veradigm_has_a_state").await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_at_a_product_takes_no_cell_away() -> anyhow::Result<()> {
    // One whose statement says more than is true, and one that needs parameters.
    for profile in ["veradigm", "nextgen"] {
        let test = "products::a_look_at_a_product_takes_no_cell_away";
        let (before, after) = (suite::run(profile, test).await?, suite::run_looked_at(profile, test).await?);
        anyhow::ensure!(before.rows == after.rows, "{profile}: {:#?} was {:#?}", after.rows, before.rows);
    }
    Ok(())
}
