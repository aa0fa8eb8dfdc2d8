//! High blood pressure: control (CMS165).

use sallyport_care_gaps::Outcome::{CannotTell, Excluded, Gap, Met, NotInPopulation};
use serde_json::{Value, json};

use super::*;

const MEASURE: &str = "blood-pressure-control";

fn of(readings: &[Value]) -> Vec<Value> {
    let mut all = vec![patient("1966-05-05", "female"), hypertension()];
    all.extend(readings.iter().cloned());
    all
}

fn half(id: &str, code: &str, when: &str, value: &str) -> Value {
    observation(id, code, when, value, "mm[Hg]")
}

#[test]
fn both_pressures_have_to_be_below_their_limits() {
    each(
        MEASURE,
        &[
            ("139/89", of(&[pressure("a", "2026-03-01", 139, 89)]), Met),
            ("140/89", of(&[pressure("a", "2026-03-01", 140, 89)]), Gap),
            ("139/90", of(&[pressure("a", "2026-03-01", 139, 90)]), Gap),
            ("140/90", of(&[pressure("a", "2026-03-01", 140, 90)]), Gap),
            ("none", of(&[]), Gap),
            (
                "139.9/89.9",
                of(&[half("a", "8480-6", "2026-03-01", "139.9"), half("b", "8462-4", "2026-03-01", "89.9")]),
                Met,
            ),
        ],
    );
}

#[test]
fn of_one_day_the_lowest_systolic_and_the_lowest_diastolic_count() {
    each(
        MEASURE,
        &[
            (
                "150/85 and 135/95: 135/85",
                of(&[pressure("a", "2026-03-01", 150, 85), pressure("b", "2026-03-01", 135, 95)]),
                Met,
            ),
            (
                "150/95 and 145/85: 145/85",
                of(&[pressure("a", "2026-03-01", 150, 95), pressure("b", "2026-03-01", 145, 85)]),
                Gap,
            ),
            (
                "the day after is another day",
                of(&[pressure("a", "2026-03-01", 130, 80), pressure("b", "2026-03-02", 150, 85)]),
                Gap,
            ),
            (
                "at different times of a day",
                of(&[
                    pressure("a", "2026-03-01T08:00:00-05:00", 150, 95),
                    pressure("b", "2026-03-01T18:30:00-05:00", 130, 80),
                ]),
                Met,
            ),
            (
                "unpaired at one moment",
                of(&[
                    half("a", "8480-6", "2026-03-01T08:00:00-05:00", "130"),
                    half("b", "8462-4", "2026-03-01T08:00:00-05:00", "80"),
                ]),
                Met,
            ),
            (
                "unpaired on one day",
                of(&[
                    half("a", "8480-6", "2026-03-01T08:00:00-05:00", "130"),
                    half("b", "8462-4", "2026-03-01T09:00:00-05:00", "80"),
                ]),
                Met,
            ),
            (
                "the last has one half only",
                of(&[pressure("a", "2026-03-01", 130, 80), half("b", "8480-6", "2026-03-02", "130")]),
                CannotTell,
            ),
        ],
    );
}

#[test]
fn readings_that_cannot_be_compared_are_not_compared() {
    let mut kilopascal = pressure("a", "2026-03-01", 17, 11);
    for part in 0..2 {
        kilopascal["component"][part]["valueQuantity"]["code"] = json!("kPa");
        kilopascal["component"][part]["valueQuantity"]["unit"] = json!("kPa");
    }
    let mut written = pressure("a", "2026-03-01", 130, 80);
    for part in 0..2 {
        let value = written["component"][part]["valueQuantity"]["value"].clone();
        written["component"][part]["valueQuantity"] = json!({"value": value, "unit": "mmHg"});
    }
    each(
        MEASURE,
        &[
            ("kPa", of(&[kilopascal]), CannotTell),
            ("mmHg as it is written", of(&[written]), Met),
            ("1300/80: a slip", of(&[pressure("a", "2026-03-01", 1300, 80)]), CannotTell),
            (
                "no value",
                of(&[with(
                    pressure("a", "2026-03-01", 1, 1),
                    &json!({"component": null,
            "dataAbsentReason": {"coding": [{"code": "not-performed"}]}}),
                )]),
                Gap,
            ),
        ],
    );
}

