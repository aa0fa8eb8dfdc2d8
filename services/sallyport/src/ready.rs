//! The ready file: every URL of a running instance as JSON, written when all is ready.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::cli::Where;

/// Where a running instance is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ready {
    /// The app's origin.
    pub app: String,
    /// The sandbox EHR's origin; empty when there is none.
    pub ehr: String,
    /// The FHIR base that the sandbox sends as `iss`.
    pub fhir_base: String,
    /// Health, metrics and traces.
    pub admin: String,
    /// The same of every process, where there are several.
    #[serde(default)]
    pub admins: Vec<String>,
    /// The operators' socket.
    pub operator_socket: PathBuf,
    /// The operators' configuration, where the services are reached over the network.
    #[serde(default)]
    pub operator_config: Option<PathBuf>,
    /// Where data is kept.
    pub data_dir: PathBuf,
    /// The process.
    pub pid: u32,
}

impl Ready {
    /// The file that every instance keeps in its data folder while it runs.
    pub fn path_in(data_dir: &Path) -> PathBuf {
        data_dir.join("ready.json")
    }

    /// Every process's admin port.
    pub fn admin_ports(&self) -> Vec<&str> {
        if self.admins.is_empty() {
            return vec![&self.admin];
        }
        self.admins.iter().map(String::as_str).collect()
    }

    /// How operators reach it.
    pub fn place(&self) -> Where {
        Where { data_dir: Some(self.data_dir.clone()), config: self.operator_config.clone() }
    }

    /// Writes it whole: a reader never sees half of it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        let partial = path.with_extension("partial");
        std::fs::write(&partial, text).with_context(|| format!("cannot write {}", partial.display()))?;
        std::fs::rename(&partial, path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Reads what a running instance wrote.
    ///
    /// # Errors
    /// When there is none, or it is not readable.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("no instance seems to run there: {} cannot be read", path.display()))?;
        Ok(serde_json::from_str(&text)?)
    }
}
