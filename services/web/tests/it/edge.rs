//! Cookies, headers, addresses.

use axum::body::Body;
use http::{Request, header};
use sallyport_model::session::cookie_name;

use crate::{
    fake::{self, Canned, SECRET},
    states,
    website::{Website, send},
};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'self' https://ehr.example";

#[tokio::test]
async fn a_page_is_kept_by_nobody_and_framed_by_its_own_ehr_alone() {
    let answer = Website::of(Canned::whole()).await.get("summary").await;
    assert_eq!(answer.header("content-security-policy"), POLICY);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(answer.headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn pages_have_no_inline_style_or_script_and_no_third_party() {
    let website = Website::of(Canned::whole()).await;
    for page in ["summary", "results", "more"] {
        let text = website.get(page).await.text;
        for forbidden in [
            " style=",
            "<style",
            " onclick=",
            " onload=",
            "javascript:",
            "src=\"http",
            "href=\"http",
            "@import",
        ] {
            assert!(!text.contains(forbidden), "{page}: {forbidden}");
        }
        assert_eq!(text.matches("<script").count(), 1);
    }
}

#[tokio::test]
async fn titles_and_addresses_hold_no_patient_data() {
    let website = Website::of(Canned::whole()).await;
    for page in ["summary", "results", "documents"] {
        let answer = website.get(page).await;
        assert!(!answer.between("<title>", "</title>").to_lowercase().contains("abreu"));
        let targets: Vec<&str> =
            answer.text.split("href=\"").skip(1).filter_map(|t| t.split('"').next()).collect();
        assert!(!targets.is_empty());
        for target in targets {
            assert!(!target.contains('?') && !target.contains("pat-1"), "{target}");
        }
    }
}

#[tokio::test]
async fn no_cookie_another_launchs_cookie_and_a_wrong_secret_open_nothing() {
    let website = Website::of(Canned::whole()).await;
    let other = fake::launch();
    let wrong = SECRET.replace('A', "B");
    for cookie in [
        String::new(),
        format!("{}={SECRET}", cookie_name(other)),
        format!("{}={wrong}", cookie_name(website.launch)),
    ] {
        let request = Request::get(website.address("summary")).header(header::COOKIE, &cookie);
        let answer = send(&website.pages, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 401, "{cookie}");
        assert!(answer.text.contains("Nothing was changed in the EHR"));
        assert!(!answer.text.contains("ABREU") && !answer.text.contains("General Hospital"));
        assert!(
            answer.header("content-security-policy").ends_with("frame-ancestors 'self' https://ehr.example")
        );
    }
}

#[tokio::test]
async fn a_frame_without_its_cookie_is_told_to_open_a_new_window() {
    let website = Website::of(Canned::whole()).await;
    let request = Request::get(website.address("")).header("sec-fetch-dest", "iframe");
    let answer = send(&website.pages, request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 401);
    assert!(answer.text.contains("session.cookie_blocked") && answer.text.contains("open in a new window"));
}

#[tokio::test]
async fn one_launch_has_one_address() {
    let website = Website::of(Canned::whole()).await;
    let plain = website.launch.to_string();
    for handle in [website.launch.uuid().to_string(), plain.to_uppercase(), format!("{plain}0"), "x".into()] {
        let request =
            Request::get(format!("/chart/{handle}/summary")).header(header::COOKIE, website.cookie());
        assert_eq!(send(&website.pages, request.body(Body::empty()).unwrap()).await.status, 404, "{handle}");
    }
}

#[tokio::test]
async fn a_launch_opens_where_the_ehr_said_and_an_unknown_intent_opens_the_summary() {
    let with_intent = |intent: &str| {
        let mut canned = Canned::whole();
        canned.view.intent = intent.to_owned();
        canned
    };
    let website = Website::of(with_intent("results")).await;
    let answer = website.get("").await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("location")),
        (303, website.address("results").as_str())
    );
    let unknown = Website::of(with_intent("reticulate-splines")).await.get("").await;
    assert_eq!(unknown.status, 200);
    assert!(unknown.text.contains("aria-current=\"page\">Summary</a>"));
    let website = Website::of(states::sent_document()).await;
    assert_eq!(website.get("").await.header("location"), website.address("documents"));
    let documents = website.get("documents").await;
    let first = documents.section("documents").split("<li class=\"row\">").nth(1).unwrap().to_owned();
    assert!(
        first.contains("Sent by the EHR")
            && first.contains("Discharge summary")
            && first.contains("name=\"origin\" open")
    );
}

#[tokio::test]
async fn assets_are_kept_for_good_under_the_name_of_their_content() {
    let website = Website::of(Canned::whole()).await;
    let page = website.get("summary").await;
    let style = page.between("<link rel=\"stylesheet\" href=\"", "\"").to_owned();
    let answer = send(&website.pages, Request::get(&style).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(answer.header("content-type"), "text/css; charset=utf-8");
    for other in ["/assets/chart.css", "/assets/chart-0000000000000000.css", "/assets/..%2fCargo.toml"] {
        assert_eq!(send(&website.pages, Request::get(other).body(Body::empty()).unwrap()).await.status, 404);
    }
}

#[tokio::test]
async fn the_start_page_says_what_this_is_and_where_the_sandbox_is() {
    let config = sallyport_web::Config {
        sandbox_ehr_url: Some("http://127.0.0.1:8090/".into()),
        ..Default::default()
    };
    let website = Website::with(Canned::whole(), config).await;
    let answer = send(&website.pages, Request::get("/").body(Body::empty()).unwrap()).await;
    assert!(answer.text.contains("href=\"http://127.0.0.1:8090/\""));
    assert!(answer.header("content-security-policy").ends_with("frame-ancestors 'none'"));
}

#[tokio::test]
async fn the_way_to_start_again_is_the_one_this_launch_has() {
    let standalone = Website::of(states::expiring()).await.get("nothing").await;
    assert!(standalone.text.contains("href=\"/launch/general\" target=\"_blank\""));
    let from_ehr = Website::of(Canned::whole()).await.get("summary").await;
    assert!(!from_ehr.text.contains("/launch/general"));
    assert!(from_ehr.text.contains("start the app again from the EHR"));
    let mut foreign = states::expiring();
    foreign.view.relaunch_path = "https://evil.example/launch/".into();
    assert!(!Website::of(foreign).await.get("nothing").await.text.contains("evil.example"));
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    for public_url in ["", "localhost:8080", "https://", "https://app.example/path", "ftp://x"] {
        let config = sallyport_web::Config { public_url: public_url.into(), ..Default::default() };
        let ports = sallyport_web::Ports {
            gateway: fake::Fake::default().transport(),
            console: fake::no_console(),
            registry: std::sync::Arc::new(fake::registry()),
            clock: std::sync::Arc::new(sallyport_model::SystemClock),
        };
        assert!(sallyport_web::build(config, ports).await.is_err(), "{public_url}");
    }
}

#[tokio::test]
async fn every_state_of_the_chart_is_one_whole_page_on_every_tab() {
    tokio::time::pause();
    for (name, canned) in states::all() {
        let website = Website::of(canned).await;
        for page in ["summary", "problems", "medications", "results", "vitals", "visits", "documents", "more"]
        {
            let answer = website.get(page).await;
            assert_eq!(answer.status, 200, "{name} {page}");
            assert!(answer.text.ends_with("</div></body></html>"), "{name} {page}");
            let slots = answer.text.matches("<slot name=").count();
            assert!(slots > 5 && answer.text.matches("slot=\"status\"").count() == 1, "{name} {page}");
        }
    }
}
