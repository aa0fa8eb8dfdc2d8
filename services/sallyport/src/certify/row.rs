//! A cell of the compatibility matrix, and the file that holds a product's cells.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where the rows are written; without it nothing is.
const FOLDER: &str = "SALLYPORT_CONTRACT_DIR";

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// What the EHR holds came out; where that is not known, what the rules expect.
    Verified,
    /// Something else came out; `why` says what, and whether the caller was told.
    Degraded,
    /// It was refused with a stable code.
    Unsupported,
    /// It was not tried: what it needs did not work.
    Unverified,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The sandbox's profile, or `tenant/endpoint` of a registered one.
    pub profile: String,
    /// The vendor profile by which it was spoken to.
    pub vendor: String,
    /// The feature under which the call ran.
    pub feature: String,
    /// The resource type; `–` where a row is about none.
    pub resource: String,
    /// `launch`, `metadata`, `read`, `search`, `page` or `error`.
    pub interaction: String,
    /// What was found.
    pub state: State,
    /// Why it is not verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The test that found it. A row cannot be made without one.
    pub test: String,
    /// The version of the chart's mapping.
    pub mapping: String,
    /// The app's version.
    pub version: String,
}

/// Writes a product's rows as JSON where the environment says so; answers where.
///
/// # Errors
/// When the file cannot be written.
pub fn write(profile: &str, rows: &[Row]) -> anyhow::Result<Option<PathBuf>> {
    let Some(folder) = std::env::var_os(FOLDER) else { return Ok(None) };
    write_to(Path::new(&folder), profile, rows).map(Some)
}

/// Writes rows as JSON into a folder; answers where.
///
/// # Errors
/// When the file cannot be written.
pub fn write_to(folder: &Path, name: &str, rows: &[Row]) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(format!("{name}.json"));
    std::fs::write(&path, format!("{}\n", serde_json::to_string_pretty(rows)?))?;
    Ok(path)
}
