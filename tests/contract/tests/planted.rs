//! The oracle sees a mix-up: with the check on the way out switched off, canaries come out. Runs with the feature
//! `planted-bugs` alone.
#![cfg(feature = "planted-bugs")]

use sallyport_model::planted;
use sallyport_test_contract::oracle;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_bugs_turn_the_wrong_patient_oracle_red() -> anyhow::Result<()> {
    for profile in ["strict", "athena"] {
        planted::set(&[]);
        let found = oracle::one(profile, 120, 7).await?;
        anyhow::ensure!(found.foreign.is_empty() && found.withheld > 0, "{profile}: {found:#?}");
        planted::set(&["foreign-patient-out"]);
        let spoiled = oracle::one(profile, 120, 7).await;
        planted::set(&[]);
        anyhow::ensure!(
            !spoiled?.foreign.is_empty(),
            "{profile}: another patient came out and nobody saw it"
        );
    }
    Ok(())
}
