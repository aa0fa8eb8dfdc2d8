//! What an endpoint is used for: features with their types, launches, authentication, pins. By it a change is judged.

use std::collections::{BTreeMap, BTreeSet};

use sallyport_clinical::{Context, FhirVersion, Interaction, Section};
use sallyport_model::{
    PatientId,
    scope::{ResourceScope, ScopeSet, Verb},
};
use sallyport_registry::{ClientAuth, Endpoint, FeatureKind, Registry, Tenant};
use sallyport_vendors::oauth::Pkce;

/// One feature, by what it asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asks {
    pub(crate) id: String,
    /// Types without which it is off.
    pub(crate) required: BTreeSet<String>,
    /// Types without which it shows less.
    pub(crate) optional: BTreeSet<String>,
    /// Types that it writes.
    pub(crate) writes: BTreeSet<String>,
    pub(crate) is_service: bool,
}

/// Everything that hangs on one endpoint.
#[derive(Debug, Clone, Default)]
pub(crate) struct Touch {
    pub(crate) features: Vec<Asks>,
    /// `token_endpoint_auth_methods_supported` words of our registrations.
    pub(crate) auths: BTreeSet<String>,
    pub(crate) ehr_launch: bool,
    pub(crate) standalone: bool,
    pub(crate) pkce_required: bool,
    /// Origins, or the issuer, by the name in the discovery document.
    pub(crate) pins: BTreeMap<String, Vec<String>>,
    /// `(type, parameter)` that the chart asks with.
    pub(crate) params: BTreeSet<(String, String)>,
}

impl Touch {
    /// What the registry says about an endpoint.
    pub(crate) fn of(
        registry: &Registry,
        tenant: &Tenant,
        endpoint: &Endpoint,
        version: FhirVersion,
    ) -> Self {
        let entries = registry.entries();
        let entries: Vec<_> = entries
            .filter(|entry| entry.tenant.id == tenant.id && entry.endpoint.id == endpoint.id)
            .collect();
        let mut touch = Self {
            ehr_launch: entries.iter().any(|entry| entry.registration.ehr_launch),
            standalone: entries.iter().any(|entry| entry.registration.standalone),
            auths: entries.iter().map(|entry| method(&entry.registration.auth).to_owned()).collect(),
            pkce_required: *endpoint.behaviour.known().oauth.pkce == Pkce::Required,
            ..Self::default()
        };
        let origins = [
            ("authorization_endpoint", &endpoint.authorize_origins),
            ("token_endpoint", &endpoint.token_origins),
            ("jwks_uri", &endpoint.jwks_origins),
        ];
        for (name, pinned) in origins {
            touch
                .pins
                .insert(name.to_owned(), pinned.iter().map(|origin| origin.as_str().to_owned()).collect());
        }
        touch.pins.insert("issuer".to_owned(), endpoint.issuer.iter().cloned().collect());
        let mut sections = BTreeSet::new();
        for feature in entries.iter().flat_map(sallyport_registry::Entry::features) {
            if touch.features.iter().any(|known| known.id == feature.id.as_str()) {
                continue;
            }
            sections.extend(feature.sections.iter().filter_map(|name| name.parse::<Section>().ok()));
            touch.features.push(Asks {
                id: feature.id.as_str().to_owned(),
                required: types(&feature.required, false),
                optional: types(&feature.optional, false),
                writes: types(&feature.required, true),
                is_service: feature.kind == FeatureKind::Service,
            });
        }
        touch.params = sections.into_iter().flat_map(|section| asked(section, version)).collect();
        touch
    }

    /// Every feature.
    pub(crate) fn all(&self) -> Vec<String> {
        self.features.iter().map(|feature| feature.id.clone()).collect()
    }

    /// Features that read a type, and whether one of them is nothing without it.
    pub(crate) fn by_type(&self, kind: &str) -> (bool, Vec<String>) {
        let uses = |feature: &&Asks| feature.required.contains(kind) || feature.optional.contains(kind);
        let is_required = self.features.iter().any(|feature| feature.required.contains(kind));
        (is_required, ids(self.features.iter().filter(uses)))
    }

    /// The same for a scope as an EHR lists it.
    pub(crate) fn by_scope(&self, word: &str) -> (bool, Vec<String>) {
        match ResourceScope::parse(word).and_then(|scope| scope.resource_type) {
            Some(kind) => self.by_type(&kind),
            None => (false, Vec::new()),
        }
    }

    /// Features that write a type.
    pub(crate) fn writers(&self, kind: &str) -> Vec<String> {
        ids(self.features.iter().filter(|feature| feature.writes.contains(kind)))
    }

    /// Features of services.
    pub(crate) fn services(&self) -> Vec<String> {
        ids(self.features.iter().filter(|feature| feature.is_service))
    }

    /// Whether launches depend on an announced capability.
    pub(crate) fn needs_capability(&self, capability: &str) -> bool {
        match capability {
            "launch-ehr" => self.ehr_launch,
            "launch-standalone" => self.standalone,
            // Without a signed-in person no chart opens.
            "sso-openid-connect" => self.ehr_launch || self.standalone,
            _ => false,
        }
    }

    /// Whether an address or issuer is where it was pinned.
    pub(crate) fn pinned(&self, name: &str, value: &str) -> bool {
        self.pins.get(name).is_some_and(|pinned| pinned.iter().any(|pin| pin == value))
    }

    /// Whether the chart asks with this parameter.
    pub(crate) fn asks_with(&self, kind: &str, param: &str) -> bool {
        self.params.iter().any(|(on, name)| on == kind && name == param)
    }
}

fn ids<'f>(features: impl Iterator<Item = &'f Asks>) -> Vec<String> {
    features.map(|feature| feature.id.clone()).collect()
}

fn types(scopes: &ScopeSet, written: bool) -> BTreeSet<String> {
    let is_wanted = |scope: &&ResourceScope| {
        let writes = scope.has(Verb::Create) || scope.has(Verb::Update);
        if written { writes } else { scope.has(Verb::Read) || scope.has(Verb::Search) }
    };
    scopes.resources().filter(is_wanted).filter_map(|scope| scope.resource_type.clone()).collect()
}

fn method(auth: &ClientAuth) -> &'static str {
    match auth {
        ClientAuth::Public => "none",
        ClientAuth::SecretBasic(_) => "client_secret_basic",
        ClientAuth::SecretPost(_) => "client_secret_post",
        ClientAuth::PrivateKeyJwt { .. } => "private_key_jwt",
    }
}

/// What a section asks with. The plan is about nobody: only names are taken from it.
fn asked(section: Section, fhir_version: FhirVersion) -> Vec<(String, String)> {
    let Ok(nobody) = PatientId::parse("nobody") else { return Vec::new() };
    let context = Context {
        patient: &nobody,
        encounter: None,
        fhir_base: "",
        fhir_version,
        mapping: sallyport_clinical::Mapping::default(),
    };
    let mut all = Vec::new();
    for query in sallyport_clinical::plan(section, &context) {
        let Interaction::Search(params) = query.interaction else { continue };
        let names = params.iter().map(|(name, _)| *name).filter(|name| !name.starts_with('_'));
        all.extend(names.map(|name| (query.resource_type.to_owned(), name.to_owned())));
    }
    all
}
