//! One reading of the three files, checked as a whole: either all of it is used or none.

use std::sync::Arc;

use ::aws_lc_rs::digest;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::Resumption,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, TrustAnchor, UnixTime, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
    time_provider::TimeProvider,
};
use sallyport_model::{Clock, Micros, Secret, ServiceName};
use webpki::{EndEntityCert, KeyUsage};

use super::{Files, TlsError, Trust, peer_of, verify};

/// The three files as read.
pub(super) struct Pem {
    certificate: Vec<u8>,
    key: Secret<Vec<u8>>,
    authority: Vec<u8>,
}

impl Pem {
    pub(super) fn read(files: &Files) -> Result<Self, TlsError> {
        let read = |path: &std::path::PathBuf| {
            std::fs::read(path).map_err(|source| TlsError::Read { path: path.clone(), source })
        };
        Ok(Self {
            certificate: read(&files.certificate)?,
            key: Secret::new(read(&files.key)?),
            authority: read(&files.authority)?,
        })
    }

    /// By which a change is noticed.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [&self.certificate, self.key.expose(), &self.authority] {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.finish().as_ref());
        out
    }
}

/// A certificate, its key and what it trusts, at one moment.
pub(crate) struct Snapshot {
    pub(super) service: ServiceName,
    pub(super) expires_at: Micros,
    trust: Trust,
    roots: Arc<RootCertStore>,
    key: Arc<SingleCertAndKey>,
    provider: Arc<CryptoProvider>,
    time: Arc<dyn TimeProvider>,
    /// Built once: every accepted connection uses the same.
    pub(crate) server: Arc<ServerConfig>,
}

/// rustls asks our clock.
struct ClockTime(Arc<dyn Clock>);

impl std::fmt::Debug for ClockTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClockTime")
    }
}

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        let micros = u64::try_from(self.0.now()).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_micros(micros)))
    }
}

impl Snapshot {
    pub(super) fn build(pem: &Pem, trust: &Trust, clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let certificates = |bytes: &[u8], what| {
            let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
            all.ok().filter(|all| !all.is_empty()).ok_or(TlsError::Pem(what))
        };
        let chain = certificates(&pem.certificate, "the certificate file")?;
        let authorities = certificates(&pem.authority, "the authority file")?;
        let key = PrivateKeyDer::from_pem_slice(pem.key.expose())
            .map_err(|_not_shown| TlsError::Pem("the key file"))?;
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority).map_err(TlsError::Refused)?;
        }
        let service = chain.first().and_then(|leaf| peer_of(leaf, trust)).ok_or(TlsError::Name)?;
        let expires_at = last_moment(&chain, &roots.roots, &provider)?;
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(TlsError::Key)?;
        let key = Arc::new(SingleCertAndKey::from(certified));
        let time: Arc<dyn TimeProvider> = Arc::new(ClockTime(clock));
        let roots = Arc::new(roots);
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()
            .map_err(|error| TlsError::Refused(rustls::Error::General(error.to_string())))?;
        let clients = Arc::new(verify::Clients { chain: clients, trust: trust.clone() });
        let mut server = ServerConfig::builder_with_details(Arc::clone(&provider), Arc::clone(&time))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(TlsError::Refused)?
            .with_client_cert_verifier(clients)
            .with_cert_resolver(Arc::clone(&key) as _);
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // A resumed session would keep an identity past its certificate's end.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        let server = Arc::new(server);
        Ok(Self { service, expires_at, trust: trust.clone(), roots, key, provider, time, server })
    }

    /// The service that a verified peer's leaf names.
    pub(crate) fn peer_of(&self, leaf: &CertificateDer<'_>) -> Option<ServiceName> {
        peer_of(leaf, &self.trust)
    }

    /// For a connection to `peer`: anybody else's certificate ends the handshake.
    pub(crate) fn client(&self, peer: ServiceName) -> Result<Arc<ClientConfig>, TlsError> {
        let servers = verify::Servers {
            roots: Arc::clone(&self.roots),
            algorithms: self.provider.signature_verification_algorithms,
            trust: self.trust.clone(),
            peer,
        };
        let mut client =
            ClientConfig::builder_with_details(Arc::clone(&self.provider), Arc::clone(&self.time))
                .with_protocol_versions(&[&rustls::version::TLS13])
                .map_err(TlsError::Refused)?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(servers))
                .with_client_cert_resolver(Arc::clone(&self.key) as _);
        client.alpn_protocols = vec![b"h2".to_vec()];
        client.resumption = Resumption::disabled();
        // The name is not what is verified, and it is nobody's business on the wire.
        client.enable_sni = false;
        Ok(Arc::new(client))
    }
}

/// `notAfter` of the leaf, having checked at that moment that the chain holds for both sides. A certificate that has
/// expired meanwhile is still an identity: its peers refuse it, and a renewed file replaces it.
fn last_moment(
    chain: &[CertificateDer<'_>],
    anchors: &[TrustAnchor<'_>],
    provider: &CryptoProvider,
) -> Result<Micros, TlsError> {
    let (leaf, intermediates) = chain.split_first().ok_or(TlsError::Name)?;
    let leaf = EndEntityCert::try_from(leaf).map_err(TlsError::Chain)?;
    let verify = |at: UnixTime, usage: KeyUsage| {
        let algorithms = provider.signature_verification_algorithms.all;
        leaf.verify_for_usage(algorithms, anchors, intermediates, at, usage, None, None).map(|_path| ())
    };
    // The library tells the end of a certificate only by refusing it: ask about the end of time.
    let end = UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::from(u32::MAX) * 64));
    let not_after = match verify(end, KeyUsage::client_auth()) {
        Err(webpki::Error::CertExpired { not_after, .. }) => not_after,
        Err(other) => return Err(TlsError::Chain(other)),
        Ok(()) => end,
    };
    verify(not_after, KeyUsage::client_auth()).map_err(TlsError::Chain)?;
    verify(not_after, KeyUsage::server_auth()).map_err(TlsError::Chain)?;
    Ok(i64::try_from(not_after.as_secs()).unwrap_or(i64::MAX).saturating_mul(1_000_000))
}
