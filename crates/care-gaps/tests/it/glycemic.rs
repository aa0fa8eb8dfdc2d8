//! Diabetes: glycemic control (CMS122).

use sallyport_care_gaps::Outcome::{CannotTell, Excluded, Gap, Met, NotInPopulation};
use serde_json::{Value, json};

use super::*;

const MEASURE: &str = "diabetes-glycemic-status";

fn of(readings: &[Value]) -> Vec<Value> {
    let mut all = vec![patient("1966-05-05", "male"), diabetes()];
    all.extend(readings.iter().cloned());
    all
}

#[test]
fn nine_percent_is_in_control_and_anything_above_is_a_gap() {
    each(
        MEASURE,
        &[
            ("9.0 exactly", of(&[hba1c("a", "2026-03-01", "9.0")]), Met),
            ("9 without digits", of(&[hba1c("a", "2026-03-01", "9")]), Met),
            ("9.1", of(&[hba1c("a", "2026-03-01", "9.1")]), Gap),
            ("9.01: the published limit is 9.0", of(&[hba1c("a", "2026-03-01", "9.01")]), Gap),
            ("8.9", of(&[hba1c("a", "2026-03-01", "8.9")]), Met),
            ("nothing measured", of(&[]), Gap),
        ],
    );
}

#[test]
fn units_are_compared_not_guessed() {
    let reading = |value: &str, unit: &str| of(&[observation("a", "4548-4", "2026-03-01", value, unit)]);
    let unit_only = |unit: &str| {
        of(&[with(hba1c("a", "2026-03-01", "8.1"), &json!({"valueQuantity": {"value": 8.1, "unit": unit}}))])
    };
    each(
        MEASURE,
        &[
            ("75 mmol/mol is 9.0 %", of(&[observation("a", "59261-8", "2026-03-01", "75", "mmol/mol")]), Met),
            ("76 mmol/mol is 9.1 %", of(&[observation("a", "59261-8", "2026-03-01", "76", "mmol/mol")]), Gap),
            ("percent in words", unit_only("percent"), Met),
            ("no code, unit written", unit_only("%"), Met),
            (
                "no unit",
                of(&[with(hba1c("a", "2026-03-01", "8.1"), &json!({"valueQuantity": {"value": 8.1}}))]),
                CannotTell,
            ),
            ("a fraction", reading("0.081", "1"), CannotTell),
            ("mg/dL", reading("8.1", "mg/dL"), CannotTell),
            ("75 %: mmol/mol under a wrong unit", reading("75", "%"), CannotTell),
            ("0.5 %", reading("0.5", "%"), CannotTell),
            (
                "a text",
                of(&[with(
                    hba1c("a", "2026-03-01", "1"),
                    &json!({"valueQuantity": null, "valueString": "8.1 %"}),
                )]),
                CannotTell,
            ),
            (
                "no value",
                of(&[with(
                    hba1c("a", "2026-03-01", "1"),
                    &json!({"valueQuantity": null,
            "dataAbsentReason": {"coding": [{"code": "error"}]}}),
                )]),
                CannotTell,
            ),
        ],
    );
    let bound = |comparator: &str, value: &str| {
        let mut one = hba1c("a", "2026-03-01", value);
        one["valueQuantity"]["comparator"] = json!(comparator);
        of(&[one])
    };
    each(
        MEASURE,
        &[
            ("> 14 %", bound(">", "14"), Gap),
            ("< 4 %", bound("<", "4"), Met),
            ("> 8 %", bound(">", "8"), CannotTell),
            ("< 10 %", bound("<", "10"), CannotTell),
        ],
    );
}

#[test]
fn the_last_reading_counts_and_of_one_day_the_lowest() {
    each(
        MEASURE,
        &[
            ("better since", of(&[hba1c("a", "2026-03-01", "9.8"), hba1c("b", "2026-09-01", "8.0")]), Met),
            ("worse since", of(&[hba1c("b", "2026-09-01", "9.8"), hba1c("a", "2026-03-01", "8.0")]), Gap),
            ("two on a day", of(&[hba1c("a", "2026-03-01", "9.8"), hba1c("b", "2026-03-01", "9.0")]), Met),
            (
                "two on a day, both above",
                of(&[hba1c("a", "2026-03-01", "9.8"), hba1c("b", "2026-03-01", "9.1")]),
                Gap,
            ),
            (
                "two on a day, one cannot be read",
                of(&[
                    hba1c("a", "2026-03-01", "9.8"),
                    observation("b", "4548-4", "2026-03-01", "8", "mg/dL"),
                ]),
                CannotTell,
            ),
            (
                "one in control and one cannot be read: the lowest is in control",
                of(&[
                    hba1c("a", "2026-03-01", "8.8"),
                    observation("b", "4548-4", "2026-03-01", "9", "mg/dL"),
                ]),
                Met,
            ),
            (
                "the last cannot be read",
                of(&[
                    hba1c("a", "2026-03-01", "8.0"),
                    observation("b", "4548-4", "2026-04-01", "8", "mg/dL"),
                ]),
                CannotTell,
            ),
            (
                "an earlier one cannot be read",
                of(&[
                    hba1c("a", "2026-05-01", "8.0"),
                    observation("b", "4548-4", "2026-04-01", "8", "mg/dL"),
                ]),
                Met,
            ),
            (
                "glucose management indicator",
                of(&[observation("a", "97506-0", "2026-03-01", "7.1", "%")]),
                Met,
            ),
        ],
    );
}

