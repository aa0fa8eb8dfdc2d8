//! `sallyport certify` on the sandbox's EHRs as if they were somebody else's: registered by their address, launched by a
//! person, asked through the front door.

use std::path::PathBuf;

use sallyport::{
    certify::{self, row::State},
    cli::{AskerArgs, CertifyArgs},
    demo::{browser::Browser, ehr_launch},
};
use sallyport_test_e2e::world::World;

/// A person's launch.
fn asker(world: &World, launch: String, cookie_file: PathBuf) -> AskerArgs {
    AskerArgs {
        launch: Some(launch),
        cookie_file: Some(cookie_file),
        reason: "a test".to_owned(),
        place: world.outside.ready.place(),
        ..AskerArgs::default()
    }
}

/// Certifies the instance's own EHR as that product.
async fn certified(profile: &str, rows: Option<PathBuf>) -> anyhow::Result<(certify::Report, World)> {
    let world = World::start_with(&format!("[sandbox_ehr]\nprofile = \"{profile}\"\n")).await?;
    let mut browser = Browser::new();
    let launched = ehr_launch(&world.outside, &mut browser, "pat-0001").await?;
    let name = sallyport_model::session::cookie_name(launched.launch);
    let cookies = browser.cookie_header("localhost");
    let cookie = sallyport_model::session::cookies(&cookies).find(|(known, _)| *known == name);
    let file = world.data().join("cookie");
    std::fs::write(&file, format!("{}\n", cookie.map(|(_, value)| value).unwrap_or_default()))?;
    let args = CertifyArgs {
        endpoint: "sandbox".to_owned(),
        tenant: "general".to_owned(),
        json: false,
        rows,
        asker: asker(&world, launched.launch.to_string(), file),
    };
    Ok((certify::certify(&args).await?, world))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ehr_that_does_all_is_certified_and_its_support_can_find_every_request() -> anyhow::Result<()> {
    let (report, world) = certified("strict", None).await?;
    anyhow::ensure!(report.is_whole(), "{}", report.text());
    anyhow::ensure!(report.asked.len() == 15 && report.rows.len() > report.asked.len(), "{}", report.text());
    let log = world.outside.requests(0).await?;
    for exchange in report.asked.iter().flat_map(|asked| &asked.exchanges) {
        anyhow::ensure!(!exchange.request_id.is_empty(), "{}", report.text());
        if exchange.ehr_status.is_some() {
            let at_the_ehr = log.iter().any(|seen| seen.to_string().contains(&exchange.request_id));
            anyhow::ensure!(at_the_ehr, "{} never reached the EHR", exchange.request_id);
        }
    }
    let answered =
        report.asked.iter().flat_map(|asked| &asked.exchanges).filter(|e| e.ehr_status == Some(200));
    anyhow::ensure!(answered.count() > 10, "{}", report.text());
    world.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_product_does_otherwise_is_in_the_report_and_nothing_of_the_patient() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (report, world) = certified("nextgen", Some(folder.path().to_owned())).await?;
    let (text, json) = (report.text(), serde_json::to_string(&report)?);
    anyhow::ensure!(!report.is_whole() && text.contains("degraded"), "its pages end too early: {text}");
    let named = report.asked.iter().flat_map(|asked| &asked.exchanges).filter(|e| e.ehr_request_id.is_some());
    anyhow::ensure!(named.count() > 5, "its own ids are told: {text}");
    for secret in ["pat-0001", "canary", "Condition/cond", "__Host"] {
        anyhow::ensure!(!text.contains(secret) && !json.contains(secret), "{secret} is in {text}");
    }
    anyhow::ensure!(report.rows.iter().all(|row| row.profile == "general/sandbox" && !row.test.is_empty()));
    anyhow::ensure!(report.rows.iter().any(|row| row.state == State::Degraded), "{:#?}", report.rows);
    world.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_launch_that_is_not_open_certifies_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    let file = world.data().join("cookie");
    std::fs::write(&file, "A".repeat(43))?;
    let args = CertifyArgs {
        endpoint: "sandbox".to_owned(),
        tenant: "general".to_owned(),
        json: false,
        rows: None,
        asker: asker(&world, "0".repeat(32), file),
    };
    let refused = certify::certify(&args).await.err().map(|error| format!("{error:#}")).unwrap_or_default();
    anyhow::ensure!(refused.contains("not open"), "{refused}");
    world.stop().await
}
