//! `[rpc]`: how services that run alone find and believe each other.

use std::path::PathBuf;

use sallyport_model::ServiceName;
use serde::Deserialize;

/// Mutual TLS between services, and where they are.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RpcSection {
    /// Where this service takes calls of its peers.
    pub listen: String,
    /// This service's certificate chain; its SAN URI says who it is.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// Who signs certificates of the house.
    pub authority: PathBuf,
    /// Connections are closed politely after this long, so that new replicas and certificates come into use.
    pub max_connection_age_seconds: u64,
    /// Plain HTTP of this service's public paths, for an ingress; empty for none.
    pub ingress_listen: String,
    /// Addresses of launch-auth's replicas.
    pub launch_auth: Vec<String>,
    /// Addresses of token-vault's replicas.
    pub token_vault: Vec<String>,
    /// Addresses of fhir-gateway's replicas.
    pub fhir_gateway: Vec<String>,
    /// Addresses of job-worker's replicas.
    pub job_worker: Vec<String>,
    /// Addresses of audit's replicas.
    pub audit: Vec<String>,
    /// Addresses of web's replicas.
    pub web: Vec<String>,
}

impl Default for RpcSection {
    fn default() -> Self {
        Self {
            listen: String::new(),
            certificate: PathBuf::new(),
            key: PathBuf::new(),
            authority: PathBuf::new(),
            max_connection_age_seconds: 600,
            ingress_listen: String::new(),
            launch_auth: Vec::new(),
            token_vault: Vec::new(),
            fhir_gateway: Vec::new(),
            job_worker: Vec::new(),
            audit: Vec::new(),
            web: Vec::new(),
        }
    }
}

impl RpcSection {
    /// A peer's addresses, as given.
    pub fn addresses(&self, peer: ServiceName) -> &[String] {
        match peer {
            ServiceName::LaunchAuth => &self.launch_auth,
            ServiceName::TokenVault => &self.token_vault,
            ServiceName::FhirGateway => &self.fhir_gateway,
            ServiceName::JobWorker => &self.job_worker,
            ServiceName::Audit => &self.audit,
            ServiceName::Web => &self.web,
            _ => &[],
        }
    }

    /// The key of a peer's addresses.
    pub fn key_of(peer: ServiceName) -> String {
        format!("rpc.{}", peer.as_str().replace('-', "_"))
    }

    /// Whether any of the three files of an identity is named, and whether all are.
    pub fn identity(&self) -> (bool, bool) {
        let named = [&self.certificate, &self.key, &self.authority].map(|path| !path.as_os_str().is_empty());
        (named.contains(&true), !named.contains(&false))
    }
}
