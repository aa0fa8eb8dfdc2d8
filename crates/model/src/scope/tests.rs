use super::*;
use proptest::prelude::*;

fn scope(text: &str) -> ResourceScope {
    ResourceScope::parse(text).unwrap_or_else(|| panic!("{text} is a scope"))
}

#[test]
fn the_published_vectors_parse_and_the_faulty_ones_do_not() {
    for good in [
        "patient/Observation.rs",
        "user/*.cruds",
        "system/Encounter.cud",
        "patient/Patient.r",
        "patient/Basic.s?code=https://myapp.example.org|encrypted-phr-access-keys",
    ] {
        assert!(ResourceScope::parse(good).is_some(), "{good}");
    }
    for bad in [
        "patient/Observation.dus",
        "patient/Observation.sr",
        "patient/Observation.",
        "Patient/Observation.rs",
        "launch/patient",
        "patient/observation.rs",
        "patient/Observation.rr",
        "patient/Observation.rs?category:in=x",
    ] {
        assert!(ResourceScope::parse(bad).is_none(), "{bad}");
    }
}

#[test]
fn v1_scopes_mean_their_v2_letters() {
    assert_eq!(scope("patient/Observation.read"), scope("patient/Observation.rs"));
    assert_eq!(scope("patient/Observation.write"), scope("patient/Observation.cud"));
    assert_eq!(scope("patient/Observation.*"), scope("patient/Observation.cruds"));
}

#[test]
fn a_constraint_narrows_and_never_widens() {
    let wide = scope("patient/Observation.rs");
    let narrow = scope("patient/Observation.rs?category=laboratory");
    assert!(wide.covers(&narrow));
    assert!(!narrow.covers(&wide));
    let set = ScopeSet::parse("patient/Observation.rs?category=laboratory");
    assert!(matches!(set.coverage(&[Level::Patient], "Observation", Verb::Read), Coverage::Constrained(_)));
}

/// SMART 2.2 §Scopes for requesting FHIR resources: a letter for each kind of interaction, and no letter for two.
#[test]
fn each_kind_of_interaction_needs_its_own_letter() {
    let letters = [
        ("c", Verb::Create),
        ("r", Verb::Read),
        ("u", Verb::Update),
        ("d", Verb::Delete),
        ("s", Verb::Search),
    ];
    for (letter, own) in letters {
        let granted = ScopeSet::parse(&format!("patient/Observation.{letter}"));
        for (_, verb) in letters {
            let permits = granted.coverage(&[Level::Patient], "Observation", verb) != Coverage::None;
            assert_eq!(permits, verb == own, "{letter} and {verb:?}");
        }
        assert_eq!(granted.print(Dialect::V2), format!("patient/Observation.{letter}"));
    }
}

/// SMART 2.2 §Wildcard scopes: a star covers every type of its own level, and a type covers no star.
#[test]
fn a_wildcard_covers_every_type_of_its_level_alone() {
    let all = scope("patient/*.rs");
    for one in ["patient/Observation.rs", "patient/Condition.r", "patient/*.s"] {
        assert!(all.covers(&scope(one)), "{one}");
    }
    for more in ["patient/Observation.cruds", "user/Observation.r", "system/*.rs"] {
        assert!(!all.covers(&scope(more)), "{more}");
    }
    assert!(!scope("patient/Observation.cruds").covers(&scope("patient/*.r")));
}

#[test]
fn user_scopes_do_not_cover_patient_scopes() {
    assert!(!scope("user/*.cruds").covers(&scope("patient/Observation.r")));
}

#[test]
fn a_union_of_halves_covers_the_whole() {
    let set = ScopeSet::parse("patient/AllergyIntolerance.rs patient/AllergyIntolerance.cud");
    assert!(set.covers(&scope("patient/AllergyIntolerance.cruds")));
    assert!(
        !ScopeSet::parse("patient/AllergyIntolerance.rs").covers(&scope("patient/AllergyIntolerance.cruds"))
    );
}

#[test]
fn the_empty_grant_permits_nothing() {
    let set = ScopeSet::parse("");
    assert!(set.is_empty());
    assert_eq!(set.coverage(&[Level::Patient, Level::User], "Patient", Verb::Read), Coverage::None);
}

#[test]
fn one_dialect_is_printed_at_a_time() {
    let set = ScopeSet::parse("openid patient/Observation.rs patient/Condition.read");
    assert_eq!(set.print(Dialect::V2), "openid patient/Condition.rs patient/Observation.rs");
    assert_eq!(set.print(Dialect::V1), "openid patient/Condition.read patient/Observation.read");
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_the_same(verbs in 1_u8..32, star in any::<bool>(), level in 0..3) {
        let level = [Level::Patient, Level::User, Level::System][usize::try_from(level).unwrap()];
        let resource_type = (!star).then(|| "Observation".to_owned());
        let scope = ResourceScope { level, resource_type, verbs, constraint: vec![] };
        prop_assert_eq!(ResourceScope::parse(&scope.print(Dialect::V2)), Some(scope));
    }

    #[test]
    fn no_text_panics(text in ".{0,80}") {
        let _ = ScopeSet::parse(&text);
    }
}

#[test]
fn a_medication_order_of_dstu2_is_a_medication_request_and_nothing_else_is() {
    let granted = ScopeSet::parse("patient/MedicationOrder.read");
    assert!(granted.covers(&ResourceScope::parse("patient/MedicationRequest.rs").unwrap()));
    assert!(!granted.covers(&ResourceScope::parse("patient/MedicationStatement.rs").unwrap()));
    let feature = ScopeSet::parse("patient/MedicationRequest.rs");
    assert_eq!(feature.coverage(&[Level::Patient], "MedicationOrder", Verb::Search), Coverage::Full);
    assert_eq!(feature.coverage(&[Level::Patient], "Medication", Verb::Search), Coverage::None);
}
