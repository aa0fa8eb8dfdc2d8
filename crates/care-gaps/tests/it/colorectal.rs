//! Colorectal cancer screening (CMS130).

use sallyport_care_gaps::Outcome::{CannotTell, Excluded, Gap, Met, NotInPopulation};
use serde_json::{Value, json};

use super::*;

const MEASURE: &str = "colorectal-screening";

fn of(done: &[Value]) -> Vec<Value> {
    let mut all = vec![patient("1966-05-05", "female")];
    all.extend(done.iter().cloned());
    all
}

fn stool(id: &str, code: &str, when: &str) -> Value {
    let value = json!({"valueQuantity": null, "valueCodeableConcept": {"text": "Negative"}});
    with(observation(id, code, when, "0", "1"), &value)
}

#[test]
fn each_test_counts_for_its_own_time_to_the_day() {
    each(
        MEASURE,
        &[
            ("nothing", of(&[]), Gap),
            ("colonoscopy on the first day", of(&[procedure("a", SNOMED, "73761001", "2017-01-01")]), Met),
            ("colonoscopy a day earlier", of(&[procedure("a", SNOMED, "73761001", "2016-12-31")]), Gap),
            (
                "colonoscopy by HCPCS",
                of(&[procedure(
                    "a",
                    "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
                    "G0121",
                    "2020-01-01",
                )]),
                Met,
            ),
            ("sigmoidoscopy on the first day", of(&[procedure("a", SNOMED, "44441009", "2022-01-01")]), Met),
            ("sigmoidoscopy a day earlier", of(&[procedure("a", SNOMED, "44441009", "2021-12-31")]), Gap),
            (
                "CT colonography as a result, first day",
                of(&[with(
                    observation("a", "79101-2", "2022-01-01", "1", "1"),
                    &json!({"valueQuantity": null}),
                )]),
                Met,
            ),
            (
                "CT colonography a day earlier",
                of(&[observation("a", "79101-2", "2021-12-31", "1", "1")]),
                Gap,
            ),
            ("stool DNA on the first day", of(&[stool("a", "77353-1", "2024-01-01")]), Met),
            ("stool DNA a day earlier", of(&[stool("a", "77353-1", "2023-12-31")]), Gap),
            ("occult blood on the first day", of(&[stool("a", "29771-3", "2026-01-01")]), Met),
            ("occult blood a day earlier", of(&[stool("a", "29771-3", "2025-12-31")]), Gap),
            (
                "occult blood without a value",
                of(&[with(stool("a", "29771-3", "2026-02-01"), &json!({"valueCodeableConcept": null}))]),
                Gap,
            ),
            (
                "one of two counts",
                of(&[stool("a", "29771-3", "2020-12-31"), procedure("b", SNOMED, "73761001", "2019-06")]),
                Met,
            ),
        ],
    );
}

#[test]
fn a_date_that_leaves_open_whether_it_counts_is_not_counted() {
    each(
        MEASURE,
        &[
            ("2017", of(&[procedure("a", SNOMED, "73761001", "2017")]), Met),
            ("2016", of(&[procedure("a", SNOMED, "73761001", "2016")]), Gap),
            ("this year", of(&[procedure("a", SNOMED, "73761001", "2026")]), Met),
            (
                "no date",
                of(&[with(procedure("a", SNOMED, "73761001", "2026"), &json!({"performedDateTime": null}))]),
                CannotTell,
            ),
            (
                "in words",
                of(&[with(
                    procedure("a", SNOMED, "73761001", "2026"),
                    &json!({"performedDateTime": null,
            "performedString": "about ten years ago"}),
                )]),
                CannotTell,
            ),
            (
                "over new year",
                of(&[with(
                    procedure("a", SNOMED, "73761001", "2026"),
                    &json!({"performedDateTime": null,
            "performedPeriod": {"start": "2016-12-31", "end": "2017-01-01"}}),
                )]),
                Met,
            ),
            (
                "not dated, and one that counts",
                of(&[
                    with(procedure("a", SNOMED, "73761001", "2026"), &json!({"performedDateTime": null})),
                    stool("b", "29771-3", "2026-02-01"),
                ]),
                Met,
            ),
        ],
    );
}

