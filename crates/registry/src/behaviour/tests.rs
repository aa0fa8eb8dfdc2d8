use std::path::PathBuf;

use sallyport_model::{EndpointId, TenantId};

use super::*;
use crate::{Registry, load::tests::SANDBOX};

const ROTATION: &str = "key = \"tokens.rotation\"\nvalue = \"static\"\nowner = \"it@general.example\"\n\
                        reason = \"proxy of ours keeps refresh tokens\"\nexpires = 2027-03-31";

/// One second before the end of the last day, and its end.
const LAST_SECOND: Micros = 1_806_537_599_000_000;
const OVER: Micros = LAST_SECOND + 1_000_000;

fn load(overrides: &[&str]) -> Result<Registry, String> {
    let tables: String = overrides.iter().map(|one| format!("[[endpoint.override]]\n{one}\n\n")).collect();
    let text = SANDBOX.replacen("[[registration]]", &format!("{tables}[[registration]]"), 1);
    Registry::from_texts(&[(PathBuf::from("t.toml"), text)]).map_err(|error| error.to_string())
}

fn behaviour(registry: &Registry) -> &Behaviour {
    let (tenant, endpoint) = (TenantId::parse("general").unwrap(), EndpointId::parse("main").unwrap());
    &registry.endpoint(&tenant, &endpoint).unwrap().behaviour
}

#[test]
fn an_endpoint_without_overrides_is_its_product() {
    let registry = load(&[]).unwrap();
    let profile = behaviour(&registry).now(Micros::MAX).unwrap();
    assert!(Arc::ptr_eq(profile, sallyport_vendors::profile(&VendorId::parse("sandbox").unwrap()).unwrap()));
}

#[test]
fn an_override_holds_for_its_endpoint_alone() {
    let registry = load(&[ROTATION]).unwrap();
    let profile = behaviour(&registry).now(0).unwrap();
    assert!(profile.tokens.rotation.retry_is_safe());
    assert_eq!(profile.tokens.rotation.confidence(), sallyport_vendors::Confidence::Overridden);
    let product = sallyport_vendors::profile(&VendorId::parse("sandbox").unwrap()).unwrap();
    assert!(!product.tokens.rotation.retry_is_safe());
}

#[test]
fn an_override_is_refused_when_its_last_day_is_over() {
    #[cfg(feature = "planted-bugs")]
    if let Ok(name) = std::env::var("SALLYPORT_PLANTED") {
        sallyport_model::planted::set(&[&name]);
    }
    let registry = load(&[ROTATION]).unwrap();
    assert!(behaviour(&registry).now(LAST_SECOND).is_ok());
    assert_eq!(behaviour(&registry).now(OVER).err(), Some(Code::EndpointOverrideExpired));
    assert!(behaviour(&registry).known().tokens.rotation.retry_is_safe(), "what is held can be given back");
}

#[test]
fn an_expired_override_is_told_with_its_owner_and_reason() {
    let registry = load(&[ROTATION]).unwrap();
    assert_eq!(registry.check_overrides(LAST_SECOND), Ok(()));
    let told = registry.check_overrides(OVER).unwrap_err();
    for word in ["general", "main", "tokens.rotation", "2027-03-31", "it@general.example", "proxy of ours"] {
        assert!(told.contains(word), "{word} in {told}");
    }
}

#[test]
fn values_are_written_as_toml_has_them() {
    let with = |key: &str, value: &str| {
        let text = ROTATION.replace("tokens.rotation", key).replace("\"static\"", value);
        load(&[&text]).map(|registry| behaviour(&registry).overrides()[0].value.clone())
    };
    assert_eq!(with("tokens.timeout_ms", "1500").unwrap(), "1500");
    assert_eq!(with("oauth.send_nonce", "false").unwrap(), "false");
    assert_eq!(with("limits.statuses", "[429, 403]").unwrap(), "429, 403");
    assert_eq!(with("data.extension_roots", "[]").unwrap(), "none");
    assert_eq!(with("search.page_max.Observation", "25").unwrap(), "25");
    for bad in ["1.5", "2027-01-01", "{ a = 1 }", "[[1]]"] {
        assert!(with("tokens.timeout_ms", bad).is_err(), "{bad}");
    }
}

#[test]
fn what_is_wrong_with_an_override_is_said() {
    let changed = |from: &str, to: &str| load(&[&ROTATION.replace(from, to)]).unwrap_err();
    assert!(changed("tokens.rotation", "tokens.colour").contains("there are place.tenant"));
    assert!(changed("\"static\"", "\"never\"").contains("one of rotates, static, unknown"));
    assert!(changed("it@general.example", " ").contains("owner is empty"));
    assert!(changed("reason = \"proxy of ours keeps refresh tokens\"\n", "").contains("reason"));
    assert!(changed("\nexpires = 2027-03-31", "").contains("expires"));
    assert!(changed("2027-03-31", "2027-03-31T00:00:00Z").contains("expires is a day"));
    assert!(changed("owner", "colour").contains("colour"));
    assert!(load(&[ROTATION, ROTATION]).unwrap_err().contains("overrides tokens.rotation twice"));
}

#[test]
fn an_unknown_product_is_told_which_there_are() {
    let text = SANDBOX.replace("vendor = \"sandbox\"", "vendor = \"acme\"");
    let error = Registry::from_texts(&[(PathBuf::from("t.toml"), text)]).unwrap_err().to_string();
    assert!(error.contains("acme") && error.contains("meditech"), "{error}");
}

/// The planted bug turns the test red that guards against it.
#[cfg(feature = "planted-bugs")]
#[test]
fn each_planted_bug_is_noticed() {
    sallyport_testkit::planted::each_turns_its_test_red(&[(
        "expired-override-used",
        "behaviour::tests::an_override_is_refused_when_its_last_day_is_over",
    )]);
}
