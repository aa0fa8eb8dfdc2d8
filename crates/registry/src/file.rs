//! The shape of a tenant's TOML file. Unknown keys are errors; every key is documented in docs/CONFIG.md.

use std::path::PathBuf;

use sallyport_model::{AppId, EndpointId, FeatureId, RegistrationId, TenantId, VendorId};
use serde::Deserialize;

use crate::{Environment, FeatureKind, KeyAlgorithm, Origin, Rule};

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
    pub(crate) policy: PolicyPart,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantPart {
    pub(crate) id: TenantId,
    pub(crate) name: String,
    pub(crate) environment: Environment,
    pub(crate) time_zone: String,
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
    pub(crate) frame_ancestors: Vec<Origin>,
    #[serde(default)]
    pub(crate) capability_fallback: bool,
    #[serde(default = "current_mapping")]
    pub(crate) mapping: String,
}

fn current_mapping() -> String {
    "2026.1".to_owned()
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
