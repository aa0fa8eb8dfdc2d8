use super::*;

pub(crate) const SANDBOX: &str = r#"
[tenant]
id = "general"
name = "General Hospital"
environment = "sandbox"
time_zone = "America/New_York"

[[endpoint]]
id = "main"
name = "Sandbox EHR"
vendor = "sandbox"
fhir_base = "http://127.0.0.1:8090/strict/general/fhir"
issuer = "http://127.0.0.1:8090/strict/general/oauth"
authorize_origins = ["http://127.0.0.1:8090"]
token_origins = ["http://127.0.0.1:8090"]
jwks_origins = ["http://127.0.0.1:8090"]
frame_ancestors = ["http://127.0.0.1:8090"]

[[registration]]
id = "sandbox"
endpoint = "main"
app = "chart"
client_id = "sallyport"
auth = "public"
launches = ["ehr", "standalone"]

[[app]]
id = "chart"
name = "Chart"
features = ["patient-summary"]
default_feature = "patient-summary"

[policy]
jurisdiction = "US-MA"

[[policy.rule]]
name = "treatment"
purposes = ["TREAT"]
types = ["*"]
permit = true
"#;

fn load(text: &str) -> Result<Registry, LoadError> {
    Registry::from_texts(&[(PathBuf::from("t.toml"), text.to_owned())])
}

fn reason(text: &str) -> String {
    load(text).err().map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn a_registration_is_found_with_all_it_hangs_on() {
    let registry = load(SANDBOX).unwrap();
    let entry = registry.registration(&RegistrationId::parse("sandbox").unwrap()).unwrap();
    assert_eq!(entry.tenant.name, "General Hospital");
    assert_eq!(entry.launch_features().count(), 1);
    assert_eq!(registry.hash().len(), 64);
}

#[test]
fn an_issuer_is_matched_exactly_but_for_one_trailing_slash() {
    let registry = load(SANDBOX).unwrap();
    let base = "http://127.0.0.1:8090/strict/general/fhir";
    assert_eq!(registry.by_issuer(base).len(), 1);
    assert_eq!(registry.by_issuer(&format!("{base}/")).len(), 1);
    for other in
        [format!("{base}//"), format!("{base}x"), base.to_uppercase(), base.replace("127.0.0.1", "localhost")]
    {
        assert!(registry.by_issuer(&other).is_empty(), "{other}");
    }
}

#[test]
fn an_unknown_key_is_an_error_that_names_its_line() {
    let text = SANDBOX.replace("name = \"Chart\"", "name = \"Chart\"\ncolour = \"red\"");
    let reason = reason(&text);
    assert!(reason.contains("colour") && reason.contains("line"), "{reason}");
}

#[test]
fn a_missing_secret_file_is_an_error_at_load() {
    let text = SANDBOX
        .replace("auth = \"public\"", "auth = \"client_secret_basic\"\nsecret_file = \"nowhere.secret\"");
    assert!(reason(&text).contains("cannot be read"));
    let text = SANDBOX.replace("auth = \"public\"", "auth = \"client_secret_basic\"");
    assert!(reason(&text).contains("needs secret_file"));
}

#[test]
fn plain_http_is_refused_in_production() {
    assert!(reason(&SANDBOX.replace("\"sandbox\"\ntime", "\"production\"\ntime")).contains("plain http"));
}

#[test]
fn a_name_that_leads_nowhere_is_refused() {
    assert!(reason(&SANDBOX.replace("app = \"chart\"", "app = \"other\"")).contains("not in the file"));
    assert!(reason(&SANDBOX.replace("vendor = \"sandbox\"", "vendor = \"acme\"")).contains("does not exist"));
    assert!(
        reason(&SANDBOX.replace("[\"patient-summary\"]", "[\"mind-reading\"]")).contains("does not exist")
    );
}

#[test]
fn a_registration_id_is_unique_over_all_tenants() {
    let other = SANDBOX.replace("id = \"general\"", "id = \"county\"");
    let files = [(PathBuf::from("a.toml"), SANDBOX.to_owned()), (PathBuf::from("b.toml"), other)];
    assert!(Registry::from_texts(&files).err().unwrap().to_string().contains("unique over all tenants"));
}
