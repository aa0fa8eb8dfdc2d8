//! What was granted against what the app needs at least.

use sallyport_model::scope::ScopeSet;
use sallyport_registry::Entry;

/// Whether the app entry's default feature can run with what was granted: without it the app would open on nothing.
/// Other features may be off; the page says so.
pub(crate) fn is_enough(entry: &Entry<'_>, granted: &ScopeSet) -> bool {
    if sallyport_model::planted!("empty-scope-is-all") && granted.resources().next().is_none() {
        return true;
    }
    entry.features().find(|f| f.id == entry.app.default_feature).is_some_and(|feature| feature.is_on(granted))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use sallyport_model::RegistrationId;
    use sallyport_registry::Registry;

    use super::*;

    fn enough(granted: &str) -> bool {
        let text = include_str!("../../tests/it/tenant.toml").replace("{ehr}", "https://ehr.example");
        let registry = Registry::from_texts(&[(PathBuf::from("t.toml"), text)]).unwrap();
        let entry = registry.registration(&RegistrationId::parse("both").unwrap()).unwrap();
        is_enough(&entry, &ScopeSet::parse(granted))
    }

    #[test]
    fn the_default_features_required_scopes_decide() {
        assert!(enough("openid patient/Patient.rs"));
        assert!(enough("patient/*.read"));
        assert!(enough("patient/Patient.r patient/Patient.s"));
    }

    #[test]
    fn an_empty_foreign_or_narrowed_grant_is_not_enough() {
        for granted in [
            "",
            "openid fhirUser",
            "patient/Observation.rs",
            "user/Patient.rs",
            "patient/Patient.r",
            "patient/Patient.sr",
        ] {
            assert!(!enough(granted), "{granted:?}");
        }
    }
}
