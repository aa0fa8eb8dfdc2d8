//! `[job.options]` of a crawl.

use sallyport_fhir::ResourceType;
use sallyport_registry::Job;
use serde::Deserialize;

use super::Types;

/// What a definition may say beside what every job says.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Options {
    /// Only these types; empty for all that the feature and the grant cover.
    pub(super) types: Vec<String>,
    /// Read what the patient's resources refer to and what belongs to nobody.
    pub(super) hydrate: bool,
    /// At most so many referenced resources for one patient.
    pub(super) hydrate_max: usize,
    /// A type is read whole again after so many days, however well changes can be asked for.
    pub(super) full_every_days: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { types: Vec::new(), hydrate: true, hydrate_max: 200, full_every_days: 7 }
    }
}

impl Options {
    /// Reads them. The error is the end of a sentence that starts with the job's name.
    pub(super) fn read(job: &Job) -> Result<Self, String> {
        job.options.clone().try_into().map_err(|error: toml::de::Error| {
            format!("has [job.options] that a crawl does not take: {}", error.message())
        })
    }

    /// The types to be read.
    pub(super) fn chosen(&self, mut types: Types) -> Types {
        if self.types.is_empty() {
            return types;
        }
        let is_chosen = |t: &ResourceType| self.types.iter().any(|name| name == t.as_str());
        types.owned.retain(is_chosen);
        types.shared.retain(is_chosen);
        types.has_patient &= is_chosen(&ResourceType::Patient);
        types
    }
}
