//! `sallyport reconcile`: what would change in charts between two versions of the mapping, before an endpoint is moved.
//!
//! Reads records from a folder and calls nobody. Says which elements of how many entries would change, and shows values
//! only when asked: they are patient data.

mod folder;
mod report;

use std::{io::Write, process::ExitCode};

use sallyport_clinical::{Context, Input, reconcile::reconcile};
use sallyport_model::PatientId;

pub use report::{Line, Report, Values};

use crate::cli::ReconcileArgs;

/// Something would change.
const EXIT_CHANGES: u8 = 3;

/// Runs the command: 0 when nothing would change, 3 when something would.
///
/// # Errors
/// When the folder cannot be read, or nothing in it is a record.
pub fn run(args: &ReconcileArgs) -> anyhow::Result<ExitCode> {
    let report = examine(args)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(if report.lines.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_CHANGES) })
}

/// Maps every chart of the folder twice.
///
/// # Errors
/// When the folder cannot be read, or nothing in it is a record.
pub fn examine(args: &ReconcileArgs) -> anyhow::Result<Report> {
    let records = folder::read(&args.bundles)?;
    let mut report = Report::new(args, &records);
    for (patient, sections) in &records.charts {
        let Ok(patient) = PatientId::parse(patient) else {
            report.left_out += sections.values().map(Vec::len).sum::<usize>();
            continue;
        };
        let context = Context {
            patient: &patient,
            encounter: None,
            fhir_base: "",
            fhir_version: args.fhir_version,
            mapping: args.from,
        };
        let mut changes = Vec::new();
        for (section, resources) in sections {
            let inputs: Vec<Input<'_>> =
                resources.iter().map(|r| Input { resource: r.as_bytes(), read_at: 0 }).collect();
            changes.extend(reconcile(*section, &context, args.to, &inputs));
        }
        report.chart(changes);
    }
    Ok(report)
}

#[cfg(test)]
mod tests;
