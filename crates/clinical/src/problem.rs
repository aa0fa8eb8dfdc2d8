//! What of a section could not be read, and why: data about missing data, for people and programs.

use sallyport_model::Code;
use serde::{Deserialize, Serialize};

use crate::FhirVersion;

/// The kinds of missing data; a person is told different things about each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// The EHR did not answer, or answered with an error.
    Failed,
    /// It was not asked for, because the permission was not granted.
    NotGranted,
    /// The organisation's policy or the EHR withheld it.
    Withheld,
    /// There is more in the EHR than was read.
    Truncated,
    /// One resource could not be understood; the rest of the section could.
    Unreadable,
}

/// One thing that is missing from a section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReadProblem {
    /// What kind of gap.
    pub kind: ProblemKind,
    /// The stable code, e.g. `ehr.busy`.
    pub code: String,
    /// What happened, for a person.
    pub message: String,
    /// What to do next, for a person.
    pub next_step: String,
    /// The resource type concerned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resource_type: Option<String>,
    /// `Type/id` of the one resource concerned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reference: Option<String>,
}

impl ReadProblem {
    /// The problem that a refused or failed call of `resource_type` leaves behind.
    pub fn from_code(code: Code, resource_type: &str) -> Self {
        let kind = match code {
            Code::ScopeDenied | Code::FeatureOff | Code::FeatureUnknown | Code::TypeDenied => {
                ProblemKind::NotGranted
            }
            Code::PolicyDenied
            | Code::UpstreamForbidden
            | Code::UpstreamForeignPatient
            | Code::PartialWithheldByEhr => ProblemKind::Withheld,
            Code::PartialNarrowed
            | Code::PartialShortRead
            | Code::PartialLoop
            | Code::PartialStall
            | Code::PartialPageLimit => ProblemKind::Truncated,
            _ => ProblemKind::Failed,
        };
        Self {
            kind,
            code: code.as_str().to_owned(),
            message: code.sentence().to_owned(),
            next_step: code.next_step().to_owned(),
            resource_type: Some(resource_type.to_owned()),
            reference: None,
        }
    }

    /// The EHR holds more of `resource_type` than the pages that were read.
    pub fn truncated(resource_type: &str) -> Self {
        Self {
            kind: ProblemKind::Truncated,
            code: "chart.truncated".to_owned(),
            message: "The EHR has more entries than were read.".to_owned(),
            next_step: "Look in the EHR for older entries.".to_owned(),
            resource_type: Some(resource_type.to_owned()),
            reference: None,
        }
    }

    /// There were more resources than a section is made of.
    pub(crate) fn more_than_shown() -> Self {
        Self {
            kind: ProblemKind::Truncated,
            code: "chart.truncated".to_owned(),
            message: "More entries were read than can be shown together.".to_owned(),
            next_step: "Look in the EHR for the others.".to_owned(),
            resource_type: None,
            reference: None,
        }
    }

    /// The section is not mapped from the version of FHIR that the endpoint speaks.
    pub(crate) fn not_mapped(version: FhirVersion) -> Self {
        Self {
            kind: ProblemKind::Failed,
            code: "chart.version_not_mapped".to_owned(),
            message: format!("This part of the chart is not read from an EHR that speaks FHIR {version}."),
            next_step: "Look for it in the EHR.".to_owned(),
            resource_type: None,
            reference: None,
        }
    }

    /// One resource that could not be understood. Says nothing of its content.
    pub(crate) fn unreadable(resource_type: Option<&str>, reference: Option<String>) -> Self {
        Self {
            kind: ProblemKind::Unreadable,
            code: "chart.resource_unreadable".to_owned(),
            message: "One entry is not in the form that FHIR prescribes and is not shown.".to_owned(),
            next_step: "Look for it in the EHR; its source can be opened here.".to_owned(),
            resource_type: resource_type.map(ToOwned::to_owned),
            reference,
        }
    }
}
