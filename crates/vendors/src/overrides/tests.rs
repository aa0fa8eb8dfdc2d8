use sallyport_fhir::ResourceType;
use sallyport_model::VendorId;

use super::*;
use crate::Confidence;

fn generic() -> Profile {
    crate::profile(&VendorId::parse("generic").unwrap()).unwrap().as_ref().clone()
}

#[test]
fn every_fact_can_be_set_to_what_any_product_has() {
    for product in crate::all() {
        for fact in FACTS.iter().filter(|fact| !fact.is_for_people()) {
            let shown = (fact.get)(product);
            let mut profile = generic();
            profile
                .set(fact.name, &shown.text)
                .unwrap_or_else(|e| panic!("{} of {}: {e}", fact.name, product.id));
            let now = (fact.get)(&profile);
            assert_eq!((now.text, now.confidence), (shown.text, Confidence::Overridden), "{}", fact.name);
        }
    }
}

#[test]
fn an_override_changes_nothing_but_its_fact() {
    let mut profile = generic();
    profile.set("tokens.rotation", "static").unwrap();
    let changed: Vec<&str> = FACTS
        .iter()
        .filter(|fact| (fact.get)(&profile) != (fact.get)(&generic()))
        .map(|fact| fact.name)
        .collect();
    assert_eq!(changed, ["tokens.rotation"]);
}

#[test]
fn an_unknown_key_is_told_what_there_is() {
    for key in [
        "tokens.colour",
        "rotation",
        "",
        "search.needs.Colour",
        "search.colour.Patient",
        "registration.sandbox",
    ] {
        let error = generic().set(key, "1").unwrap_err().to_string();
        assert!(error.contains("tokens.rotation") && error.contains("search.needs.<Type>"), "{error}");
        assert!(!error.contains(", registration."), "facts for people cannot be overridden: {error}");
    }
}

#[test]
fn a_value_that_is_none_is_told_what_may_be_written() {
    let error = |key, value| generic().set(key, value).unwrap_err().to_string();
    assert_eq!(error("tokens.rotation", "never"), "tokens.rotation must be one of rotates, static, unknown");
    assert!(error("tokens.timeout_ms", "15s").contains("whole number"));
    assert!(error("search.needs.Observation", "patient+colour").contains("sets of parameters"));
    assert!(error("search.declares.Observation", "colour").contains("that this gateway knows"));
    assert!(error("search.page_max.Observation", "0").contains("above 0"));
}

#[test]
fn how_one_type_is_searched_can_be_overridden() {
    let mut profile = generic();
    profile.set("search.needs.Observation", "patient+code | patient+category").unwrap();
    profile.set("search.declares.Observation", "code, category, date").unwrap();
    profile.set("search.page_max.Observation", "25").unwrap();
    let rule = profile.search.rule(ResourceType::Observation).unwrap();
    assert_eq!(rule.needs, [["patient", "code"], ["patient", "category"]]);
    assert_eq!(rule.declared.as_deref(), Some(&["code", "category", "date"][..]));
    assert_eq!((rule.page_max, rule.confidence()), (Some(25), Confidence::Overridden));
}

/// The list of facts is written by hand; a field that it lacks would be neither shown nor overridable.
#[test]
fn every_fact_of_a_part_is_on_the_list() {
    let parts = [
        ("place", include_str!("../place.rs")),
        ("oauth", include_str!("../oauth.rs")),
        ("scopes", include_str!("../scopes.rs")),
        ("tokens", include_str!("../tokens.rs")),
        ("search", include_str!("../search.rs")),
        ("paging", include_str!("../paging.rs")),
        ("errors", include_str!("../errors.rs")),
        ("limits", include_str!("../limits.rs")),
        ("bulk", include_str!("../bulk.rs")),
        ("writes", include_str!("../writes.rs")),
        ("data", include_str!("../data.rs")),
        ("registration", include_str!("../registration.rs")),
    ];
    for (part, source) in parts {
        let fields =
            source.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": Fact<"));
        let names: Vec<String> = fields.map(|(field, _)| format!("{part}.{field}")).collect();
        assert!(!names.is_empty(), "{part}");
        for name in names {
            assert!(FACTS.iter().any(|fact| fact.name == name), "{name} is not on the list");
        }
    }
}
