//! `sallyport reconcile`: what would change in charts between two versions of the mapping, before an endpoint is moved.
//!
//! Reads records from a folder and calls nobody, or a registered endpoint's charts as they are now: a launch's, or those of
//! its test patients. Says which elements of how many entries would change, and shows values only when asked: they are
//! patient data.

mod folder;
mod live;
mod report;

use std::{io::Write, process::ExitCode};

use anyhow::bail;
use sallyport_clinical::{Context, FhirVersion, Input, Mapping, reconcile::reconcile};
use sallyport_model::PatientId;

pub use report::{Line, Report, Values};

use crate::{asker::Asker, cli::ReconcileArgs};
use folder::Records;

/// Something would change.
const EXIT_CHANGES: u8 = 3;

/// Runs the command: 0 when nothing would change, 3 when something would.
///
/// # Errors
/// As [`examine`].
pub async fn run(args: &ReconcileArgs) -> anyhow::Result<ExitCode> {
    let report = Box::pin(examine(args)).await?;
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(if report.lines.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_CHANGES) })
}

/// Maps every chart twice.
///
/// # Errors
/// When the folder cannot be read or nothing in it is a record; when the endpoint cannot be asked.
pub async fn examine(args: &ReconcileArgs) -> anyhow::Result<Report> {
    if let Some(folder) = &args.bundles {
        let records = folder::read(folder)?;
        let from = args.from.unwrap_or_default();
        return Ok(compared(args, from, args.fhir_version.unwrap_or_default(), "", &records));
    }
    let (Some(tenant), Some(endpoint)) = (&args.tenant, &args.endpoint) else {
        bail!("say what is compared: a folder of records (--bundles), or --endpoint and --tenant");
    };
    let mut asker = Box::pin(Asker::open(&args.asker, tenant, endpoint)).await?;
    let from = args.from.unwrap_or(asker.endpoint.mapping);
    let version = args.fhir_version.or(asker.endpoint.configured_version).unwrap_or_default();
    let records = live::read(&mut asker, version, from).await?;
    Ok(compared(args, from, version, asker.endpoint.base(), &records))
}

fn compared(
    args: &ReconcileArgs,
    from: Mapping,
    fhir_version: FhirVersion,
    fhir_base: &str,
    records: &Records,
) -> Report {
    let mut report = Report::new(args, from, fhir_version, records);
    for (patient, sections) in &records.charts {
        let Ok(patient) = PatientId::parse(patient) else {
            report.left_out += sections.values().map(Vec::len).sum::<usize>();
            continue;
        };
        let context = Context { patient: &patient, encounter: None, fhir_base, fhir_version, mapping: from };
        let mut changes = Vec::new();
        for (section, resources) in sections {
            let inputs: Vec<Input<'_>> =
                resources.iter().map(|r| Input { resource: r.as_bytes(), read_at: 0 }).collect();
            changes.extend(reconcile(*section, &context, args.to, &inputs));
        }
        report.chart(changes);
    }
    report
}

#[cfg(test)]
mod tests;
