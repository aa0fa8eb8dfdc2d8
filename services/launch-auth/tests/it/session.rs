//! `/session/{launch}`: looking, signing out, staying, and running out of time.

use std::{sync::atomic::Ordering, time::Duration};

use sallyport_model::{LaunchId, Secret, ServiceName};
use sallyport_proto::{
    audit::v1::Kind,
    launch::v1::{ReportActivityRequest, report_activity_request::Activity},
};
use sallyport_smart::form;

use crate::{
    browser::Browser,
    vault::grant_of,
    world::{START, World, each, eventually},
};

const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");
const CALL: (&str, &str) = ("x-sallyport-call", "1");

async fn status(browser: &mut Browser, launch: LaunchId) -> u16 {
    browser.get(&format!("/session/{launch}")).await.status
}

#[tokio::test]
async fn the_apps_own_page_learns_its_context_and_no_token() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let launch = world.open(&mut browser).await;
        let answer = browser.get(&format!("/session/{launch}")).await;
        let json = answer.json();
        assert_eq!(json["serverUrl"], format!("http://localhost:8080/fhir/{launch}"));
        assert_eq!(json["tokenResponse"]["patient"], "patient-canary-1");
        assert_eq!(json["tokenResponse"]["encounter"], "enc-1");
        assert_eq!(json["tokenResponse"]["need_patient_banner"], false);
        assert_eq!(json["tokenResponse"]["fhirContext"][0]["reference"], "ImagingStudy/9");
        assert_eq!(json["features"][0]["id"], "patient-summary");
        assert_eq!((&json["features"][0]["on"], &json["features"][1]["on"]), (&true.into(), &false.into()));
        assert_eq!((&json["idleSeconds"], &json["absoluteSeconds"]), (&900.into(), &28_800.into()));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        for secret in
            ["access_token", "refresh_token", "id_token", "code-canary", browser.jar.values().next().unwrap()]
        {
            assert!(!answer.body.contains(secret), "{secret}");
        }
        let head = browser.send("HEAD", &format!("/session/{launch}"), &[], "").await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
    })
    .await;
}

#[tokio::test]
async fn only_this_launchs_cookie_opens_it() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let (a, b) = (world.open(&mut browser).await, world.open(&mut browser).await);
        let mut crossed = world.browser();
        crossed.jar.insert(format!("__Host-s-{a}"), browser.jar[&format!("__Host-s-{b}")].clone());
        let answer = crossed.get(&format!("/session/{a}")).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (401, Some("session.missing")));
        assert_eq!(status(&mut world.browser(), a).await, 401);
        assert_eq!(browser.get("/session/nonsense").await.json()["code"], "session.missing");
        let foreign =
            browser.send("GET", &format!("/session/{a}"), &[("sec-fetch-site", "cross-site")], "").await;
        assert_eq!((foreign.status, foreign.json()["code"].as_str()), (403, Some("request.cross_site")));
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_when_nobody_does_anything_and_looking_is_not_doing() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let launch = world.open(&mut browser).await;
        world.clock.advance(Duration::from_secs(14 * 60));
        assert_eq!(status(&mut browser, launch).await, 200);
        world.clock.advance(Duration::from_secs(60));
        let answer = browser.get(&format!("/session/{launch}")).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (401, Some("session.expired")));
        eventually("the end of the session", || async {
            let ends = world.records(Kind::SessionEnd).await;
            ends.len() == 1 && ends[0].detail == "expired" && ends[0].patients == ["patient-canary-1"]
        })
        .await;
        let grant = grant_of(launch.uuid().as_bytes());
        eventually("the revocation", || async { world.vault.revoked_grants().contains(&grant) }).await;
    })
    .await;
}

#[tokio::test]
async fn what_a_person_does_keeps_a_session_up_to_its_longest_time() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let launch = world.open(&mut browser).await;
        let mut gateway = world.client(ServiceName::FhirGateway);
        let mut at = START;
        // Every ten minutes somebody does something, for eight hours.
        for _ in 0..47 {
            world.clock.advance(Duration::from_secs(600));
            at += 600_000_000;
            let activity = Activity { launch_id: launch.uuid().as_bytes().to_vec(), last_active_at: at };
            gateway.report_activity(ReportActivityRequest { activities: vec![activity] }).await.unwrap();
            assert_eq!(status(&mut browser, launch).await, 200);
        }
        world.clock.advance(Duration::from_secs(599));
        assert_eq!(status(&mut browser, launch).await, 200);
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(status(&mut browser, launch).await, 401);
    })
    .await;
}

