//! `/callback`: the answer is taken from the server that was asked, in the browser that asked, for what was asked.

use std::time::Duration;

use sallyport_model::Code;
use sallyport_proto::audit::v1::{Kind, Outcome};
use sallyport_smart::pkce::Verifier;
use serde_json::json;

use crate::{
    browser::query,
    vault::grant_of,
    world::{World, each, each_with, eventually, opened},
};

#[tokio::test]
async fn a_good_answer_is_exchanged_in_the_pinned_transaction_and_opens_a_session() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let departed = world.depart(&mut browser).await;
        let answer = browser.get(&world.answer_path(&departed)).await;
        assert_eq!(answer.status, 303);
        let launch = opened(&answer.location());
        assert_eq!(answer.header("location"), Some(format!("/chart/{launch}/").as_str()));
        assert!(browser.jar.contains_key(&format!("__Host-s-{launch}")));
        assert_eq!(browser.jar[&format!("__Host-s-{launch}")].len(), 43);

        let sent = world.vault.exchanges.lock().unwrap()[0].clone();
        let url = &world.ehr.url;
        assert_eq!(sent.code, "code-canary");
        let verifier = Verifier::from_stored(sent.code_verifier.clone()).unwrap();
        assert_eq!(Some(verifier.challenge()), query(&departed.authorize, "code_challenge"));
        assert_eq!(Some(sent.nonce.clone()), query(&departed.authorize, "nonce"));
        assert_eq!(Some(sent.requested_scope.clone()), query(&departed.authorize, "scope"));
        assert_eq!(sent.redirect_uri, "http://localhost:8080/callback/both");
        assert_eq!(
            (sent.tenant.as_str(), sent.endpoint.as_str(), sent.registration.as_str()),
            ("general", "main", "both")
        );
        assert_eq!(sent.token_endpoint, format!("{url}/oauth/token"));
        assert_eq!(sent.issuer, format!("{url}/oauth"));
        assert_eq!(sent.jwks_uri, format!("{url}/oauth/jwks"));
        assert_eq!(sent.revocation_endpoint, format!("{url}/oauth/revoke"));
        assert_eq!(sent.launch_id, launch.uuid().as_bytes());

        let records = world.records(Kind::Callback).await;
        assert_eq!(records.len(), 1);
        let record = &records[0];
        assert_eq!(
            (record.outcome(), record.patients.as_slice()),
            (Outcome::Success, &["patient-canary-1".to_owned()][..])
        );
        assert_eq!(record.grant_id, grant_of(launch.uuid().as_bytes()));
        let text = format!("{record:?}");
        assert!(
            !text.contains("code-canary") && !text.contains(&departed.state),
            "no code, no state in a record"
        );
    })
    .await;
}

#[tokio::test]
async fn a_form_post_answer_and_an_app_of_the_teams_own_are_served() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let url = browser.get("/launch/standalone-only").await.location();
        let state = query(&url, "state").unwrap();
        let path = world
            .callback_path("standalone-only", &[("code", "c"), ("state", &state), ("iss", &world.issuer())]);
        let (path, form) = path.split_once('?').unwrap();
        let answer = browser.post(path, form).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        assert!(answer.header("location").unwrap().starts_with("/app/"));
    })
    .await;
}

