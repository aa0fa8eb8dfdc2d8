//! What is read for a set of rules.

use sallyport_care_gaps::{RuleFile, plan};

use super::*;

#[test]
fn only_what_the_rules_look_at_is_read_and_no_further_back() {
    let needs = plan(&SHIPPED, day(TODAY));
    let said: Vec<String> = needs
        .iter()
        .map(|need| {
            let parameters =
                need.parameters().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
            format!("{}?{}", need.kind.resource_type(), parameters.join("&"))
        })
        .collect();
    assert_eq!(
        said,
        [
            "Patient?",
            "Condition?",
            "Observation?category=imaging&date=ge2021-12-31",
            "Observation?category=laboratory&date=ge2023-12-31",
            "Observation?category=vital-signs&date=ge2025-12-31",
            // Mastectomy, colectomy, dialysis: at any time.
            "Procedure?",
            "Encounter?date=ge2025-12-31",
        ]
    );
}

#[test]
fn measures_that_are_off_need_nothing() {
    let text =
        ["blood-pressure-control", "breast-screening", "colorectal-screening", "diabetes-glycemic-status"]
            .map(|id| format!("[measures.{id}]\noff = true\n"))
            .concat();
    let rules = RuleSet::with(&[RuleFile { name: "off.toml", text: &text }]).unwrap();
    let needs = plan(&rules, day(TODAY));
    let kinds: Vec<Kind> = needs.iter().map(|need| need.kind).collect();
    assert_eq!(kinds, [Kind::Patient, Kind::Condition, Kind::Observation, Kind::Procedure, Kind::Encounter]);
    assert!(needs.iter().all(|need| need.category.as_deref() != Some("vital-signs")));
}
