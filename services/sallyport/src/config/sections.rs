//! The sections of the composition itself: what may run, where it listens, traces, spools.

use serde::Deserialize;

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
    /// How long a service that was asked to end says "not ready" and serves on, in milliseconds.
    pub leave_ms: u64,
    /// How long requests in progress may then take to finish, in milliseconds.
    pub grace_ms: u64,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            public_url: String::new(),
            listen: "localhost:8080".to_owned(),
            admin_listen: "127.0.0.1:0".to_owned(),
            max_body_bytes: 1_048_576,
            leave_ms: 0,
            grace_ms: 20_000,
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
    /// The product it imitates: docs/SANDBOX-PROFILES.md lists them.
    pub profile: String,
}

impl Default for SandboxSection {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: "127.0.0.1:8090".to_owned(),
            patients: 20,
            seed: 1,
            import_dir: String::new(),
            profile: "strict".to_owned(),
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
