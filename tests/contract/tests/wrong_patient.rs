//! Generated queries over all products, two patients in turns: nobody else's canary comes out. 5,000 of them; 100,000 with
//! SALLYPORT_TEST_LONG=1; SALLYPORT_TEST_QUERIES says another number. SALLYPORT_TEST_SEED repeats a run.

use sallyport_test_contract::oracle::{self, Kind};
use sallyport_testkit::assurance::Report;

fn queries() -> usize {
    let given = std::env::var("SALLYPORT_TEST_QUERIES").ok().and_then(|queries| queries.parse().ok());
    let usual =
        if std::env::var("SALLYPORT_TEST_LONG").is_ok_and(|long| long == "1") { 100_000 } else { 5_000 };
    given.unwrap_or(usual)
}

fn seed() -> u64 {
    let given = std::env::var("SALLYPORT_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| rand::random::<u32>().into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_query_of_any_product_brings_another_patients_canary() -> anyhow::Result<()> {
    let seed = seed();
    println!("seed {seed}");
    let report = Report::new("wrong-patient oracle").scenario("all products").unit("queries").seed(seed);
    let found = oracle::run(queries(), seed).await?;
    println!("{} asked, {} with the own canary, {} withheld whole", found.asked, found.own, found.withheld);
    println!("of each kind, asked and answered: {:?}", found.kinds);
    anyhow::ensure!(found.foreign.is_empty(), "another patient came out: {:#?}", found.foreign);
    anyhow::ensure!(found.broken.is_empty(), "defects of ours: {:#?}", found.broken);
    // An oracle that nothing was asked would be green too.
    anyhow::ensure!(found.asked >= queries(), "{} asked", found.asked);
    anyhow::ensure!(found.own * 8 > found.asked, "{} of {} held the own patient", found.own, found.asked);
    anyhow::ensure!(found.withheld * 50 > found.asked, "the EHR mixed up patients {} times", found.withheld);
    for kind in [Kind::Read, Kind::Search, Kind::ById, Kind::Post, Kind::Page, Kind::Section, Kind::Source] {
        let (asked, answered) = found.kinds.get(&kind).copied().unwrap_or_default();
        anyhow::ensure!(answered * 10 > asked, "{kind:?}: {answered} of {asked} were answered");
    }
    for kind in [Kind::OthersSearch, Kind::OthersPage] {
        let (asked, answered) = found.kinds.get(&kind).copied().unwrap_or_default();
        anyhow::ensure!(asked > 0 && answered == 0, "{kind:?}: {answered} of {asked} were answered");
    }
    report.tried(found.asked as u64).write();
    Ok(())
}
