//! The launch itself: discovery, authorize, callback, exchange, chart.

use std::collections::BTreeMap;

use serde_json::Value;
use url::form_urlencoded;

use crate::demo::{Launched, Outside, Story, browser::Browser, ehr_launch};

const LOG: &str = "the sandbox EHR's request log";

pub(super) async fn launch(
    outside: &Outside,
    story: &mut Story,
    browser: &mut Browser,
    patient: &str,
) -> anyhow::Result<Launched> {
    let since = outside.last_request().await?;
    let launched = ehr_launch(outside, browser, patient).await?;
    let requests = outside.requests(since).await?;
    let paths: Vec<&str> = requests.iter().filter_map(|r| r.get("path")?.as_str()).collect();

    let discovered = paths.iter().any(|p| p.ends_with("/.well-known/smart-configuration"));
    // A second launch within the cache's time does not ask again.
    story.tell(
        "discovery",
        LOG,
        true,
        if discovered { "smart-configuration was read" } else { "from the cache" },
    );

    let authorize = requests.iter().find(|r| text(r, "path").ends_with("/oauth/authorize"));
    let query: BTreeMap<String, String> = authorize
        .map(|r| form_urlencoded::parse(text(r, "query").as_bytes()).into_owned().collect())
        .unwrap_or_default();
    let field = |name: &str| query.get(name).map_or("", String::as_str);
    let is_whole = field("code_challenge_method") == "S256"
        && field("code_challenge").len() == 43
        && field("state").len() >= 43
        && field("nonce").len() >= 22
        && field("aud") == outside.ready.fhir_base
        && !field("launch").is_empty();
    let scopes = field("scope").split(' ').count();
    story.tell(
        "authorize",
        LOG,
        is_whole,
        format!("S256, state, nonce, aud and launch sent; {scopes} scopes asked"),
    );

    let exchanged = paths.iter().filter(|p| p.ends_with("/oauth/token")).count();
    story.tell("exchange", LOG, exchanged == 1, format!("{exchanged} call to the token endpoint"));

    // Up to the exchange only discovery and sign-in; after it only reads of the chart. /metadata, say, is neither.
    let exchange = requests.iter().position(|r| text(r, "path").ends_with("/oauth/token")).unwrap_or(0);
    let before = requests.iter().take(exchange);
    let is_short = before.clone().all(|r| matches!(text(r, "kind"), "discovery" | "oauth"))
        && requests.iter().skip(exchange).all(|r| !text(r, "path").ends_with("/metadata"));
    story.tell("launch path", LOG, is_short, format!("{} calls before the exchange", before.count()));

    let last = launched.pages.last();
    let no_store = last.is_some_and(|p| p.headers.get("cache-control").is_some_and(|v| v == "no-store"));
    let size = last.map_or(0, |p| p.body.len());
    story.tell(
        "chart",
        "the page a browser got",
        no_store && size > 2_000,
        format!("{size} bytes, not to be stored"),
    );
    Ok(launched)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
