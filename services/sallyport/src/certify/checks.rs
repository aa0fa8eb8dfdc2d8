//! What is tried on an EHR: the resources of the patient summary, how they are asked for, and which rule expects what.

/// One search, with the category by which the truth is counted where it is known.
#[derive(Debug, Clone, Copy)]
pub struct Search {
    /// The type.
    pub kind: &'static str,
    /// What is asked beside the patient.
    pub more: &'static str,
    /// The category that the search is limited to.
    pub category: Option<&'static str>,
}

const fn all(kind: &'static str) -> Search {
    Search { kind, more: "", category: None }
}

const fn of(kind: &'static str, more: &'static str, category: &'static str) -> Search {
    Search { kind, more, category: Some(category) }
}

impl Search {
    /// What its cells are about.
    pub fn label(&self) -> String {
        match self.category {
            None => self.kind.to_owned(),
            Some(category) => format!("{} ({category})", self.kind),
        }
    }
}

/// The searches of the patient summary.
pub const SEARCHES: &[Search] = &[
    all("AllergyIntolerance"),
    all("Condition"),
    all("DiagnosticReport"),
    all("DocumentReference"),
    all("Encounter"),
    all("Immunization"),
    all("MedicationRequest"),
    of("Observation", "&category=laboratory", "laboratory"),
    of("Observation", "&category=vital-signs", "vital-signs"),
    all("Procedure"),
];

/// The types that are read one by one, by an id that a search gave.
pub const READS: &[&str] = &["Patient", "Condition", "Observation"];

/// What a search by patient is expected to answer.
pub const SEARCH_RULE: &str = "US Core 6.1: a server shall support search by patient on this type; FHIR R4 3.1.1: a searchset, every match of this patient";
/// What pages are expected to do.
pub const PAGE_RULE: &str =
    "FHIR R4 3.1.1.5: the next link leads through all matches, each once, until there is no next link";
/// What a read is expected to answer.
pub const READ_RULE: &str = "FHIR R4 3.1.0.1: read answers 200 with the resource of that id";
/// What is expected where there is nothing.
pub const UNKNOWN_RULE: &str = "FHIR R4 3.1.0.1: an unknown id is 404 with an OperationOutcome";
/// What an EHR is expected to say of itself.
pub const METADATA_RULE: &str = "FHIR R4 3.1.0.9: GET [base]/metadata answers a CapabilityStatement";
