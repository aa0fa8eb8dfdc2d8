//! The standalone launch: sign-in, patient and encounter picker, consent with deselection.

use crate::ehr::{Ehr, Reply, answer, text};

const SCOPES: &str = "openid fhirUser profile launch/patient launch/encounter offline_access \
                      patient/Observation.rs patient/Condition.rs";

/// Walks to the consent page.
async fn to_consent(ehr: &Ehr) -> Reply {
    let request = ehr.authorize_request("public-app", None).with("scope", SCOPES);
    let login_url = ehr.get(&request.url()).await.location();
    assert!(login_url.path().ends_with("/oauth/login"));
    let login = ehr.get(login_url.as_str()).await;
    let clinician = login.input("clinician");
    let fields = [("flow", login.input("flow")), ("clinician", clinician)];
    let pick_url = submit(ehr, "/login", &fields).await.location();
    assert!(pick_url.path().ends_with("/oauth/pick"));
    let pick = ehr.get(pick_url.as_str()).await;
    assert_eq!(pick.inputs("patient").len(), 4);
    let fields = [("flow", pick.input("flow")), ("patient", ehr.patient())];
    let encounters = ehr.get(submit(ehr, "/pick", &fields).await.location().as_str()).await;
    let encounter = encounters.inputs("encounter")[0].clone();
    let fields = [("flow", encounters.input("flow")), ("encounter", encounter)];
    let consent_url = submit(ehr, "/pick", &fields).await.location();
    assert!(consent_url.path().ends_with("/oauth/consent"));
    ehr.get(consent_url.as_str()).await
}

async fn submit(ehr: &Ehr, leaf: &str, fields: &[(&str, String)]) -> Reply {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    ehr.form(&ehr.oauth(leaf), &fields).await
}

#[tokio::test]
async fn a_standalone_launch_goes_over_sign_in_pickers_and_consent_to_a_token() {
    let ehr = Ehr::start().await;
    let consent = to_consent(&ehr).await;
    let mut fields = vec![("flow", consent.input("flow")), ("decision", "approve".to_owned())];
    fields.extend(consent.inputs("scope").into_iter().map(|scope| ("scope", scope)));
    let location = submit(&ehr, "/consent", &fields).await.location();
    let tokens = ehr.redeem("public-app", &answer(&location, "code").unwrap()).await.json();
    assert_eq!(text(&tokens, "patient"), ehr.patient());
    assert_eq!(tokens["encounter"], ehr.sandbox.records().encounters(&ehr.patient())[0].id);
    assert_eq!(text(&tokens, "scope").split(' ').count(), 8);
    assert!(tokens["refresh_token"].is_string());
    assert!(tokens.get("intent").is_none());
}

#[tokio::test]
async fn an_unticked_scope_is_not_granted_and_the_token_cannot_use_it() {
    let ehr = Ehr::start().await;
    let consent = to_consent(&ehr).await;
    let offered = consent.inputs("scope");
    assert_eq!(offered, ["offline_access", "patient/Observation.rs", "patient/Condition.rs"]);
    let fields = [
        ("flow", consent.input("flow")),
        ("decision", "approve".to_owned()),
        ("scope", "patient/Condition.rs".to_owned()),
        ("scope", "user/*.rs".to_owned()),
    ];
    let location = submit(&ehr, "/consent", &fields).await.location();
    let tokens = ehr.redeem("public-app", &answer(&location, "code").unwrap()).await.json();
    let scope = "openid fhirUser profile launch/patient launch/encounter patient/Condition.rs";
    assert_eq!(text(&tokens, "scope"), scope, "only what was offered and kept is granted");
    assert!(tokens.get("refresh_token").is_none(), "offline access was unticked");
    let token = text(&tokens, "access_token");
    let patient = ehr.patient();
    assert_eq!(ehr.fhir_get(&format!("/Condition?patient={patient}"), token).await.status, 200);
    assert_eq!(ehr.fhir_get(&format!("/Observation?patient={patient}"), token).await.status, 403);
}

#[tokio::test]
async fn a_refusal_by_the_person_is_told_to_the_app_as_access_denied() {
    let ehr = Ehr::start().await;
    let consent = to_consent(&ehr).await;
    let fields = [("flow", consent.input("flow")), ("decision", "deny".to_owned())];
    let location = submit(&ehr, "/consent", &fields).await.location();
    assert_eq!(answer(&location, "error").as_deref(), Some("access_denied"));
    assert_eq!(answer(&location, "state").as_deref(), Some("the-state"));
    assert_eq!(answer(&location, "code"), None);
}

#[tokio::test]
async fn a_consent_answered_twice_gives_no_second_code() {
    let ehr = Ehr::start().await;
    let consent = to_consent(&ehr).await;
    let fields = [("flow", consent.input("flow")), ("decision", "approve".to_owned())];
    assert_eq!(submit(&ehr, "/consent", &fields).await.status, 303);
    let again = submit(&ehr, "/consent", &fields).await;
    assert_eq!(again.status, 400);
    assert!(again.headers.get("location").is_none());
}

#[tokio::test]
async fn consent_cannot_be_given_before_sign_in_and_choice() {
    let ehr = Ehr::start().await;
    let request = ehr.authorize_request("public-app", None).with("scope", SCOPES);
    let flow = answer(&ehr.get(&request.url()).await.location(), "flow").unwrap();
    let fields = [("flow", flow.clone()), ("decision", "approve".to_owned())];
    assert_eq!(submit(&ehr, "/consent", &fields).await.status, 400);
    let unknown = [("flow", flow), ("patient", "nobody".to_owned())];
    assert_eq!(submit(&ehr, "/pick", &unknown).await.status, 400);
}

#[tokio::test]
async fn the_patient_picker_finds_by_name_and_says_when_nothing_matches() {
    let ehr = Ehr::start().await;
    let request = ehr.authorize_request("public-app", None).with("scope", SCOPES);
    let login = ehr.get(ehr.get(&request.url()).await.location().as_str()).await;
    let fields = [("flow", login.input("flow")), ("clinician", login.input("clinician"))];
    let mut pick = submit(&ehr, "/login", &fields).await.location();
    let mrn = ehr.sandbox.records().patients()[2].mrn.clone();
    pick.query_pairs_mut().append_pair("q", &mrn);
    assert_eq!(ehr.get(pick.as_str()).await.inputs("patient").len(), 1);
    pick.query_pairs_mut().clear().append_pair("flow", &login.input("flow"));
    assert_eq!(ehr.get(pick.as_str()).await.status, 400, "a used handle opens no page");
}

#[tokio::test]
async fn a_search_without_match_says_so() {
    let ehr = Ehr::start().await;
    let request = ehr.authorize_request("public-app", None).with("scope", SCOPES);
    let login = ehr.get(ehr.get(&request.url()).await.location().as_str()).await;
    let fields = [("flow", login.input("flow")), ("clinician", login.input("clinician"))];
    let mut pick = submit(&ehr, "/login", &fields).await.location();
    pick.query_pairs_mut().append_pair("q", "zzzz");
    let page = ehr.get(pick.as_str()).await;
    assert!(page.inputs("patient").is_empty());
    assert!(page.body.contains("No patient matches"), "{}", page.body);
}

#[tokio::test]
async fn a_silent_request_that_needs_a_person_is_answered_with_interaction_required() {
    let ehr = Ehr::start().await;
    let request = ehr.authorize_request("public-app", None).with("scope", SCOPES).with("prompt", "none");
    let location = ehr.get(&request.url()).await.location();
    assert_eq!(answer(&location, "error").as_deref(), Some("interaction_required"));
}
