//! The tenant of the local run: the sandbox EHR's hospital, registered as any other endpoint would be.

use std::path::PathBuf;

use sallyport_sandbox_ehr as sandbox;

/// The tenant's id.
pub(crate) const TENANT: &str = "general";

/// The registration that the sandbox's portal launches.
pub(crate) const REGISTRATION: &str = "sandbox";

/// Our client id at the sandbox.
pub(crate) const CLIENT_ID: &str = "sallyport-chart";

/// The path of the FHIR base below the sandbox's origin.
pub(crate) const BASE_PATH: &str = "/strict/general/fhir";

/// The tenant file, as text: what `add-endpoint` would write for this EHR.
pub(crate) fn file(ehr: &str) -> (PathBuf, String) {
    let issuer = format!("{ehr}/strict/general/oauth");
    let text = format!(
        r#"[tenant]
id = "{TENANT}"
name = "General Hospital"
environment = "sandbox"
time_zone = "America/New_York"

[[endpoint]]
id = "sandbox"
name = "Sandbox EHR"
vendor = "sandbox"
fhir_base = "{ehr}{BASE_PATH}"
issuer = "{issuer}"
authorize_origins = ["{ehr}"]
token_origins = ["{ehr}"]
jwks_origins = ["{ehr}"]
frame_ancestors = ["{ehr}"]

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

[policy]
jurisdiction = "US-MA"

[[policy.rule]]
name = "treatment"
purposes = ["TREAT"]
types = ["*"]
permit = true
"#
    );
    (PathBuf::from("(built-in sandbox tenant)"), text)
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
        ]
        .map(str::to_owned)
        .to_vec(),
    }
}
