//! The proposals' page: what would be written, on what it rests, and forms that decide on exactly that.

use sallyport_model::{Code, Secret};
use sallyport_proto::{
    gateway::v1::{ProposalShown, ProposalsResponse},
    jobs::v1::Proposal,
};
use sallyport_smart::form;
use serde_json::json;

use crate::{
    care_gaps::assessment,
    fake::{Canned, NOW, SECRET},
    states::HOSTILE,
    website::Website,
};

pub(crate) const OWN: &[(&str, &str)] = &[("sec-fetch-site", "same-origin")];

pub(crate) fn proposal(id: u8, state: &str, outcome: &str, text: &str) -> ProposalShown {
    let payload = json!({
        "resourceType": "CommunicationRequest", "status": "active", "subject": {"reference": "Patient/pat-1"},
        "payload": [{"contentString": format!("{text} Measure HbA1c")}],
    });
    let json = json!({
        "patient": "pat-1", "resource_type": "CommunicationRequest", "payload": payload.to_string(), "judged_at": NOW,
        "assessment": assessment("hba1c", "gap", text),
        "editable": [{"field": "message", "label": "Message", "pointer": "/payload/0/contentString", "max_chars": 60}],
    });
    ProposalShown {
        proposal: Some(Proposal {
            proposal_id: vec![id; 16],
            job: "panel".into(),
            run_id: vec![7; 16],
            resource_type: "CommunicationRequest".into(),
            state: state.into(),
            outcome: outcome.into(),
            created_at: NOW - 3_600_000_000,
            expires_at: NOW + 86_400_000_000,
            reference: if outcome == "applied" { "CommunicationRequest/n-1".into() } else { String::new() },
            version: if outcome == "applied" { "1".into() } else { String::new() },
            json: json.to_string().into_bytes(),
            ..Proposal::default()
        }),
        title: "Care gaps before the day begins".into(),
        payload_sha256: vec![0xab; 32],
        feature: "outreach".into(),
        feature_title: "Outreach".into(),
        may_write: true,
        code: String::new(),
    }
}

pub(crate) fn canned(proposals: Vec<ProposalShown>) -> Canned {
    let mut canned = Canned::whole().with_care_gaps(None);
    canned.proposals = ProposalsResponse { proposals, withheld: 0 };
    canned
}

fn token(website: &Website, action: &str) -> String {
    form::token(&Secret::new(SECRET.to_owned()), website.launch, action)
}

pub(crate) fn body(website: &Website, rest: &str) -> String {
    let (id, sha) = ("09".repeat(16), "ab".repeat(32));
    format!("token={}&proposal={id}&sha256={sha}&base=&{rest}", token(website, "proposals"))
}

#[tokio::test]
async fn a_proposal_shows_each_element_its_sources_and_one_action_that_names_the_patient() {
    let page = Website::of(canned(vec![proposal(9, "open", "", "")])).await.get("proposals").await;
    assert_eq!(page.status, 200);
    let form = page.between("<form class=\"approve\"", "</form>");
    for said in [
        "ABREU, Maria del Carmen",
        "14-Jul-1945",
        "Approve and write",
        "name=\"confirm\" value=\"yes\" required",
    ] {
        assert!(form.contains(said), "{said} is not in {form}");
    }
    assert!(form.contains(&format!("name=\"sha256\" value=\"{}\"", "ab".repeat(32))));
    for said in [
        "<bdi>payload.contentString</bdi>",
        "<bdi> Measure HbA1c</bdi>",
        "Not there",
        "Observation/4548-4-4",
        "CMS122v14",
        "job <bdi>panel</bdi>, run 07070707",
        "Reject with reason",
    ] {
        assert!(page.text.contains(said), "{said}");
    }
    assert!(!page.text.contains("<script>") && page.text.contains("aria-current=\"page\">Proposals"));
}

#[tokio::test]
async fn an_approval_goes_out_bound_to_what_was_shown_and_only_when_confirmed() {
    let canned = canned(vec![proposal(9, "open", "", "")]);
    let calls = canned.calls.clone();
    let website = Website::of(canned).await;
    let unsure = website.post("proposals", &body(&website, "decision=approve"), OWN).await;
    assert_eq!(unsure.status, 400);
    assert!(unsure.text.contains("confirm for whom it is"));
    let mute = website.post("proposals", &body(&website, "decision=reject&reason=+"), OWN).await;
    assert_eq!(mute.status, 400);
    assert!(!calls.lock().unwrap().iter().any(|call| call.starts_with("decide")));
    let done = website.post("proposals", &body(&website, "decision=approve&confirm=yes"), OWN).await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, website.address("proposals").as_str()));
    website.post("proposals", &body(&website, "decision=reject&reason=done+by+phone"), OWN).await;
    let calls = calls.lock().unwrap();
    let decided: Vec<&String> = calls.iter().filter(|call| call.starts_with("decide")).collect();
    assert_eq!(decided.len(), 2);
    assert!(
        decided[0].starts_with(&format!("decide {} Some(Approve", "09".repeat(16)))
            && decided[0].contains("171, 171")
    );
    assert!(decided[1].contains("done by phone"));
}

