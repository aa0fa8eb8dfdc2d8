//! An authority that issues whatever a test wants, also what no authority should.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use sallyport_model::ServiceName;
use sallyport_rpc::tls::Files;

/// When a certificate is valid.
#[derive(Clone, Copy)]
pub(crate) enum When {
    Now,
    Past,
    Future,
}

/// An authority.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A leaf as PEM.
pub(crate) struct Leaf {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// The URI of a service of ours.
pub(crate) fn uri(service: ServiceName) -> String {
    format!("spiffe://sallyport/{}", service.as_str())
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn leaf(&self, uris: &[&str], when: When, usages: &[ExtendedKeyUsagePurpose]) -> Leaf {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        for uri in uris {
            params.subject_alt_names.push(SanType::URI((*uri).try_into().unwrap()));
        }
        params.extended_key_usages = usages.to_vec();
        let (from, to) = match when {
            When::Now => (2020, 2100),
            When::Past => (2019, 2020),
            When::Future => (2100, 2101),
        };
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Leaf { certificate, key: key.serialize_pem() }
    }

    /// A leaf as it should be.
    pub(crate) fn good(&self, service: ServiceName) -> Leaf {
        self.leaf(&[&uri(service)], When::Now, &BOTH)
    }
}

/// For servers and clients.
pub(crate) const BOTH: [ExtendedKeyUsagePurpose; 2] =
    [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];

impl Leaf {
    /// Writes it where an identity reads it, over what is there.
    pub(crate) fn write(&self, folder: &Path, name: &str, authorities: &str) -> Files {
        let files = Files {
            certificate: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
            authority: folder.join(format!("{name}.ca.pem")),
        };
        std::fs::write(&files.key, &self.key).unwrap();
        std::fs::write(&files.certificate, &self.certificate).unwrap();
        std::fs::write(&files.authority, authorities).unwrap();
        files
    }
}
