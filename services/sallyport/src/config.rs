//! The configuration file: sections of the composition and of each service. Unknown keys are errors that name the key.

mod back_ends;
mod house;
mod layers;
mod sections;

use serde::Deserialize;

pub use back_ends::{Database, KeyringAuth, KeyringSection, KvSection, QueueSection};
pub use house::RpcSection;
pub use layers::load;
pub use sections::{Environment, RegistrySection, SandboxSection, Server, SpoolSection, TelemetrySection};

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
    /// Where rows are kept.
    pub database: Database,
    /// The broker.
    pub queue: QueueSection,
    /// The cache and limiter.
    pub kv: KvSection,
    /// The keeper of the key-encryption key.
    pub keyring: KeyringSection,
    /// How services that run alone find and believe each other.
    pub rpc: RpcSection,
    /// Launches and sessions.
    pub launch_auth: sallyport_launch_auth::Config,
    /// Tokens.
    pub token_vault: sallyport_token_vault::Config,
    /// FHIR calls.
    pub fhir_gateway: sallyport_fhir_gateway::Config,
    /// Background jobs.
    pub job_worker: sallyport_job_worker::Config,
    /// The audit log.
    pub audit: sallyport_audit::Config,
    /// Pages.
    pub web: sallyport_web::Config,
}

/// A configuration that cannot be used: the process exits with 64.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

impl File {
    /// What no single key can say.
    ///
    /// # Errors
    /// A sentence for an operator, naming the key.
    pub fn validate(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.telemetry.sample_ratio) {
            return Err("telemetry.sample_ratio must be between 0.0 and 1.0".to_owned());
        }
        if self.environment == Environment::Production && self.sandbox_ehr.enabled {
            return Err("sandbox_ehr.enabled must be false when environment is \"production\"".to_owned());
        }
        if self.environment == Environment::Production && self.keyring.address.is_empty() {
            return Err("keyring.address must name a key service when environment is \"production\": a local key file is refused".to_owned());
        }
        let (given, whole) = self.rpc.identity();
        if given && !whole {
            return Err("rpc.certificate, rpc.key and rpc.authority go together".to_owned());
        }
        Ok(())
    }
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
        let commented = layers::parse(DEFAULTS).unwrap();
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
        let error = layers::parse("[server]\nlistn = \"x\"\n").unwrap_err();
        assert!(error.contains("listn") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn production_refuses_the_sandbox() {
        let refusal = |text: &str| layers::parse(text).unwrap().validate().unwrap_err();
        assert!(refusal("environment = \"production\"\n").contains("sandbox_ehr.enabled"));
        let without = "environment = \"production\"\n[sandbox_ehr]\nenabled = false\n";
        assert!(refusal(without).contains("keyring.address"));
        let with = format!("{without}[keyring]\naddress = \"https://vault:8200\"\n");
        assert_eq!(layers::parse(&with).unwrap().validate(), Ok(()));
    }
}
