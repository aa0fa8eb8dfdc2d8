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
fn a_service_needs_a_key_of_its_own() {
    let backend = SANDBOX.replace("launches = [\"ehr\", \"standalone\"]", "launches = [\"backend\"]");
    assert!(reason(&backend).contains("\"backend\" needs auth = \"private_key_jwt\""));
    let with_key = backend.replace("auth = \"public\"", "auth = \"private_key_jwt\"");
    let registry = load(&with_key).unwrap();
    let entry = registry.entries().next().unwrap();
    assert!(entry.registration.backend && !entry.registration.ehr_launch);
}

#[test]
fn an_endpoint_is_pinned_to_versions_that_exist_and_to_the_first_mapping_without_a_word() {
    use sallyport_clinical::{FhirVersion, Mapping};
    let pins = |text: &str| {
        let endpoint = load(text).unwrap().tenants()[0].endpoints[0].clone();
        (endpoint.configured_version, endpoint.mapping)
    };
    let with = |line: &str| SANDBOX.replace("vendor = \"sandbox\"", &format!("vendor = \"sandbox\"\n{line}"));
    assert_eq!(pins(SANDBOX), (None, Mapping::V2026_1), "its own statement says the version");
    let both = with("fhir_version = \"STU3\"\nmapping = \"2026.2\"");
    assert_eq!(pins(&both), (Some(FhirVersion::Stu3), Mapping::V2026_2));
    let words = |line: &str| {
        let endpoint = load(&with(line)).unwrap().tenants()[0].endpoints[0].clone();
        endpoint.in_its_words("openid patient/MedicationRequest.read patient/Patient.read")
    };
    assert!(words("fhir_version = \"DSTU2\"").contains("patient/MedicationOrder.read patient/Patient.read"));
    assert!(words("fhir_version = \"R4\"").contains("patient/MedicationRequest.read"));
    let unknown = reason(&with("mapping = \"2027.1\""));
    assert!(unknown.contains("mapping = \"2027.1\"") && unknown.contains("2026.1, 2026.2"), "{unknown}");
    assert!(reason(&with("fhir_version = \"R6\"")).contains("DSTU2, STU3, R4, R4B, R5"));
}

#[test]
fn a_registration_id_is_unique_over_all_tenants() {
    let other = SANDBOX.replace("id = \"general\"", "id = \"county\"");
    let files = [(PathBuf::from("a.toml"), SANDBOX.to_owned()), (PathBuf::from("b.toml"), other)];
    assert!(Registry::from_texts(&files).err().unwrap().to_string().contains("unique over all tenants"));
}

#[test]
fn a_look_is_a_services_own_at_that_endpoint_and_at_named_test_patients() {
    let service = SANDBOX
        .replace("launches = [\"ehr\", \"standalone\"]", "launches = [\"backend\"]")
        .replace("auth = \"public\"", "auth = \"private_key_jwt\"")
        .replace("[\"patient-summary\"]", "[\"patient-summary\", \"population-report\"]");
    let with = |look: &str| service.replace("[[registration]]", &format!("{look}\n[[registration]]"));
    let look =
        "[endpoint.look]\nregistration = \"sandbox\"\nfeature = \"population-report\"\npatients = [\"zz-1\"]";
    let registry = load(&with(look)).unwrap();
    let found = registry.tenants()[0].endpoints[0].look.clone().unwrap();
    assert_eq!(found.patients[0].expose(), "zz-1");
    assert!(!format!("{found:?}").contains("zz-1"));
    for (from, to, word) in [
        ("[\"zz-1\"]", "[]", "1 to 5"),
        ("[\"zz-1\"]", "[\"a\", \"b\", \"c\", \"d\", \"e\", \"f\"]", "1 to 5"),
        ("\"zz-1\"", "\"../x\"", "no logical id"),
        ("\"zz-1\"", "\"*\"", "no logical id"),
        ("\"sandbox\"", "\"another\"", "is not one of this endpoint"),
        ("population-report", "patient-summary", "not one of kind \"service\""),
    ] {
        let refused = reason(&with(&look.replace(from, to)));
        assert!(refused.contains(word), "{to}: {refused}");
    }
    let person = with(look).replace("[\"backend\"]", "[\"ehr\"]");
    assert!(reason(&person).contains("is not one of this endpoint"), "{}", reason(&person));
}
