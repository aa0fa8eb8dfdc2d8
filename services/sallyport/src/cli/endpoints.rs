//! Commands about EHRs and what is known of them, which ask no running instance.

use std::path::PathBuf;

use sallyport_clinical::{FhirVersion, Mapping};

use super::Where;

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

/// Options of `reconcile`.
#[derive(clap::Args, Clone)]
pub struct ReconcileArgs {
    /// Folder of records: Bundles (.json) and NDJSON. Nobody is called.
    #[arg(long, value_name = "DIR", conflicts_with = "endpoint")]
    pub bundles: Option<PathBuf>,
    /// Or a registered endpoint, whose charts are read as they are now: of an open launch, or of its test patients.
    #[arg(long, required_unless_present = "bundles", requires = "tenant")]
    pub endpoint: Option<String>,
    /// The endpoint's tenant.
    #[arg(long)]
    pub tenant: Option<String>,
    /// The mapping that is: 2026.1 or 2026.2. Default: the endpoint's, else 2026.1.
    #[arg(long)]
    pub from: Option<Mapping>,
    /// The mapping that would be.
    #[arg(long, default_value_t = Mapping::V2026_2)]
    pub to: Mapping,
    /// What the records are written in: DSTU2, STU3, R4, R4B or R5. Default: as the endpoint's file says, else R4.
    #[arg(long)]
    pub fhir_version: Option<FhirVersion>,
    /// Show values too. They are patient data.
    #[arg(long)]
    pub values: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
    /// Who asks the endpoint.
    #[command(flatten)]
    pub asker: AskerArgs,
}

/// Options of `matrix`.
#[derive(clap::Args, Clone)]
pub struct MatrixArgs {
    /// Whose endpoints.
    #[arg(long)]
    pub tenant: String,
    /// Print the cells as JSON.
    #[arg(long)]
    pub json: bool,
    /// Which configuration.
    #[command(flatten)]
    pub place: Where,
}

/// Options of `certify`.
#[derive(clap::Args, Clone)]
pub struct CertifyArgs {
    /// The endpoint's id, as in the tenant's file.
    #[arg(long)]
    pub endpoint: String,
    /// The tenant.
    #[arg(long)]
    pub tenant: String,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
    /// Write the cells as JSON into this folder, as the compatibility matrix takes them.
    #[arg(long)]
    pub rows: Option<PathBuf>,
    /// Who asks.
    #[command(flatten)]
    pub asker: AskerArgs,
}

/// On whose authority a registered endpoint is asked: a person's, or its own grant's.
#[derive(clap::Args, Clone, Default)]
pub struct AskerArgs {
    /// An open launch at that endpoint, by the handle in its page's address.
    #[arg(long, requires = "cookie_file")]
    pub launch: Option<String>,
    /// File with the value of the launch's cookie (`__Host-s-…`), from the browser that launched it.
    #[arg(long, requires = "launch")]
    pub cookie_file: Option<PathBuf>,
    /// Without a person: on the registration's own grant, at the test patients of [endpoint.look].
    #[arg(long, conflicts_with = "launch")]
    pub backend: bool,
    /// Where the app is reached. Default: `public_url` of the configuration.
    #[arg(long)]
    pub app: Option<String>,
    /// Why: recorded beside what is asked.
    #[arg(long, default_value = "certification")]
    pub reason: String,
    /// Which instance.
    #[command(flatten)]
    pub place: Where,
}
