//! From a parsed file to a checked tenant: every name resolves, every origin fits the environment.

use std::path::{Path, PathBuf};

use sallyport_clinical::{FhirVersion, Mapping};
use sallyport_model::{
    EndpointId, Purpose,
    scope::{Dialect, ResourceScope, ScopeSet},
};
use sallyport_vendors::Profile;
use url::Url;

use crate::{
    App, Behaviour, ClientAuth, Endpoint, Environment, Feature, Job, Open, Origin, Policy, Registration,
    SecretSource, Tenant,
    file::{
        AppPart, AuthKind, EndpointPart, FeaturePart, LaunchKind, RegistrationPart, ScopeVersion, TenantFile,
    },
    job::{Around, job_of},
    look, product, validation,
};

/// Checks a file; `folder` is what relative paths in it are relative to. The error is a sentence for an operator.
pub(crate) fn tenant_of(file: TenantFile, builtin: &[Feature], folder: &Path) -> Result<Tenant, String> {
    let environment = file.tenant.environment;
    let mut features = builtin.to_vec();
    for part in file.features {
        let feature = feature_of(part)?;
        features.retain(|f| f.id != feature.id);
        features.push(feature);
    }
    validation::record(file.validations, &mut features)?;
    let endpoints: Vec<Endpoint> =
        file.endpoints.into_iter().map(|e| endpoint_of(e, environment)).collect::<Result<_, _>>()?;
    let apps: Vec<App> =
        file.apps.into_iter().map(|a| app_of(a, &features, folder)).collect::<Result<_, _>>()?;
    let mut registrations = Vec::new();
    for part in file.registrations {
        let Some(endpoint) = endpoints.iter().find(|e| e.id == part.endpoint) else {
            return Err(format!(
                "registration {} names the endpoint {}, which is not in the file",
                part.id, part.endpoint
            ));
        };
        let Some(app) = apps.iter().find(|a| a.id == part.app) else {
            return Err(format!(
                "registration {} names the app {}, which is not in the file",
                part.id, part.app
            ));
        };
        validation::check(app, &features, endpoint)?;
        for feature in features.iter().filter(|f| app.features.contains(&f.id)) {
            product::asks(feature, endpoint.behaviour.known())
                .map_err(|reason| format!("registration {}: {reason}", part.id))?;
        }
        registrations.push(registration_of(part, endpoint.behaviour.known(), folder)?);
    }
    for endpoint in &endpoints {
        look::check(endpoint, &registrations, &apps, &features)?;
    }
    if file.tenant.id.as_str().starts_with('_') {
        return Err("tenant ids starting with '_' are reserved".to_owned());
    }
    if !(1..=365).contains(&file.tenant.proposal_days) {
        return Err("proposal_days is from 1 to 365".to_owned());
    }
    for rule in &file.policy.rules {
        for purpose in &rule.purposes {
            if purpose != "*" && Purpose::parse(purpose).is_none() {
                return Err(format!("policy rule {} names an unknown purpose of use", rule.name));
            }
        }
    }
    let around = Around {
        registrations: &registrations,
        features: &features,
        apps: &apps,
        time_zone: &file.tenant.time_zone,
        folder,
    };
    let mut jobs: Vec<Job> = Vec::new();
    for part in file.jobs {
        let job = job_of(part, &around)?;
        if jobs.iter().any(|other| other.id == job.id) {
            return Err(format!("job {} is there twice", job.id));
        }
        jobs.push(job);
    }
    Ok(Tenant {
        id: file.tenant.id,
        name: file.tenant.name,
        environment,
        time_zone: file.tenant.time_zone,
        proposal_days: file.tenant.proposal_days,
        endpoints,
        registrations,
        apps,
        features,
        jobs,
        policy: Policy { rules: file.policy.rules, jurisdiction: file.policy.jurisdiction },
    })
}

