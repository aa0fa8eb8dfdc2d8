//! What every use case needs: configuration, registry, store, keys, the way out, and the tenants' rules about it.

use std::sync::Arc;

use sallyport_audit_client::AuditClient;
use sallyport_egress::Egress;
use sallyport_model::{Clock, Code, Micros, RegistrationId, TenantId};
use sallyport_registry::{Entry, Environment, Origin, Registry};
use sallyport_smart::token::TokenResponse;
use sallyport_vendors::Profile;
use url::Url;

use crate::{
    config::Config, error::Error, flights::Flights, issuer_keys::IssuerKeys, metrics::VaultMetrics,
    sealing::Sealing, signing::SigningKeys, store::Store,
};

/// The vault.
pub(crate) struct Vault {
    pub(crate) config: Config,
    pub(crate) registry: Arc<Registry>,
    pub(crate) store: Store,
    pub(crate) sealing: Sealing,
    pub(crate) egress: Egress,
    pub(crate) audit: AuditClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: VaultMetrics,
    pub(crate) flights: Flights,
    pub(crate) issuer_keys: IssuerKeys,
    pub(crate) signing: SigningKeys,
    /// Wakes the work on rotations.
    pub(crate) rotation_asked: tokio::sync::Notify,
}

/// A registration with the behaviour of its endpoint.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) entry: Entry<'a>,
    pub(crate) profile: &'a Profile,
}

impl Vault {
    pub(crate) fn now(&self) -> Micros {
        self.clock.now()
    }

    /// A tenant's registration. One of another tenant does not exist.
    pub(crate) fn place(&self, tenant: &TenantId, registration: &RegistrationId) -> Result<Place<'_>, Error> {
        let place = self.known_place(tenant, registration)?;
        place.entry.endpoint.behaviour.now(self.now())?;
        Ok(place)
    }

    /// The same for giving back what is held, and for what no EHR sees: also when an override there has expired.
    pub(crate) fn known_place(
        &self,
        tenant: &TenantId,
        registration: &RegistrationId,
    ) -> Result<Place<'_>, Error> {
        let entry = self.registry.registration(registration).filter(|entry| entry.tenant.id == *tenant);
        let entry = entry.ok_or(Code::LaunchRegistrationUnknown)?;
        Ok(Place { entry, profile: entry.endpoint.behaviour.known() })
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

    /// When the access token of a response dies, as far as the profile believes what it says.
    pub(crate) fn access_expires_at(&self, response: &TokenResponse, now: Micros) -> Micros {
        let tokens = &self.profile.tokens;
        let lifetime =
            response.lifetime_seconds(*tokens.default_expires_seconds, *tokens.max_expires_seconds);
        now.saturating_add(lifetime.saturating_mul(1_000_000))
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
