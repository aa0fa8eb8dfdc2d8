//! `/launch`: who may start, and what the browser takes to the EHR.

use std::time::Duration;

use sallyport_proto::audit::v1::{Kind, Outcome};

use crate::{
    browser::query,
    world::{World, each, each_with},
};

#[tokio::test]
async fn an_ehr_launch_goes_to_the_registered_authorize_endpoint_with_every_parameter() {
    each(|world: World| async move {
        let departed = world.depart(&mut world.browser()).await;
        let url = &departed.authorize;
        assert_eq!(url.as_str().split('?').next().unwrap(), format!("{}/oauth/authorize", world.ehr.url));
        let expected = [
            ("response_type", "code"),
            ("client_id", "client-both"),
            ("redirect_uri", "http://localhost:8080/callback/both"),
            ("aud", &world.iss()),
            ("code_challenge_method", "S256"),
            ("launch", "launch-canary"),
        ];
        for (name, value) in expected {
            assert_eq!(query(url, name).as_deref(), Some(value), "{name}");
        }
        for name in ["state", "code_challenge", "nonce"] {
            assert_eq!(query(url, name).unwrap().len(), 43, "{name}");
        }
        let scope = query(url, "scope").unwrap();
        let words: Vec<&str> = scope.split(' ').collect();
        for word in [
            "launch",
            "openid",
            "fhirUser",
            "online_access",
            "patient/Patient.rs",
            "patient/MedicationRequest.rs",
        ] {
            assert!(words.contains(&word), "{word} in {scope}");
        }
        // Offline features are not asked for at a launch, nor a standalone context, nor anything in the other dialect.
        assert!(
            !scope.contains("offline_access")
                && !scope.contains("launch/patient")
                && !scope.contains(".read")
        );
        let records = world.records(Kind::Launch).await;
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].outcome(), records[0].tenant.as_str()), (Outcome::Success, "general"));
        assert_eq!(
            (records[0].purpose.as_str(), records[0].requested_scope.as_str()),
            ("TREAT", scope.as_str())
        );
        assert!(world.metrics.render().contains(r#"sallyport_launches_total{kind="ehr",outcome="ok"} 1"#));
    })
    .await;
}

#[tokio::test]
async fn two_launches_share_no_secret() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let (a, b) = (world.depart(&mut browser).await, world.depart(&mut browser).await);
        for name in ["state", "nonce", "code_challenge"] {
            assert_ne!(query(&a.authorize, name), query(&b.authorize, name), "{name}");
        }
        assert_eq!(browser.jar.len(), 2, "a transaction cookie each");
    })
    .await;
}

#[tokio::test]
async fn a_standalone_launch_asks_for_its_context_and_sends_no_launch_token() {
    each(|world: World| async move {
        let answer = world.browser().get("/launch/both").await;
        let url = answer.location();
        assert_eq!(query(&url, "launch"), None);
        assert_eq!(query(&url, "aud"), Some(world.iss()));
        assert!(query(&url, "scope").unwrap().split(' ').any(|word| word == "launch/patient"));
    })
    .await;
}

#[tokio::test]
async fn the_issuer_is_sent_as_it_was_received() {
    each(|world: World| async move {
        let iss = format!("{}/", world.iss());
        let answer = world.browser().get(&world.launch_path_with(&iss)).await;
        assert_eq!(query(&answer.location(), "aud"), Some(iss));
    })
    .await;
}

#[tokio::test]
async fn launches_by_post_and_without_a_registration_in_the_path_are_taken_where_they_are_clear() {
    each(|world: World| async move {
        let form = world.launch_path().split_once('?').unwrap().1.to_owned();
        assert_eq!(world.browser().post("/launch/both", &form).await.status, 303);
        // Two registrations share this issuer: the address has to say which one.
        let answer = world.browser().post("/launch", &form).await;
        assert_eq!(answer.code(), "launch.registration_unknown");
        let lake = format!("/launch?launch=x&iss={}/fhir", world.lake.url);
        let url = world.browser().get(&lake).await.location();
        assert_eq!(query(&url, "client_id").as_deref(), Some("client-lake"));
    })
    .await;
}

