//! Diabetes: kidney health evaluation (CMS951).

use sallyport_care_gaps::Outcome::{CannotTell, Excluded, Gap, Met, NotInPopulation};
use serde_json::{Value, json};

use super::*;

const MEASURE: &str = "kidney-evaluation";

fn of(done: &[Value]) -> Vec<Value> {
    let mut all = vec![patient("1966-05-05", "female"), diabetes()];
    all.extend(done.iter().cloned());
    all
}

fn egfr(when: &str) -> Value {
    observation("gfr", "98979-8", when, "71", "mL/min/{1.73_m2}")
}

fn ratio(when: &str) -> Value {
    observation("acr", "9318-7", when, "18", "mg/g")
}

#[test]
fn both_tests_are_needed_in_the_period() {
    each(
        MEASURE,
        &[
            ("both", of(&[egfr("2026-02-01"), ratio("2026-09-01")]), Met),
            ("both on the first day", of(&[egfr("2026-01-01"), ratio("2026-01-01")]), Met),
            ("one a day early", of(&[egfr("2025-12-31"), ratio("2026-01-01")]), Gap),
            ("the other a day early", of(&[egfr("2026-01-01"), ratio("2025-12-31")]), Gap),
            ("eGFR alone", of(&[egfr("2026-02-01")]), Gap),
            ("ratio alone", of(&[ratio("2026-02-01")]), Gap),
            ("none", of(&[]), Gap),
            (
                "creatinine is no eGFR",
                of(&[observation("c", "2160-0", "2026-02-01", "0.9", "mg/dL"), ratio("2026-02-01")]),
                Gap,
            ),
            (
                "albumin alone is no ratio",
                of(&[egfr("2026-02-01"), observation("a", "14957-5", "2026-02-01", "12", "mg/L")]),
                Gap,
            ),
            (
                "the date of one is open",
                of(&[egfr("2026-02-01"), with(ratio("2026"), &json!({"effectiveDateTime": null}))]),
                CannotTell,
            ),
            (
                "the date of one is open, the other is missing",
                of(&[with(ratio("2026"), &json!({"effectiveDateTime": null}))]),
                Gap,
            ),
            (
                "a ratio that says only that it is small",
                of(&[egfr("2026-02-01"), {
                    let mut one = ratio("2026-02-01");
                    one["valueQuantity"]["comparator"] = json!("<");
                    one
                }]),
                Met,
            ),
        ],
    );
}

#[test]
fn ages_are_18_to_85_and_failed_kidneys_leave_out() {
    let born = |born: &str| vec![patient(born, "male"), diabetes(), egfr("2026-02-01"), ratio("2026-02-01")];
    each(
        MEASURE,
        &[
            ("18", born("2008-12-31"), Met),
            ("17", born("2009-01-01"), NotInPopulation),
            ("85", born("1941-01-01"), Met),
            ("86", born("1940-12-31"), NotInPopulation),
            ("end-stage renal disease", of(&[condition("k", ICD, "N18.6", "2020")]), Excluded),
            ("stage 5", of(&[condition("k", ICD, "N18.5", "2020")]), Excluded),
            ("stage 4", of(&[condition("k", ICD, "N18.4", "2020")]), Gap),
            ("hospice", of(&[procedure("p", SNOMED, "385763009", "2026-02-01")]), Excluded),
            ("no diabetes", vec![patient("1966-05-05", "male")], NotInPopulation),
        ],
    );
}

#[test]
fn the_earlier_of_the_two_says_until_when_it_counts() {
    let met = judge(MEASURE, &of(&[egfr("2026-02-01"), ratio("2026-09-01")]));
    assert_eq!(met.due.unwrap().on.to_string(), "2027-01-01");
}
