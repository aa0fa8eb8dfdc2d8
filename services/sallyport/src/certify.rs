//! `sallyport certify`: the contract suite's read-only checks on a registered endpoint, through an open launch, with a report
//! that the vendor's support can read. What the EHR holds is not known here, so an answer is held against the rules.

pub mod asking;
pub mod checks;
mod correlate;
mod door;
mod judge;
mod report;
pub mod row;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use sallyport_model::{Clock, EndpointId, LaunchId, Secret, SystemClock, TenantId};
use url::Url;

pub use report::{Asked, Exchange, Report};

use crate::{
    check,
    cli::CertifyArgs,
    compose::{self, DEFAULT_DATA_DIR},
    config,
    ready::Ready,
};
use door::FrontDoor;

/// Not all is as expected.
const NOT_WHOLE: u8 = 3;
/// What a row says found it.
const TEST: &str = "sallyport certify";

/// `sallyport certify`.
///
/// # Errors
/// When the launch is not open, or nothing answers.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub async fn run(args: CertifyArgs) -> anyhow::Result<ExitCode> {
    let report = Box::pin(certify(&args)).await?;
    if let Some(folder) = &args.rows {
        row::write_to(folder, &format!("{}-{}", args.tenant, args.endpoint), &report.rows)?;
    }
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print!("{}", report.text()),
    }
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::from(NOT_WHOLE) })
}

/// Asks everything, and the audit log for the EHR's own ids of the requests.
///
/// # Errors
/// When the launch is not open or is one of another endpoint, or nothing answers.
pub async fn certify(args: &CertifyArgs) -> anyhow::Result<Report> {
    let config = config::load(args.place.config.as_deref())?;
    let folder = args.place.data_dir.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR));
    let running = Ready::read(&Ready::path_in(&folder)).ok();
    // An instance with a sandbox of its own knows one tenant more than its files say.
    let registry = match running.as_ref().map(|ready| ready.ehr.as_str()).filter(|ehr| !ehr.is_empty()) {
        Some(ehr) => compose::registry(&config, &folder, Some(ehr))?,
        None => check::tenants(&config, &args.place)?,
    };
    let tenant = TenantId::parse(&args.tenant).context("that is not a tenant's id")?;
    let endpoint = EndpointId::parse(&args.endpoint).context("that is not an endpoint's id")?;
    let endpoint = registry.endpoint(&tenant, &endpoint).with_context(|| {
        format!("there is no endpoint {} of tenant {tenant} in the tenants' files", args.endpoint)
    })?;
    let launch = LaunchId::parse(&args.launch).context("that is not a launch's handle")?;
    let cookie = std::fs::read_to_string(&args.cookie_file)
        .with_context(|| format!("cannot read {}", args.cookie_file.display()))?;
    let app = args.app.clone().or(running.map(|ready| ready.app)).unwrap_or(config.server.public_url);
    let app = Url::parse(&app).context("say with --app where the app is reached")?;
    let mut door = FrontDoor::new(&app, launch, &Secret::new(cookie.trim().to_owned()))?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let report = Report {
        tenant: args.tenant.clone(),
        endpoint: args.endpoint.clone(),
        vendor: endpoint.vendor.to_string(),
        fhir_base: endpoint.fhir_base.clone(),
        at: jiff::Timestamp::from_microsecond(SystemClock.now()).map(|at| at.to_string()).unwrap_or_default(),
        version,
        asked: Vec::new(),
        rows: Vec::new(),
    };
    let mut report = judge::all(&mut door, &app, launch, report, endpoint.mapping).await?;
    correlate::with_the_log(args, launch, &mut report).await?;
    Ok(report)
}
