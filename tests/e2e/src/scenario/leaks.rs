//! Canaries: tokens, codes, state, cookies, names and ids must not turn up where they do not belong.

use anyhow::{Context, ensure};
use sallyport::demo::{Outside, browser::Browser, ehr_launch};
use sallyport_testkit::canary::Canaries;
use serde_json::Value;

use crate::world::{World, observed};

/// A leak: which sink, which canary, how spelled.
#[derive(Debug)]
pub struct Found {
    /// The sink.
    pub sink: String,
    /// What was found there.
    pub canary: String,
    /// How.
    pub encoding: &'static str,
}

/// Launches, reads, is refused, meets an EHR that fails, logs out; then every sink is searched.
///
/// Answers how many searches it made: a canary in a sink is one.
///
/// # Errors
/// The leaks, or a sink that was empty (a scan of nothing proves nothing).
pub async fn no_canary_in_any_sink() -> anyhow::Result<usize> {
    let log_before = observed().log_bytes().len();
    let (spans_before, collected_before) = (observed().ring.all().len(), observed().collector.spans().len());
    let world = World::start().await?;
    let mut browser = Browser::remembering();
    let Loot { tokens, browser_only, identifiers } = exercise(&world.outside, &mut browser).await?;
    let metrics = world.outside.metrics().await?;
    let remains = world.pause().await;
    observed().flush();

    let log = observed().log_bytes().split_off(log_before);
    let spans = serde_json::to_vec(&observed().ring.all().split_off(spans_before))?;
    let collected = format!("{:?}", observed().collector.spans().split_off(collected_before));
    let mut found = Vec::new();
    let mut searches = 0;
    let mut scan = |sink: &str, bytes: &[u8], canaries: &Canaries| -> anyhow::Result<()> {
        ensure!(!bytes.is_empty(), "the sink {sink} is empty");
        searches += canaries.len();
        found.extend(canaries.scan(bytes).into_iter().map(|hit| Found {
            sink: sink.to_owned(),
            canary: hit.canary,
            encoding: hit.encoding,
        }));
        Ok(())
    };
    for (sink, bytes) in [
        ("log", log.as_slice()),
        ("spans", &spans),
        ("collector", collected.as_bytes()),
        ("metrics", metrics.as_bytes()),
    ] {
        for canaries in [&tokens, &browser_only, &identifiers] {
            scan(sink, bytes, canaries)?;
        }
    }
    scan("browser", browser.received(), &tokens)?;
    let files = remains.everything().await?;
    let has_grants =
        |name: &str| name.ends_with("token-vault.sqlite") || name.ends_with("_token_vault.grants");
    ensure!(files.iter().any(|(name, rows)| has_grants(name) && !rows.is_empty()), "the databases are there");
    for (name, bytes) in files.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        for canaries in [&tokens, &browser_only, &identifiers] {
            scan(name, bytes, canaries)?;
        }
    }
    ensure!(found.is_empty(), "{found:#?}");
    remains.remove().await?;
    Ok(searches)
}

/// What must not be found where.
struct Loot {
    /// Nowhere at all outside the vault's sealed rows.
    tokens: Canaries,
    /// Nowhere but in the browser.
    browser_only: Canaries,
    /// Nowhere in telemetry, and not in clear in a database.
    identifiers: Canaries,
}

/// Does everything that handles secrets.
async fn exercise(outside: &Outside, browser: &mut Browser) -> anyhow::Result<Loot> {
    let patient = outside.patients().await?.into_iter().next().context("a patient")?;
    let since = outside.last_request().await?;
    let launched = ehr_launch(outside, browser, &patient).await?;
    let read = browser.fetch(&launched.url(outside, "fhir", &format!("Patient/{patient}"))?).await?;
    ensure!(read.status == 200, "the patient could be read");
    browser.fetch(&launched.url(outside, "api", "v1/chart/results")?).await?;
    for fault in ["500", "html", "401", "truncated", "foreign-patient"] {
        outside.fault("fhir", "", fault, 1).await?;
        browser.fetch(&launched.url(outside, "fhir", &format!("Condition?patient={patient}"))?).await?;
        outside.clear_faults().await?;
    }
    outside.fault("oauth", "", "id-token:signature", 1).await?;
    browser.walk(&outside.launch_url(&patient).await?).await?;
    outside.clear_faults().await?;

    let mut secrets = Canaries::default();
    let tokens = outside.sandbox(http::Method::GET, "secrets", None).await?.json()?;
    let mut codes = Vec::new();
    for (n, secret) in tokens.as_array().context("the sandbox tells what it issued")?.iter().enumerate() {
        let kind = secret.get("kind").and_then(Value::as_str).unwrap_or_default();
        let value = secret.get("value").and_then(Value::as_str).context("a secret is text")?;
        match kind {
            // The EHR's own redirect carries the code through the browser; it must not turn up anywhere else.
            "code" => codes.push(value.to_owned()),
            _ => secrets.add(&format!("{kind} {n}"), value),
        }
    }
    ensure!(secrets.len() >= 2 && !codes.is_empty(), "there are tokens and codes to look for");
    // State and session secrets travel in the browser only.
    let requests = outside.requests(since).await?;
    let mut elsewhere = Canaries::default();
    for request in &requests {
        let query = request.get("query").and_then(Value::as_str).unwrap_or_default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if name == "state" || name == "nonce" {
                codes.push(value.into_owned());
            }
        }
    }
    for pair in browser.cookie_header("localhost").split("; ") {
        let (name, value) = pair.split_once('=').context("a cookie is a pair")?;
        ensure!(name.starts_with("__Host-"), "only our own cookies");
        codes.push(value.to_owned());
    }
    for (n, value) in codes.iter().enumerate() {
        elsewhere.add(&format!("code, state, nonce or cookie {n}"), value);
    }
    let mut identifiers = Canaries::default();
    identifiers.add("patient id", &format!("Patient/{patient}"));
    let name = read
        .json()?
        .pointer("/name/0/family")
        .and_then(Value::as_str)
        .map(str::to_owned)
        .context("a name")?;
    if name.len() >= 8 {
        identifiers.add("family name", &name);
    }
    let birth =
        read.json()?.get("birthDate").and_then(Value::as_str).map(str::to_owned).context("a birth date")?;
    identifiers.add("birth date", &birth);
    Ok(Loot { tokens: secrets, browser_only: elsewhere, identifiers })
}
