//! How a configuration comes together: defaults, then the file, then the environment.

use std::path::Path;

use figment::{
    Figment,
    providers::{Env, Format, Toml},
};

use super::{ConfigError, File};

/// In front of every variable that is a key: `SALLYPORT_DATABASE__URL` is `database.url`.
const PREFIX: &str = "SALLYPORT_";

/// Reads a file, if one is given, and what the environment says over it.
///
/// # Errors
/// [`ConfigError`] names the file and line, or the variable.
pub fn load(path: Option<&Path>) -> Result<File, ConfigError> {
    let text = match path {
        Some(path) => std::fs::read_to_string(path).map_err(|error| {
            ConfigError(format!("cannot read the configuration file {}: {error}", path.display()))
        })?,
        None => String::new(),
    };
    // By itself first: only the TOML reader knows the line of a mistake.
    parse(&text).map_err(|reason| {
        ConfigError(format!("{}: {reason}", path.unwrap_or(Path::new("(no file)")).display()))
    })?;
    let file: File = Figment::from(Toml::string(&text)).merge(environment()).extract().map_err(|error| {
        let key = error.path.join("__").to_uppercase();
        ConfigError(format!("environment variable {PREFIX}{key}: {}", error.kind))
    })?;
    file.validate().map_err(ConfigError)?;
    Ok(file)
}

/// Only names with a section are keys; `SALLYPORT_ENVIRONMENT` is the one without. Others belong to tools.
fn environment() -> Env {
    Env::prefixed(PREFIX).filter(|key| key.as_str().contains("__") || key == "environment").split("__")
}

pub(super) fn parse(text: &str) -> Result<File, String> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
        format!("line {line}: {}", error.message())
    })
}
