//! What must not work: strangers' issuers, replayed and crossed callbacks, mixed launches, a hostile EHR.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::Context;
use url::Url;

use crate::{
    demo::{
        Launched, Outside, Story,
        browser::{Browser, Page},
        ehr_launch,
    },
    dev_tenant,
};

const WIRE: &str = "the answers a browser got";

/// Accepts connections and counts them: a place that must never be called.
async fn trap() -> anyhow::Result<(String, Arc<AtomicUsize>)> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    Ok((origin, count))
}

pub(super) async fn unknown_issuer(outside: &Outside, story: &mut Story) -> anyhow::Result<()> {
    let (origin, connections) = trap().await?;
    let look_alike = format!("{}.evil.test/fhir", outside.ready.fhir_base.replace("http://", "https://"));
    let mut pages = Vec::new();
    for iss in [format!("{origin}/strict/general/fhir"), look_alike, format!("{}x", outside.ready.fhir_base)]
    {
        let mut url = Url::parse(&format!("{}/launch/{}", outside.ready.app, dev_tenant::REGISTRATION))?;
        url.query_pairs_mut().append_pair("iss", &iss).append_pair("launch", "abc");
        pages.push(Browser::new().visit(&url).await?);
    }
    let refused = pages.iter().all(|p| p.status == 403 && p.text().contains("launch.issuer_unknown"));
    let reflected = pages.iter().any(|p| p.text().contains("evil.test"));
    let seen = format!(
        "{:?}, {} connections",
        pages.iter().map(|p| p.status).collect::<Vec<_>>(),
        connections.load(Ordering::SeqCst)
    );
    story.tell(
        "an unknown issuer is refused",
        WIRE,
        refused && !reflected && connections.load(Ordering::SeqCst) == 0,
        seen,
    );
    Ok(())
}

/// Walks to the callback's address without visiting it.
async fn before_callback(outside: &Outside, browser: &mut Browser, patient: &str) -> anyhow::Result<Url> {
    let mut next = outside.launch_url(patient).await?;
    for _ in 0..6 {
        let page = browser.visit(&next).await?;
        next = page.location().with_context(|| format!("the walk ended with status {}", page.status))?;
        if next.path().starts_with("/callback/") {
            return Ok(next);
        }
    }
    anyhow::bail!("no callback was reached")
}

fn has_code(page: &Page, code: &str) -> bool {
    page.status >= 400 && page.text().contains(code)
}

/// In a frame a browser without the cookie may just not have kept it, so the page offers a new window.
fn is_refused(page: &Page) -> bool {
    has_code(page, "callback.") || has_code(page, "session.cookie_blocked")
}

pub(super) async fn callbacks(outside: &Outside, story: &mut Story, patient: &str) -> anyhow::Result<()> {
    let mut person = Browser::new();
    let callback = before_callback(outside, &mut person, patient).await?;
    let stranger = Browser::new().visit(&callback).await?;
    story.tell(
        "a callback in another browser",
        WIRE,
        is_refused(&stranger),
        format!("status {}", stranger.status),
    );

    let callback = before_callback(outside, &mut person, patient).await?;
    let first = person.visit(&callback).await?;
    let since = outside.last_request().await?;
    let again = person.visit(&callback).await?;
    let redeemed = outside.requests(since).await?.len();
    let to_chart = again.location().is_some_and(|l| l.path().starts_with("/chart/"));
    story.tell(
        "a repeated callback goes to the chart",
        WIRE,
        first.status == 303 && to_chart && redeemed == 0,
        format!("status {}, {redeemed} calls to the EHR", again.status),
    );
    let replayed = Browser::new().visit(&callback).await?;
    story.tell(
        "a replayed callback elsewhere",
        WIRE,
        is_refused(&replayed),
        format!("status {}", replayed.status),
    );

    let faults = [
        ("an answer from another issuer", "wrong-iss", "callback.issuer_mismatch"),
        ("an id_token with another nonce", "id-token:wrong-nonce", "identity.invalid"),
        ("an id_token with a broken signature", "id-token:signature", "identity.invalid"),
        ("a patient grant without a patient", "patient-missing", "context.patient_missing"),
    ];
    for (step, fault, code) in faults {
        outside.fault("oauth", "", fault, 1).await?;
        let pages = Browser::new().walk(&outside.launch_url(patient).await?).await?;
        let last = pages.last().context("no page")?;
        story.tell(step, WIRE, has_code(last, code), format!("status {}", last.status));
        outside.clear_faults().await?;
    }
    Ok(())
}

pub(super) async fn two_launches(
    outside: &Outside,
    story: &mut Story,
    first: &str,
    second: &str,
) -> anyhow::Result<()> {
    let mut browser = Browser::new();
    let a = ehr_launch(outside, &mut browser, first).await?;
    let b = ehr_launch(outside, &mut browser, second).await?;
    let own_a = browser.fetch(&a.url(outside, "fhir", &format!("Patient/{first}"))?).await?;
    let own_b = browser.fetch(&b.url(outside, "fhir", &format!("Patient/{second}"))?).await?;
    let crossed = browser.fetch(&a.url(outside, "fhir", &format!("Patient/{second}"))?).await?;
    let is_apart = own_a.status == 200 && own_b.status == 200 && crossed.status == 403;
    story.tell(
        "two tabs, two patients",
        WIRE,
        is_apart,
        format!("{} {} {}", own_a.status, own_b.status, crossed.status),
    );

    browser.forget(&format!("__Host-s-{}", a.launch));
    let without = browser.fetch(&a.url(outside, "fhir", &format!("Patient/{first}"))?).await?;
    story.tell(
        "the cookie of another launch opens nothing",
        WIRE,
        without.status == 401,
        format!("status {}", without.status),
    );
    Ok(())
}

pub(super) async fn hostile_ehr(
    outside: &Outside,
    story: &mut Story,
    browser: &mut Browser,
    launched: &Launched,
    other: &str,
) -> anyhow::Result<()> {
    let canary = format!("canary-{other}");
    let search = format!("Condition?patient={}", launched.patient);
    let cases = [
        ("another patient in the answer", "foreign-patient", "ehr.foreign_patient"),
        ("a next link to another host", "foreign-next", "ehr.foreign_link"),
        ("a redirect of a FHIR call", "redirect", "ehr.redirect"),
        ("an HTML error page", "html", "ehr."),
        ("half a body", "truncated", "ehr."),
    ];
    for (step, fault, code) in cases {
        // Twice: a broken answer is asked for once more.
        outside.fault("fhir", "", fault, 2).await?;
        let page = browser.fetch(&launched.url(outside, "fhir", &search)?).await?;
        outside.clear_faults().await?;
        let after = browser.fetch(&launched.url(outside, "fhir", &search)?).await?;
        let is_refused = page.status >= 500 && page.text().contains(code) && !page.text().contains(&canary);
        let seen = format!("status {}, and {} when the EHR is well again", page.status, after.status);
        story.tell(step, WIRE, is_refused && after.status == 200, seen);
    }
    Ok(())
}