#[tokio::test]
async fn activity_from_the_future_or_after_the_end_keeps_nothing_alive() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let launch = world.open(&mut browser).await;
        let mut gateway = world.client(ServiceName::FhirGateway);
        let report = |at: i64| ReportActivityRequest {
            activities: vec![Activity { launch_id: launch.uuid().as_bytes().to_vec(), last_active_at: at }],
        };
        gateway.report_activity(report(START + 3_600_000_000)).await.unwrap();
        world.clock.advance(Duration::from_secs(15 * 60));
        assert_eq!(status(&mut browser, launch).await, 401);
        gateway.report_activity(report(START + 15 * 60_000_000)).await.unwrap();
        assert_eq!(status(&mut browser, launch).await, 401);
    })
    .await;
}

#[tokio::test]
async fn pressing_stay_signed_in_counts_as_doing_something() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let launch = world.open(&mut browser).await;
        world.clock.advance(Duration::from_secs(14 * 60));
        let answer = browser.send("POST", &format!("/session/{launch}/keep-alive"), &[SAME, CALL], "").await;
        assert_eq!((answer.status, &answer.json()["idleSeconds"]), (200, &900.into()));
        world.clock.advance(Duration::from_secs(14 * 60));
        assert_eq!(status(&mut browser, launch).await, 200);
        assert_eq!(
            browser.send("POST", &format!("/session/{launch}/keep-alive"), &[SAME], "").await.status,
            403
        );
    })
    .await;
}

#[tokio::test]
async fn signing_out_ends_this_launch_alone() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let (a, b) = (world.open(&mut browser).await, world.open(&mut browser).await);
        let answer = browser.send("POST", &format!("/session/{a}/logout"), &[SAME, CALL], "").await;
        assert_eq!((answer.status, &answer.json()["ended"]), (200, &true.into()));
        assert!(answer.header("clear-site-data").is_none());
        assert!(!browser.jar.contains_key(&format!("__Host-s-{a}")));
        assert_eq!(status(&mut browser, b).await, 200);
        assert_eq!(world.vault.revoked_grants(), [grant_of(a.uuid().as_bytes())]);
        assert_eq!(world.records(Kind::SessionEnd).await[0].detail, "logout");
    })
    .await;
}

#[tokio::test]
async fn another_site_cannot_sign_a_person_out() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let launch = world.open(&mut browser).await;
        let path = format!("/session/{launch}/logout");
        let secret = Secret::new(browser.jar[&format!("__Host-s-{launch}")].clone());
        let good = format!("token={}", form::token(&secret, launch, "logout"));
        let wrong = format!("token={}", form::token(&secret, launch, "keep-alive"));
        let cases: [(&[(&str, &str)], &str); 8] = [
            (&[("sec-fetch-site", "cross-site"), CALL], ""),
            (&[("sec-fetch-site", "same-site"), CALL], ""),
            (&[("sec-fetch-site", "none"), CALL], ""),
            (&[("origin", "https://evil.test"), CALL], ""),
            (&[CALL], ""),
            (&[SAME], ""),
            (&[SAME], &wrong),
            (&[("sec-fetch-site", "cross-site")], &good),
        ];
        for (headers, body) in cases {
            let answer = browser.send("POST", &path, headers, body).await;
            assert_eq!((answer.status, answer.code()), (403, "request.cross_site"), "{headers:?} {body}");
        }
        assert_eq!(status(&mut browser, launch).await, 200);
        // A form of ours, in a browser without Sec-Fetch-Site.
        let form = format!("action=logout&{good}");
        let headers =
            [("origin", "http://localhost:8080"), ("content-type", "application/x-www-form-urlencoded")];
        let answer = browser.send("POST", &format!("/session/{launch}"), &headers, &form).await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("You are signed out"));
        assert_eq!(status(&mut browser, launch).await, 401);
    })
    .await;
}

#[tokio::test]
async fn a_grant_that_the_vault_could_not_revoke_is_tried_again() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let launch = world.open(&mut browser).await;
        world.vault.is_down.store(true, Ordering::SeqCst);
        let answer = browser.send("POST", &format!("/session/{launch}/logout"), &[SAME, CALL], "").await;
        assert_eq!(answer.status, 200, "signing out does not wait for the vault to be well");
        assert_eq!(status(&mut browser, launch).await, 401);
        world.vault.is_down.store(false, Ordering::SeqCst);
        world.clock.advance(Duration::from_secs(31));
        let grant = grant_of(launch.uuid().as_bytes());
        eventually("the revocation", || async { world.vault.revoked_grants().contains(&grant) }).await;
    })
    .await;
}
