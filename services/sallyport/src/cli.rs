//! The command line.

mod audit;
mod endpoints;
mod incidents;
mod jobs;
mod operate;

use std::path::PathBuf;

use sallyport_model::ServiceName;

pub use audit::{
    AuditArgs, AuditCommand, AuditQueryArgs, CheckArgs, DisclosuresArgs, DisclosuresFormat, ExportArgs,
    FormatArg, PhaseArg, ProveArgs, TrustArgs, VerifyArgs, WitnessArgs,
};
pub use endpoints::{AddEndpointArgs, AskerArgs, CertifyArgs, MatrixArgs, ReconcileArgs};
pub use incidents::{IncidentCommand, IncidentRevokeArgs, IncidentScopeArgs};
pub use jobs::{Because, JobArgs, JobsCommand, RunArgs, WhoseArgs};
pub use operate::{ConsoleArgs, KeysCommand, ProbeArgs, RevokeArgs, RotateArgs, TokensCommand};

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
    /// Ask the audit log of a running instance, export it, prove it, verify it.
    Audit(AuditArgs),
    /// Watch audit logs from elsewhere: sign their checkpoints, with a key of one's own, while they only grow.
    Witness(WitnessArgs),
    /// Print a link that signs somebody in at the console of a running instance, once.
    Console(ConsoleArgs),
    /// End sessions and withdraw grants of a running instance.
    Revoke(RevokeArgs),
    /// Something leaked or was stolen: revoke everything of a scope in one go, and keep a signed report.
    #[command(subcommand)]
    Incident(IncidentCommand),
    /// How the keys of a running instance stand, and their rotation.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Tokens of a running instance.
    #[command(subcommand)]
    Tokens(TokensCommand),
    /// Background jobs of a running instance: what they do, how far they are, and how they are stopped.
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// Certificates by which separate processes know each other.
    Pki {
        /// Which.
        #[command(subcommand)]
        command: PkiCommand,
    },
    /// Start one service as a process of its own, on real servers.
    Serve(ServeArgs),
    /// Look at the configuration without starting anything.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look at everything that an instance stands on, and say what to do about what is wrong.
    Doctor(Where),
    /// Ask a health address once: 0 when it answers 200. For containers without a shell.
    Healthcheck {
        /// Such as http://127.0.0.1:9090/ready.
        #[arg(long)]
        url: String,
    },
    /// Apply missing migrations to the databases of all services, then end.
    Migrate(Where),
    /// Show what would change in charts between two versions of the mapping. 0: nothing; 3: something.
    Reconcile(ReconcileArgs),
    /// Say what of a tenant's EHRs this version was tried with. 0: all of it verified; 3: not all.
    Matrix(MatrixArgs),
    /// Try what the chart needs on a registered endpoint, read-only, through an open launch or on its own grant. 0: all as expected; 3: not all.
    Certify(CertifyArgs),
    /// Look at an endpoint now and say what it offers and what changed. 0: nothing that a feature misses; 3: something.
    Probe(ProbeArgs),
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

/// Options of `sandbox`.
#[derive(clap::Args, Clone)]
pub struct SandboxArgs {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:8090")]
    pub listen: String,
    /// Where browsers and apps reach it, when that is not where it listens.
    #[arg(long)]
    pub public: Option<String>,
    /// Where the app is, so that its launch address is known.
    #[arg(long, default_value = "http://localhost:8080")]
    pub app: String,
    /// Load Bundles and NDJSON from this folder.
    #[arg(long)]
    pub import: Option<PathBuf>,
    /// Write the tenant file that registers this EHR into this folder before it starts.
    #[arg(long)]
    pub tenant_dir: Option<PathBuf>,
    /// The product whose EHR the portal opens with; the others are at their own addresses.
    #[arg(long, default_value = "strict")]
    pub profile: String,
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

/// Where an instance is: the folder of one that runs on this machine, or the configuration of one that runs as
/// separate processes.
#[derive(clap::Args, Clone, Default)]
pub struct Where {
    /// Where the instance keeps its data. Default: ./data/sallyport.
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
    /// Configuration file; with the certificate of an operator in `rpc` the services are reached over the network.
    #[arg(long)]
    pub config: Option<PathBuf>,
}

/// Options of `serve`.
#[derive(clap::Args, Clone)]
pub struct ServeArgs {
    /// Which.
    #[arg(value_enum)]
    pub service: Service,
    /// Configuration file; see docs/CONFIG.md.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// This process's own folder: audit spool, ready file. Default: ./data/sallyport.
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
    /// Written as JSON when all is ready.
    #[arg(long)]
    pub ready_file: Option<PathBuf>,
}

/// What can be served alone.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Launches and sessions.
    LaunchAuth,
    /// Tokens.
    TokenVault,
    /// FHIR calls.
    FhirGateway,
    /// Background jobs.
    JobWorker,
    /// The audit log.
    Audit,
    /// Pages.
    Web,
    /// The front door, where there is no ingress.
    Edge,
}

impl Service {
    /// As its peers know it.
    pub fn name(self) -> ServiceName {
        match self {
            Self::LaunchAuth => ServiceName::LaunchAuth,
            Self::TokenVault => ServiceName::TokenVault,
            Self::FhirGateway => ServiceName::FhirGateway,
            Self::JobWorker => ServiceName::JobWorker,
            Self::Audit => ServiceName::Audit,
            Self::Web => ServiceName::Web,
            Self::Edge => ServiceName::Edge,
        }
    }
}

/// What `config` can do.
#[derive(clap::Subcommand)]
pub enum ConfigCommand {
    /// Check configuration, environment and tenant files.
    Check(Where),
    /// Print every key with its default and its comment.
    Defaults,
}

/// The commands of `pki`.
#[derive(clap::Subcommand)]
pub enum PkiCommand {
    /// Make an authority and a certificate for each service in a folder, or renew them under the one that is there.
    Dev(PkiDevArgs),
}

/// Options of `pki dev`.
#[derive(clap::Args, Clone)]
pub struct PkiDevArgs {
    /// The folder, made when it is not there. What something else put there is never overwritten.
    #[arg(long)]
    pub out: PathBuf,
    /// For these services, e.g. web,edge. Default: all.
    #[arg(long, value_delimiter = ',')]
    pub services: Vec<String>,
    /// A host name or address in every certificate, besides localhost. Our services look at the service's name instead.
    #[arg(long)]
    pub host: Vec<String>,
    /// The trust domain in the names. Default: sallyport.
    #[arg(long)]
    pub trust_domain: Option<String>,
    /// How long certificates are valid.
    #[arg(long, default_value_t = 90)]
    pub days: u16,
}
