//! Refusal pages: visible in the EHR's frame, without anything of the request on them.

use crate::world::{World, each};

#[tokio::test]
async fn a_refusal_is_framed_by_its_own_ehr_and_an_unknown_issuers_by_any_registered_one() {
    each(|world: World| async move {
        let page = world.browser().get("/launch/both?launch=x").await;
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'self' https://frame.general.example"));
        assert!(!policy.contains("lakeside"));
        let page = world.browser().get("/launch/both?launch=x&iss=https%3A%2F%2Fevil.test").await;
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.contains(
                "frame-ancestors 'self' https://frame.general.example https://frame.lakeside.example"
            )
        );
        assert!(page.header("x-frame-options").is_none(), "it would hide the page in the frame");
    })
    .await;
}

#[tokio::test]
async fn a_refusal_reflects_nothing_runs_nothing_and_is_kept_by_nobody() {
    each(|world: World| async move {
        let path = "/launch/both?iss=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E&launch=canary-launch";
        let page = world.browser().get(path).await;
        assert_eq!(page.code(), "launch.issuer_unknown");
        for text in ["alert(1)", "canary-launch", "<script"] {
            assert!(!page.body.contains(text), "{text}");
        }
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("content-type", "text/html; charset=utf-8"),
        ] {
            assert_eq!(page.header(name), Some(value));
        }
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'nonce-"));
        assert!(policy.contains("form-action 'none'; base-uri 'none'") && !policy.contains("script-src"));
        assert!(page.body.contains("Reference"));
    })
    .await;
}

#[tokio::test]
async fn a_program_that_asks_for_json_gets_the_same_words_as_json() {
    each(|world: World| async move {
        let id = "0193e9d2-9b7f-7a54-8c6e-0123456789ab";
        let headers = [("accept", "application/json"), ("x-request-id", id)];
        let answer = world.browser().send("GET", "/launch/nobody", &headers, "").await;
        assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/json")));
        let json = answer.json();
        assert_eq!(json["code"], "launch.registration_unknown");
        assert_eq!(json["reference"], id.replace('-', ""));
        assert!(json["message"].is_string() && json["next"].is_string());
    })
    .await;
}

#[tokio::test]
async fn the_way_on_fits_the_registration() {
    each(|world: World| async move {
        let page = world.browser().get("/launch/both?launch=x").await;
        assert!(page.body.contains("<a class=\"action\" href=\"/launch/both\">Start the app again</a>"));
        let page = world.browser().get("/launch/lake?launch=x").await;
        assert!(
            page.body.contains("only be started again from inside the EHR") && !page.body.contains("<a ")
        );
    })
    .await;
}

#[tokio::test]
async fn a_frame_whose_cookie_was_blocked_offers_the_launch_in_a_new_window() {
    each(|world: World| async move {
        let mut browser = world.browser();
        (browser.is_framed, browser.blocks_cookies) = (true, true);
        let departed = world.depart(&mut browser).await;
        let page = browser.get(&world.answer_path(&departed)).await;
        assert_eq!((page.status, page.code()), (401, "session.cookie_blocked"));
        let start = page.body.find("href=\"").unwrap() + 6;
        let href = page.body[start..start + page.body[start..].find('"').unwrap()].replace("&amp;", "&");
        assert_eq!(href, world.launch_path());
        assert!(page.body.contains("target=\"_blank\""));
        assert_eq!(world.vault.exchange_count(), 0);

        // The window of its own keeps cookies, and the launch works there.
        let mut window = world.browser();
        let answer = window.get(&href).await;
        assert_eq!(answer.status, 303);
        // Outside a frame, or where other cookies of ours came, it is simply another browser.
        let departed = world.depart(&mut browser).await;
        browser.is_framed = false;
        assert_eq!(browser.get(&world.answer_path(&departed)).await.code(), "callback.other_browser");
    })
    .await;
}

#[tokio::test]
async fn our_public_keys_are_published_for_a_while() {
    each(|world: World| async move {
        let answer = world.browser().get("/.well-known/jwks.json").await;
        assert_eq!(answer.json()["keys"][0]["kid"], "k1");
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
        world.vault.is_down.store(true, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(world.browser().get("/.well-known/jwks.json").await.status, 200, "kept for a moment");
        world.clock.advance(std::time::Duration::from_secs(6));
        let answer = world.browser().get("/.well-known/jwks.json").await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("service.unavailable")));
    })
    .await;
}

#[tokio::test]
async fn oversized_bodies_odd_paths_and_other_methods_are_refused_in_words() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let huge = format!("iss={}", "x".repeat(70_000));
        assert_eq!(browser.post("/launch/both", &huge).await.code(), "request.too_large");
        assert_eq!(browser.post("/callback/both", &huge).await.code(), "callback.invalid");
        for path in ["/launch/%ff", "/launch/..;", "/launch/%2e%2e"] {
            assert_eq!(browser.get(path).await.code(), "launch.registration_unknown", "{path}");
        }
        assert_eq!(browser.get("/session/%ff").await.json()["code"], "session.missing");
        let put = browser.send("PUT", &world.launch_path(), &[], "").await;
        assert_eq!((put.status, put.json()["code"].as_str()), (405, Some("request.invalid")));
        // Whoever only looks starts nothing and uses no state up.
        let departed = world.depart(&mut browser).await;
        assert_eq!(browser.send("HEAD", &world.answer_path(&departed), &[], "").await.status, 405);
        assert_eq!(browser.send("HEAD", &world.launch_path(), &[], "").await.status, 405);
        assert_eq!(browser.get(&world.answer_path(&departed)).await.status, 303);
    })
    .await;
}