pub(crate) fn feature_of(part: FeaturePart) -> Result<Feature, String> {
    let purpose = Purpose::parse(&part.purpose)
        .ok_or_else(|| format!("feature {} has an unknown purpose of use", part.id))?;
    let scopes = |list: &[String]| -> Result<ScopeSet, String> {
        let mut set = ScopeSet::default();
        for text in list {
            let scope = ResourceScope::parse(text)
                .ok_or_else(|| format!("feature {} has a scope that cannot be parsed: {text}", part.id))?;
            set.add(scope);
        }
        Ok(set)
    };
    let (required, optional) = (scopes(&part.required)?, scopes(&part.optional)?);
    if required.is_empty() {
        return Err(format!(
            "feature {} requires no scope; a feature without one could never be off",
            part.id
        ));
    }
    let feature = Feature {
        id: part.id,
        title: part.title,
        kind: part.kind,
        required,
        optional,
        purpose,
        sections: part.sections,
        posture: part.posture,
        justification: part.justification,
        validation: None,
    };
    validation::can_look(&feature)?;
    Ok(feature)
}

fn endpoint_of(part: EndpointPart, environment: Environment) -> Result<Endpoint, String> {
    let id = part.id;
    let behaviour =
        Behaviour::of(&part.vendor, part.overrides).map_err(|reason| format!("endpoint {id} {reason}"))?;
    let base =
        Url::parse(&part.fhir_base).map_err(|e| format!("endpoint {id}: fhir_base is not a URL: {e}"))?;
    let base_origin =
        Origin::of(&base).filter(|_| base.query().is_none() && base.fragment().is_none()).ok_or_else(
            || format!("endpoint {id}: fhir_base must be https (or http on loopback) without query or user"),
        )?;
    let pinned = [
        &part.authorize_origins,
        &part.token_origins,
        &part.jwks_origins,
        &part.bulk_origins,
        &part.bulk_file_origins,
    ];
    let has_loopback = pinned.into_iter().flatten().chain([&base_origin]).any(Origin::is_loopback_http);
    if has_loopback && environment == Environment::Production {
        return Err(format!(
            "endpoint {id}: plain http on loopback is for tenants whose environment is \"sandbox\""
        ));
    }
    if part.authorize_origins.is_empty() && part.token_origins.is_empty() {
        return Err(format!(
            "endpoint {id}: pin at least token_origins; nothing is sent to a host that is not pinned"
        ));
    }
    if let Some(issuer) = &part.issuer {
        let issuer = Url::parse(issuer).map_err(|e| format!("endpoint {id}: issuer is not a URL: {e}"))?;
        if Origin::of(&issuer).is_none() {
            return Err(format!("endpoint {id}: issuer must be https (or http on loopback)"));
        }
    }
    // Left out, an endpoint keeps the first mapping (nothing changes in a chart that nobody has looked at) and answers in the
    // version that it states.
    let configured_version: Option<FhirVersion> = match part.fhir_version.as_deref() {
        Some(version) => Some(named(&id, "fhir_version", Some(version))?),
        None => None,
    };
    let mapping: Mapping = named(&id, "mapping", part.mapping.as_deref())?;
    let longest_id = *behaviour.known().data.max_id_length;
    if part.contact.as_ref().is_some_and(|text| text.trim().is_empty() || text.chars().any(char::is_control))
    {
        return Err(format!("endpoint {id}: contact is empty or has control characters"));
    }
    let look = part.look.map(|look| look::look_of(look, longest_id)).transpose();
    let look = look.map_err(|reason| format!("endpoint {id}: {reason}"))?;
    Ok(Endpoint {
        id,
        name: part.name,
        vendor: part.vendor,
        fhir_base: part.fhir_base,
        issuer: part.issuer,
        authorize_origins: part.authorize_origins,
        token_origins: part.token_origins,
        jwks_origins: part.jwks_origins,
        bulk_origins: part.bulk_origins,
        bulk_file_origins: part.bulk_file_origins,
        frame_ancestors: part.frame_ancestors,
        capability_fallback: part.capability_fallback,
        configured_version,
        mapping,
        contact: part.contact,
        look,
        behaviour,
    })
}

