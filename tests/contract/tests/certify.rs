//! `sallyport certify` on the sandbox's EHRs as if they were somebody else's: registered by their address, launched by a
//! person, asked through the front door.

use std::path::PathBuf;

use sallyport::{
    certify::{self, row::State},
    cli::{AskerArgs, CertifyArgs, ReconcileArgs},
    demo::{browser::Browser, ehr_launch},
    reconcile,
};
use sallyport_clinical::Mapping;
use sallyport_test_e2e::world::World;

/// A tenant at whose endpoint nobody has launched.
const ELSEWHERE: &str = r#"[tenant]
id = "elsewhere"
name = "Elsewhere"
environment = "sandbox"
time_zone = "America/New_York"

[[endpoint]]
id = "ehr"
name = "An EHR of somebody else's"
vendor = "sandbox"
fhir_base = "https://ehr.example/fhir"
authorize_origins = ["https://ehr.example"]
token_origins = ["https://ehr.example"]
frame_ancestors = ["https://ehr.example"]

[policy]
jurisdiction = "US-MA"

[[policy.rule]]
name = "treatment"
purposes = ["TREAT"]
types = ["*"]
permit = true
"#;

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

/// A person launches at the instance's own EHR and leaves the session's cookie in a file, as the page tells people to.
async fn launched(world: &World) -> anyhow::Result<AskerArgs> {
    let mut browser = Browser::new();
    let launched = ehr_launch(&world.outside, &mut browser, "pat-0001").await?;
    let name = sallyport_model::session::cookie_name(launched.launch);
    let cookies = browser.cookie_header("localhost");
    let cookie = sallyport_model::session::cookies(&cookies).find(|(known, _)| *known == name);
    let file = world.data().join("cookie");
    std::fs::write(&file, format!("{}\n", cookie.map(|(_, value)| value).unwrap_or_default()))?;
    Ok(asker(world, launched.launch.to_string(), file))
}

/// Certifies the instance's own EHR as that product.
async fn certified(profile: &str, rows: Option<PathBuf>) -> anyhow::Result<(certify::Report, World)> {
    let world = World::start_with(&format!("[sandbox_ehr]\nprofile = \"{profile}\"\n")).await?;
    let args = CertifyArgs {
        endpoint: "sandbox".to_owned(),
        tenant: "general".to_owned(),
        json: false,
        rows,
        asker: launched(&world).await?,
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_is_tried_on_the_chart_of_a_launch_and_on_no_other_endpoints() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let tenants = folder.path().join("data/tenants");
    std::fs::create_dir_all(&tenants)?;
    std::fs::write(tenants.join("elsewhere.toml"), ELSEWHERE)?;
    let world = World::start_in(folder, "").await?;
    let mut args = ReconcileArgs {
        bundles: None,
        endpoint: Some("sandbox".to_owned()),
        tenant: Some("general".to_owned()),
        from: None,
        to: Mapping::V2026_2,
        fhir_version: None,
        values: false,
        json: false,
        asker: launched(&world).await?,
    };
    let report = reconcile::examine(&args).await?;
    anyhow::ensure!(report.charts == 1 && report.resources > 20 && report.unread.is_empty(), "{report}");
    anyhow::ensure!(!report.lines.is_empty(), "the second mapping changes something: {report}");
    let told = format!("{report}{}", serde_json::to_string(&report)?);
    for secret in ["pat-0001", "canary", "such as"] {
        anyhow::ensure!(!told.contains(secret), "{secret} is in {told}");
    }
    args.to = Mapping::V2026_1;
    let same = reconcile::examine(&args).await?;
    anyhow::ensure!(same.lines.is_empty() && same.resources == report.resources, "{same}");

    // The same launch, named as if it were one at somebody else's EHR.
    (args.tenant, args.endpoint) = (Some("elsewhere".to_owned()), Some("ehr".to_owned()));
    let asked = world.outside.requests(0).await?.len();
    let refused = reconcile::examine(&args).await.err().map(|error| format!("{error:#}")).unwrap_or_default();
    anyhow::ensure!(refused.contains("not one at endpoint ehr of tenant elsewhere"), "{refused}");
    anyhow::ensure!(world.outside.requests(0).await?.len() == asked, "nobody was asked");
    world.stop().await
}
