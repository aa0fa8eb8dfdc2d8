//! The tenant of the local run: the sandbox EHR's hospital, registered as any other endpoint would be.

use std::path::PathBuf;

use anyhow::Context as _;
use sallyport_model::VendorId;
use sallyport_sandbox_ehr as sandbox;
use sallyport_vendors::oauth::Method;

/// The tenant's id.
pub(crate) const TENANT: &str = "general";

/// The registration that the sandbox's portal launches.
pub(crate) const REGISTRATION: &str = "sandbox";

/// Our client id at the sandbox.
pub(crate) const CLIENT_ID: &str = "sallyport-chart";

/// The URLs of the sandbox's hospital where the sandbox at this origin plays that product.
///
/// # Errors
/// When there is no such profile.
pub(crate) fn endpoints(ehr: &str, profile: &str) -> anyhow::Result<sandbox::Endpoints> {
    let config = sandbox::Config { public_base: ehr.to_owned(), ..sandbox::Config::default() };
    let place = sandbox::Place { profile: profile.to_owned(), tenant: TENANT.to_owned() };
    config.endpoints(&place).with_context(|| {
        let known: Vec<&str> = sandbox::Profile::all().iter().map(|profile| profile.name).collect();
        format!("the sandbox has no profile {profile}: choose one of {}", known.join(", "))
    })
}

/// The vendor profile by which this product is spoken to; who has none of its own is nothing special.
fn vendor(product: &str) -> &'static str {
    let named = sandbox::Profile::named(product).map_or("generic", |profile| profile.vendor);
    let known = VendorId::parse(named).is_ok_and(|id| sallyport_vendors::profile(&id).is_some());
    if known { named } else { "generic" }
}

/// The sandbox knows this instance as a public client, whichever product it plays; the profiles of some take none.
fn methods(vendor: &str) -> &'static str {
    let profile = VendorId::parse(vendor).ok().and_then(|id| sallyport_vendors::profile(&id));
    match profile.is_none_or(|profile| profile.oauth.methods.contains(&Method::Public)) {
        true => "",
        false => {
            r#"
[[endpoint.override]]
key = "oauth.methods"
value = ["public"]
owner = "the local run"
reason = "the sandbox knows this instance as a public client, whichever product it plays"
expires = 2099-12-31
"#
        }
    }
}

/// The tenant file, as text: what `add-endpoint` would write for this EHR as that product.
///
/// # Errors
/// When there is no such profile.
pub(crate) fn file(ehr: &str, profile: &str) -> anyhow::Result<(PathBuf, String)> {
    let sandbox::Endpoints { fhir_base, issuer, authorization, .. } = endpoints(ehr, profile)?;
    let vendor = vendor(profile);
    let methods = methods(vendor);
    let auth = authorization.split('/').take(3).collect::<Vec<_>>().join("/");
    let text = format!(
        r#"[tenant]
id = "{TENANT}"
name = "General Hospital"
environment = "sandbox"
time_zone = "America/New_York"

[[endpoint]]
id = "sandbox"
name = "Sandbox EHR"
vendor = "{vendor}"
fhir_base = "{fhir_base}"
issuer = "{issuer}"
authorize_origins = ["{auth}"]
token_origins = ["{auth}"]
jwks_origins = ["{auth}"]
frame_ancestors = ["{ehr}"]
{methods}
[[registration]]
id = "{REGISTRATION}"
endpoint = "sandbox"
app = "chart"
client_id = "{CLIENT_ID}"
auth = "public"
launches = ["ehr", "standalone"]

[[app]]
id = "chart"
name = "Sallyport chart"
features = ["patient-summary", "medication-reconciliation", "care-gap-alerting", "clinical-documentation", "population-report"]
default_feature = "patient-summary"

[[validation]]
feature = "clinical-documentation"
by = "nobody: synthetic patients of the sandbox EHR"
on = 2026-11-30
evidence = "the local run writes to a sandbox in this machine's memory"
mapping = "2026.1"

[policy]
jurisdiction = "US-MA"

[[policy.rule]]
name = "treatment"
purposes = ["TREAT"]
types = ["*"]
permit = true
"#
    );
    Ok((PathBuf::from("(built-in sandbox tenant)"), text))
}

/// Our client as the sandbox knows it.
pub(crate) fn client(app: &str) -> sandbox::Client {
    sandbox::Client {
        client_id: CLIENT_ID.to_owned(),
        name: "Sallyport chart".to_owned(),
        launch_url: format!("{app}/launch/{REGISTRATION}"),
        redirect_uris: vec![format!("{app}/callback/{REGISTRATION}")],
        auth: sandbox::ClientAuth::Public,
        scopes: [
            "launch",
            "launch/patient",
            "launch/encounter",
            "openid",
            "fhirUser",
            "profile",
            "online_access",
            "patient/*.rs",
            "patient/DocumentReference.crs",
        ]
        .map(str::to_owned)
        .to_vec(),
    }
}
