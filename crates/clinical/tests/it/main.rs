//! The normaliser through its public door: what EHRs really send in, the chart out.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod absence;
mod arbitrary;
mod banner;
mod hostile;
mod lists;
mod medications;
mod observations;
mod reconcile;
mod robustness;
mod versions;

use sallyport_clinical::{
    ChartSection, Content, Context, FhirVersion, Input, Mapping, ReadProblem, Section, normalise,
};
use sallyport_model::{EncounterId, PatientId};

/// When everything was read.
const READ_AT: i64 = 1_784_037_720_000_000;
const BASE: &str = "https://ehr.example/fhir";

/// Normalises resources given as JSON.
fn read(section: Section, resources: &[&str]) -> ChartSection {
    read_with(section, resources, Vec::new())
}

/// The same with problems of the reads themselves.
fn read_with(section: Section, resources: &[&str], problems: Vec<ReadProblem>) -> ChartSection {
    read_by(FhirVersion::R4, Mapping::V2026_1, section, resources, problems)
}

/// Resources of that version of FHIR.
fn read_as(version: FhirVersion, section: Section, resources: &[&str]) -> ChartSection {
    read_by(version, Mapping::V2026_1, section, resources, Vec::new())
}

/// Everything given.
fn read_by(
    fhir_version: FhirVersion,
    mapping: Mapping,
    section: Section,
    resources: &[&str],
    problems: Vec<ReadProblem>,
) -> ChartSection {
    let patient = PatientId::parse("pat-1").unwrap();
    let encounter = EncounterId::parse("enc-1").unwrap();
    let context =
        Context { patient: &patient, encounter: Some(&encounter), fhir_base: BASE, fhir_version, mapping };
    let inputs: Vec<Input<'_>> =
        resources.iter().map(|r| Input { resource: r.as_bytes(), read_at: READ_AT }).collect();
    normalise(section, &context, &inputs, problems)
}

/// The entries of a list section.
macro_rules! items {
    ($section:expr, $kind:ident) => {
        match $section.content {
            sallyport_clinical::Content::$kind { items } => items,
            other => panic!("not the section asked for: {other:?}"),
        }
    };
}
use items;

fn observations(section: ChartSection) -> sallyport_clinical::observations::Observations {
    match section.content {
        Content::Vitals(observations) | Content::Results(observations) => observations,
        other => panic!("no observations: {other:?}"),
    }
}
