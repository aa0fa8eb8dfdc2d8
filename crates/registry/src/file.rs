//! The shape of a tenant's TOML file. Unknown keys are errors; every key is documented in docs/CONFIG.md.

use std::path::PathBuf;

use sallyport_model::{AppId, EndpointId, FeatureId, JobId, RegistrationId, TenantId, VendorId};
use serde::Deserialize;

use crate::{Environment, FeatureKind, JobIdentity, JobKind, KeyAlgorithm, Origin, Rule, Stage};

/// A whole file: one tenant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantFile {
    pub(crate) tenant: TenantPart,
    #[serde(default, rename = "endpoint")]
    pub(crate) endpoints: Vec<EndpointPart>,
    #[serde(default, rename = "registration")]
    pub(crate) registrations: Vec<RegistrationPart>,
    #[serde(default, rename = "app")]
    pub(crate) apps: Vec<AppPart>,
    #[serde(default, rename = "feature")]
    pub(crate) features: Vec<FeaturePart>,
    #[serde(default, rename = "job")]
    pub(crate) jobs: Vec<JobPart>,
    #[serde(default, rename = "validation")]
    pub(crate) validations: Vec<ValidationPart>,
    pub(crate) policy: PolicyPart,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantPart {
    pub(crate) id: TenantId,
    pub(crate) name: String,
    pub(crate) environment: Environment,
    pub(crate) time_zone: String,
    #[serde(default = "proposal_days")]
    pub(crate) proposal_days: u32,
}

/// How long a proposal waits for somebody where the tenant does not say.
fn proposal_days() -> u32 {
    14
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndpointPart {
    pub(crate) id: EndpointId,
    pub(crate) name: String,
    pub(crate) vendor: VendorId,
    pub(crate) fhir_base: String,
    pub(crate) issuer: Option<String>,
    pub(crate) authorize_origins: Vec<Origin>,
    pub(crate) token_origins: Vec<Origin>,
    #[serde(default)]
    pub(crate) jwks_origins: Vec<Origin>,
    #[serde(default)]
    pub(crate) bulk_origins: Vec<Origin>,
    #[serde(default)]
    pub(crate) bulk_file_origins: Vec<Origin>,
    pub(crate) frame_ancestors: Vec<Origin>,
    #[serde(default)]
    pub(crate) capability_fallback: bool,
    pub(crate) fhir_version: Option<String>,
    pub(crate) mapping: Option<String>,
    pub(crate) contact: Option<String>,
    pub(crate) look: Option<LookPart>,
    #[serde(default, rename = "override")]
    pub(crate) overrides: Vec<OverridePart>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LookPart {
    pub(crate) registration: RegistrationId,
    pub(crate) feature: FeatureId,
    pub(crate) patients: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OverridePart {
    pub(crate) key: String,
    pub(crate) value: toml::Value,
    pub(crate) owner: String,
    pub(crate) reason: String,
    pub(crate) expires: toml::value::Datetime,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegistrationPart {
    pub(crate) id: RegistrationId,
    pub(crate) endpoint: EndpointId,
    pub(crate) app: AppId,
    pub(crate) client_id: String,
    pub(crate) auth: AuthKind,
    pub(crate) secret_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) algorithm: Option<KeyAlgorithm>,
    pub(crate) launches: Vec<LaunchKind>,
    pub(crate) scope_version: Option<ScopeVersion>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthKind {
    #[serde(rename = "public")]
    Public,
    #[serde(rename = "client_secret_basic")]
    SecretBasic,
    #[serde(rename = "client_secret_post")]
    SecretPost,
    #[serde(rename = "private_key_jwt")]
    PrivateKeyJwt,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LaunchKind {
    Ehr,
    Standalone,
    Backend,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ScopeVersion {
    V1,
    V2,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppPart {
    pub(crate) id: AppId,
    pub(crate) name: String,
    pub(crate) features: Vec<FeatureId>,
    pub(crate) default_feature: FeatureId,
    #[serde(default)]
    pub(crate) folder: Option<PathBuf>,
    #[serde(default)]
    pub(crate) upstream: Option<String>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeaturePart {
    pub(crate) id: FeatureId,
    pub(crate) title: String,
    pub(crate) kind: FeatureKind,
    pub(crate) required: Vec<String>,
    #[serde(default)]
    pub(crate) optional: Vec<String>,
    pub(crate) purpose: String,
    #[serde(default)]
    pub(crate) sections: Vec<String>,
    pub(crate) posture: String,
    pub(crate) justification: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobPart {
    pub(crate) id: JobId,
    pub(crate) title: String,
    pub(crate) kind: JobKind,
    pub(crate) feature: FeatureId,
    pub(crate) registration: RegistrationId,
    pub(crate) purpose: String,
    pub(crate) identity: JobIdentity,
    pub(crate) cohort: CohortPart,
    pub(crate) schedule: Option<String>,
    #[serde(default)]
    pub(crate) windows: Vec<String>,
    #[serde(default)]
    pub(crate) blackout: Vec<toml::value::Datetime>,
    #[serde(default = "batch_size")]
    pub(crate) batch_size: u32,
    #[serde(default = "parallel_batches")]
    pub(crate) parallel_batches: u32,
    pub(crate) calls_per_minute: Option<u32>,
    #[serde(default = "attempts")]
    pub(crate) attempts: u32,
    #[serde(default = "keep_days")]
    pub(crate) keep_days: u32,
    pub(crate) on: bool,
    pub(crate) stage: Stage,
    pub(crate) pilot_patients: Option<u32>,
    #[serde(default)]
    pub(crate) options: toml::Table,
}

/// Small enough that a stop, a crash or a narrower grant costs little, large enough that leases are not most of the work.
fn batch_size() -> u32 {
    25
}

fn parallel_batches() -> u32 {
    2
}

fn attempts() -> u32 {
    5
}

fn keep_days() -> u32 {
    30
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CohortPart {
    pub(crate) patients: Option<Vec<String>>,
    pub(crate) patients_file: Option<PathBuf>,
    pub(crate) group: Option<String>,
    #[serde(default)]
    pub(crate) everyone: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ValidationPart {
    pub(crate) feature: FeatureId,
    pub(crate) by: String,
    pub(crate) on: toml::value::Datetime,
    pub(crate) evidence: String,
    pub(crate) mapping: String,
}

/// The embedded file of built-in features.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeatureFile {
    pub(crate) feature: Vec<FeaturePart>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyPart {
    pub(crate) jurisdiction: String,
    #[serde(rename = "rule")]
    pub(crate) rules: Vec<Rule>,
}
