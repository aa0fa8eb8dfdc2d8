//! Every fault that the sandbox EHR knows, through a whole instance: each has its defined outcome, and none is a defect of ours.

use sallyport_test_contract::knobs::{self, Bench, OF_ANSWERS, OF_LAUNCHES, OF_READS};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_an_answer_comes_to_its_defined_outcome() -> anyhow::Result<()> {
    let mut bench = Bench::tight().await?;
    let mut wrong = Vec::new();
    for (fault, outcome) in OF_ANSWERS {
        let found = bench.searched(fault).await?;
        if found != knobs::told(*outcome) {
            wrong.push(format!("{fault}: {found}, not {}", knobs::told(*outcome)));
        }
    }
    for (fault, outcome) in OF_READS {
        let found = bench.read(fault).await?;
        if found != knobs::told(*outcome) {
            wrong.push(format!("{fault} of a read: {found}, not {}", knobs::told(*outcome)));
        }
    }
    anyhow::ensure!(wrong.is_empty(), "{wrong:#?}");
    bench.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_a_launch_comes_to_a_chart_or_to_its_code() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let mut wrong = Vec::new();
    for (fault, code) in OF_LAUNCHES {
        let found = bench.launches(fault).await?;
        let expected = code.map_or_else(|| "opens".to_owned(), |code| format!("refused {code}"));
        if found != expected {
            wrong.push(format!("{fault}: {found}, not {expected}"));
        }
    }
    anyhow::ensure!(wrong.is_empty(), "{wrong:#?}");
    bench.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_of_the_catalogue_is_without_its_outcome() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let names = OF_ANSWERS.iter().map(|(name, _)| *name).chain(OF_LAUNCHES.iter().map(|(name, _)| *name));
    let known: Vec<&str> = names.collect();
    let is_known = |name: &String| {
        // `5xx` and `<argument>` stand for many.
        known.contains(&name.as_str())
            || name == "5xx"
            || (name.contains('<') && known.iter().any(|known| knobs::plain(known) == knobs::plain(name)))
    };
    let missing: Vec<String> =
        knobs::catalogue(&bench.world).await?.into_iter().filter(|n| !is_known(n)).collect();
    anyhow::ensure!(missing.is_empty(), "these have no defined outcome: {missing:?}");
    bench.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_ehr_masks_is_shown_as_withheld_and_not_as_unknown() -> anyhow::Result<()> {
    let mut bench = Bench::start().await?;
    for section in ["problems", "results", "vitals", "immunizations"] {
        let chart = bench.masked(section).await?.to_string();
        anyhow::ensure!(chart.contains(r#""absent":"masked""#), "{section}: {chart}");
    }
    bench.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_that_the_product_forbids_though_it_was_granted_is_the_ehrs_refusal_and_nothing_else_of_the_chart()
-> anyhow::Result<()> {
    let mut bench = Bench::of("veradigm").await?;
    let found = bench.asked("Coverage").await?;
    anyhow::ensure!(found == "refused ehr.forbidden", "{found}");
    let coverage = bench.section("coverage").await?;
    anyhow::ensure!(coverage["state"] == "withheld", "{coverage}");
    let found = bench.asked("Condition").await?;
    anyhow::ensure!(found == "whole", "the rest goes on: {found}");
    anyhow::ensure!(bench.section("problems").await?["state"] == "complete");
    bench.stop().await
}