#[tokio::test]
async fn a_form_from_elsewhere_or_without_its_token_decides_nothing() {
    let canned = canned(vec![proposal(9, "open", "", "")]);
    let calls = canned.calls.clone();
    let website = Website::of(canned).await;
    let good = body(&website, "decision=approve&confirm=yes");
    let wrong = good.replace(&token(&website, "proposals"), &token(&website, "source"));
    for (body, headers) in [
        (&good, &[("sec-fetch-site", "cross-site")][..]),
        (&good, &[("origin", "https://evil.example")][..]),
        (&wrong, OWN),
    ] {
        assert_eq!(website.post("proposals", body, headers).await.status, 403);
    }
    assert!(!calls.lock().unwrap().iter().any(|call| call.starts_with("decide")));
}

#[tokio::test]
async fn a_stale_proposal_is_refused_and_shown_again() {
    let mut canned = canned(vec![proposal(9, "open", "", "")]);
    canned.decision = Err(Code::ProposalChanged);
    let website = Website::of(canned).await;
    let page = website.post("proposals", &body(&website, "decision=approve&confirm=yes"), OWN).await;
    assert_eq!(page.status, 409);
    assert!(page.text.contains("not the one that was shown") && page.text.contains("Approve and write"));
}

#[tokio::test]
async fn what_became_of_each_is_said_and_what_is_over_has_no_action() {
    let all = vec![
        proposal(1, "approved", "applied", ""),
        proposal(2, "rejected", "", ""),
        proposal(3, "expired", "", ""),
        proposal(4, "withdrawn", "", ""),
        proposal(5, "approved", "unknown", ""),
    ];
    let page = Website::of(canned(all)).await.get("proposals").await;
    for said in [
        "Written",
        "CommunicationRequest/n-1",
        "version <bdi>1",
        "Rejected",
        "Expired",
        "the rule no longer holds",
    ] {
        assert!(page.text.contains(said), "{said}");
    }
    assert!(page.text.contains("Not known whether it was written"));
    assert_eq!(
        page.text.matches("Approve and write").count(),
        1,
        "only what is not known may be gone on with"
    );
}

#[tokio::test]
async fn without_a_step_up_the_page_offers_one_and_the_ehrs_sign_in_may_follow() {
    let mut one = proposal(9, "open", "", "");
    (one.may_write, one.code) = (false, "feature.off".into());
    let mut canned = canned(vec![one]);
    canned.view.relaunch_path = "/launch/general".into();
    let only_ehr = Website::of(canned.clone()).await.get("proposals").await;
    assert!(
        only_ehr.text.contains("only starts from the EHR") && !only_ehr.text.contains("class=\"step-up\"")
    );
    canned.view.standalone_allowed = true;
    let website = Website::of(canned).await;
    let page = website.get("proposals").await;
    let form = page.between("<form class=\"step-up\"", "</form>");
    assert!(
        form.contains(&format!("action=\"/session/{}/step-up\"", website.launch))
            && form.contains("value=\"outreach\"")
    );
    assert!(form.contains(&token(&website, "step-up")) && !page.text.contains("Approve and write"));
    assert!(page.header("content-security-policy").contains("form-action 'self' https://"));
}

#[tokio::test]
async fn without_the_patients_name_or_the_feature_nothing_is_shown() {
    let mut nameless = crate::states::unidentified().with_care_gaps(None);
    nameless.proposals = ProposalsResponse { proposals: vec![proposal(9, "open", "", "")], withheld: 0 };
    let page = Website::of(nameless).await.get("proposals").await;
    assert!(
        page.text.contains("only beside the patient&#39;s name")
            || page.text.contains("only beside the patient's name")
    );
    assert!(!page.text.contains("Measure HbA1c"));
    assert_eq!(Website::of(Canned::whole()).await.get("proposals").await.status, 403);
}

#[tokio::test]
async fn hostile_words_in_a_proposal_are_never_markup() {
    let page = Website::of(canned(vec![proposal(9, "open", "", HOSTILE)])).await.get("proposals").await;
    assert!(page.text.contains("&lt;script&gt;alert(1)"));
    assert!(
        !page.text.contains("<script>alert")
            && !page.text.contains("<img")
            && !page.text.contains('\u{202e}')
    );
}