/// A version by its name; the error lists those there are.
fn named<V>(endpoint: &EndpointId, key: &str, name: Option<&str>) -> Result<V, String>
where
    V: std::str::FromStr<Err: std::fmt::Display> + Default,
{
    name.map_or(Ok(V::default()), str::parse)
        .map_err(|e| format!("endpoint {endpoint}: {key} = \"{}\": {e}", name.unwrap_or_default()))
}

fn registration_of(part: RegistrationPart, profile: &Profile, folder: &Path) -> Result<Registration, String> {
    let id = part.id;
    product::check(part.auth, profile).map_err(|reason| format!("registration {id}: {reason}"))?;
    let secret = |file: Option<PathBuf>| {
        file.map(|f| SecretSource(folder.join(f)))
            .ok_or_else(|| format!("registration {id}: this auth needs secret_file"))
    };
    if part.client_id.is_empty() {
        return Err(format!("registration {id}: client_id is empty"));
    }
    let auth = match part.auth {
        AuthKind::Public => ClientAuth::Public,
        AuthKind::SecretBasic => ClientAuth::SecretBasic(secret(part.secret_file)?),
        AuthKind::SecretPost => ClientAuth::SecretPost(secret(part.secret_file)?),
        AuthKind::PrivateKeyJwt => ClientAuth::PrivateKeyJwt {
            algorithm: product::algorithm(part.algorithm, profile)
                .map_err(|reason| format!("registration {id}: {reason}"))?,
            key_file: part.key_file.map(|f| folder.join(f)),
        },
    };
    for file in secret_files(&auth) {
        if !file.is_file() {
            return Err(format!("registration {id}: the file {} cannot be read", file.display()));
        }
    }
    if part.launches.is_empty() {
        return Err(format!(
            "registration {id}: launches is empty; name \"ehr\", \"standalone\" or \"backend\""
        ));
    }
    let backend = part.launches.contains(&LaunchKind::Backend);
    // BSVC-01: a service has nobody to consent, so a shared secret is not enough.
    if backend && !matches!(auth, ClientAuth::PrivateKeyJwt { .. }) {
        return Err(format!("registration {id}: \"backend\" needs auth = \"private_key_jwt\""));
    }
    Ok(Registration {
        ehr_launch: part.launches.contains(&LaunchKind::Ehr),
        standalone: part.launches.contains(&LaunchKind::Standalone),
        backend,
        id,
        endpoint: part.endpoint,
        app: part.app,
        client_id: part.client_id,
        auth,
        dialect: part.scope_version.map(|v| match v {
            ScopeVersion::V1 => Dialect::V1,
            ScopeVersion::V2 => Dialect::V2,
        }),
    })
}

fn secret_files(auth: &ClientAuth) -> Vec<&Path> {
    match auth {
        ClientAuth::SecretBasic(source) | ClientAuth::SecretPost(source) => vec![&source.0],
        ClientAuth::PrivateKeyJwt { key_file: Some(file), .. } => vec![file],
        ClientAuth::Public | ClientAuth::PrivateKeyJwt { key_file: None, .. } => vec![],
    }
}

fn app_of(part: AppPart, features: &[Feature], folder: &Path) -> Result<App, String> {
    for id in part.features.iter().chain([&part.default_feature]) {
        if !features.iter().any(|f| f.id == *id) {
            return Err(format!("app {} names the feature {id}, which does not exist", part.id));
        }
    }
    if !part.features.contains(&part.default_feature) {
        return Err(format!("app {}: default_feature must be one of its features", part.id));
    }
    let open = match (part.folder, part.upstream) {
        (None, None) => Open::Chart,
        (Some(path), None) => Open::Folder(folder.join(path)),
        (None, Some(text)) => {
            let url =
                Url::parse(&text).map_err(|e| format!("app {}: upstream is not a URL: {e}", part.id))?;
            if url.scheme() != "http" {
                return Err(format!("app {}: upstream must be http, on the app's own network", part.id));
            }
            Open::Upstream(url)
        }
        (Some(_), Some(_)) => return Err(format!("app {}: give folder or upstream, not both", part.id)),
    };
    Ok(App {
        id: part.id,
        name: part.name,
        features: part.features,
        default_feature: part.default_feature,
        open,
    })
}