#[test]
fn hypertension_has_to_be_known_in_the_first_half_of_the_year() {
    let since = |onset: Value| {
        let diagnosis = with(hypertension(), &onset);
        vec![patient("1966-05-05", "female"), diagnosis, pressure("a", "2026-11-01", 130, 80)]
    };
    each(
        MEASURE,
        &[
            ("before the period", since(json!({"onsetDateTime": "2025-12-31"})), Met),
            ("30 June", since(json!({"onsetDateTime": "2026-06-30"})), Met),
            ("1 July", since(json!({"onsetDateTime": "2026-07-01"})), NotInPopulation),
            ("June", since(json!({"onsetDateTime": "2026-06"})), Met),
            ("this year", since(json!({"onsetDateTime": "2026"})), CannotTell),
            ("recorded by June", since(json!({"onsetDateTime": null, "recordedDate": "2026-06-30"})), Met),
            (
                "recorded in July, nobody says since when",
                since(json!({"onsetDateTime": null, "recordedDate": "2026-07-01"})),
                CannotTell,
            ),
            ("nobody says anything", since(json!({"onsetDateTime": null})), CannotTell),
        ],
    );
    let undated = with(hypertension(), &json!({"onsetDateTime": null}));
    let in_march = [patient("1966-05-05", "female"), undated, pressure("a", "2026-02-01", 130, 80)];
    let early = judge_on(MEASURE, "2026-03-01", &in_march);
    assert!(early.outcome == Met, "what is active in March is known by June: {:?}", early.why);
}

#[test]
fn a_code_that_may_mean_another_hypertension_is_not_taken_for_this_one() {
    let coded = |code: &str| {
        let diagnosis = condition("htn", SNOMED, code, "2015-02-01");
        vec![patient("1966-05-05", "female"), diagnosis, pressure("a", "2026-11-01", 150, 80)]
    };
    each(
        MEASURE,
        &[
            ("essential", coded("59621000"), Gap),
            ("hypertensive disorder", coded("38341003"), CannotTell),
            ("secondary", coded("31992008"), NotInPopulation),
        ],
    );
}

#[test]
fn kidneys_pregnancy_and_great_age_with_frailty_leave_out() {
    let and = |more: Value| of(&[pressure("a", "2026-03-01", 150, 95), more]);
    each(
        MEASURE,
        &[
            (
                "end-stage renal disease long ago",
                and(with(
                    condition("k", ICD, "N18.6", "2001"),
                    &json!({
            "clinicalStatus": {"coding": [{"code": "resolved"}]}, "abatementDateTime": "2003"}),
                )),
                Excluded,
            ),
            ("dialysis long ago", and(procedure("p", SNOMED, "302497006", "1999")), Excluded),
            (
                "dialysis, nobody says when",
                and(with(procedure("p", SNOMED, "302497006", "1999"), &json!({"performedDateTime": null}))),
                Excluded,
            ),
            ("kidney transplant", and(condition("k", ICD, "Z94.0", "2001")), Excluded),
            ("kidney disease of stage 3", and(condition("k", ICD, "N18.30", "2001")), Gap),
            ("pregnant in the period", and(condition("k", ICD, "Z34.90", "2026-02-01")), Excluded),
            (
                "pregnant before",
                and(with(
                    condition("k", ICD, "Z34.90", "2024-02-01"),
                    &json!({
            "clinicalStatus": {"coding": [{"code": "resolved"}]}, "abatementDateTime": "2024-11-01"}),
                )),
                Gap,
            ),
        ],
    );
    let old = |born: &str| {
        vec![
            patient(born, "female"),
            hypertension(),
            condition("f", ICD, "R54", "2026-02-01"),
            pressure("a", "2026-03-01", 150, 95),
        ]
    };
    each(
        MEASURE,
        &[
            ("81 and frail", old("1945-12-31"), Excluded),
            ("80 and frail", old("1946-01-01"), Gap),
            ("85", old("1941-01-01"), Excluded),
            ("86", old("1940-12-31"), NotInPopulation),
        ],
    );
}
