//! The one place that reads a service's name out of a certificate.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use sallyport_model::{ServiceName, planted};
use webpki::EndEntityCert;

/// The trust domain whose names count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trust(Arc<str>);

impl Trust {
    pub(crate) fn new(domain: &str) -> Self {
        Self(domain.into())
    }

    pub(crate) fn domain(&self) -> &str {
        &self.0
    }
}

/// The service that a leaf names: exactly one SAN URI, of our trust domain, of a service that exists. A second URI of
/// any kind makes it nobody's, because then the issuer did not mean one service.
pub(crate) fn peer_of(leaf: &CertificateDer<'_>, trust: &Trust) -> Option<ServiceName> {
    let certificate = EndEntityCert::try_from(leaf).ok()?;
    let mut uris = certificate.valid_uri_names();
    if planted!("peer-name-unchecked") {
        return ServiceName::parse(uris.next()?.rsplit('/').next()?);
    }
    let (only, None) = (uris.next()?, uris.next()) else { return None };
    let path = only.strip_prefix("spiffe://")?.strip_prefix(trust.domain())?.strip_prefix('/')?;
    ServiceName::parse(path)
}
