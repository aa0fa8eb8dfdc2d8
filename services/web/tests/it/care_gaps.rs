//! The care gaps on the chart: what a scan found with its evidence, and in plain words why there may be nothing.

use sallyport_model::Code;
use sallyport_proto::gateway::v1::{CareGapsFound, CareGapsResponse};
use serde_json::{Value, json};

use crate::{
    fake::{Canned, NOW},
    states::HOSTILE,
    website::{Answer, Website},
};

pub(crate) fn assessment(measure: &str, outcome: &str, text: &str) -> Value {
    json!({
        "measure": measure, "title": format!("{text} {measure}"), "outcome": outcome,
        "why": [format!("{text} the last HbA1c is 9.4 %")], "action": format!("{text} Measure HbA1c"),
        "published": {"name": "Glycemic Status", "steward": "NCQA", "numbers": ["CMS122v14"], "year": 2026,
            "url": if text.is_empty() { "https://ecqi.healthit.gov/cms0122v14" } else { "javascript:alert(1)" }},
        "changed_by": ["house.toml"],
        "evidence": [{
            "role": "requirement", "weight": "counts", "criterion": "last HbA1c", "what": format!("{text} HbA1c"),
            "code": "http://loinc.org|4548-4", "value": format!("9.4 % {text}"),
            "when": {"start": {"original": "2026-03-12", "precision": "day"}},
            "source": {"origin": "core", "reference": "Observation/4548-4-4", "version": "7",
                "path": "Observation.valueQuantity", "read_at": NOW - 3_600_000_000_i64},
            "why": format!("{text} above 9.0 %"),
        }],
        "period": {"first": "2026-01-01", "last": "2026-12-31"}, "judged_on": "2026-07-14",
        "due": {"on": "2026-12-31", "why": "the period ends"},
    })
}

fn answer(assessments: &[Value], withheld: i32) -> CareGapsResponse {
    let json = json!({"judged_at": NOW - 3_600_000_000_i64, "patient": "pat-1", "assessments": assessments});
    CareGapsResponse {
        is_set_up: true,
        found: vec![CareGapsFound {
            job: "panel".into(),
            title: "Care gaps before the day begins".into(),
            run_id: vec![7; 16],
            judged_at: NOW - 3_600_000_000,
            json: json.to_string().into_bytes().into(),
            withheld,
        }],
    }
}

