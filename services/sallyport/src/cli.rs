//! The command line.

use std::path::PathBuf;

/// The production backend for SMART on FHIR apps.
#[derive(clap::Parser)]
#[command(name = "sallyport", version, about)]
pub struct Cli {
    /// What to do; `up` when left out.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Start everything in one process, with a sandbox EHR beside it.
    Up(UpArgs),
    /// Launch the app once without a browser and tell what happened, read back from outside.
    Demo(DemoArgs),
    /// Register another EHR: discover it, show what to paste into its form, write the tenant file.
    AddEndpoint(AddEndpointArgs),
    /// Start only the sandbox EHR.
    Sandbox(SandboxArgs),
    /// Ask the audit log of a running instance.
    Audit(AuditArgs),
    /// End sessions and withdraw grants of a running instance.
    Revoke(RevokeArgs),
    /// Check configuration and tenant files without starting anything.
    Check(CheckArgs),
    /// Print what a stable code means and what to do.
    Explain {
        /// Such as `launch.issuer_unknown`.
        code: String,
    },
}

/// Options of `up`.
#[derive(clap::Args, Clone, Default)]
pub struct UpArgs {
    /// Front door, e.g. localhost:8080; port 0 takes a free one.
    #[arg(long)]
    pub listen: Option<String>,
    /// Sandbox EHR, e.g. 127.0.0.1:8090; port 0 takes a free one.
    #[arg(long)]
    pub ehr_listen: Option<String>,
    /// Where data is kept. Default: ./data/sallyport.
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
    /// Configuration file; see docs/CONFIG.md.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Written as JSON with every URL when all is ready.
    #[arg(long)]
    pub ready_file: Option<PathBuf>,
    /// Load Bundles and NDJSON from this folder into the sandbox EHR.
    #[arg(long)]
    pub import: Option<PathBuf>,
}

/// Options of `demo`.
#[derive(clap::Args, Clone)]
pub struct DemoArgs {
    /// Print one JSON document instead of the story.
    #[arg(long)]
    pub json: bool,
    /// Use the instance that runs on this folder, or start one on it. Default: a fresh instance in a temporary folder.
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
}

/// Options of `add-endpoint`.
#[derive(clap::Args, Clone)]
pub struct AddEndpointArgs {
    /// The EHR's FHIR base, exactly as it sends it as `iss`.
    pub url: String,
    /// The client id that the EHR issued.
    #[arg(long)]
    pub client_id: Option<String>,
    /// How the app authenticates: public, client_secret_basic, client_secret_post or private_key_jwt.
    #[arg(long, default_value = "public")]
    pub auth: String,
    /// File with the client secret.
    #[arg(long)]
    pub secret_file: Option<PathBuf>,
    /// Signature of private_key_jwt: ES384 or RS384, as the EHR accepts it. Default: ES384.
    #[arg(long)]
    pub algorithm: Option<String>,
    /// Tenant to create. Default: made from the host name.
    #[arg(long)]
    pub tenant: Option<String>,
    /// Registration id: stands in the launch and redirect addresses. Default: the tenant's id.
    #[arg(long)]
    pub registration: Option<String>,
    /// sandbox or production.
    #[arg(long, default_value = "production")]
    pub environment: String,
    /// Vendor profile.
    #[arg(long, default_value = "generic")]
    pub vendor: String,
    /// Origins whose pages may frame the app, besides the FHIR base's own.
    #[arg(long)]
    pub frame_ancestor: Vec<String>,
    /// Where browsers reach the app.
    #[arg(long, default_value = "http://localhost:8080")]
    pub public_url: String,
    /// Accept a CapabilityStatement where there is no smart-configuration.
    #[arg(long)]
    pub capability_fallback: bool,
    /// Write the file without asking.
    #[arg(long)]
    pub yes: bool,
    /// Where data is kept. Default: ./data/sallyport.
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
}

/// Options of `sandbox`.
#[derive(clap::Args, Clone)]
pub struct SandboxArgs {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:8090")]
    pub listen: String,
    /// Where the app is, so that its launch address is known.
    #[arg(long, default_value = "http://localhost:8080")]
    pub app: String,
    /// Load Bundles and NDJSON from this folder.
    #[arg(long)]
    pub import: Option<PathBuf>,
    /// How many patients it makes up.
    #[arg(long, default_value_t = 20)]
    pub patients: usize,
    /// From which seed.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Listen beyond this machine. It holds synthetic data and lets anybody sign in.
    #[arg(long)]
    pub i_know_this_is_open_to_the_network: bool,
}

/// Options of `audit`.
#[derive(clap::Args, Clone)]
pub struct AuditArgs {
    /// The tenant.
    #[arg(long)]
    pub tenant: String,
    /// Why you look: recorded beside the query.
    #[arg(long)]
    pub reason: String,
    /// A patient's id at the EHR.
    #[arg(long)]
    pub patient: Option<String>,
    /// A launch handle.
    #[arg(long)]
    pub launch: Option<String>,
    /// A trace id.
    #[arg(long)]
    pub trace: Option<String>,
    /// Only the last minutes.
    #[arg(long)]
    pub minutes: Option<i64>,
    /// Where the instance keeps its data.
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
}

/// Options of `revoke`.
#[derive(clap::Args, Clone)]
pub struct RevokeArgs {
    /// The tenant.
    #[arg(long)]
    pub tenant: String,
    /// Why: recorded.
    #[arg(long)]
    pub reason: String,
    /// One launch, by its handle.
    #[arg(long)]
    pub launch: Option<String>,
    /// Everything of an endpoint.
    #[arg(long)]
    pub endpoint: Option<String>,
    /// Everything of a user, as ISSUER and SUBJECT.
    #[arg(long, num_args = 2, value_names = ["ISSUER", "SUBJECT"])]
    pub user: Option<Vec<String>>,
    /// Everything of the tenant.
    #[arg(long)]
    pub all: bool,
    /// Where the instance keeps its data.
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
}

/// Options of `check`.
#[derive(clap::Args, Clone)]
pub struct CheckArgs {
    /// Configuration file.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Where data is kept.
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
}
