//! An incident through the whole house: what it covers is refused, its neighbour reads on, and the report holds.

use std::time::Duration;

use anyhow::{Context, ensure};
use sallyport::{
    audit::check,
    cli::TrustArgs,
    demo::{browser::Browser, ehr_launch},
    incident::{House, close, open, plan},
};
use sallyport_model::ServiceName;
use sallyport_proto::{
    audit::v1::LogStatusRequest,
    convert,
    launch::v1::{IncidentScope, RunIncidentRequest, incident_scope::What},
};
use tokio::time::Instant;

use crate::world::World;

/// The longest that anybody waits for what happens in moments.
const PATIENCE: Duration = Duration::from_secs(60);

/// A launch is revoked by an incident; another launch of the same person at the same EHR is not.
///
/// # Errors
/// What did not hold.
pub async fn an_incident_ends_what_it_covers_and_its_report_verifies() -> anyhow::Result<()> {
    let world = World::start().await?;
    let outside = &world.outside;
    let patients = outside.patients().await?;
    let [first, second, ..] = patients.as_slice() else { anyhow::bail!("too few patients") };
    let mut browser = Browser::new();
    let stolen = ehr_launch(outside, &mut browser, first).await?;
    let neighbour = ehr_launch(outside, &mut browser, second).await?;
    let house = House {
        launches: outside.operator(ServiceName::LaunchAuth).await?,
        jobs: outside.operator(ServiceName::JobWorker).await?,
        audit: outside.operator(ServiceName::Audit).await?,
    };
    let what = What::Launch(convert::id_bytes(stolen.launch.uuid()));
    let scope = IncidentScope { tenant: "general".to_owned(), what: Some(what) };
    let (planned, runs) = plan(&house, scope.clone()).await?;
    let part = planned.targets.first().context("a part")?;
    let alive = part.grants.as_ref().map(|grants| grants.alive);
    ensure!((part.sessions, alive, runs.as_slice()) == (1, Some(1), &[0][..]), "{planned:?} {runs:?}");
    let own = stolen.url(outside, "fhir", &format!("Patient/{first}"))?;
    ensure!(browser.fetch(&own).await?.status == 200, "a dry run changes nothing");
    let asked = RunIncidentRequest {
        incident_id: Vec::new(),
        scope: Some(scope),
        operator: "tests".to_owned(),
        reason: "a stolen laptop".to_owned(),
    };
    let opened = open(&house, asked).await?;
    let deadline = Instant::now() + PATIENCE;
    while browser.fetch(&own).await?.status == 200 {
        ensure!(Instant::now() < deadline, "the revoked launch still reads");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let others = neighbour.url(outside, "fhir", &format!("Patient/{second}"))?;
    ensure!(browser.fetch(&others).await?.status == 200, "the neighbour reads on");
    let (closed, note) = close(&house, opened).await?;
    let report: serde_json::Value = serde_json::from_str(&closed.report)?;
    for counted in ["/revoked/sessions", "/revoked/grants"] {
        ensure!(
            report.pointer(counted).and_then(serde_json::Value::as_i64) == Some(1),
            "{counted}: {report}"
        );
    }
    ensure!(!closed.report.contains(first.as_str()), "no patient is named");
    let path = world.data().join("incident.report");
    std::fs::write(&path, &note)?;
    let status = outside.audit().log_status(LogStatusRequest { tenant: String::new() }).await?.into_inner();
    let key = status.logs.into_iter().next().context("a log")?.key;
    let trust = TrustArgs { key: Some(key), witness_key: Vec::new() };
    ensure!(check(&path, &trust)?.contains("a stolen laptop"), "the report is checked offline");
    std::fs::write(&path, note.replace("stolen", "mislaid"))?;
    ensure!(check(&path, &trust).is_err(), "an altered report does not verify");
    world.stop().await?;
    Ok(())
}
