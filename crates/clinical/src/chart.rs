//! A section of the chart as it leaves: its state, its content and what is missing from it.

use sallyport_model::Micros;
use serde::{Deserialize, Serialize};

use crate::{
    FhirVersion, Mapping, ReadProblem, Section, allergies::Allergies, banner::Banner,
    careteam::CareTeamMember, conditions::Condition, coverage::Coverage, documents::Document,
    encounters::Encounter, immunizations::Immunization, medications::Medication, observations::Observations,
    procedures::Procedure,
};

/// Whether the section can be relied on to be whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SectionState {
    /// Everything that was asked for was read and understood.
    Complete,
    /// Something is there, something is missing: see `problems`.
    Partial,
    /// Nothing could be read.
    Failed,
    /// Nothing was asked for: the permission was not granted.
    NotGranted,
    /// Nothing is shown: the EHR or the organisation's policy withheld it.
    Withheld,
}

/// One section of the normalised chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChartSection {
    /// Which section.
    pub section: Section,
    /// Whether it is whole.
    pub state: SectionState,
    /// The version of FHIR it was made from.
    #[serde(default)]
    pub fhir_version: FhirVersion,
    /// The version of the mapping by which it was made.
    #[serde(default)]
    pub mapping: Mapping,
    /// When the oldest part was read, microseconds since the epoch; absent when nothing was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub read_at: Option<Micros>,
    /// How many resources it was made from.
    pub resources: usize,
    /// What is missing, and why.
    pub problems: Vec<ReadProblem>,
    /// The entries.
    pub content: Content,
}

/// The entries of a section, each kind in the order of clinical use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Content {
    /// Nothing was read.
    Nothing,
    /// The patient.
    Banner(Box<Banner>),
    /// Conditions: active first, newest first.
    Problems {
        /// The entries.
        items: Vec<Condition>,
    },
    /// Medication orders: active first, newest first.
    Medications {
        /// The entries.
        items: Vec<Medication>,
    },
    /// Allergies, or that none are known.
    Allergies(Allergies),
    /// Vital signs with their trends.
    Vitals(Observations),
    /// Laboratory results with their trends.
    Results(Observations),
    /// Encounters, newest first.
    Encounters {
        /// The entries.
        items: Vec<Encounter>,
    },
    /// Documents, newest first.
    Documents {
        /// The entries.
        items: Vec<Document>,
    },
    /// Immunizations, newest first.
    Immunizations {
        /// The entries.
        items: Vec<Immunization>,
    },
    /// Procedures, newest first.
    Procedures {
        /// The entries.
        items: Vec<Procedure>,
    },
    /// Members of the care teams.
    Careteam {
        /// The entries.
        items: Vec<CareTeamMember>,
    },
    /// Coverages.
    Coverage {
        /// The entries.
        items: Vec<Coverage>,
    },
}
