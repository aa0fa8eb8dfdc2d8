//! What a tenant's file says, after it was checked.

use std::path::PathBuf;

use sallyport_clinical::{FhirVersion, Mapping};
use sallyport_model::{AppId, EndpointId, FeatureId, RegistrationId, TenantId, VendorId, scope::Dialect};

use crate::{Behaviour, Feature, Job, Look, Origin, Policy};

/// What a tenant may do: a sandbox may use plain http on loopback and debugging aids, production may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Synthetic data only.
    Sandbox,
    /// Real patients.
    Production,
}

impl Environment {
    /// For people and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Production => "production",
        }
    }
}

/// A customer organisation.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// For people.
    pub name: String,
    /// What it may do.
    pub environment: Environment,
    /// IANA zone, e.g. `America/New_York`.
    pub time_zone: String,
    /// How long what jobs propose waits for somebody to decide, in days.
    pub proposal_days: u32,
    /// Its FHIR bases.
    pub endpoints: Vec<Endpoint>,
    /// Our clients there.
    pub registrations: Vec<Registration>,
    /// What launches open.
    pub apps: Vec<App>,
    /// The built-in features with this tenant's changes.
    pub features: Vec<Feature>,
    /// What runs by itself.
    pub jobs: Vec<Job>,
    /// Decides on each call.
    pub policy: Policy,
}

/// A FHIR base registered for a tenant.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its id within the tenant.
    pub id: EndpointId,
    /// For people.
    pub name: String,
    /// The vendor profile.
    pub vendor: VendorId,
    /// Exactly as registered: this string is `aud` and what a launch's `iss` is compared with.
    pub fhir_base: String,
    /// The OpenID issuer pinned at registration, where the EHR does OpenID Connect.
    pub issuer: Option<String>,
    /// Where authorize requests may go.
    pub authorize_origins: Vec<Origin>,
    /// Where codes and secrets may go (token, revocation, introspection).
    pub token_origins: Vec<Origin>,
    /// Where identity keys may come from.
    pub jwks_origins: Vec<Origin>,
    /// Where the status and the files of an export may be, beside the FHIR base: the access token goes there.
    pub bulk_origins: Vec<Origin>,
    /// Where the files of an export may be without a token: storage behind addresses that are signed themselves.
    pub bulk_file_origins: Vec<Origin>,
    /// Who may frame our pages.
    pub frame_ancestors: Vec<Origin>,
    /// Whether a CapabilityStatement may stand in for a missing smart-configuration.
    pub capability_fallback: bool,
    /// The version of FHIR in which it answers; `None`: as its CapabilityStatement says, R4 until that was read.
    pub configured_version: Option<FhirVersion>,
    /// The version of the chart's mapping to which it is pinned.
    pub mapping: Mapping,
    /// Whom to call there when something is wrong, as incident reports tell it.
    pub contact: Option<String>,
    /// How it is looked at without a person; `None`: only at what it says of itself.
    pub look: Option<Look>,
    /// How it behaves.
    pub behaviour: Behaviour,
}

impl Endpoint {
    /// The base without its trailing slash: what paths are appended to, and what two spellings are compared by.
    pub fn base(&self) -> &str {
        self.fhir_base.strip_suffix('/').unwrap_or(&self.fhir_base)
    }

    /// A `scope` by the names that its version of FHIR has for types: DSTU2 calls a MedicationRequest MedicationOrder.
    pub fn in_its_words(&self, scope: &str) -> String {
        match self.configured_version {
            Some(FhirVersion::Dstu2) => scope.replace("/MedicationRequest.", "/MedicationOrder."),
            _ => scope.to_owned(),
        }
    }

    /// Whether an `iss` names this endpoint: exact but for one trailing slash (LAUNCH-02).
    pub fn is_issuer(&self, iss: &str) -> bool {
        iss.strip_suffix('/').unwrap_or(iss) == self.base()
    }
}

/// Where a client secret is read from, by the vault alone.
#[derive(Debug, Clone)]
pub struct SecretSource(pub PathBuf);

/// Signature algorithm of client assertions (JWT-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub enum KeyAlgorithm {
    /// ECDSA P-384.
    #[serde(rename = "ES384")]
    Es384,
    /// RSA.
    #[serde(rename = "RS384")]
    Rs384,
}

/// How we prove who we are at the token endpoint.
#[derive(Debug, Clone)]
pub enum ClientAuth {
    /// Only PKCE.
    Public,
    /// `client_secret_basic`.
    SecretBasic(SecretSource),
    /// `client_secret_post`.
    SecretPost(SecretSource),
    /// `private_key_jwt`; without a file the vault makes and keeps a key of this registration's own.
    PrivateKeyJwt {
        /// Which signature.
        algorithm: KeyAlgorithm,
        /// PKCS#8 PEM, or `None`.
        key_file: Option<PathBuf>,
    },
}

/// Our client at an endpoint.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Unique over all tenants: it stands in `/launch/{registration}`.
    pub id: RegistrationId,
    /// Where.
    pub endpoint: EndpointId,
    /// What a launch opens.
    pub app: AppId,
    /// As the EHR issued it.
    pub client_id: String,
    /// How we authenticate.
    pub auth: ClientAuth,
    /// Launches from the EHR are accepted.
    pub ehr_launch: bool,
    /// Launches without an EHR session are accepted.
    pub standalone: bool,
    /// Jobs may use it by itself, without a person (SMART 2.2 backend-services).
    pub backend: bool,
    /// Forced scope dialect; otherwise discovery decides.
    pub dialect: Option<Dialect>,
}

/// What opens after a launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Open {
    /// The built-in chart.
    Chart,
    /// The team's own page: a folder served at `/app/{launch}/`.
    Folder(PathBuf),
    /// The team's own page: an http upstream proxied at `/app/{launch}/`.
    Upstream(url::Url),
}

/// What a launch opens, with its features.
#[derive(Debug, Clone)]
pub struct App {
    /// Its id within the tenant.
    pub id: AppId,
    /// For people.
    pub name: String,
    /// What it may do; a launch asks for the interactive read features among them.
    pub features: Vec<FeatureId>,
    /// The feature of a call that names none.
    pub default_feature: FeatureId,
    /// What opens.
    pub open: Open,
}
