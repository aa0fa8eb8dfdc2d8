//! `sallyport certify`: the contract suite's read-only checks on a registered endpoint, through an open launch or on the
//! endpoint's own grant, with a report that the vendor's support can read. What the EHR holds is not known here, so an answer is held against the rules.

pub mod asking;
pub mod checks;
mod correlate;
mod judge;
mod report;
pub mod row;

use std::process::ExitCode;

use sallyport_model::{Clock, SystemClock};

pub use report::{Asked, Exchange, Report};

use crate::{asker::Asker, cli::CertifyArgs};

/// Not all is as expected.
const NOT_WHOLE: u8 = 3;
/// What a row says found it.
const TEST: &str = "sallyport certify";

/// `sallyport certify`.
///
/// # Errors
/// When the launch is not open, nobody said how the endpoint is looked at, or nothing answers.
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
    let started = SystemClock.now();
    let mut asker = Box::pin(Asker::open(&args.asker, &args.tenant, &args.endpoint)).await?;
    let report = Report {
        tenant: args.tenant.clone(),
        endpoint: args.endpoint.clone(),
        vendor: asker.endpoint.vendor.to_string(),
        fhir_base: asker.endpoint.fhir_base.clone(),
        asked_by: if asker.launch.is_some() { "a person's launch" } else { "the endpoint's own grant" },
        at: jiff::Timestamp::from_microsecond(started).map(|at| at.to_string()).unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        asked: Vec::new(),
        rows: Vec::new(),
    };
    let mut report = judge::all(&mut asker, report).await?;
    correlate::with_the_log(args, (asker.launch, started), &mut report).await?;
    Ok(report)
}
