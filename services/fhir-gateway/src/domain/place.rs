//! An endpoint as calls need it: its base in every form, its pins, its vendor's habits, its limits.

use std::{collections::HashMap, sync::Arc};

use sallyport_egress::Pins;
use sallyport_fhir::Base;
use sallyport_model::{EndpointId, TenantId};
use sallyport_registry::{Environment, Registry};

use super::limits::EndpointLimits;
use crate::config::Config;

/// One endpoint.
pub(crate) struct Place {
    pub(crate) tenant: TenantId,
    pub(crate) endpoint: EndpointId,
    /// For comparing references.
    pub(crate) base: Base,
    /// Exactly as registered, without a trailing slash.
    pub(crate) fhir_base: String,
    /// Where calls may go: the base's own origin and path.
    pub(crate) pins: Pins,
    pub(crate) vendor: &'static str,
    pub(crate) max_id_length: usize,
    /// Sandbox tenants may live on this machine.
    pub(crate) allow_loopback: bool,
    pub(crate) limits: EndpointLimits,
}

/// Every endpoint of the registry.
pub(crate) struct Places(HashMap<(TenantId, EndpointId), Arc<Place>>);

impl Places {
    /// Prepares every endpoint. An endpoint that cannot be called is a configuration error, found before any socket opens.
    pub(crate) fn new(registry: &Registry, config: &Config) -> Result<Self, String> {
        let mut places = HashMap::new();
        for tenant in registry.tenants() {
            for endpoint in &tenant.endpoints {
                let name = || format!("endpoint \"{}\" of tenant \"{}\"", endpoint.id, tenant.id);
                let base = Base::parse(endpoint.base())
                    .ok_or_else(|| format!("{}: fhir_base is not a FHIR base", name()))?;
                let pins =
                    Pins::parse([endpoint.base()]).map_err(|e| format!("{}: fhir_base: {e}", name()))?;
                let profile = sallyport_vendors::profile(&endpoint.vendor).ok_or_else(|| {
                    format!("{}: there is no vendor profile \"{}\"", name(), endpoint.vendor)
                })?;
                let place = Place {
                    tenant: tenant.id.clone(),
                    endpoint: endpoint.id.clone(),
                    base,
                    fhir_base: endpoint.base().to_owned(),
                    pins,
                    vendor: profile.id,
                    max_id_length: profile.max_id_length,
                    allow_loopback: tenant.environment == Environment::Sandbox,
                    limits: EndpointLimits::new(config),
                };
                places.insert((tenant.id.clone(), endpoint.id.clone()), Arc::new(place));
            }
        }
        Ok(Self(places))
    }

    /// The endpoint of a session.
    pub(crate) fn of(&self, tenant: &TenantId, endpoint: &EndpointId) -> Option<&Arc<Place>> {
        self.0.get(&(tenant.clone(), endpoint.clone()))
    }
}
