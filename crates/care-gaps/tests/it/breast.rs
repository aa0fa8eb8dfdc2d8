//! Breast cancer screening (CMS125).

use sallyport_care_gaps::Outcome::{CannotTell, Excluded, Gap, Met, NotInPopulation};
use serde_json::{Value, json};

use super::*;

const MEASURE: &str = "breast-screening";

fn of(done: &[Value]) -> Vec<Value> {
    let mut all = vec![patient("1966-05-05", "female")];
    all.extend(done.iter().cloned());
    all
}

#[test]
fn a_mammogram_counts_for_27_months_to_the_day() {
    each(
        MEASURE,
        &[
            ("none", of(&[]), Gap),
            ("1 October two years before", of(&[procedure("a", SNOMED, "24623002", "2024-10-01")]), Met),
            ("30 September", of(&[procedure("a", SNOMED, "24623002", "2024-09-30")]), Gap),
            ("October 2024", of(&[procedure("a", SNOMED, "24623002", "2024-10")]), Met),
            ("2024", of(&[procedure("a", SNOMED, "24623002", "2024")]), CannotTell),
            (
                "as a result without a value",
                of(&[with(
                    observation("a", "24606-6", "2025-01-01", "1", "1"),
                    &json!({"valueQuantity": null}),
                )]),
                Met,
            ),
            ("an ultrasound is none", of(&[procedure("a", SNOMED, "47079000", "2025-01-01")]), Gap),
        ],
    );
    let due = judge(MEASURE, &of(&[procedure("a", SNOMED, "24623002", "2024-10-01")])).due.unwrap();
    assert_eq!(due.on.to_string(), "2027-01-01");
    let later = judge(MEASURE, &of(&[procedure("a", SNOMED, "24623002", "2025-10-01")])).due.unwrap();
    assert_eq!(later.on.to_string(), "2028-01-01");
}

#[test]
fn it_is_about_women_of_42_to_74() {
    let born = |born: &str| vec![patient(born, "female")];
    let birth_sex = |code: &str| {
        json!({"extension": [
        {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex", "valueCode": code}]})
    };
    each(
        MEASURE,
        &[
            ("42 on 31 December", born("1984-12-31"), Gap),
            ("41", born("1985-01-01"), NotInPopulation),
            ("74", born("1952-01-01"), Gap),
            ("75", born("1951-12-31"), NotInPopulation),
            ("a man", vec![patient("1966-05-05", "male")], NotInPopulation),
            ("not known", vec![patient("1966-05-05", "unknown")], CannotTell),
            ("other", vec![patient("1966-05-05", "other")], CannotTell),
            ("not sent", vec![with(patient("1966-05-05", "x"), &json!({"gender": null}))], CannotTell),
            (
                "a man who was born a woman",
                vec![with(patient("1966-05-05", "male"), &birth_sex("F"))],
                CannotTell,
            ),
            ("a woman who was born one", vec![with(patient("1966-05-05", "female"), &birth_sex("F"))], Gap),
            ("too old, whatever the sex", vec![patient("1930-05-05", "unknown")], NotInPopulation),
        ],
    );
}

#[test]
fn both_breasts_removed_leave_out_one_does_not() {
    let left = || procedure("l", SNOMED, "428571003", "2001");
    let right = || condition("r", ICD, "Z90.11", "2003");
    each(
        MEASURE,
        &[
            ("both at once", of(&[procedure("a", SNOMED, "27865001", "1999")]), Excluded),
            ("history of both", of(&[condition("a", ICD, "Z90.13", "1999")]), Excluded),
            ("left and right", of(&[left(), right()]), Excluded),
            ("left", of(&[left()]), Gap),
            ("right", of(&[right()]), Gap),
            ("left twice", of(&[left(), condition("l2", ICD, "Z90.12", "2003")]), Gap),
            (
                "left, right entered in error",
                of(&[
                    left(),
                    with(
                        right(),
                        &json!({
            "verificationStatus": {"coding": [{"code": "entered-in-error"}]}}),
                    ),
                ]),
                Gap,
            ),
        ],
    );
}
