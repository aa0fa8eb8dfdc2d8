//! What is missing is said: where, why, and what to do.

use sallyport_clinical::{ReadProblem, Section};
use sallyport_model::Code;

use crate::{
    fake::Canned,
    states::{self, HOSTILE},
    website::Website,
};

/// A page that does not wait in real time: the deadlines pass as soon as nothing else is left to do.
async fn summary(canned: Canned) -> crate::website::Answer {
    tokio::time::pause();
    Website::of(canned).await.get("summary").await
}

#[tokio::test]
async fn each_kind_of_gap_is_said_in_its_own_words_in_place_and_at_the_top() {
    let answer = summary(states::partial()).await;
    assert!(answer.section("medications").contains("Could not be read. <bdi>The EHR is too busy.</bdi>"));
    assert!(answer.section("encounters").contains("Not requested (permission not granted)"));
    assert!(answer.section("documents").contains("Withheld"));
    assert!(answer.section("vitals").contains("The EHR is taking long."));
    assert!(answer.section("problems").contains("value=\"Condition/broken\""));
    assert!(answer.section("problems").contains("Type 2 diabetes mellitus"));
    let row = answer.between("<div class=\"status-line\" slot=\"status\">", "</div>");
    for line in [
        "Medications could not be read (the EHR is too busy)",
        "Vital signs are taking long and are not shown here",
        "Problems are incomplete (1 entry could not be understood)",
        "Visits were not requested (permission not granted)",
        "Documents were withheld (the organisation&#39;s policy does not permit this)",
    ] {
        assert!(
            row.replace("&apos;", "&#39;").replace('\'', "&#39;").contains(line),
            "{line} is not in {row}"
        );
    }
}

#[tokio::test]
async fn a_whole_page_says_that_all_was_read() {
    let answer = summary(Canned::whole()).await;
    let row = answer.between("<div class=\"status-line\" slot=\"status\">", "</div>");
    assert!(row.contains("All sections of this page were read."), "{row}");
}

#[tokio::test]
async fn no_record_of_allergies_is_not_no_allergies() {
    let nothing = summary(states::empty()).await;
    assert!(nothing.section("allergies").contains("This does not mean that there are none."));
    let none = Website::of(states::arabic()).await.get("summary").await;
    assert!(none.section("allergies").contains("No known allergies, as recorded in the EHR"));
}

#[tokio::test]
async fn a_feature_that_is_off_says_why() {
    let answer = summary(Canned::whole()).await;
    let nav = answer.between("<nav class=\"tabs\"", "</nav>");
    assert!(nav.contains("aria-disabled=\"true\" tabindex=\"0\" aria-describedby=\"off-8\""));
    assert!(nav.contains("Off: <bdi>the EHR did not grant writing documents</bdi>"));
}

#[tokio::test]
async fn a_page_of_a_feature_that_is_off_is_refused() {
    let mut canned = Canned::whole();
    canned.view.features[0].sections.retain(|section| section != "documents");
    let website = Website::of(canned).await;
    assert_eq!(website.get("documents").await.status, 403);
    assert!(!website.get("summary").await.between("<nav class=\"tabs\"", "</nav>").contains("/documents"));
}