async fn page(name: &str, gaps: Option<Result<CareGapsResponse, Code>>) -> Answer {
    Website::of(Canned::whole().with_care_gaps(gaps)).await.get(name).await
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_a_card_with_values_dates_rule_source_and_scan() {
    let answer = page("summary", Some(Ok(answer(&[assessment("hba1c", "gap", "")], 0)))).await;
    let card = answer.section("care-gaps");
    for said in [
        "<span class=\"count\">(1)</span>",
        "data-measure=\"hba1c\"",
        "Care gap</bdi>",
        "the last HbA1c is 9.4 %",
        "Measure HbA1c",
        "due 31-Dec-2026",
        "<bdi>9.4 % </bdi>",
        "12-Mar-2026",
        "Observation/4548-4-4</bdi>, version <bdi>7",
        "Observation.valueQuantity",
        "http://loinc.org|4548-4",
        "Glycemic Status",
        "CMS122v14",
        "NCQA",
        "href=\"https://ecqi.healthit.gov/cms0122v14\"",
        "rel=\"noopener noreferrer\"",
        "changed by <bdi>house.toml",
        "Scanned <time",
        "09:02",
        "job <bdi>panel</bdi>, run 07070707",
        "form=\"record-form\" name=\"ref\" value=\"Observation/4548-4-4\"",
    ] {
        assert!(card.contains(said), "{said} is not in {card}");
    }
    assert!(answer.section("problems").contains("Type 2 diabetes mellitus"));
    assert!(answer.text.contains("All sections of this page were read."));
}

#[tokio::test(start_paused = true)]
async fn the_own_page_has_every_answer_and_the_summary_what_is_open() {
    let all: Vec<Value> = ["gap", "cannot_tell", "met", "excluded", "not_in_population"]
        .iter()
        .map(|outcome| assessment(outcome, outcome, ""))
        .collect();
    let measures = |answer: &Answer| answer.section("care-gaps").matches("data-measure=").count();
    let summary = page("summary", Some(Ok(answer(&all, 2)))).await;
    assert_eq!(measures(&summary), 2);
    let own = page("care-gaps", Some(Ok(answer(&all, 2)))).await;
    assert_eq!(own.status, 200);
    assert_eq!(measures(&own), 5);
    assert!(own.section("care-gaps").contains("2 measures rest on records that this launch may not see"));
    assert!(own.banner().contains("ABREU, Maria del Carmen"), "beside the patient's name");
    let one = page("summary", Some(Ok(answer(&vec![assessment("m", "gap", ""); 9], 0)))).await;
    assert_eq!(measures(&one), 6);
    assert!(one.section("care-gaps").contains("3 more"));
}

#[tokio::test(start_paused = true)]
async fn when_nothing_can_be_read_the_page_says_so_and_the_rest_of_the_chart_is_there() {
    for (gaps, said, row) in [
        (
            Some(Err(Code::DependencyDown)),
            "Could not be read. A part of the app is not available",
            "Care gaps could not be read",
        ),
        (None, "Reading what scans have found takes long.", "Care gaps are taking long"),
    ] {
        let answer = page("summary", gaps).await;
        assert!(answer.section("care-gaps").contains(said), "{said}");
        let line = answer.between("<div class=\"status-line\" slot=\"status\">", "</div>");
        assert!(line.contains(row), "{line}");
        assert!(answer.section("problems").contains("Type 2 diabetes mellitus"));
        assert!(answer.text.ends_with("</html>"));
    }
}

#[tokio::test(start_paused = true)]
async fn no_scan_and_no_gap_are_different_things() {
    let nothing = |is_set_up| Some(Ok(CareGapsResponse { is_set_up, found: Vec::new() }));
    let never = page("summary", nothing(true)).await;
    assert!(never.section("care-gaps").contains("No scan has judged this patient yet."));
    let nowhere = page("summary", nothing(false)).await;
    assert!(nowhere.section("care-gaps").contains("No care-gap scan is set up for this EHR."));
    let none = page("summary", Some(Ok(answer(&[assessment("m", "met", "")], 0)))).await;
    assert!(none.section("care-gaps").contains("No gap was found by the measures of this scan."));
}

#[tokio::test(start_paused = true)]
async fn without_the_feature_nothing_is_asked_and_there_is_no_place_for_it() {
    let canned = Canned::whole();
    let calls = canned.calls.clone();
    let website = Website::of(canned).await;
    assert!(!website.get("summary").await.text.contains("care-gaps"));
    assert_eq!(website.get("care-gaps").await.status, 403);
    assert!(!calls.lock().unwrap().iter().any(|call| call.starts_with("care-gaps")));
    let mut off = Canned::whole().with_care_gaps(None);
    let feature = off.view.features.last_mut().unwrap();
    (feature.on, feature.reason) = (false, "The EHR did not grant access to Observation.".into());
    let nav = Website::of(off).await.get("summary").await;
    assert!(nav.between("<nav class=\"tabs\"", "</nav>").contains("did not grant access to Observation"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_shown_without_the_patients_name() {
    let mut canned =
        crate::states::unidentified().with_care_gaps(Some(Ok(answer(&[assessment("m", "gap", "")], 0))));
    canned.refusals.clear();
    let text = Website::of(canned).await.get("care-gaps").await.text;
    assert!(text.contains("could not be read") && !text.contains("9.4 %"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn hostile_words_of_ehrs_and_rule_files_are_never_markup_and_no_link() {
    let gaps = answer(&[assessment("m", "gap", HOSTILE)], 0);
    let text = page("care-gaps", Some(Ok(gaps))).await.text;
    assert!(text.contains("&lt;script&gt;alert(1)"));
    assert!(!text.contains("<script>alert") && !text.contains("<img") && !text.contains("javascript:"));
    assert!(!text.contains('\u{202e}'));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_meanwhile_ends_the_page_once() {
    let mut canned = Canned::whole().with_care_gaps(Some(Err(Code::SessionExpired)));
    canned.never = vec![sallyport_clinical::Section::Results];
    let answer = Website::of(canned).await.get("summary").await;
    assert!(answer.section("care-gaps").contains("The session ended"));
    assert!(answer.text.ends_with("</html>"));
}
