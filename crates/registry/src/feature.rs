//! Features: the unit of least privilege. A call runs under one; what is outside its scopes is refused even when the
//! token would allow it.

use sallyport_clinical::Mapping;
use sallyport_model::{FeatureId, Purpose, scope::ScopeSet};

/// Who uses a feature and how its authority is obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureKind {
    /// A person at the screen; asked for at launch.
    InteractiveRead,
    /// A person at the screen, by a step-up authorisation of its own after a recorded clinical validation.
    InteractiveWrite,
    /// A job on a user's offline grant.
    Offline,
    /// A job as a registered service.
    Service,
}

/// A named capability.
#[derive(Debug, Clone)]
pub struct Feature {
    /// Its name in configuration, records and the `X-Sallyport-Feature` header.
    pub id: FeatureId,
    /// For people.
    pub title: String,
    /// Who uses it.
    pub kind: FeatureKind,
    /// Without any of these it is off.
    pub required: ScopeSet,
    /// Each of these adds a part; without it that part says so.
    pub optional: ScopeSet,
    /// Why data is used.
    pub purpose: Purpose,
    /// Chart sections it carries.
    pub sections: Vec<String>,
    /// What it is, for a risk review, e.g. `read-only, minimal`.
    pub posture: String,
    /// The words that justify it to a vendor's reviewer.
    pub justification: String,
    /// Who has found, with patients' safety in mind, that it may write here; none for features that write nothing.
    pub validation: Option<Validation>,
}

/// A recorded clinical validation: without it a feature writes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    /// Who: a name and a role.
    pub by: String,
    /// When, `2026-11-30`.
    pub on: String,
    /// Where the evidence is: a document, a ticket, a test report.
    pub evidence: String,
    /// The version of the mapping that was looked at; another one has to be looked at anew.
    pub mapping: Mapping,
}

impl Feature {
    /// Whether it was validated with this version of the mapping.
    pub fn is_validated_for(&self, mapping: Mapping) -> bool {
        self.validation.as_ref().is_some_and(|validation| validation.mapping == mapping)
    }

    /// Everything that a launch asks for on its behalf.
    pub fn scopes(&self) -> ScopeSet {
        self.required.union(&self.optional)
    }

    /// Whether what was granted is enough to have it on.
    pub fn is_on(&self, granted: &ScopeSet) -> bool {
        !self.required.is_empty() && self.required.resources().all(|scope| granted.covers(scope))
    }
}
