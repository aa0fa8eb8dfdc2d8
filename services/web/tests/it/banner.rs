//! Who the patient is: the rules of the banner, and that nothing clinical stands without it.

use crate::{fake::Canned, states, website::Website};

/// The visible text of markup: without tags, blanks made single.
fn visible(markup: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for c in markup.chars() {
        match c {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                text.push(' ');
            }
            c if !in_tag => text.push(c),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace(" )", ")").replace("( ", "(")
}

#[tokio::test]
async fn the_banner_has_name_birth_gender_and_number_without_colons() {
    let answer = Website::of(Canned::whole()).await.get("summary").await;
    let zone1 = visible(answer.between("<div class=\"zone1\">", "<details class=\"zone2\">"));
    let expected = "ABREU, Maria del Carmen (Mrs.) Born 14-Jul-1945 (81 y) Gender Female MRN 0001234 (General Hospital) \
                    Preferred name Mari Visit Office visit 14-Jul-2026";
    assert_eq!(zone1, expected);
    assert!(!zone1.contains(':'));
}

#[tokio::test]
async fn what_is_not_known_and_what_is_withheld_are_said_apart() {
    let answer = Website::of(states::empty()).await.get("summary").await;
    let zone1 = visible(answer.between("<div class=\"zone1\">", "<details class=\"zone2\">"));
    assert_eq!(zone1, "Not known Born Withheld by the EHR Gender Not known MRN Not known");
}

#[tokio::test]
async fn a_national_identity_number_never_reaches_the_page() {
    let answer = Website::of(Canned::whole()).await.get("summary").await;
    assert!(!answer.text.contains("999-11-2222"));
    assert!(
        answer.text.contains("A national identity number was sent; it is not needed here and not shown.")
    );
}

#[tokio::test]
async fn an_ehr_with_its_own_banner_still_gets_one_line_with_name_birth_and_number() {
    let answer = Website::of(states::slim()).await.get("summary").await;
    assert!(answer.text.contains("<header class=\"top slim\">"));
    let line = visible(answer.between("<div class=\"banner slim\" slot=\"banner\">", "</div>"));
    assert_eq!(line, "ABREU, Maria del Carmen (Mrs.) Born 14-Jul-1945 (81 y) MRN 0001234 (General Hospital)");
}

#[tokio::test]
async fn without_the_patients_name_nothing_of_the_chart_is_sent() {
    let answer = Website::of(states::unidentified()).await.get("summary").await;
    assert!(answer.text.contains("The patient could not be identified"));
    assert!(answer.text.contains("Nothing was changed in the EHR."));
    assert!(answer.text.contains("ehr.timeout") && answer.text.contains("Try again"));
    for clinical in ["diabetes", "Metformin", "Penicillin", "Potassium"] {
        assert!(!answer.text.contains(clinical), "{clinical}");
    }
}

#[tokio::test]
async fn a_death_is_said_with_its_date_and_the_age_at_it() {
    let answer = Website::of(states::deceased()).await.get("summary").await;
    let zone1 = visible(answer.banner());
    assert!(zone1.contains("Born 14-Jul-1945 (80 y at death) Died 03-Jan-2026"), "{zone1}");
    assert!(zone1.contains("Deceased") && zone1.contains("Record not in use"));
}

#[tokio::test]
async fn allergies_stand_in_the_banner_with_what_they_mean() {
    let banner = |canned| async {
        visible(
            Website::of(canned)
                .await
                .get("medications")
                .await
                .between("slot=\"banner-allergies\">", "</div>"),
        )
    };
    let full = Website::of(Canned::whole()).await.get("medications").await;
    assert_eq!(
        visible(full.between("<div class=\"banner-allergies\" slot=\"banner-allergies\">", "</div>")),
        "Allergies Penicillin (high criticality) Peanut"
    );
    assert!(banner(states::arabic()).await.contains("None known"));
    assert!(banner(states::empty()).await.contains("Nothing recorded"));
}
