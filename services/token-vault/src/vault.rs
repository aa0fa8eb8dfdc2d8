//! What every use case needs: configuration, registry, store, keys, the way out, and the tenants' rules about it.

use std::sync::Arc;

use sallyport_audit_client::AuditClient;
use sallyport_egress::Egress;
use sallyport_model::{Clock, Code, Micros, RegistrationId, TenantId};
use sallyport_registry::{Entry, Environment, Origin, Registry};
use sallyport_vendors::Profile;
use url::Url;

use crate::{
    Profiles, config::Config, error::Error, flights::Flights, issuer_keys::IssuerKeys, metrics::VaultMetrics,
    sealing::Sealing, signing::SigningKeys, store::Store,
};

/// The vault.
pub(crate) struct Vault {
    pub(crate) config: Config,
    pub(crate) registry: Arc<Registry>,
    pub(crate) profiles: Profiles,
    pub(crate) store: Store,
    pub(crate) sealing: Sealing,
    pub(crate) egress: Egress,
    pub(crate) audit: AuditClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: VaultMetrics,
    pub(crate) flights: Flights,
    pub(crate) issuer_keys: IssuerKeys,
    pub(crate) signing: SigningKeys,
}

/// A registration with the behaviour of its EHR's product.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) entry: Entry<'a>,
    pub(crate) profile: &'static Profile,
}

impl Vault {
    pub(crate) fn now(&self) -> Micros {
        self.clock.now()
    }

    /// A tenant's registration. One of another tenant does not exist.
    pub(crate) fn place(&self, tenant: &TenantId, registration: &RegistrationId) -> Result<Place<'_>, Error> {
        let entry = self.registry.registration(registration).filter(|entry| entry.tenant.id == *tenant);
        let entry = entry.ok_or(Code::LaunchRegistrationUnknown)?;
        let profile = (self.profiles)(&entry.endpoint.vendor).ok_or(Error::Malformed("vendor"))?;
        Ok(Place { entry, profile })
    }
}

impl Place<'_> {
    /// A URL that codes, secrets and tokens may go to: its origin was pinned at registration. What was discovered
    /// elsewhere is a finding, never followed.
    pub(crate) fn token_url(&self, text: &str) -> Result<Url, Error> {
        pinned(text, &self.entry.endpoint.token_origins)
    }

    /// A URL that the issuer's keys may come from.
    pub(crate) fn jwks_url(&self, text: &str) -> Result<Url, Error> {
        pinned(text, &self.entry.endpoint.jwks_origins)
    }

    /// Whether this machine may be reached: sandbox tenants only.
    pub(crate) fn allows_loopback(&self) -> bool {
        self.entry.tenant.environment == Environment::Sandbox
    }
}

fn pinned(text: &str, origins: &[Origin]) -> Result<Url, Error> {
    let url = Url::parse(text).map_err(|_not_a_url| Code::RequestInvalid)?;
    let origin = Origin::of(&url).ok_or(Code::LaunchDiscoveryDrift)?;
    if origins.contains(&origin) { Ok(url) } else { Err(Code::LaunchDiscoveryDrift.into()) }
}
