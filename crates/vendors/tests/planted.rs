//! What must never be: a filter that an EHR ignores is sent to it, and a missing parameter passes for missing rights.
//! Each test here has a planted bug that turns it red.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use sallyport_fhir::{Param, ResourceType as T, interaction::Search};
use sallyport_model::{Code, VendorId};
use sallyport_vendors::{Profile, errors::Answer, search::Why};

/// A product's profile, with the bug switched on that the environment names.
fn of(id: &str) -> Profile {
    #[cfg(feature = "planted-bugs")]
    if let Ok(name) = std::env::var("SALLYPORT_PLANTED") {
        sallyport_model::planted::set(&[&name]);
    }
    sallyport_vendors::profile(&VendorId::parse(id).unwrap()).unwrap().as_ref().clone()
}

fn asked(params: &[(&'static str, &str)]) -> Search {
    let one =
        |(name, value): &(&'static str, &str)| Param { name, modifier: None, value: (*value).to_owned() };
    Search { resource_type: T::Observation, params: params.iter().map(one).collect(), by_post: false }
}

/// A filter that an EHR ignores gives more rows than were asked for.
#[test]
fn a_filter_that_the_product_does_not_know_is_refused_and_not_dropped() {
    let search = asked(&[("patient", "1"), ("code", "1"), ("_lastUpdated", "gt2024")]);
    assert_eq!(of("epic").search.plan(&search).unwrap_err().why, Why::Undeclared("_lastUpdated"));
    let mut profile = of("generic");
    profile.set("search.declares.Observation", "code").unwrap();
    let refused = profile.search.plan(&asked(&[("patient", "1"), ("status", "final")])).unwrap_err();
    assert_eq!((refused.code, refused.why), (Code::ParameterDenied, Why::Undeclared("status")));
    assert!(profile.search.plan(&asked(&[("patient", "1"), ("code", "1")])).is_ok());
}

/// What the person may see is not in question when a parameter is missing, whatever the status says.
#[test]
fn a_403_for_a_missing_parameter_is_not_an_authorisation_failure() {
    let body = br#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"forbidden",
        "diagnostics":"Required parameter combinations [[patient,intent],[_id]]"}]}"#;
    let answer = Answer { status: 403, body, searched: Some(T::MedicationRequest), header: &|_| None };
    let normal = of("athena-one").errors.normal(answer);
    assert!(!normal.cause.is_about_rights());
    assert_eq!(normal.code, Code::ParameterMissing);
}

#[cfg(feature = "planted-bugs")]
#[test]
fn each_planted_bug_is_noticed() {
    sallyport_testkit::planted::each_turns_its_test_red(&[
        ("undeclared-parameter-sent", "a_filter_that_the_product_does_not_know_is_refused_and_not_dropped"),
        ("vendor-signs-ignored", "a_403_for_a_missing_parameter_is_not_an_authorisation_failure"),
    ]);
}
