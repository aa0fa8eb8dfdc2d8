//! The authority and its leaves.

use std::{path::Path, sync::Arc, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use sallyport_model::{Clock, Micros, Secret, ServiceName};

use super::{
    Made, PkiError, Request, files,
    place::{self, For},
};
use crate::tls::{Identity, Options, TlsError};

/// The authority's name. It is fixed, so that an existing key issues under the same name again.
const NAME: &str = "Sallyport development authority";

/// Clocks of other machines may be behind this much.
const BACKDATED: Duration = Duration::from_secs(300);

/// Makes what is missing in `folder` and new leaves for all services asked for, under the authority that is there.
///
/// # Errors
/// [`PkiError`]; files that something else made are never overwritten.
pub fn dev(folder: &Path, request: &Request) -> Result<Made, PkiError> {
    place::folder(folder)?;
    let (authority, is_new_authority) = authority(folder, request)?;
    // All are checked before the first is written.
    for service in &request.services {
        refuse_foreign(folder, *service, request)?;
    }
    let mut leaves = Vec::new();
    for service in &request.services {
        let (certificate, key) = leaf(*service, request, &authority)?;
        let files = files(folder, *service);
        // The key first: a process that looks in between finds a pair that does not fit and waits for the other half.
        place::write(&files.key, key.expose(), For::Owner)?;
        place::write(&files.certificate, &certificate, For::Everybody)?;
        identity(folder, *service, request).map_err(|error| PkiError::Unusable(*service, error))?;
        leaves.push((*service, files));
    }
    Ok(Made { is_new_authority, leaves })
}

/// What is at the service's place must be a leaf of this authority for this service, or nothing.
fn refuse_foreign(folder: &Path, service: ServiceName, request: &Request) -> Result<(), PkiError> {
    let files = files(folder, service);
    let is_there = place::read(&files.certificate)?.is_some() || place::read(&files.key)?.is_some();
    if !is_there {
        return Ok(());
    }
    match identity(folder, service, request) {
        // A crash between the two halves leaves a pair that does not fit; it is still ours.
        Ok(_) | Err(TlsError::Key(_)) => Ok(()),
        Err(TlsError::Read { .. }) if place::read(&files.certificate)?.is_none() => Ok(()),
        Err(_other) => Err(PkiError::Foreign(files.certificate)),
    }
}

/// Reads a leaf the way the services do.
fn identity(folder: &Path, service: ServiceName, request: &Request) -> Result<Identity, TlsError> {
    let options = Options {
        trust_domain: request.trust_domain.clone(),
        clock: Arc::new(At(request.now)),
        ..Options::default()
    };
    let identity = Identity::load_with(files(folder, service), options)?;
    if identity.service() == service { Ok(identity) } else { Err(TlsError::Name) }
}

struct At(Micros);

impl Clock for At {
    fn now(&self) -> Micros {
        self.0
    }
}

/// The authority in the folder, or a new one.
fn authority(folder: &Path, request: &Request) -> Result<(Issuer<'static, KeyPair>, bool), PkiError> {
    let (certificate_path, key_path) = (folder.join("ca.pem"), folder.join("ca.key"));
    let params = authority_params(request)?;
    match (place::read(&certificate_path)?, place::read(&key_path)?.map(Secret::new)) {
        (None, None) => {
            let key = KeyPair::generate()?;
            let certificate = params.self_signed(&key)?;
            place::write(&key_path, Secret::new(key.serialize_pem()).expose(), For::Owner)?;
            place::write(&certificate_path, &certificate.pem(), For::Everybody)?;
            Ok((Issuer::new(params, key), true))
        }
        (Some(certificate), Some(key)) => {
            let key = KeyPair::from_pem(key.expose()).map_err(|_reason| PkiError::Foreign(key_path))?;
            let issuer = Issuer::new(params, key);
            if has_issued_as(&issuer, &certificate)? {
                Ok((issuer, false))
            } else {
                Err(PkiError::Foreign(certificate_path))
            }
        }
        (Some(_), None) => Err(PkiError::Foreign(certificate_path)),
        (None, Some(_)) => Err(PkiError::Foreign(key_path)),
    }
}

/// Whether leaves of this issuer chain to one of these authorities.
fn has_issued_as(issuer: &Issuer<'_, KeyPair>, authorities: &str) -> Result<bool, PkiError> {
    let probe = CertificateParams::new(vec!["probe".to_owned()])?.signed_by(&KeyPair::generate()?, issuer)?;
    let Ok(leaf) = webpki::EndEntityCert::try_from(probe.der()) else { return Ok(false) };
    let authorities: Vec<CertificateDer<'_>> =
        CertificateDer::pem_slice_iter(authorities.as_bytes()).filter_map(Result::ok).collect();
    let anchors: Vec<_> =
        authorities.iter().filter_map(|der| webpki::anchor_from_trusted_cert(der).ok()).collect();
    let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
    // The library's certificates without times hold from 1975 to 4096.
    let at = rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_secs(1_000_000_000));
    let usage = webpki::KeyUsage::client_auth();
    Ok(leaf.verify_for_usage(algorithms.all, &anchors, &[], at, usage, None, None).is_ok())
}

fn authority_params(request: &Request) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, NAME);
    // It issues leaves and nothing that issues.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_times(&mut params, request.now, request.authority_validity)?;
    Ok(params)
}

fn leaf(
    service: ServiceName,
    request: &Request,
    authority: &Issuer<'_, KeyPair>,
) -> Result<(String, Secret<String>), PkiError> {
    let mut params = CertificateParams::new(request.dns_names.clone())?;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, service.as_str());
    params.subject_alt_names.extend(request.addresses.iter().map(|ip| SanType::IpAddress(*ip)));
    let uri = format!("spiffe://{}/{}", request.trust_domain, service.as_str());
    params.subject_alt_names.push(SanType::URI(uri.try_into()?));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    set_times(&mut params, request.now, request.leaf_validity)?;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    Ok((certificate.pem(), Secret::new(key.serialize_pem())))
}

fn set_times(params: &mut CertificateParams, now: Micros, validity: Duration) -> Result<(), PkiError> {
    /// A certificate's time has four digits of a year.
    const LAST: u64 = 250_000_000_000;
    let now = u64::try_from(now).map(|micros| micros / 1_000_000).map_err(|_negative| rcgen::Error::Time)?;
    let end = now.saturating_add(validity.as_secs());
    if end >= LAST {
        return Err(rcgen::Error::Time.into());
    }
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(now).saturating_sub(BACKDATED);
    params.not_after = epoch + Duration::from_secs(end);
    Ok(())
}
