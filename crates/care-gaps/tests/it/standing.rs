//! What does not count, whoever sent it; and what was not read.

use sallyport_care_gaps::{
    Outcome::{CannotTell, Excluded, Gap, Met, NotInPopulation},
    Weight,
};
use sallyport_model::Code;
use serde_json::{Value, json};

use super::*;

const MEASURE: &str = "diabetes-glycemic-status";

fn of(readings: &[Value]) -> Vec<Value> {
    let mut all = vec![patient("1966-05-05", "male"), diabetes()];
    all.extend(readings.iter().cloned());
    all
}

fn status(id: &str, when: &str, value: &str, status: &Value) -> Value {
    with(hba1c(id, when, value), &json!({"status": status}))
}

#[test]
fn what_was_entered_in_error_is_told_and_never_counted() {
    each(
        MEASURE,
        &[
            ("the only one", of(&[status("a", "2026-03-01", "8.0", &json!("entered-in-error"))]), Gap),
            (
                "the last one",
                of(&[
                    hba1c("b", "2026-02-01", "8.0"),
                    status("a", "2026-03-01", "9.9", &json!("entered-in-error")),
                ]),
                Met,
            ),
            ("cancelled", of(&[status("a", "2026-03-01", "8.0", &json!("cancelled"))]), Gap),
            (
                "preliminary",
                of(&[
                    hba1c("b", "2026-02-01", "8.0"),
                    status("a", "2026-03-01", "9.9", &json!("preliminary")),
                ]),
                Met,
            ),
            ("corrected", of(&[status("a", "2026-03-01", "8.0", &json!("corrected"))]), Met),
            ("no status", of(&[status("a", "2026-03-01", "8.0", &Value::Null)]), CannotTell),
            (
                "a status that nobody knows",
                of(&[status("a", "2026-03-01", "8.0", &json!("done"))]),
                CannotTell,
            ),
            (
                "no status, earlier than one that counts",
                of(&[status("a", "2026-01-01", "9.9", &Value::Null), hba1c("b", "2026-02-01", "8.0")]),
                Met,
            ),
            (
                "no status, later than one that counts",
                of(&[status("a", "2026-03-01", "8.0", &Value::Null), hba1c("b", "2026-02-01", "8.0")]),
                CannotTell,
            ),
        ],
    );
    let gap = judge(MEASURE, &of(&[status("a", "2026-03-01", "8.0", &json!("entered-in-error"))]));
    let told = gap.evidence.iter().find(|one| one.source.reference.as_ref() == "Observation/a").unwrap();
    assert!(told.weight == Weight::DoesNotCount && told.why.contains("entered in error"), "{}", told.why);
}

#[test]
fn another_patients_entry_is_no_evidence() {
    let foreign = json!({"subject": {"reference": "Patient/pat-2"}});
    let nobodys = json!({"subject": null});
    each(
        MEASURE,
        &[
            ("another's result", of(&[with(hba1c("a", "2026-03-01", "8.0"), &foreign)]), Gap),
            (
                "another's later result",
                of(&[hba1c("b", "2026-02-01", "8.0"), with(hba1c("a", "2026-03-01", "9.9"), &foreign)]),
                Met,
            ),
            ("nobody's result", of(&[with(hba1c("a", "2026-03-01", "8.0"), &nobodys)]), CannotTell),
            (
                "another's diabetes",
                vec![patient("1966-05-05", "male"), with(diabetes(), &foreign)],
                NotInPopulation,
            ),
            (
                "another server's patient",
                of(&[with(
                    hba1c("a", "2026-03-01", "8.0"),
                    &json!({"subject":
            {"reference": "https://elsewhere.example/fhir/Patient/pat-1"}}),
                )]),
                CannotTell,
            ),
            (
                "another patient",
                vec![with(patient("1966-05-05", "male"), &json!({"id": "pat-2"})), diabetes()],
                CannotTell,
            ),
        ],
    );
}

#[test]
fn with_something_unread_not_found_is_not_not_there() {
    let rules = &*SHIPPED;
    let judged = |measure: &str, resources: &[Value], problems: Vec<(Kind, Option<ReadProblem>)>| {
        judge_with(rules, measure, TODAY, Zone::Unknown, resources, &problems).outcome
    };
    let truncated = || ReadProblem::truncated("Observation");
    let withheld = || ReadProblem::from_code(Code::UpstreamForbidden, "Procedure");
    let met = of(&[hba1c("a", "2026-03-01", "8.0")]);
    assert!(
        judged(MEASURE, &met, vec![(Kind::Observation, Some(truncated()))]) == CannotTell,
        "a newer one may be missing"
    );
    assert!(judged(MEASURE, &met, vec![(Kind::Observation, None)]) == CannotTell, "never read");
    assert!(
        judged(MEASURE, &met, vec![(Kind::Procedure, Some(withheld()))]) == CannotTell,
        "hospice may be missing"
    );
    assert!(judged(MEASURE, &of(&[]), vec![(Kind::Condition, None)]) == CannotTell);
    assert!(
        judged(MEASURE, &[patient("1930-01-01", "male")], vec![(Kind::Condition, None)]) == NotInPopulation,
        "too old in any case"
    );
    assert!(judged(MEASURE, &[], Vec::new()) == CannotTell, "no patient");
    // What is there is there, whatever else is missing.
    let screened = [patient("1966-05-05", "male"), procedure("c", SNOMED, "26390003", "1998")];
    let problems = || vec![(Kind::Procedure, Some(withheld()))];
    assert!(judged("colorectal-screening", &screened, problems()) == Excluded);
}

#[test]
fn one_entry_that_cannot_be_read_makes_it_unsure() {
    let broken = json!({"resourceType": "Observation", "id": "x", "subject": {"reference": "Patient/pat-1"}, "status": ["final"]});
    let found = judge(MEASURE, &of(&[hba1c("a", "2026-03-01", "8.0"), broken]));
    assert!(found.outcome == CannotTell, "{:?}", found.why);
}
