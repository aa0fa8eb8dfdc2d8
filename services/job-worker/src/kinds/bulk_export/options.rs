//! `[job.options]` of an export.

use sallyport_fhir::{ResourceType, params::TypeRule};
use sallyport_registry::Job;
use serde::Deserialize;

/// What a definition may say beside what every job says.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Options {
    /// The types to be exported. None is refused: left out, an EHR would take it for all of them.
    pub(super) types: Vec<String>,
    /// `Type?query` searches that the EHR narrows the export by, where its product does.
    pub(super) type_filters: Vec<String>,
    /// Only what has changed since the last whole export, where the product can tell.
    pub(super) incremental: bool,
    /// Files are compressed before they are sealed.
    pub(super) compress: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { types: Vec::new(), type_filters: Vec::new(), incremental: true, compress: true }
    }
}

impl Options {
    /// Reads them. The error is the end of a sentence that starts with the job's name.
    pub(super) fn read(job: &Job) -> Result<Self, String> {
        let options: Self = job.options.clone().try_into().map_err(|error: toml::de::Error| {
            format!("has [job.options] that an export does not take: {}", error.message())
        })?;
        if options.types.is_empty() {
            return Err("exports no type: name them in options.types".to_owned());
        }
        let is_known = |name: &String| ResourceType::parse(name).is_some_and(|t| TypeRule::of(t).is_some());
        match options.types.iter().find(|name| !is_known(name)) {
            Some(unknown) => {
                Err(format!("has options.types with \"{unknown}\", which is no type that can be read"))
            }
            None => Ok(options),
        }
    }
}