#[test]
fn the_period_is_the_calendar_year_to_the_day() {
    each(
        MEASURE,
        &[
            ("1 January", of(&[hba1c("a", "2026-01-01", "8.0")]), Met),
            ("31 December before", of(&[hba1c("a", "2025-12-31", "8.0")]), Gap),
            ("today", of(&[hba1c("a", TODAY, "8.0")]), Met),
            ("tomorrow", of(&[hba1c("a", "2026-12-01", "8.0")]), CannotTell),
        ],
    );
    let last = judge_on(MEASURE, "2026-12-31", &of(&[hba1c("a", "2026-12-31", "8.0")]));
    assert!(last.outcome == Met, "{:?}", last.why);
    let next = judge_on(MEASURE, "2027-01-01", &of(&[hba1c("a", "2026-12-31", "8.0")]));
    assert!(next.outcome == Gap, "{:?}", next.why);
}

#[test]
fn ages_are_reckoned_at_the_end_of_the_period() {
    let born = |born: &str| vec![patient(born, "male"), diabetes(), hba1c("a", "2026-03-01", "8.0")];
    each(
        MEASURE,
        &[
            ("18 on 31 December", born("2008-12-31"), Met),
            ("18 on 1 January after", born("2009-01-01"), NotInPopulation),
            ("75 until the end", born("1951-01-01"), Met),
            ("76 on 31 December", born("1950-12-31"), NotInPopulation),
            ("the year is enough for the end of a year", born("2008"), Met),
            ("the year says too young", born("2009"), NotInPopulation),
            (
                "no date of birth",
                vec![json!({"resourceType": "Patient", "id": "pat-1"}), diabetes()],
                CannotTell,
            ),
            ("born tomorrow", born("2026-12-01"), CannotTell),
            (
                "died",
                vec![
                    with(patient("1966-05-05", "male"), &json!({"deceasedDateTime": "2026-06-01"})),
                    diabetes(),
                ],
                NotInPopulation,
            ),
        ],
    );
}