#[tokio::test]
async fn hostile_text_in_every_free_field_is_never_markup() {
    let website = Website::of(states::hostile()).await;
    for page in ["summary", "problems", "medications", "results", "vitals", "visits", "documents", "more"] {
        let answer = website.get(page).await;
        assert_eq!(answer.status, 200, "{page}");
        let text = answer.text.to_lowercase();
        assert!(text.contains("&lt;script&gt;alert(1)"), "{page} shows the text as text");
        assert!(!text.contains("<script>alert") && !text.contains("<img"), "{page} escapes");
        assert!(!answer.text.contains('\u{202e}'), "{page} takes no direction override");
        assert!(!answer.text.contains(HOSTILE));
    }
    let record = website.get("documents").await;
    let token = record
        .between("id=\"record-form\"", "</form>")
        .split("value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let source = website.post("source", &format!("token={token}&ref=Condition%2Fc1"), &[]).await;
    assert!(source.text.contains("resourceType") && !source.text.contains("<script>alert"));
}

#[tokio::test]
async fn every_row_offers_the_record_it_comes_from() {
    let answer = summary(Canned::whole()).await;
    for reference in [
        "Condition/c1",
        "MedicationRequest/m1",
        "AllergyIntolerance/a1",
        "Observation/bp3",
        "Observation/4548-4-4",
        "Encounter/enc-2",
        "DocumentReference/d1",
    ] {
        assert!(
            answer.text.contains(&format!("form=\"record-form\" name=\"ref\" value=\"{reference}\"")),
            "{reference}"
        );
    }
    assert!(!answer.text.contains("href=\"Condition") && !answer.text.contains("?ref="));
}

#[tokio::test]
async fn entered_in_error_and_refuted_entries_stand_apart_and_only_on_their_own_page() {
    let website = Website::of(Canned::whole()).await;
    assert!(!website.get("summary").await.section("problems").contains("Heart failure"));
    let own = website.get("problems").await;
    let (counted, apart) = own.section("problems").split_once("Not counted").unwrap();
    assert!(
        !counted.contains("Heart failure") && apart.contains("Heart failure") && apart.contains("Refuted")
    );
    let results = website.get("results").await;
    assert!(results.section("results").split_once("Not counted").unwrap().1.contains("TSH"));
}

#[tokio::test]
async fn values_and_flags_are_shown_as_sent_with_the_words_of_their_trend() {
    let answer = Website::of(Canned::whole()).await.get("results").await;
    let results = answer.section("results");
    assert!(results.contains("<b>8.10</b>"));
    assert!(results.contains("5 values from 6.9 to 8.10 %, 10-Mar-2023 to 12-Mar-2026, up and down"));
    assert!(results.contains("Critically high"));
    assert!(results.contains("By comparison with the range sent; the EHR sent no flag"));
    assert!(results.contains("Withheld by the EHR"));
    let vitals = Website::of(Canned::whole()).await.get("summary").await;
    assert!(vitals.section("vitals").contains("<b>142/88</b>"));
}

#[tokio::test]
async fn more_than_was_read_is_said() {
    let mut canned = Canned::whole();
    canned.problems.insert(Section::Results, vec![ReadProblem::truncated("Observation")]);
    let answer = summary(canned).await;
    assert!(answer.section("results").contains("The EHR has more entries than were read."));
    assert!(answer.section("results").contains("Potassium"));
}

#[tokio::test]
async fn a_session_that_ends_while_the_page_is_read_is_said_once() {
    let mut canned = Canned::whole();
    canned.refusals.insert(Section::Problems, Code::SessionExpired);
    canned.never = vec![Section::Results, Section::Vitals];
    let answer = summary(canned).await;
    assert!(answer.section("problems").contains("The session ended"));
    assert!(answer.text.ends_with("</html>"));
}

#[tokio::test]
async fn on_the_summary_what_calls_for_action_stands_first_then_what_is_out_of_range() {
    let page = Website::of(Canned::whole()).await.get("summary").await;
    let table = page.section("results");
    let at = |name: &str| table.find(name).unwrap_or_else(|| panic!("{name} is not on the summary"));
    let order = ["Potassium", "Hemoglobin A1c", "Creatinine", "Urine culture", "Hepatitis C antibody"];
    assert!(order.windows(2).all(|pair| at(pair[0]) < at(pair[1])), "{table}");
}

#[tokio::test]
async fn a_count_that_is_not_all_says_so_and_one_that_is_does_not() {
    let mut canned = Canned::whole();
    canned.problems.insert(Section::Problems, vec![ReadProblem::truncated("Condition")]);
    let answer = summary(canned).await;
    assert!(answer.section("problems").contains(", incomplete)"), "{}", answer.section("problems"));
    assert!(!answer.section("medications").contains("incomplete"), "{}", answer.section("medications"));
}

#[tokio::test]
async fn an_ehr_that_does_not_date_changes_is_told_beside_the_time_of_reading() {
    let said = "; this EHR does not say when they were changed";
    let mut canned = Canned::whole();
    assert!(!summary(canned.clone()).await.text.contains(said));
    canned.view.edits_undated = true;
    let answer = Website::of(canned).await.get("summary").await;
    assert!(answer.text.contains("data as of") && answer.text.contains(said));
}

#[tokio::test]
async fn what_was_not_granted_of_a_list_is_said_once_and_in_a_persons_words() {
    let mut canned = Canned::whole();
    let missing = ReadProblem::from_code(Code::ScopeDenied, "Medication");
    canned.problems.insert(Section::Medications, vec![missing.clone(), missing]);
    let section = summary(canned).await.section("medications").to_owned();
    assert_eq!(section.matches("permission not granted for <bdi>Medication</bdi>").count(), 1, "{section}");
    assert!(!section.contains("scope"), "{section}");
}
