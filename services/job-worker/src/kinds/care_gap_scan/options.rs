//! `[job.options]` of a care-gap scan.

use sallyport_care_gaps::{RuleFile, RuleSet};
use sallyport_registry::Job;
use serde::Deserialize;

use super::proposing::Proposes;

/// What a definition may say beside what every job says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Options {
    /// Value sets, criteria and measures, laid over those that ship with the product (docs/CARE-GAPS.md).
    rules: toml::Table,
    /// As what a gap is proposed to be written; absent: nothing is proposed.
    pub(super) proposes: Option<Proposes>,
}

impl Options {
    /// Reads them. The error is the end of a sentence that starts with the job's name.
    pub(super) fn read(job: &Job) -> Result<Self, String> {
        job.options.clone().try_into().map_err(|error: toml::de::Error| {
            format!("has [job.options] that a care-gap scan does not take: {}", error.message())
        })
    }

    /// The measures. The error is the end of a sentence that starts with the job's name.
    pub(super) fn rules(&self) -> Result<RuleSet, String> {
        let text = toml::to_string(&self.rules)
            .map_err(|error| format!("has rules that cannot be read: {error}"))?;
        RuleSet::with(&[RuleFile { name: "job.options.rules", text: &text }])
            .map_err(|wrong| format!("has rules that are not right: {wrong}"))
    }
}