#[test]
fn who_has_no_diabetes_in_the_period_is_not_asked_about() {
    let having = |dm: Value| vec![patient("1966-05-05", "male"), dm, hba1c("a", "2026-03-01", "8.0")];
    let ended = |abatement: &str| {
        with(
            diabetes(),
            &json!({"clinicalStatus": {"coding": [{"code": "resolved"}]}, "abatementDateTime": abatement}),
        )
    };
    let status = |code: &str| with(diabetes(), &json!({"clinicalStatus": {"coding": [{"code": code}]}}));
    let verified =
        |code: &str| with(diabetes(), &json!({"verificationStatus": {"coding": [{"code": code}]}}));
    let no_status = |more: Value| with(with(diabetes(), &json!({"clinicalStatus": null})), &more);
    each(
        MEASURE,
        &[
            ("active", having(diabetes()), Met),
            ("SNOMED", having(condition("dm", SNOMED, "44054006", "2015")), Met),
            ("ICD without its dot", having(condition("dm", ICD, "E119", "2015")), Met),
            ("E10 alone", having(condition("dm", ICD, "E10", "2015")), Met),
            ("another disease", having(condition("x", ICD, "E16.2", "2015")), NotInPopulation),
            ("E11 of another system", having(condition("x", "urn:local", "E11.9", "2015")), NotInPopulation),
            ("prediabetes", having(condition("x", ICD, "R73.03", "2015")), NotInPopulation),
            ("resolved before the period", having(ended("2025-12-31")), NotInPopulation),
            ("resolved on its first day", having(ended("2026-01-01")), Met),
            (
                "resolved some time in 2025 or 2026",
                having(with(
                    ended("2025"),
                    &json!({"abatementDateTime": null,
            "abatementString": "a while ago"}),
                )),
                CannotTell,
            ),
            ("inactive, and nobody says since when", having(status("inactive")), CannotTell),
            ("in remission, and nobody says since when", having(status("remission")), CannotTell),
            (
                "active, and over",
                having(with(diabetes(), &json!({"abatementDateTime": "2024-01-01"}))),
                CannotTell,
            ),
            ("no dates, active", having(with(diabetes(), &json!({"onsetDateTime": null}))), Met),
            ("begins in the future", having(condition("dm", ICD, "E11.9", "2027-01-01")), CannotTell),
            (
                "no status, begun in the period",
                having(no_status(json!({"onsetDateTime": "2026-02-01"}))),
                Met,
            ),
            (
                "no status, recorded in the period",
                having(no_status(json!({"recordedDate": "2026-02-01"}))),
                Met,
            ),
            (
                "no status, last recorded before it",
                having(no_status(json!({"recordedDate": "2024-02-01"}))),
                CannotTell,
            ),
            ("provisional", having(verified("provisional")), CannotTell),
            ("differential", having(verified("differential")), CannotTell),
            ("refuted", having(verified("refuted")), NotInPopulation),
            ("entered in error", having(verified("entered-in-error")), NotInPopulation),
            ("nobody says how sure", having(with(diabetes(), &json!({"verificationStatus": null}))), Met),
            (
                "a name alone",
                having(with(diabetes(), &json!({"code": {"text": "Type 2 Diabetes Mellitus"}}))),
                CannotTell,
            ),
            (
                "a name that says something else",
                having(with(diabetes(), &json!({"code": {"text": "Diabetes insipidus"}}))),
                NotInPopulation,
            ),
            ("none at all", vec![patient("1966-05-05", "male")], NotInPopulation),
        ],
    );
}

#[test]
fn hospice_palliative_care_and_frailty_with_illness_leave_out() {
    let and = |more: Value| of(&[hba1c("a", "2026-03-01", "9.9"), more]);
    let visit = |class: &str, code: &str, start: &str, end: Option<&str>| {
        let mut period = json!({"start": start});
        if let Some(end) = end {
            period["end"] = json!(end);
        }
        json!({"resourceType": "Encounter", "id": "e", "status": class, "subject": {"reference": "Patient/pat-1"},
            "type": [{"coding": [{"system": SNOMED, "code": code}]}], "period": period})
    };
    each(
        MEASURE,
        &[
            ("hospice procedure", and(procedure("p", SNOMED, "385763009", "2026-02-01")), Excluded),
            ("hospice procedure last year", and(procedure("p", SNOMED, "385763009", "2025-12-31")), Gap),
            (
                "hospice procedure, nobody says when",
                and(with(procedure("p", SNOMED, "385763009", "2026"), &json!({"performedDateTime": null}))),
                CannotTell,
            ),
            (
                "hospice procedure not done",
                and(with(procedure("p", SNOMED, "385763009", "2026-02-01"), &json!({"status": "not-done"}))),
                Gap,
            ),
            (
                "hospice stay over new year",
                and(visit("finished", "305336008", "2025-12-01", Some("2026-01-01"))),
                Excluded,
            ),
            (
                "hospice stay that ended before",
                and(visit("finished", "305336008", "2025-12-01", Some("2025-12-31"))),
                Gap,
            ),
            ("hospice stay still open", and(visit("in-progress", "305336008", "2025-12-01", None)), Excluded),
            ("hospice stay planned", and(visit("planned", "305336008", "2026-12-20", None)), Gap),
            ("palliative care", and(condition("z", ICD, "Z51.5", "2026-02-01")), Excluded),
            ("frailty and dementia at 60", and(condition("f", ICD, "R54", "2026-02-01")), Gap),
        ],
    );
    let old = |born: &str, more: &[Value]| {
        let mut all = vec![patient(born, "male"), diabetes()];
        all.extend(more.iter().cloned());
        all
    };
    let (frail, ill) =
        (condition("f", ICD, "R54", "2026-02-01"), condition("i", ICD, "F03.90", "2024-02-01"));
    each(
        MEASURE,
        &[
            ("66, frail and ill", old("1960-12-31", &[frail.clone(), ill.clone()]), Excluded),
            ("65, frail and ill", old("1961-01-01", &[frail.clone(), ill.clone()]), Gap),
            ("66 and frail", old("1960-12-31", &[frail]), Gap),
            ("66 and ill", old("1960-12-31", &[ill]), Gap),
        ],
    );
}