#[test]
fn only_what_was_done_counts() {
    let status = |status: Value| {
        of(&[with(procedure("a", SNOMED, "73761001", "2024-01-01"), &json!({"status": status}))])
    };
    each(
        MEASURE,
        &[
            ("completed", status(json!("completed")), Met),
            ("not done", status(json!("not-done")), Gap),
            ("in progress", status(json!("in-progress")), Gap),
            ("entered in error", status(json!("entered-in-error")), Gap),
            ("unknown", status(json!("unknown")), CannotTell),
            ("no status", status(Value::Null), CannotTell),
            (
                "a preliminary result",
                of(&[with(stool("a", "29771-3", "2026-02-01"), &json!({"status": "preliminary"}))]),
                Gap,
            ),
            (
                "an amended result",
                of(&[with(stool("a", "29771-3", "2026-02-01"), &json!({"status": "amended"}))]),
                Met,
            ),
            (
                "a name alone",
                of(&[with(
                    procedure("a", SNOMED, "x", "2024-01-01"),
                    &json!({"code": {"text": "Colonoscopy"}}),
                )]),
                CannotTell,
            ),
        ],
    );
}

#[test]
fn ages_are_46_to_75_and_cancer_or_colectomy_ever_leaves_out() {
    let born = |born: &str| vec![patient(born, "male")];
    each(
        MEASURE,
        &[
            ("46 on 31 December", born("1980-12-31"), Gap),
            ("45", born("1981-01-01"), NotInPopulation),
            ("75", born("1951-01-01"), Gap),
            ("76", born("1950-12-31"), NotInPopulation),
            ("born in a year that fits", born("1980"), Gap),
            (
                "cancer once",
                of(&[with(
                    condition("c", ICD, "C18.7", "1999"),
                    &json!({
            "clinicalStatus": {"coding": [{"code": "resolved"}]}, "abatementDateTime": "2001"}),
                )]),
                Excluded,
            ),
            ("history of it", of(&[condition("c", ICD, "Z85.038", "2010")]), Excluded),
            ("colectomy", of(&[procedure("c", SNOMED, "26390003", "1998")]), Excluded),
            (
                "colectomy refuted by its status",
                of(&[with(procedure("c", SNOMED, "26390003", "1998"), &json!({"status": "not-done"}))]),
                Gap,
            ),
            (
                "cancer suspected",
                of(&[with(
                    condition("c", ICD, "C18.7", "2026-05-01"),
                    &json!({
            "verificationStatus": {"coding": [{"code": "provisional"}]}}),
                )]),
                CannotTell,
            ),
        ],
    );
}

#[test]
fn the_next_one_is_due_when_this_one_stops_to_count() {
    let due = |done: Value| judge(MEASURE, &of(&[done])).due.map(|due| due.on.to_string());
    assert_eq!(due(procedure("a", SNOMED, "73761001", "2017-01-01")).as_deref(), Some("2027-01-01"));
    assert_eq!(due(procedure("a", SNOMED, "73761001", "2026-05-05")).as_deref(), Some("2036-01-01"));
    assert_eq!(due(procedure("a", SNOMED, "73761001", "2024")).as_deref(), Some("2034-01-01"));
    assert_eq!(due(stool("a", "77353-1", "2025-03-01")).as_deref(), Some("2028-01-01"));
    let gap = judge(MEASURE, &of(&[]));
    assert_eq!(gap.due.map(|due| due.on.to_string()).as_deref(), Some("2026-12-31"));
    let both = judge(
        MEASURE,
        &of(&[stool("a", "29771-3", "2026-02-01"), procedure("b", SNOMED, "73761001", "2020-01-01")]),
    );
    assert_eq!(both.due.map(|due| due.on.to_string()).as_deref(), Some("2030-01-01"), "the longest counts");
}
