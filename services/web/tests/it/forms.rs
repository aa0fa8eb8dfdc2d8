//! The two forms: opening a record, staying signed in.

use crate::{fake::Canned, website::Website};

async fn tokens(website: &Website) -> (String, String) {
    let page = website.get("summary").await;
    let source = page
        .between("id=\"record-form\"", "</form>")
        .split("value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let stay = page
        .between("<form class=\"stay\"", "</form>")
        .split("value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    (source, stay)
}

#[tokio::test]
async fn a_record_opens_by_form_with_the_patients_name_and_its_digits_as_sent() {
    let website = Website::of(Canned::whole()).await;
    let (token, _) = tokens(&website).await;
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
    let (token, _) = tokens(&website).await;
    let answer = website.post("source", &format!("token={token}&ref=DocumentReference%2Fd1"), &[]).await;
    assert!(answer.text.contains("Patient seen for diabetes follow-up."));
}

#[tokio::test]
async fn a_record_of_somebody_else_is_refused_with_the_reason() {
    let website = Website::of(Canned::whole()).await;
    let (token, _) = tokens(&website).await;
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
    let (source, stay) = tokens(&website).await;
    calls.lock().unwrap().clear();
    let foreign = [("sec-fetch-site", "cross-site")];
    let origin = [("origin", "https://evil.example")];
    for (page, form, headers) in [
        ("stay", format!("token={stay}"), &foreign[..]),
        ("stay", format!("token={stay}"), &origin[..]),
        ("stay", format!("token={source}"), &[][..]),
        ("stay", "token=".to_owned(), &[][..]),
        ("source", format!("token={stay}&ref=Patient%2Fpat-1"), &[][..]),
    ] {
        let answer = website.post(page, &form, headers).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text.contains("request.cross_site")),
            (403, true),
            "{page} {form}"
        );
    }
    assert_eq!(calls.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn staying_signed_in_is_a_persons_act_and_says_until_when() {
    let canned = Canned::whole();
    let calls = canned.calls.clone();
    let website = Website::of(canned).await;
    let (_, stay) = tokens(&website).await;
    calls.lock().unwrap().clear();
    let by_script = website
        .post(
            "stay",
            &format!("token={stay}"),
            &[("accept", "application/json"), ("origin", "http://localhost:8080")],
        )
        .await;
    assert_eq!(by_script.text, r#"{"idle_ms":900000,"absolute_ms":28800000}"#);
    let by_form = website.post("stay", &format!("token={stay}"), &[("sec-fetch-site", "same-origin")]).await;
    assert_eq!(
        (by_form.status.as_u16(), by_form.header("location")),
        (303, website.address("summary").as_str())
    );
    assert_eq!(*calls.lock().unwrap(), ["banner by_person=true", "banner by_person=true"]);
}

#[tokio::test]
async fn asking_how_long_the_session_lasts_reads_nothing_and_keeps_nothing_alive() {
    let canned = Canned::whole();
    let calls = canned.calls.clone();
    let website = Website::of(canned).await;
    assert_eq!(website.get("session").await.text, r#"{"idle_ms":900000,"absolute_ms":28800000}"#);
    assert_eq!(calls.lock().unwrap().len(), 0);
}