/// SMART 2.2 §App protection: nothing that comes to the redirect URI is passed on to an address that came with it.
#[tokio::test]
async fn nothing_in_an_answer_sends_the_browser_anywhere_but_to_its_own_chart() {
    each(|world: World| async move {
        let elsewhere = "https://evil.test/take?";
        let names = ["redirect_uri", "redirect", "next", "url", "return_to", "target_link_uri", "continue"];
        let extra: String = names.map(|name| format!("&{name}={elsewhere}")).concat();
        let mut browser = world.browser();
        let departed = world.depart(&mut browser).await;
        let answer = browser.get(&format!("{}{extra}", world.answer_path(&departed))).await;
        let launch = opened(&answer.location());
        assert_eq!(answer.header("location"), Some(format!("/chart/{launch}/").as_str()));
        for error in ["access_denied", elsewhere] {
            let departed = world.depart(&mut browser).await;
            let path = world.callback_path(
                "both",
                &[
                    ("error", error),
                    ("error_uri", elsewhere),
                    ("state", &departed.state),
                    ("iss", &world.issuer()),
                ],
            );
            let refused = browser.get(&format!("{path}{extra}")).await;
            assert_eq!(refused.header("location"), None, "a refusal leads nowhere");
            assert!(!refused.body.contains("evil.test"), "and offers nothing to follow");
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_without_a_known_state_is_refused() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let departed = world.depart(&mut browser).await;
        let (state, iss) = (departed.state.as_str(), world.issuer());
        let other = "A".repeat(43);
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
        let cases: [Case<'_>; 8] = [
            ("both", &[("code", "c"), ("state", &other), ("iss", &iss)], "callback.state_unknown"),
            ("both", &[("code", "c"), ("iss", &iss)], "callback.invalid"),
            ("both", &[("code", "c"), ("state", ""), ("iss", &iss)], "callback.invalid"),
            ("both", &[("state", state), ("iss", &iss)], "callback.invalid"),
            ("both", &[("code", "c"), ("code", "d"), ("state", state), ("iss", &iss)], "callback.invalid"),
            ("both", &[("code", "c"), ("error", "x"), ("state", state), ("iss", &iss)], "callback.invalid"),
            ("nobody", &[("code", "c"), ("state", state), ("iss", &iss)], "launch.registration_unknown"),
            // The other tenant's redirect URI: a mix-up.
            ("lake", &[("code", "c"), ("state", state), ("iss", &iss)], "callback.issuer_mismatch"),
        ];
        for (registration, pairs, code) in cases {
            let answer = browser.get(&world.callback_path(registration, pairs)).await;
            assert_eq!(answer.code(), code, "{pairs:?}");
            assert_eq!(world.last_code(Kind::Callback).await, code);
        }
        assert_eq!(world.vault.exchange_count(), 0);
        // None of this used the state up.
        assert_eq!(browser.get(&world.answer_path(&departed)).await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_took_too_long_is_refused() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let departed = world.depart(&mut browser).await;
        world.clock.advance(Duration::from_secs(600));
        assert_eq!(browser.get(&world.answer_path(&departed)).await.code(), "callback.state_unknown");
        assert_eq!(world.vault.exchange_count(), 0);
    })
    .await;
}

#[tokio::test]
async fn the_state_of_another_browser_is_refused_and_stays_usable_in_its_own() {
    each(|world: World| async move {
        let (mut victim, mut attacker) = (world.browser(), world.browser());
        let departed = world.depart(&mut victim).await;
        world.depart(&mut attacker).await;
        let answer = attacker.get(&world.answer_path(&departed)).await;
        assert_eq!((answer.status, answer.code()), (403, "callback.other_browser"));
        assert!(answer.cookies_set().is_empty());
        assert_eq!(world.browser().get(&world.answer_path(&departed)).await.code(), "callback.other_browser");
        assert_eq!(world.vault.exchange_count(), 0);
        assert_eq!(victim.get(&world.answer_path(&departed)).await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn the_issuer_of_the_answer_must_be_the_one_that_was_asked() {
    each(|world: World| async move {
        for iss in [
            None,
            Some("https://evil.test".to_owned()),
            Some(format!("{}/", world.issuer())),
            Some(world.iss()),
        ] {
            let mut browser = world.browser();
            let departed = world.depart(&mut browser).await;
            let mut pairs = vec![("code", "c"), ("state", departed.state.as_str())];
            pairs.extend(iss.as_deref().map(|iss| ("iss", iss)));
            let answer = browser.get(&world.callback_path("both", &pairs)).await;
            assert_eq!(answer.code(), "callback.issuer_mismatch", "{iss:?}");
            // The state is used up: the answer that came is the answer.
            assert_eq!(browser.get(&world.answer_path(&departed)).await.code(), "callback.state_unknown");
        }
        assert_eq!(world.vault.exchange_count(), 0);
    })
    .await;
}

#[tokio::test]
async fn an_error_of_the_ehr_is_told_in_our_words() {
    each(|world: World| async move {
        for (error, code, detail) in [
            ("access_denied", "callback.access_denied", ""),
            ("server_error", "callback.ehr_error", "server_error"),
            ("<b>canary-error</b>", "callback.ehr_error", "other"),
        ] {
            let mut browser = world.browser();
            let departed = world.depart(&mut browser).await;
            let described = [
                ("error", error),
                ("error_description", "<script>canary-description</script>"),
                ("state", &departed.state),
                ("iss", &world.issuer()),
            ];
            let answer = browser.get(&world.callback_path("both", &described)).await;
            assert_eq!(answer.code(), code);
            assert!(!answer.body.contains("canary"), "input is reflected");
            let record = world.records(Kind::Callback).await.pop().unwrap();
            assert_eq!((record.code.as_str(), record.detail.as_str()), (code, detail));
        }
        assert_eq!(world.vault.exchange_count(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_discovery_that_changes_on_the_way_redirects_no_code() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let departed = world.depart(&mut browser).await;
        world.ehr.describe("/r4", |d| d["token_endpoint"] = json!("https://evil.test/token"));
        world.clock.advance(Duration::from_secs(300));
        assert_eq!(browser.get(&world.answer_path(&departed)).await.status, 303);
        let sent = world.vault.exchanges.lock().unwrap()[0].clone();
        assert_eq!(sent.token_endpoint, format!("{}/oauth/token", world.ehr.url));
    })
    .await;
}

#[tokio::test]
async fn what_the_vault_refuses_is_shown_with_its_code_and_opens_nothing() {
    each(|world: World| async move {
        for code in [
            Code::ExchangeRefused,
            Code::ExchangeClientRefused,
            Code::ExchangeInvalid,
            Code::IdentityInvalid,
            Code::DependencyDown,
        ] {
            world.vault.refuses(code);
            let mut browser = world.browser();
            let departed = world.depart(&mut browser).await;
            let answer = browser.get(&world.answer_path(&departed)).await;
            assert_eq!((answer.code(), answer.status), (code.as_str(), code.kind().http()));
            assert!(browser.jar.keys().all(|name| !name.starts_with("__Host-s-")));
            assert_eq!(world.last_code(Kind::Callback).await, code.as_str());
        }
        // Where it is not known whether the code was redeemed, whatever came of it is revoked.
        eventually("the revocation", || async { world.vault.revoked_launches().len() == 1 }).await;
    })
    .await;
}

#[tokio::test]
async fn a_token_endpoint_that_answers_too_late_opens_nothing_and_its_grant_is_revoked() {
    each_with(
        |config| config.exchange_timeout_ms = 50,
        |world: World| async move {
            world.vault.gate.forget_permits(1_000);
            let mut browser = world.browser();
            let departed = world.depart(&mut browser).await;
            let answer = browser.get(&world.answer_path(&departed)).await;
            assert_eq!((answer.status, answer.code()), (504, "exchange.timeout"));
            assert!(world.vault.revoked_grants().is_empty(), "nothing has come yet");
            world.vault.gate.add_permits(1_000);
            let launch = world.vault.exchanges.lock().unwrap()[0].launch_id.clone();
            eventually("the revocation", || async {
                world.vault.revoked_grants() == [grant_of(&launch)]
                    && world.vault.revoked_launches() == [launch.clone()]
            })
            .await;
            // The same address again is a used state, not a second exchange.
            assert_eq!(browser.get(&world.answer_path(&departed)).await.code(), "callback.state_unknown");
            assert_eq!(world.vault.exchange_count(), 1);
        },
    )
    .await;
}

#[tokio::test]
async fn a_sign_in_that_cannot_be_recorded_opens_nothing() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let departed = world.depart(&mut browser).await;
        world.disk.fail_sync(true);
        world.disk.fail_create(true);
        let answer = browser.get(&world.answer_path(&departed)).await;
        assert_eq!(answer.code(), "audit.unavailable");
        assert!(browser.jar.keys().all(|name| !name.starts_with("__Host-s-")));
        let launch = world.vault.exchanges.lock().unwrap()[0].launch_id.clone();
        assert!(world.vault.revoked_grants().contains(&grant_of(&launch)));
    })
    .await;
}
