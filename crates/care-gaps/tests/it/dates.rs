//! Partial dates, moments in UTC, and which reading is the last.

use sallyport_care_gaps::Outcome::{CannotTell, Gap, Met};
use serde_json::{Value, json};

use super::*;

const MEASURE: &str = "diabetes-glycemic-status";

fn of(readings: &[Value]) -> Vec<Value> {
    let mut all = vec![patient("1966-05-05", "male"), diabetes()];
    all.extend(readings.iter().cloned());
    all
}

fn undated(id: &str, value: &str) -> Value {
    with(hba1c(id, "2026", value), &json!({"effectiveDateTime": null}))
}

#[test]
fn a_reading_whose_date_is_open_counts_only_where_it_makes_no_difference() {
    each(
        MEASURE,
        &[
            ("this year", of(&[hba1c("a", "2026", "8.0")]), Met),
            ("this month", of(&[hba1c("a", "2026-11", "8.0")]), Met),
            ("last year", of(&[hba1c("a", "2025", "8.0")]), Gap),
            ("no date: perhaps measured", of(&[undated("a", "8.0")]), CannotTell),
            ("no date and above: a gap either way", of(&[undated("a", "9.9")]), Gap),
            (
                "no date, and a good one",
                of(&[hba1c("b", "2026-03-01", "8.0"), undated("a", "9.9")]),
                CannotTell,
            ),
            ("no date, both good", of(&[hba1c("b", "2026-03-01", "8.0"), undated("a", "8.1")]), Met),
            ("no date, both above", of(&[hba1c("b", "2026-03-01", "9.8"), undated("a", "9.9")]), Gap),
            (
                "the month of the last reading is open",
                of(&[hba1c("a", "2026-03-15", "8.0"), hba1c("b", "2026-03", "9.9")]),
                CannotTell,
            ),
            (
                "the month after is later for certain",
                of(&[hba1c("a", "2026-03-15", "9.9"), hba1c("b", "2026-04", "8.0")]),
                Met,
            ),
            (
                "the month before is earlier for certain",
                of(&[hba1c("a", "2026-03-01", "8.0"), hba1c("b", "2026-02", "9.9")]),
                Met,
            ),
            ("no date in FHIR's form", of(&[hba1c("a", "03/01/2026", "8.0")]), CannotTell),
        ],
    );
}

#[test]
fn halves_of_two_days_are_put_together_only_where_that_is_one_day_for_certain() {
    let of = |readings: &[Value]| {
        let mut all = vec![patient("1966-05-05", "male"), hypertension()];
        all.extend(readings.iter().cloned());
        all
    };
    // Each alone is a gap, together (the lowest of a day) they would be none.
    each(
        "blood-pressure-control",
        &[
            (
                "one day",
                of(&[pressure("a", "2026-03-01", 150, 80), pressure("b", "2026-03-01", 130, 95)]),
                Met,
            ),
            (
                "perhaps one day",
                of(&[pressure("a", "2026-03-01", 150, 80), pressure("b", "2026-03", 130, 95)]),
                CannotTell,
            ),
            (
                "perhaps one day, both gaps",
                of(&[pressure("a", "2026-03-01", 150, 95), pressure("b", "2026-03", 145, 99)]),
                Gap,
            ),
        ],
    );
}

#[test]
fn a_moment_in_utc_at_the_turn_of_the_year_is_of_the_year_that_the_clocks_said() {
    let rules = &*SHIPPED;
    let at = |moment: &str, zone| {
        judge_with(rules, MEASURE, TODAY, zone, &of(&[hba1c("a", moment, "8.0")]), &[]).outcome
    };
    let new_york = Zone::Between { least: -300, most: -240 };
    for (moment, zone, expected) in [
        ("2026-01-01T02:00:00Z", Zone::Unknown, CannotTell),
        ("2026-01-01T02:00:00Z", new_york, Gap),
        ("2026-01-01T05:00:00Z", new_york, Met),
        ("2026-01-01T04:30:00Z", new_york, CannotTell),
        ("2026-01-01T02:00:00-05:00", Zone::Unknown, Met),
        ("2025-12-31T23:59:59-05:00", Zone::Unknown, Gap),
        ("2026-01-01T02:00:00+00:00", Zone::Unknown, CannotTell),
        ("2026-01-01T12:00:00Z", Zone::Unknown, Met),
        ("2026-06-01T02:00:00Z", Zone::Unknown, Met),
    ] {
        assert!(at(moment, zone) == expected, "{moment}: {:?}", at(moment, zone));
    }
}

#[test]
fn a_year_that_ends_today_is_a_year_to_the_day() {
    let file = sallyport_care_gaps::RuleFile {
        name: "rolling.toml",
        text: "[measures.diabetes-glycemic-status]\nperiod = \"last-year\"\n",
    };
    let rules = RuleSet::with(&[file]).unwrap();
    let at = |moment: &str| {
        judge_with(&rules, MEASURE, TODAY, Zone::Unknown, &of(&[hba1c("a", moment, "8.0")]), &[])
    };
    assert!(at("2025-12-01").outcome == Met);
    assert!(at("2025-11-30").outcome == Gap);
    assert_eq!(at("2025-12-01").due.unwrap().on.to_string(), "2026-12-01");
    assert_eq!(at("2026-11-30").due.unwrap().on.to_string(), "2027-11-30");
}
