//! The step-up: one more authorisation, for a feature that writes, from within an open session.

use sallyport_model::{LaunchId, Secret};
use sallyport_proto::audit::v1::Kind;
use sallyport_smart::form;

use crate::{
    browser::{Answer, Browser, query},
    vault::grant_of,
    world::{World, each, opened},
};

const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const READ: &str = "openid fhirUser patient/Patient.rs patient/Condition.rs";
const WRITE: &str = "openid fhirUser patient/Patient.rs patient/Condition.rs patient/DocumentReference.crs";

/// Asks for the feature by the chart's own form.
async fn ask(browser: &mut Browser, launch: LaunchId, feature: &str) -> Answer {
    let secret = Secret::new(browser.jar.get(&format!("__Host-s-{launch}")).unwrap().clone());
    let token = form::token(&secret, launch, "step-up");
    let body = format!("token={token}&feature={feature}");
    browser.send("POST", &format!("/session/{launch}/step-up"), &[SAME, FORM], &body).await
}

/// The EHR's answer to what was asked.
async fn answer(world: &World, browser: &mut Browser, asked: &Answer) -> Answer {
    let state = query(&asked.location(), "state").unwrap();
    let pairs = [("code", "code-canary"), ("state", state.as_str()), ("iss", &world.issuer())];
    browser.get(&world.callback_path("both", &pairs)).await
}

#[tokio::test]
async fn writing_is_asked_for_by_an_authorisation_of_its_own_and_opens_a_session_beside_the_first() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let first = world.open(&mut browser).await;
        let asked = ask(&mut browser, first, "clinical-documentation").await;
        assert_eq!(asked.status, 303, "{asked:?}");
        let scope = query(&asked.location(), "scope").unwrap();
        assert!(
            scope.contains("patient/DocumentReference.crs") && scope.contains("launch/patient"),
            "{scope}"
        );
        assert!(query(&asked.location(), "launch").is_none(), "the EHR's launch token is used up");
        world.vault.grants(WRITE, r#"{"patient":"patient-canary-1"}"#);
        let back = answer(&world, &mut browser, &asked).await;
        assert_eq!(back.status, 303, "{back:?}");
        let second = opened(&back.location());
        assert_ne!(first, second);
        for launch in [first, second] {
            assert_eq!(browser.get(&format!("/session/{launch}")).await.status, 200);
        }
        let told = browser.get(&format!("/session/{second}")).await.json();
        let features = told["features"].as_array().unwrap();
        let writes = features.iter().find(|f| f["id"] == "clinical-documentation").unwrap();
        assert_eq!(writes["on"], true);
        assert_eq!(world.records(Kind::Launch).await.last().unwrap().detail, "step-up");
    })
    .await;
}

#[tokio::test]
async fn another_patient_or_too_little_opens_nothing_and_its_grant_is_revoked() {
    each(|world: World| async move {
        for (scope, context, code) in [
            (WRITE, r#"{"patient":"patient-canary-2"}"#, "launch.step_up_other"),
            (READ, r#"{"patient":"patient-canary-1"}"#, "scope.required_missing"),
        ] {
            let mut browser = world.browser();
            world.vault.grants(READ, r#"{"patient":"patient-canary-1"}"#);
            let first = world.open(&mut browser).await;
            let asked = ask(&mut browser, first, "clinical-documentation").await;
            world.vault.grants(scope, context);
            let cookies = browser.jar.len();
            let back = answer(&world, &mut browser, &asked).await;
            assert_eq!(back.code(), code);
            assert_eq!(
                browser.jar.keys().filter(|name| name.starts_with("__Host-s-")).count(),
                1,
                "{cookies}"
            );
            let exchanged = world.vault.exchanges.lock().unwrap().last().unwrap().launch_id.clone();
            assert!(world.vault.revoked_grants().contains(&grant_of(&exchanged)));
        }
    })
    .await;
}

#[tokio::test]
async fn a_step_up_starts_from_an_open_session_on_purpose_and_for_a_feature_that_writes() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let first = world.open(&mut browser).await;
        for feature in ["patient-summary", "care-gap-alerting", "made-up", ""] {
            assert_eq!(ask(&mut browser, first, feature).await.code(), "feature.unknown", "{feature}");
        }
        let path = format!("/session/{first}/step-up");
        let unmeant = browser.send("POST", &path, &[SAME, FORM], "feature=clinical-documentation").await;
        assert_eq!(unmeant.code(), "request.cross_site");
        let asked = ask(&mut browser, first, "clinical-documentation").await;
        // Signed out meanwhile: there is nothing to step up from.
        let call = ("x-sallyport-call", "1");
        assert_eq!(
            browser.send("POST", &format!("/session/{first}/logout"), &[SAME, call], "").await.status,
            200
        );
        world.vault.grants(WRITE, r#"{"patient":"patient-canary-1"}"#);
        assert_eq!(answer(&world, &mut browser, &asked).await.code(), "session.revoked");
    })
    .await;
}
