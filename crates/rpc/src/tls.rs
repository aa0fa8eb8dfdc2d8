//! Who a process is to its peers: a certificate whose one SAN URI names the service, and the authority it trusts.
//!
//! Both sides of every connection present one (TLS 1.3 only). Names in DNS play no part: a peer is the service that its
//! certificate names, wherever it was reached.

mod identity;
mod name;
mod reload;
mod snapshot;
mod verify;

use std::path::PathBuf;

pub use identity::{Identity, Options};
pub(crate) use name::{Trust, peer_of};
pub(crate) use snapshot::Snapshot;

/// The trust domain in every SAN URI unless configured otherwise: `spiffe://sallyport/<service>`.
pub const TRUST_DOMAIN: &str = "sallyport";

/// Where a process finds its certificate (with intermediates, leaf first), its key, and the authorities it trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// PEM: the leaf, then intermediates if any.
    pub certificate: PathBuf,
    /// PEM: the leaf's private key (PKCS#8, SEC1).
    pub key: PathBuf,
    /// PEM: one or more authorities. Two of them while one is replaced by the next.
    pub authority: PathBuf,
}

/// Why an identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file holds no PEM of the kind that belongs there.
    #[error("{0} holds no usable PEM of its kind")]
    Pem(&'static str),
    /// The key is not the certificate's.
    #[error("the key does not belong to the certificate, or is of a kind that TLS 1.3 does not use")]
    Key(#[source] rustls::Error),
    /// The certificate names nobody we know.
    #[error("the certificate must hold exactly one SAN URI, spiffe://<trust domain>/<service>")]
    Name,
    /// The certificate does not chain to the authorities beside it, or may not be used on both sides.
    #[error("the certificate was not issued by the authority beside it for both client and server use")]
    Chain(#[source] webpki::Error),
    /// The TLS library refuses what it was given.
    #[error("the TLS library refuses this identity")]
    Refused(#[source] rustls::Error),
}
