use std::sync::Arc;

use sallyport_model::VendorId;

use super::*;
use crate::{Profile, profile};

fn of(id: &str) -> Arc<Profile> {
    Arc::clone(profile(&VendorId::parse(id).unwrap()).unwrap())
}

fn asked(resource_type: ResourceType, params: &[(&'static str, &str)]) -> Asked {
    let params = params
        .iter()
        .map(|(name, value)| Param { name, modifier: None, value: (*value).to_owned() })
        .collect();
    Asked { resource_type, params, by_post: false }
}

fn plan(id: &str, resource_type: ResourceType, params: &[(&'static str, &str)]) -> Result<Planned, Refused> {
    of(id).search.plan(&asked(resource_type, params))
}

fn sent(planned: &Planned) -> Vec<(&str, &str)> {
    planned.search.params.iter().map(|p| (p.name, p.value.as_str())).collect()
}

use ResourceType as T;

#[test]
fn an_unremarkable_product_is_asked_as_the_caller_asked() {
    let planned =
        plan("generic", T::Observation, &[("patient", "1"), ("_sort", "-date"), ("_count", "500")]).unwrap();
    assert_eq!(sent(&planned), [("patient", "1"), ("_sort", "-date"), ("_count", "500")]);
    assert!(planned.added.is_empty() && planned.narrowed.is_empty() && planned.left_out.is_empty());
}

#[test]
fn what_a_product_requires_is_added_and_a_loss_of_rows_is_told() {
    let planned = plan("epic", T::Observation, &[("patient", "1")]).unwrap();
    assert_eq!(
        (planned.added.as_slice(), planned.narrowed.as_slice()),
        (&["category"][..], &["category"][..])
    );
    let planned = plan("athena-one", T::MedicationRequest, &[("patient", "1")]).unwrap();
    assert_eq!(planned.added, ["intent"]);
    assert!(planned.narrowed.is_empty(), "every intent is named: nothing is lost");
    assert!(sent(&planned).iter().any(|(name, value)| *name == "intent" && value.contains("option")));
}

#[test]
fn what_is_there_already_is_not_added() {
    let planned = plan("epic", T::Observation, &[("patient", "1"), ("code", "8480-6")]).unwrap();
    assert!(planned.added.is_empty());
    let planned = plan("athena-one", T::MedicationRequest, &[("subject", "1"), ("intent", "order")]).unwrap();
    assert!(planned.added.is_empty(), "subject names the patient as well");
}

#[test]
fn a_modifier_that_turns_a_parameter_round_does_not_count_as_it() {
    let mut search = asked(T::Observation, &[("patient", "1")]);
    search.params.push(Param { name: "code", modifier: Some(Modifier::Missing), value: "true".to_owned() });
    assert_eq!(of("epic").search.plan(&search).unwrap().added, ["category"]);
}

#[test]
fn a_search_that_cannot_be_completed_is_refused_before_the_ehr_is_troubled() {
    let refused = plan("epic", T::CarePlan, &[("patient", "1")]).unwrap_err();
    assert_eq!(refused.code, Code::ParameterMissing);
    assert_eq!(refused.why, Why::Missing(vec![vec!["patient", "category"], vec!["_id"]]));
    assert!(plan("epic", T::CarePlan, &[("patient", "1"), ("category", "assess-plan")]).is_ok());
}

#[test]
fn what_shapes_the_answer_is_left_out_where_it_is_not_known() {
    let mut profile = Arc::unwrap_or_clone(of("generic"));
    profile.set("search.controls", "_count").unwrap();
    let planned = profile
        .search
        .plan(&asked(T::Condition, &[("patient", "1"), ("_sort", "-date"), ("_count", "5")]))
        .unwrap();
    assert_eq!(sent(&planned), [("patient", "1"), ("_count", "5")]);
    assert_eq!(planned.left_out, ["_sort"]);
}

#[test]
fn an_id_that_stands_alone_takes_the_patient_with_it_and_no_filter() {
    let planned = plan("oracle", T::Observation, &[("patient", "1"), ("_id", "7"), ("_count", "9")]).unwrap();
    assert_eq!(sent(&planned), [("_id", "7")]);
    assert_eq!(planned.left_out, ["patient", "_count"]);
    let refused =
        plan("oracle", T::Observation, &[("patient", "1"), ("_id", "7"), ("code", "1")]).unwrap_err();
    assert_eq!(refused.why, Why::Apart("_id", "code"));
}

#[test]
fn two_that_do_not_go_together_are_refused() {
    let both = [("patient", "1"), ("date", "gt2024"), ("_lastUpdated", "gt2024")];
    assert_eq!(plan("oracle", T::Observation, &both).unwrap_err().why, Why::Apart("_lastUpdated", "date"));
}

#[test]
fn more_than_a_page_holds_is_not_asked_for() {
    let params = [("patient", "1"), ("category", "laboratory"), ("_count", "50")];
    let planned = plan("nextgen", T::Observation, &params).unwrap();
    assert!(sent(&planned).contains(&("_count", "25")), "asked for 50, it stops after 50 rows of 109");
}

#[test]
fn every_addition_of_every_product_completes_its_search() {
    for profile in crate::all() {
        for rule in &profile.search.rules {
            let owner = TypeRule::of(rule.resource_type).and_then(|r| r.patient_params.first()).copied();
            let search = asked(rule.resource_type, &[(owner.unwrap_or("_id"), "1")]);
            let outcome = profile.search.plan(&search);
            let can = rule.needs.is_empty() || !rule.adds.is_empty() || outcome.is_ok();
            assert_eq!(outcome.is_ok(), can, "{} {}", profile.id, rule.resource_type);
            for addition in &rule.adds {
                let known = TypeRule::of(rule.resource_type).and_then(|r| r.param(addition.name));
                assert!(known.is_some(), "{}: {} is not in our own table", profile.id, addition.name);
            }
        }
    }
}
