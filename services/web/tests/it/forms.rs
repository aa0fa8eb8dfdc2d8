//! The forms: opening a record, staying signed in, signing out.

use sallyport_model::Secret;
use sallyport_smart::form;

use crate::{
    fake::{Canned, SECRET},
    website::Website,
};

fn token(website: &Website, action: &str) -> String {
    form::token(&Secret::new(SECRET.to_owned()), website.launch, action)
}

#[tokio::test]
async fn a_record_opens_by_form_with_the_patients_name_and_its_digits_as_sent() {
    let website = Website::of(Canned::whole()).await;
    let token = token(&website, "source");
    let answer = website
        .post(
            "source",
            &format!("token={token}&ref=Observation%2F4548-4-4"),
            &[("sec-fetch-site", "same-origin")],
        )
        .await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.text.contains("ABREU, Maria del Carmen") && answer.text.contains("&quot;value&quot;: 8.10,")
    );
    assert!(!answer.between("<title>", "</title>").contains("4548"));
}

#[tokio::test]
async fn a_documents_text_is_shown_as_text() {
    let website = Website::of(Canned::whole()).await;
    let token = token(&website, "source");
    let answer = website.post("source", &format!("token={token}&ref=DocumentReference%2Fd1"), &[]).await;
    assert!(answer.text.contains("Patient seen for diabetes follow-up."));
}

#[tokio::test]
async fn a_record_of_somebody_else_is_refused_with_the_reason() {
    let website = Website::of(Canned::whole()).await;
    let token = token(&website, "source");
    let answer = website.post("source", &format!("token={token}&ref=Patient%2Fother"), &[]).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text.contains("fhir.patient_denied") && answer.text.contains("Back to the summary"));
    assert!(!answer.text.contains("Patient/other"));
}

#[tokio::test]
async fn a_form_from_another_site_or_without_its_token_does_nothing() {
    let canned = Canned::whole();
    let calls = canned.calls.clone();
    let website = Website::of(canned).await;
    let (own, other) = (token(&website, "source"), token(&website, "keep-alive"));
    for (token, headers) in [
        (own.as_str(), &[("sec-fetch-site", "cross-site")][..]),
        (own.as_str(), &[("sec-fetch-site", "same-site"), ("origin", "http://localhost:8080")][..]),
        (own.as_str(), &[("origin", "https://evil.example")][..]),
        (other.as_str(), &[][..]),
        ("", &[][..]),
    ] {
        let answer = website.post("source", &format!("token={token}&ref=Patient%2Fpat-1"), headers).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text.contains("request.cross_site")),
            (403, true),
            "{headers:?}"
        );
    }
    assert_eq!(calls.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_page_carries_the_forms_to_stay_and_to_leave_each_with_its_own_token() {
    let website = Website::of(Canned::whole()).await;
    let page = website.get("summary").await;
    for (class, action) in [("stay", "keep-alive"), ("sign-out", "logout")] {
        let form = page.between(&format!("<form class=\"{class}\""), "</form>");
        assert!(form.contains(&format!("action=\"/session/{}/{action}\"", website.launch)), "{form}");
        assert!(form.contains(&format!("value=\"{}\"", token(&website, action))), "{form}");
    }
}

#[tokio::test]
async fn a_page_says_until_when_the_session_lasts_in_words_and_for_its_script() {
    let mut canned = Canned::whole();
    canned.view.token_expires_at = crate::fake::NOW + 60 * 60_000_000;
    let page = Website::of(canned).await.get("summary").await;
    let session = page.between("id=\"session\"", "</div>");
    for said in [
        "data-idle=\"900000\"",
        "data-absolute=\"28800000\"",
        "data-token=\"3600000\"",
        "(the EHR ends it then)",
    ] {
        assert!(session.contains(said), "{said}: {session}");
    }
}
