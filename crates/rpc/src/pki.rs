//! Certificates where no issuer runs: an authority in a folder and a leaf for each service, for development, tests and
//! small installations.
//!
//! The authority's key lies in the same folder. Where cert-manager, step-ca or a Vault issues certificates, it is used
//! instead: a leaf needs one SAN URI and both usages, nothing of what is here.

mod issue;
mod place;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use sallyport_model::{Micros, ServiceName};

use crate::tls::{Files, TRUST_DOMAIN, TlsError};

pub use issue::dev;

/// Which leaves to make.
#[derive(Debug, Clone)]
pub struct Request {
    /// A leaf for each.
    pub services: Vec<ServiceName>,
    /// DNS names in every leaf, for clients that look at them; ours do not.
    pub dns_names: Vec<String>,
    /// Addresses in every leaf, likewise.
    pub addresses: Vec<IpAddr>,
    /// The trust domain in the SAN URI.
    pub trust_domain: String,
    /// How long leaves are valid.
    pub leaf_validity: Duration,
    /// How long the authority is valid, when there is none yet.
    pub authority_validity: Duration,
    /// Now.
    pub now: Micros,
}

impl Request {
    /// For these services on this machine: leaves for 90 days under an authority of ten years.
    pub fn new(services: &[ServiceName], now: Micros) -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3_600);
        Self {
            services: services.to_vec(),
            dns_names: vec!["localhost".to_owned()],
            addresses: vec![IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])],
            trust_domain: TRUST_DOMAIN.to_owned(),
            leaf_validity: DAY * 90,
            authority_validity: DAY * 3_650,
            now,
        }
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Whether the authority is new.
    pub is_new_authority: bool,
    /// The files of each leaf.
    pub leaves: Vec<(ServiceName, Files)>,
}

/// Why no certificates were made. Nothing was overwritten.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file cannot be read or written.
    #[error("cannot read or write {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of that name is there and was not made here.
    #[error("{} was not made by this command: move it away or choose another folder", .0.display())]
    Foreign(PathBuf),
    /// A name or a time that no certificate can hold.
    #[error("the names or times asked for cannot stand in a certificate")]
    Impossible(#[from] rcgen::Error),
    /// The result would not be accepted by our own services.
    #[error("the certificate made for {} would not be accepted", .0.as_str())]
    Unusable(ServiceName, #[source] TlsError),
}

/// Where the files of a service are in such a folder.
pub fn files(folder: &Path, service: ServiceName) -> Files {
    Files {
        certificate: folder.join(format!("{}.pem", service.as_str())),
        key: folder.join(format!("{}.key", service.as_str())),
        authority: folder.join("ca.pem"),
    }
}
