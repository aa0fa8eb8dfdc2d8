//! What holds of any record.

use proptest::{collection::vec, prelude::*};
use sallyport_care_gaps::{Outcome, Period};
use serde_json::{Value, json};

use super::*;

/// A date as EHRs send them: to the year, month, day or moment, or none; not in the future.
fn date() -> impl Strategy<Value = Option<String>> {
    let parts = (2024_i32..=2026, 1_u8..=12, 1_u8..=28, 0_u8..24, 0_usize..6);
    parts.prop_map(|(year, month, day, hour, form)| {
        let month = if year == 2026 { month.min(11) } else { month };
        match form {
            0 => None,
            1 => Some(format!("{year}")),
            2 => Some(format!("{year}-{month:02}")),
            3 => Some(format!("{year}-{month:02}-{day:02}T{hour:02}:30:00Z")),
            4 => Some(format!("{year}-{month:02}-{day:02}T{hour:02}:30:00-05:00")),
            _ => Some(format!("{year}-{month:02}-{day:02}")),
        }
    })
}

fn status() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => Just(json!("final")),
        1 => Just(json!("amended")),
        1 => Just(json!("preliminary")),
        1 => Just(Value::Null),
    ]
}

fn dated(mut resource: Value, element: &str, date: Option<String>) -> Value {
    resource[element] = date.map_or(Value::Null, Value::from);
    if resource[element].is_null() {
        resource.as_object_mut().unwrap().remove(element);
    }
    resource
}

fn entry() -> impl Strategy<Value = Value> {
    prop_oneof![
        (date(), status(), 40_u32..130).prop_map(|(date, status, tenths)| {
            let value = format!("{}.{}", tenths / 10, tenths % 10);
            with(dated(hba1c("x", "2026", &value), "effectiveDateTime", date), &json!({"status": status}))
        }),
        (date(), status(), 120_u32..160, 70_u32..110).prop_map(|(date, status, systolic, diastolic)| {
            with(
                dated(pressure("x", "2026", systolic, diastolic), "effectiveDateTime", date),
                &json!({"status": status}),
            )
        }),
        date().prop_map(|date| dated(procedure("x", SNOMED, "73761001", "2026"), "performedDateTime", date)),
        date().prop_map(|date| dated(procedure("x", SNOMED, "385763009", "2026"), "performedDateTime", date)),
        date().prop_map(|date| dated(condition("x", ICD, "E11.9", "2026"), "onsetDateTime", date)),
        date().prop_map(|date| dated(condition("x", ICD, "I10", "2026"), "onsetDateTime", date)),
    ]
}

fn chart() -> impl Strategy<Value = Vec<Value>> {
    let born = prop_oneof![Just("1966-05-05"), Just("1966"), Just("2008-12-31"), Just("1940")];
    (born, vec(entry(), 0..7)).prop_map(|(born, entries)| {
        let mut all = vec![patient(born, "female")];
        all.extend(
            entries.into_iter().enumerate().map(|(at, entry)| with(entry, &json!({"id": format!("e{at}")}))),
        );
        all
    })
}

fn outcomes(resources: &[Value]) -> Vec<(String, Outcome)> {
    let rules = &*SHIPPED;
    let judging = Judging { on: day(TODAY), zone: Zone::Unknown };
    let all = rules.judge(&record(resources, &[]), &judging);
    let mut all: Vec<_> = all.into_iter().map(|one| (one.measure, one.outcome)).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// Makes what was sent precise in one of the ways that it can mean.
fn made_precise(resource: &Value, day_of_month: u8, month: u8) -> Value {
    let mut precise = resource.clone();
    for element in ["effectiveDateTime", "performedDateTime", "onsetDateTime", "birthDate"] {
        let Some(sent) = resource[element].as_str() else { continue };
        let date = match sent.len() {
            4 => format!("{sent}-{month:02}-{day_of_month:02}"),
            7 => format!("{sent}-{day_of_month:02}"),
            _ => sent.to_owned(),
        };
        // What has happened has happened by today.
        precise[element] =
            json!(if date.as_str() > TODAY && date.len() == 10 { TODAY.to_owned() } else { date });
    }
    precise
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn the_order_in_which_entries_come_makes_no_difference(chart in chart(), by in 0_usize..7) {
        let mut turned = chart.clone();
        let by = by % turned.len();
        turned.rotate_left(by);
        turned.reverse();
        prop_assert_eq!(outcomes(&chart), outcomes(&turned));
    }

    #[test]
    fn what_is_in_error_or_anothers_makes_no_difference(chart in chart(), more in vec(entry(), 1..4), foreign: bool) {
        let noise = more.into_iter().enumerate().map(|(at, entry)| {
            let named = with(entry, &json!({"id": format!("noise{at}")}));
            if foreign {
                with(named, &json!({"subject": {"reference": "Patient/pat-2"}}))
            } else if named["resourceType"] == "Condition" {
                with(named, &json!({"verificationStatus": {"coding": [{"code": "entered-in-error"}]}}))
            } else {
                with(named, &json!({"status": "entered-in-error"}))
            }
        });
        let with_noise: Vec<Value> = chart.iter().cloned().chain(noise).collect();
        prop_assert_eq!(outcomes(&chart), outcomes(&with_noise));
    }

    /// An answer that was given on dates left open is the answer for whatever they turn out to be.
    #[test]
    fn an_answer_on_partial_dates_holds_for_every_day_that_they_can_mean(
        chart in chart(), days in vec((1_u8..=28, 1_u8..=12), 8)
    ) {
        let precise: Vec<Value> =
            chart.iter().zip(&days).map(|(one, (day, month))| made_precise(one, *day, *month)).collect();
        for (open, closed) in outcomes(&chart).iter().zip(outcomes(&precise)) {
            prop_assert!(open.1 == Outcome::CannotTell || *open == closed, "{:?} {:?}", open, closed);
        }
    }

    /// Once everybody agrees where the clocks stood, an answer given without knowing stays.
    #[test]
    fn an_answer_without_a_zone_holds_in_every_zone(chart in chart(), hours in -12_i32..=14) {
        let rules = &*SHIPPED;
        let record = record(&chart, &[]);
        let unknown = rules.judge(&record, &Judging { on: day(TODAY), zone: Zone::Unknown });
        let known = Judging { on: day(TODAY), zone: Zone::Between { least: hours * 60, most: hours * 60 } };
        for one in unknown.iter().filter(|one| one.outcome != Outcome::CannotTell) {
            let there = rules.measure(&one.measure).unwrap().judge(&record, &known);
            prop_assert!(there.outcome == one.outcome, "{}: {:?} {:?}", one.measure, one.outcome, there.outcome);
        }
    }

    #[test]
    fn a_period_holds_its_day_and_a_year(offset in 0_i64..40_000) {
        let on = day("1970-01-01").plus_days(offset);
        for period in [Period::CalendarYear, Period::LastYear] {
            let days = period.days(on);
            prop_assert!(days.first <= on && on <= days.last);
            let length = (days.first.plus_days(364), days.first.plus_days(365));
            prop_assert!(days.last == length.0 || days.last == length.1, "365 or 366 days");
        }
    }
}
