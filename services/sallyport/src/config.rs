//! The configuration file: sections of the composition and of each service. Unknown keys are errors that name the key.

use std::path::Path;

use serde::Deserialize;

/// Every key with its default and its comment: what docs/CONFIG.md is generated from.
pub const DEFAULTS: &str = include_str!("../defaults.toml");

/// A whole configuration.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    /// What may run here.
    pub environment: Environment,
    /// Front door and admin port.
    pub server: Server,
    /// Tenant files.
    pub registry: RegistrySection,
    /// The sandbox EHR.
    pub sandbox_ehr: SandboxSection,
    /// Traces.
    pub telemetry: TelemetrySection,
    /// Audit spools.
    pub audit_spool: SpoolSection,
    /// Launches and sessions.
    pub launch_auth: sallyport_launch_auth::Config,
    /// Tokens.
    pub token_vault: sallyport_token_vault::Config,
    /// FHIR calls.
    pub fhir_gateway: sallyport_fhir_gateway::Config,
    /// The audit log.
    pub audit: sallyport_audit::Config,
    /// Pages.
    pub web: sallyport_web::Config,
}

/// What may run here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Synthetic data, a local key, the sandbox EHR.
    #[default]
    Sandbox,
    /// Real patients.
    Production,
}

/// Where it listens.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Where browsers reach the app; empty for http and the listen address.
    pub public_url: String,
    /// Front door.
    pub listen: String,
    /// Health, metrics, traces.
    pub admin_listen: String,
    /// Longest request body.
    pub max_body_bytes: usize,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            public_url: String::new(),
            listen: "localhost:8080".to_owned(),
            admin_listen: "127.0.0.1:0".to_owned(),
            max_body_bytes: 1_048_576,
        }
    }
}

/// Tenant files.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrySection {
    /// Folder; empty for `<data-dir>/tenants`.
    pub folder: String,
}

/// The sandbox EHR.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxSection {
    /// Start it.
    pub enabled: bool,
    /// Where.
    pub listen: String,
    /// How many patients.
    pub patients: usize,
    /// From which seed.
    pub seed: u64,
    /// Folder to load; empty for none.
    pub import_dir: String,
}

impl Default for SandboxSection {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: "127.0.0.1:8090".to_owned(),
            patients: 20,
            seed: 1,
            import_dir: String::new(),
        }
    }
}

/// Traces.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySection {
    /// OTLP over gRPC; empty for none.
    pub otlp_endpoint: String,
    /// Share of traces kept.
    pub sample_ratio: f64,
    /// Spans kept in this process.
    pub span_ring: usize,
}

impl Default for TelemetrySection {
    fn default() -> Self {
        Self { otlp_endpoint: String::new(), sample_ratio: 1.0, span_ring: 4_096 }
    }
}

/// Audit spools.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpoolSection {
    /// At this many bytes not yet relayed no call may start.
    pub max_bytes: u64,
}

impl Default for SpoolSection {
    fn default() -> Self {
        Self { max_bytes: 268_435_456 }
    }
}

/// A configuration that cannot be used: the process exits with 64.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// Reads a file; without one, the defaults.
///
/// # Errors
/// [`ConfigError`] names the file, the line and the key.
pub fn load(path: Option<&Path>) -> Result<File, ConfigError> {
    let Some(path) = path else { return Ok(File::default()) };
    let text = std::fs::read_to_string(path)
        .map_err(|e| ConfigError(format!("cannot read the configuration file {}: {e}", path.display())))?;
    parse(&text).map_err(|reason| ConfigError(format!("{}: {reason}", path.display())))
}

fn parse(text: &str) -> Result<File, String> {
    let file: File = toml::from_str(text).map_err(|e| {
        let line =
            e.span().map_or(1, |span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
        format!("line {line}: {}", e.message())
    })?;
    if !(0.0..=1.0).contains(&file.telemetry.sample_ratio) {
        return Err("telemetry.sample_ratio must be between 0.0 and 1.0".to_owned());
    }
    if file.environment == Environment::Production && file.sandbox_ehr.enabled {
        return Err("sandbox_ehr.enabled must be false when environment is \"production\"".to_owned());
    }
    Ok(file)
}

/// docs/CONFIG.md, from the commented defaults.
pub fn reference() -> String {
    let mut out = String::from(
        "# Configuration reference\n\n<!-- Generated from services/sallyport/defaults.toml; scripts/generate rewrites it, CI fails when it is stale. -->\n\n",
    );
    let mut in_code = false;
    for line in DEFAULTS.lines() {
        if let Some(section) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            if in_code {
                out.push_str("```\n\n");
            }
            out.push_str(&format!("## {section}\n\n```toml\n[{section}]\n"));
            in_code = true;
        } else if in_code || !line.starts_with('#') {
            if !in_code && !line.is_empty() {
                out.push_str("```toml\n");
                in_code = true;
            }
            out.push_str(line);
            out.push('\n');
        } else {
            out.push_str(line.trim_start_matches('#').trim_start());
            out.push('\n');
        }
    }
    if in_code {
        out.push_str("```\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commented_defaults_are_the_defaults() {
        let commented = parse(DEFAULTS).unwrap();
        assert_eq!(format!("{commented:#?}"), format!("{:#?}", File::default()));
    }

    #[test]
    fn every_key_is_commented_in_the_defaults() {
        let printed = format!("{:#?}", File::default());
        let keys = printed
            .lines()
            .filter(|l| l.starts_with("        ") && !l.starts_with("         "))
            .filter_map(|l| l.trim().split_once(": "));
        for (key, _) in keys.filter(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')) {
            let is_there =
                DEFAULTS.contains(&format!("\n{key} = ")) || DEFAULTS.contains(&format!("\n# {key} = "));
            assert!(is_there, "{key} is not in defaults.toml");
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = parse("[server]\nlistn = \"x\"\n").unwrap_err();
        assert!(error.contains("listn") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn production_refuses_the_sandbox() {
        assert!(parse("environment = \"production\"\n").is_err());
    }
}
