//! An endpoint as calls need it: its base in every form, its pins, its vendor's habits, its limits.

use std::{collections::HashMap, sync::Arc};

use sallyport_clinical::{FhirVersion, Mapping};
use sallyport_egress::Pins;
use sallyport_fhir::Base;
use sallyport_model::{EndpointId, TenantId};
use sallyport_registry::{Environment, Origin, Registry};

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
    /// Where the status and the files of an export may be, with the token: the base and the origins registered for it.
    pub(crate) bulk_pins: Pins,
    /// Where files may be without it.
    pub(crate) file_pins: Pins,
    pub(crate) vendor: &'static str,
    pub(crate) max_id_length: usize,
    /// The version of FHIR in which it answers, where its file says so.
    pub(crate) configured_version: Option<FhirVersion>,
    /// By which mapping its charts are made.
    pub(crate) mapping: Mapping,
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
                let bulk =
                    [endpoint.base()].into_iter().chain(endpoint.bulk_origins.iter().map(Origin::as_str));
                let bulk_pins = Pins::parse(bulk).map_err(|e| format!("{}: bulk_origins: {e}", name()))?;
                let files = endpoint.bulk_file_origins.iter().map(Origin::as_str);
                let file_pins =
                    Pins::parse(files).map_err(|e| format!("{}: bulk_file_origins: {e}", name()))?;
                let profile = endpoint.behaviour.known();
                let place = Place {
                    tenant: tenant.id.clone(),
                    endpoint: endpoint.id.clone(),
                    base,
                    fhir_base: endpoint.base().to_owned(),
                    pins,
                    bulk_pins,
                    file_pins,
                    vendor: profile.id,
                    max_id_length: *profile.data.max_id_length,
                    configured_version: endpoint.configured_version,
                    mapping: endpoint.mapping,
                    allow_loopback: tenant.environment == Environment::Sandbox,
                    limits: EndpointLimits::new(config, profile),
                };
                places.insert((tenant.id.clone(), endpoint.id.clone()), Arc::new(place));
            }
        }
        Ok(Self(places))
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Place>> {
        self.0.values()
    }

    /// The endpoint of a session.
    pub(crate) fn of(&self, tenant: &TenantId, endpoint: &EndpointId) -> Option<&Arc<Place>> {
        self.0.get(&(tenant.clone(), endpoint.clone()))
    }
}
