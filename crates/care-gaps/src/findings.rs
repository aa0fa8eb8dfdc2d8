//! What one scan found about one patient, as it is kept and shown.

use serde::{Deserialize, Serialize};

use crate::{Assessment, Editable};

/// The judgements of one scan. Holds patient data: no `Debug`, no `Display`; it is sealed where it is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// When it judged, microseconds since the epoch.
    pub judged_at: i64,
    /// The logical id of the patient whom it judged, so that whoever opens it can see that it is about the right one.
    pub patient: String,
    /// One per measure.
    pub assessments: Vec<Assessment>,
}

/// What a scan proposes that a person writes, and why. Holds patient data: no `Debug`, no `Display`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposed {
    /// The logical id of the patient whom it is about.
    pub patient: String,
    /// As what it would be written.
    pub resource_type: String,
    /// The resource as it would be written, byte for byte.
    pub payload: String,
    /// When it was judged, microseconds since the epoch.
    pub judged_at: i64,
    /// The judgement with its evidence.
    pub assessment: Assessment,
    /// What a person may change of it before approving; nothing where it was kept before there was such a thing.
    #[serde(default)]
    pub editable: Vec<Editable>,
}
