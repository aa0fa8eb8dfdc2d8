//! What every entry of the chart says about the resource behind it.

use std::sync::Arc;

use sallyport_model::Micros;
use serde::{Deserialize, Serialize};

use crate::concept::Coding;

/// Whether the entry counts as clinical truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It stands.
    Valid,
    /// Recorded by mistake: kept visible as such, never counted.
    EnteredInError,
    /// Looked into and found not to be so.
    Refuted,
}

/// The resource an entry was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Record {
    /// `Type/id`.
    #[schema(value_type = String)]
    pub reference: Arc<str>,
    /// `meta.versionId`, when sent.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<Arc<str>>,
    /// `meta.lastUpdated` as sent (several vendors never send it).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_updated: Option<String>,
    /// When it was read, microseconds since the epoch.
    pub read_at: Micros,
    /// `meta.profile`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub profiles: Vec<String>,
    /// `meta.security`: labels such as restricted or substance abuse treatment.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub security: Vec<Coding>,
    /// Whether it counts.
    pub standing: Standing,
    /// Reasons to look at the source before relying on this entry.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub cautions: Vec<String>,
    /// What was merged or chosen to make this entry, and why.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
}

impl Record {
    /// With that standing.
    pub(crate) fn with(self, standing: Standing) -> Self {
        Self { standing, ..self }
    }

    /// Whether the entry may be shown among what is true of the patient.
    pub fn is_valid(&self) -> bool {
        self.standing == Standing::Valid
    }
}
