//! The tenant file for a discovered EHR, and the values for the EHR's registration form.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use sallyport_model::{RegistrationId, TenantId, scope::Dialect};
use sallyport_registry::Origin;
use url::Url;

use super::discover::Found;
use crate::cli::AddEndpointArgs;

/// Everything that the file and the form need.
pub(super) struct Plan {
    pub(super) tenant: TenantId,
    pub(super) registration: RegistrationId,
    pub(super) public_url: String,
    pub(super) dialect: Dialect,
    name: String,
    base: String,
    issuer: Option<String>,
    authorize: Vec<String>,
    token: Vec<String>,
    jwks: Vec<String>,
    ancestors: Vec<String>,
    client_id: String,
    auth: String,
    secret_file: Option<String>,
    algorithm: Option<String>,
    environment: String,
    vendor: String,
    fallback: bool,
    launches: Vec<&'static str>,
}

impl Plan {
    pub(super) fn new(args: &AddEndpointArgs, found: &Found) -> anyhow::Result<Self> {
        let url = Url::parse(&args.url)?;
        let host = url.host_str().context("the FHIR base has no host")?;
        let tenant = args.tenant.clone().unwrap_or_else(|| name_of(host));
        let registration = args.registration.clone().unwrap_or_else(|| tenant.clone());
        let origin = |url: &Url| Origin::of(url).map(|o| o.as_str().to_owned());
        let own = origin(&url).context("the FHIR base must be https, or http on a loopback address")?;
        let smart = &found.smart;
        let token: BTreeSet<String> = [&smart.token, &smart.revocation, &smart.introspection]
            .into_iter()
            .flatten()
            .filter_map(origin)
            .collect();
        let mut ancestors = vec![own];
        ancestors.extend(args.frame_ancestor.iter().cloned());
        ancestors.dedup();
        let secret_file = match (args.auth.as_str(), &args.secret_file) {
            ("client_secret_basic" | "client_secret_post", Some(path)) => {
                let path = path.canonicalize().with_context(|| format!("cannot read {}", path.display()))?;
                Some(path.to_string_lossy().into_owned())
            }
            ("client_secret_basic" | "client_secret_post", None) => {
                bail!("--auth {} needs --secret-file", args.auth)
            }
            _ => None,
        };
        let standalone = smart.offers("launch-standalone");
        let ehr = smart.offers("launch-ehr");
        let launches = match (ehr, standalone) {
            (true, false) => vec!["ehr"],
            (false, true) => vec!["standalone"],
            _ => vec!["ehr", "standalone"],
        };
        Ok(Self {
            tenant: TenantId::parse(&tenant).context("--tenant")?,
            registration: RegistrationId::parse(&registration).context("--registration")?,
            public_url: args.public_url.trim_end_matches('/').to_owned(),
            dialect: sallyport_smart::authorize::choose_dialect(None, smart),
            name: host.to_owned(),
            base: args.url.clone(),
            issuer: smart.issuer.clone(),
            authorize: smart.authorize.iter().filter_map(origin).collect(),
            token: token.into_iter().collect(),
            jwks: smart.jwks.iter().filter_map(origin).collect(),
            ancestors,
            client_id: args.client_id.clone().unwrap_or_else(|| "CLIENT-ID-FROM-THE-EHR".to_owned()),
            auth: args.auth.clone(),
            secret_file,
            algorithm: args.algorithm.clone(),
            environment: args.environment.clone(),
            vendor: args.vendor.clone(),
            fallback: args.capability_fallback,
            launches,
        })
    }

    /// What to paste into the EHR's form.
    pub(super) fn registration_form(&self, scopes: &[String]) -> String {
        let mut scopes: BTreeSet<&str> = scopes.iter().map(String::as_str).collect();
        scopes.extend(["openid", "fhirUser", "launch", "launch/patient"]);
        let scopes: Vec<&str> = scopes.into_iter().collect();
        format!(
            "For the EHR's registration form\n  launch URL               {0}/launch/{1}\n  redirect URI             {0}/callback/{1}\n  JWKS URL                 {0}/.well-known/jwks.json\n  client authentication    {2}\n  scopes                   {3}\n",
            self.public_url,
            self.registration,
            self.auth,
            scopes.join(" ")
        )
    }

    /// The file.
    pub(super) fn file(&self) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let list = |items: &[String]| toml::Value::from(items.to_vec()).to_string();
        let issuer = self.issuer.as_deref().map(|i| format!("issuer = {}\n", quoted(i))).unwrap_or_default();
        let secret =
            self.secret_file.as_deref().map(|f| format!("secret_file = {}\n", quoted(f))).unwrap_or_default();
        let algorithm =
            self.algorithm.as_deref().map(|a| format!("algorithm = {}\n", quoted(a))).unwrap_or_default();
        let launches =
            toml::Value::from(self.launches.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>()).to_string();
        format!(
            r#"[tenant]
id = "{tenant}"
name = {name}
environment = {environment}
time_zone = "UTC"

[[endpoint]]
id = "main"
name = {name}
vendor = {vendor}
fhir_base = {base}
{issuer}authorize_origins = {authorize}
token_origins = {token}
jwks_origins = {jwks}
frame_ancestors = {ancestors}
capability_fallback = {fallback}

[[registration]]
id = "{registration}"
endpoint = "main"
app = "chart"
client_id = {client_id}
auth = {auth}
{secret}{algorithm}launches = {launches}

[[app]]
id = "chart"
name = "Sallyport chart"
features = ["patient-summary"]
default_feature = "patient-summary"

[policy]
jurisdiction = "US"

[[policy.rule]]
name = "treatment"
purposes = ["TREAT"]
types = ["*"]
permit = true
"#,
            tenant = self.tenant,
            registration = self.registration,
            name = quoted(&self.name),
            environment = quoted(&self.environment),
            vendor = quoted(&self.vendor),
            base = quoted(&self.base),
            authorize = list(&self.authorize),
            token = list(&self.token),
            jwks = list(&self.jwks),
            ancestors = list(&self.ancestors),
            fallback = self.fallback,
            client_id = quoted(&self.client_id),
            auth = quoted(&self.auth),
        )
    }
}

/// `fhir.example.org` → `fhir-example-org`.
fn name_of(host: &str) -> String {
    let plain: String =
        host.to_ascii_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    plain.trim_matches('-').chars().take(64).collect()
}