#[tokio::test]
async fn a_refused_launch_contacts_nobody_and_says_why() {
    each(|world: World| async move {
        let iss = world.iss();
        let host = world.ehr.url.strip_prefix("http://").unwrap();
        let port = host.split_once(':').unwrap().1;
        let lookalikes = [
            format!("{iss}x"),
            format!("{iss}//"),
            format!("{iss}/../r4"),
            iss.to_uppercase(),
            format!("http://localhost:{port}/r4"),
            format!("http://{host}@evil.test/r4"),
            format!("http://{host}.evil.test/r4"),
            format!("https://{host}/r4"),
            format!("{iss}#"),
            format!("{iss}?"),
            "http://169.254.169.254/latest".to_owned(),
            world.lake.url.clone() + "/fhir",
        ];
        for lookalike in &lookalikes {
            let answer = world.browser().get(&world.launch_path_with(lookalike)).await;
            assert_eq!((answer.status, answer.code()), (403, "launch.issuer_unknown"), "{lookalike}");
            assert_eq!(world.last_code(Kind::Launch).await, "launch.issuer_unknown");
        }
        let long = "x".repeat(8_193);
        let cases = [
            (format!("/launch/both?iss={iss}"), "launch.launch_missing"),
            (format!("/launch/both?iss={iss}&launch="), "launch.launch_missing"),
            ("/launch/both?launch=x".to_owned(), "launch.issuer_missing"),
            ("/launch".to_owned(), "launch.issuer_missing"),
            ("/launch?launch=x&iss=https://evil.test".to_owned(), "launch.issuer_unknown"),
            (format!("/launch/nobody?iss={iss}&launch=x"), "launch.registration_unknown"),
            ("/launch/..%2fboth".to_owned(), "launch.registration_unknown"),
            (format!("/launch/both?iss={iss}&iss={iss}&launch=x"), "launch.parameter_invalid"),
            (format!("/launch/both?iss={iss}&launch=x&launch=x"), "launch.parameter_invalid"),
            (format!("/launch/both?iss={iss}&launch=a%0d%0ab"), "launch.parameter_invalid"),
            (format!("/launch/both?iss={iss}&launch={long}"), "launch.parameter_invalid"),
            (format!("/launch/standalone-only?iss={iss}&launch=x"), "launch.kind_not_allowed"),
            ("/launch/lake".to_owned(), "launch.kind_not_allowed"),
        ];
        for (path, code) in &cases {
            let answer = world.browser().get(path).await;
            assert_eq!(answer.code(), *code, "{path}");
            assert!(answer.cookies_set().is_empty() && answer.header("location").is_none(), "{path}");
        }
        assert_eq!((world.ehr.paths(), world.lake.paths()), (vec![], vec![]));
    })
    .await;
}

#[tokio::test]
async fn a_source_that_knocks_too_often_waits() {
    each_with(
        |config| config.requests_per_minute_per_source = 3,
        |world: World| async move {
            let mut browser = world.browser();
            for _ in 0..3 {
                assert_eq!(browser.get("/launch/nobody").await.code(), "launch.registration_unknown");
            }
            let answer = browser.get(&world.launch_path()).await;
            assert_eq!((answer.status, answer.code()), (429, "launch.rate_limited"));
            assert_eq!(answer.header("retry-after"), Some("20"));
            // What somebody writes into a header makes nobody another source.
            let forged = [("x-forwarded-for", "203.0.113.5")];
            assert_eq!(browser.send("GET", &world.launch_path(), &forged, "").await.status, 429);
            world.clock.advance(Duration::from_secs(20));
            assert_eq!(browser.get(&world.launch_path()).await.status, 303);
        },
    )
    .await;
}

#[tokio::test]
async fn a_long_request_goes_by_an_auto_submitting_form_where_that_is_offered() {
    each(|world: World| async move {
        world.ehr.describe("/r4", |d| {
            d["capabilities"].as_array_mut().unwrap().push("authorize-post".into());
        });
        // The union of the scopes of this app's features alone is short enough for a URL.
        let path = format!("{}{}", world.launch_path(), "l".repeat(2_000));
        let answer = world.browser().get(&path).await;
        assert_eq!((answer.status, answer.header("location")), (200, None));
        assert!(
            answer
                .body
                .contains(&format!("<form method=\"post\" action=\"{}/oauth/authorize\"", world.ehr.url))
        );
        for name in ["state", "code_challenge", "redirect_uri", "aud", "launch", "scope"] {
            assert!(answer.body.contains(&format!("name=\"{name}\"")), "{name}");
        }
        let policy = answer.header("content-security-policy").unwrap();
        let nonce = policy.split("script-src 'nonce-").nth(1).unwrap().split('\'').next().unwrap();
        assert!(answer.body.contains(&format!("<script nonce=\"{nonce}\">")));
        // The EHR's login may be on another host: form-action would follow the redirect and stop it.
        assert!(
            !policy.contains("form-action")
                && policy.contains("frame-ancestors 'self' https://frame.general.example")
        );
        assert_eq!(answer.cookies_set().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_ehr_of_the_first_smart_generation_is_asked_in_its_own_dialect() {
    each(|world: World| async move {
        world.ehr.describe("/r4", |d| d["capabilities"] = serde_json::json!(["launch-ehr", "permission-v1"]));
        let departed = world.depart(&mut world.browser()).await;
        let scope = query(&departed.authorize, "scope").unwrap();
        assert!(scope.contains("patient/Patient.read") && !scope.contains(".rs"), "{scope}");
    })
    .await;
}

#[tokio::test]
async fn a_launch_that_cannot_be_recorded_does_not_leave() {
    each(|world: World| async move {
        world.disk.fail_sync(true);
        world.disk.fail_create(true);
        let answer = world.browser().get(&world.launch_path()).await;
        assert_eq!((answer.status, answer.code()), (503, "audit.unavailable"));
        assert!(answer.header("location").is_none());
    })
    .await;
}
