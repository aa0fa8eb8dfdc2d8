//! The normalised chart: FHIR resources as EHRs really send them, turned into one shape for pages and programs.
//!
//! Level 0: no I/O. [`plan()`] says what to read for a [`Section`], [`follow_up`] what the answers refer to, and
//! [`normalise()`] makes a [`ChartSection`] of it. Every value keeps where it came from; nothing is guessed, nothing that
//! could not be read is dropped silently. Parsing borrows from the answer's bytes. Which version of FHIR was sent
//! ([`FhirVersion`]) and by which version of the mapping it is read ([`Mapping`]) are inputs, and are told.

pub mod allergies;
pub mod banner;
pub mod careteam;
pub mod chart;
pub mod concept;
pub mod conditions;
pub mod coverage;
pub mod date;
pub mod documents;
pub mod encounters;
pub mod immunizations;
mod mapping;
pub mod medications;
mod normalise;
pub mod observations;
mod parse;
pub mod plan;
pub mod problem;
pub mod procedures;
pub mod reconcile;
pub mod record;
pub mod section;
pub mod value;
mod version;

pub use chart::{ChartSection, Content, SectionState};
pub use mapping::{Mapping, UnknownMapping};
pub use normalise::{Input, normalise};
pub use parse::{MAX_OBJECTS, MAX_RESOURCES};
pub use plan::{Context, Interaction, Query, follow_up, plan};
pub use problem::{ProblemKind, ReadProblem};
pub use section::{Section, UnknownSection};
pub use version::{FhirVersion, UnknownVersion};
