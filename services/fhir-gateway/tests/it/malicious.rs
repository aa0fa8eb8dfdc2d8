//! Malicious input by the ten thousand: seeds × encodings × positions. Whatever comes, no answer is an error of ours, the
//! EHR is asked for this launch's patient or for nothing, and nobody else is called.

mod generate;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use futures_util::{StreamExt, stream};
use sallyport_model::session;
use sallyport_testkit::assurance::Report;

use crate::{
    ehr::{Reply, condition, searchset},
    world::{Tab, World},
};
use generate::{Attack, Place, attacks};

/// All of them in the long run; otherwise one of every thirteen, which meets every seed, encoding and place.
fn stride() -> usize {
    if std::env::var("SALLYPORT_TEST_LONG").is_ok_and(|long| long == "1") { 1 } else { 13 }
}

/// A request with the attack in its place; `None` when no client could send it as HTTP.
fn request(tab: &Tab, attack: &Attack) -> Option<Request<Body>> {
    let text = attack.text.as_str();
    let launch = tab.launch;
    let own = format!("{}={}", session::cookie_name(launch), tab.secret.expose());
    let (mut method, mut path, mut body) = ("GET", format!("/fhir/{launch}/Condition"), Body::empty());
    match attack.place {
        Place::Path(before, after) => path = format!("/fhir/{launch}{before}{text}{after}"),
        Place::Api(before) => path = format!("/api/{launch}/v1/{before}{text}"),
        Place::Query(on, name) => path = format!("/fhir/{launch}/{on}?{name}={text}"),
        Place::QueryName(on) => path = format!("/fhir/{launch}/{on}?{text}=1"),
        Place::Form(name) => {
            (method, path) = ("POST", format!("/fhir/{launch}/Condition/_search"));
            body = Body::from(format!("{name}={text}"));
        }
        Place::Method => method = text,
        Place::Header(_) | Place::Cookie => {}
    }
    let cookie = if attack.place == Place::Cookie { format!("{own}; {text}; x={text}") } else { own };
    let mut request = Request::builder().method(method).uri(path).header("cookie", cookie);
    request = match attack.place {
        Place::Header(name) => request.header(name, text),
        _ => request,
    };
    if attack.place != Place::Header("sec-fetch-site") {
        request = request.header("sec-fetch-site", "same-origin");
    }
    if method == "POST" && attack.place != Place::Header("content-type") {
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    request.body(body).ok()
}

/// Whether a request that reached the EHR is one that this launch may cause.
fn is_ours(target: &str, body: &str) -> bool {
    let Some((_, rest)) = target.split_once(" /fhir/") else { return target == "GET /fhir/metadata" };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let is_plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'.' | b'_'));
    let query = if body.is_empty() { query } else { body };
    // Whose data is searched is said by one of these, and it is ours.
    let says_whose = |param: &str| match param.split_once('=') {
        Some(("patient" | "subject", _)) => true,
        Some(("_id", _)) => path.starts_with("Patient") || path.starts_with("Practitioner"),
        _ => false,
    };
    let is_a = |param: &str| {
        param.split_once('=').is_some_and(|(_, value)| ["a", "Patient/a", "Patient%2Fa"].contains(&value))
    };
    let is_search = !query.is_empty() || path.ends_with("_search");
    let has_patient = !is_search || query.split('&').any(says_whose);
    let only_a = query.split('&').all(|param| !says_whose(param) || is_a(param));
    is_plain && !path.contains("..") && !path.contains("//") && has_patient && only_a
}

#[test]
fn there_are_as_many_attacks_as_the_threats_page_asks_for() {
    let world_tab = Tab {
        launch: sallyport_model::LaunchId::new(&sallyport_model::TestClock::at(1_760_000_000_000_000)),
        secret: crate::world::new_secret(),
    };
    let all = attacks("http://127.0.0.1:9");
    let sent = all.iter().filter(|attack| request(&world_tab, attack).is_some()).count();
    let distinct: std::collections::HashSet<_> =
        all.iter().map(|a| (&a.text, format!("{:?}", a.place))).collect();
    assert!(sent >= 70_000, "{sent} of {} can be sent", all.len());
    assert!(distinct.len() >= 70_000, "{} are distinct", distinct.len());
}

#[tokio::test]
async fn no_malicious_input_breaks_in_or_breaks_anything() {
    let report = Report::new("malicious input").scenario("embedded").unit("requests");
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Patient/a", [Reply::json(r#"{"resourceType":"Patient","id":"a"}"#)]);
    for path in ["/Condition", "/Condition/_search", "/Observation"] {
        world.ehr.on(path, [Reply::json(searchset(&[&condition("1", "a")]))]);
    }
    world.ehr.on("/Condition/1", [Reply::json(condition("1", "a"))]);
    world.ehr.on("/Patient", [Reply::json(searchset(&[r#"{"resourceType":"Patient","id":"a"}"#]))]);
    for path in ["/Patient/b", "/Condition/of-b", "/admin", "/../admin"] {
        world.ehr.on(path, [Reply::json(condition("secret", "b"))]);
    }
    let elsewhere = crate::ehr::Ehr::start().await;
    let (sent, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let attacks = attacks(&elsewhere.url);
    let chosen = attacks.iter().step_by(stride()).filter_map(|attack| Some((attack, request(&tab, attack)?)));
    stream::iter(chosen)
        .for_each_concurrent(32, |(attack, request)| {
            let (world, sent, refused) = (&world, Arc::clone(&sent), Arc::clone(&refused));
            async move {
                let answer = world.send(request).await;
                sent.fetch_add(1, Ordering::Relaxed);
                refused.fetch_add(usize::from(answer.status.is_client_error()), Ordering::Relaxed);
                // That a resource read by its id is another patient's shows when it is there: then it is withheld.
                let is_ours = answer.status < StatusCode::INTERNAL_SERVER_ERROR
                    && !matches!(answer.code(), "gateway.limit" | "ehr.busy");
                assert!(
                    is_ours || answer.code() == "ehr.foreign_patient",
                    "{attack:?}: {} {}",
                    answer.status,
                    answer.body
                );
                assert!(!answer.body.contains("canary-secret"), "{attack:?}: {}", answer.body);
                assert!(!answer.body.contains("canary-access-token"), "{attack:?}");
            }
        })
        .await;
    let (sent, refused) = (sent.load(Ordering::Relaxed), refused.load(Ordering::Relaxed));
    assert!(sent * stride() >= 69_000, "{sent}");
    assert!(refused * 2 > sent, "{refused} of {sent} were refused: most of this is nonsense");
    for seen in world.ehr.seen() {
        let target = format!("{} {}", seen.method, seen.target);
        assert!(is_ours(&target, &seen.body), "{target} {}", seen.body);
        assert!(seen.headers.keys().all(|name| name.as_str() != "x-forwarded-host"), "{target}");
    }
    assert!(elsewhere.seen().is_empty(), "{:?}", elsewhere.targets());
    report.tried(sent as u64).write();
}
