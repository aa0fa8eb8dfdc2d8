//! Editing a proposal before it is approved, without a script.

use sallyport_model::Code;
use serde_json::json;

use crate::{
    proposals::{OWN, body, canned, proposal},
    website::{Answer, Website},
};

fn sha256(page: &Answer) -> String {
    let form = page.between("<form class=\"approve\"", "</form>");
    form.split_once("name=\"sha256\" value=\"").unwrap().1.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn edits_are_shown_beside_what_was_proposed_and_approved_by_the_hash_of_what_they_make() {
    let canned = canned(vec![proposal(9, "open", "", "")]);
    let calls = canned.calls.clone();
    let website = Website::of(canned).await;
    let plain = website.get("proposals").await;
    let editor = plain.between("<details class=\"edit\"", "</details>");
    assert!(
        editor.contains("name=\"edit.message\"") && editor.contains(" Measure HbA1c</textarea>"),
        "{editor}"
    );
    let typed = "edit.message=Please+call%0D%0Aher+%22soon%22";
    let preview = website.post("proposals", &body(&website, &format!("decision=preview&{typed}")), OWN).await;
    assert_eq!(preview.status, 200, "{}", preview.text);
    let table = preview.between("<table class=\"values-table changes\"", "</table>");
    for said in
        ["As edited", "<del><bdi> Measure HbA1c</bdi></del>", "<ins><bdi>Please call\nher &quot;soon&quot;"]
    {
        assert!(table.contains(said), "{said} is not in {table}");
    }
    assert!(preview.text.contains("Approve as edited and write"));
    let form = preview.between("<form class=\"approve\"", "</form>");
    assert!(form.contains("name=\"edit.message\" value=\"Please call\nher &quot;soon&quot;\""), "{form}");
    let payload = json!({
        "resourceType": "CommunicationRequest", "status": "active", "subject": {"reference": "Patient/pat-1"},
        "payload": [{"contentString": "Please call\nher \"soon\""}],
    });
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, payload.to_string().as_bytes());
    assert_eq!(sha256(&preview), hex::encode(digest.as_ref()));
    assert!(
        !calls.lock().unwrap().iter().any(|call| call.starts_with("decide")),
        "a preview decides nothing"
    );
    let approval = body(&website, &format!("decision=approve&confirm=yes&{typed}"))
        .replace(&"ab".repeat(32), &sha256(&preview));
    assert_eq!(website.post("proposals", &approval, OWN).await.status, 303);
    let calls = calls.lock().unwrap();
    let decided = calls.iter().find(|call| call.starts_with("decide")).unwrap();
    assert!(decided.contains(r#"field: "message", text: "Please call\nher \"soon\"""#), "{decided}");
}

#[tokio::test]
async fn bad_edits_say_what_is_wrong_keep_what_was_typed_and_offer_no_approval() {
    let website = Website::of(canned(vec![proposal(9, "open", "", "")])).await;
    let long = "x".repeat(61);
    for (typed, said) in [
        (format!("edit.message={long}"), "Message: at most 60 characters."),
        ("edit.message=a%07b".to_owned(), "Message: holds control characters"),
        ("edit.message=+".to_owned(), "Message: must not be empty."),
        ("edit.subject.reference=Patient/b".to_owned(), "Whom the record is about cannot be edited."),
        ("edit.status=x".to_owned(), "something that may not be edited"),
    ] {
        let page =
            website.post("proposals", &body(&website, &format!("decision=preview&{typed}")), OWN).await;
        assert_eq!(page.status, 400, "{typed}");
        assert!(page.text.contains(said) && page.text.contains("role=\"alert\""), "{said}: {}", page.text);
        assert!(
            !page.text.contains("class=\"approve\"") && page.text.contains("<details class=\"edit\" open")
        );
        if typed.ends_with(&long) {
            assert!(page.text.contains(&format!("{long}</textarea>")), "what was typed is lost");
        }
    }
}

#[tokio::test]
async fn what_was_typed_stays_when_the_approval_is_refused_and_hostile_words_are_never_markup() {
    let mut canned = canned(vec![proposal(9, "open", "", "")]);
    canned.decision = Err(Code::WriteRefused);
    let website = Website::of(canned).await;
    let typed = "decision=approve&confirm=yes&edit.message=%3Cscript%3Ealert(1)%3C/script%3E";
    let page = website.post("proposals", &body(&website, typed), OWN).await;
    assert_eq!(page.status, 403);
    assert!(page.text.contains("&lt;script&gt;alert(1)") && !page.text.contains("<script>alert"));
    assert!(page.text.contains("Approve as edited and write"), "what was typed is lost");
}
