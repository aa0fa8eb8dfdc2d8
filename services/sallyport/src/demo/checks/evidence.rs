//! What is left behind: audit records, spans, counters; and what must not be: tokens.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use sallyport_proto::audit::v1::{Kind, Outcome, Phase, Record};
use serde_json::Value;

use crate::{
    demo::{Launched, Outside, Story, browser::Browser, outside::token_digests},
    dev_tenant,
};

const AUDIT: &str = "the audit log, asked as an operator";

/// How many calls of the reads before were refused as a matter of patient or authority, at least.
const REFUSALS: usize = 3;

/// How long records may take from the spool to the log.
const SETTLE: std::time::Duration = std::time::Duration::from_secs(30);

/// Waits until every intent of the launch has its outcome in the log, and the sign-in, which other services record, is there.
async fn settled(outside: &Outside, launched: &Launched, at_least: usize) -> anyhow::Result<Vec<Record>> {
    let deadline = tokio::time::Instant::now() + SETTLE;
    loop {
        let records = outside.records(launched.launch).await?;
        let is_open = |intent: &&Record| {
            intent.phase() == Phase::Intent
                && !records.iter().any(|r| r.phase() == Phase::Outcome && r.record_id == intent.record_id)
        };
        let calls = records.iter().filter(|r| r.phase() == Phase::Intent).count();
        let refusals = records.iter().filter(|r| r.outcome() == Outcome::Refused).count();
        let has = |kind: Kind| records.iter().any(|r| r.kind() == kind);
        let is_signed_in = has(Kind::Callback) && has(Kind::TokenExchange);
        if (is_signed_in && calls >= at_least && refusals >= REFUSALS && !records.iter().any(|r| is_open(&r)))
            || tokio::time::Instant::now() > deadline
        {
            return Ok(records);
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

pub(super) async fn audit(
    outside: &Outside,
    story: &mut Story,
    launched: &Launched,
    since: u64,
) -> anyhow::Result<()> {
    let requests = outside.requests(since).await?;
    let calls: Vec<&Value> =
        requests.iter().filter(|r| r.get("kind").and_then(Value::as_str) == Some("fhir")).collect();
    let records = settled(outside, launched, calls.len()).await?;
    let mut open: BTreeMap<(String, String), usize> = BTreeMap::new();
    for record in records.iter().filter(|r| r.phase() == Phase::Intent && r.kind() == Kind::FhirCall) {
        let resource = record.resource_types.first().cloned().unwrap_or_default();
        *open.entry((record.trace_id.clone(), resource)).or_default() += 1;
    }
    let mut missing = 0;
    for call in &calls {
        let resource = resource_type(call.get("path").and_then(Value::as_str).unwrap_or_default());
        let trace =
            call.pointer("/headers/traceparent").and_then(Value::as_str).and_then(|t| t.split('-').nth(1));
        match open.get_mut(&(trace.unwrap_or_default().to_owned(), resource)) {
            Some(count) if *count > 0 => *count -= 1,
            _ => missing += 1,
        }
    }
    let seen = format!("{} calls at the EHR, {missing} without a record", calls.len());
    story.tell("every call has its record", AUDIT, missing == 0 && !calls.is_empty(), seen);

    let outcomes = records.iter().filter(|r| r.phase() == Phase::Outcome).count();
    let intents = records.iter().filter(|r| r.phase() == Phase::Intent).count();
    let refusals = records.iter().filter(|r| r.outcome() == Outcome::Refused).count();
    story.tell(
        "every intent has its outcome",
        AUDIT,
        outcomes >= intents && intents > 0,
        format!("{intents} intents, {outcomes} outcomes"),
    );
    story.tell("refusals are recorded", AUDIT, refusals >= REFUSALS, format!("{refusals} refusals"));

    let is_whole =
        records.iter().filter(|r| r.kind() == Kind::FhirCall && r.phase() == Phase::Intent).all(|r| {
            r.purpose == "TREAT"
                && !r.feature.is_empty()
                && r.trace_id.len() == 32
                && r.actor.is_some()
                && r.tenant == dev_tenant::TENANT
        });
    story.tell(
        "who, why, where in each",
        AUDIT,
        is_whole,
        "actor, purpose, feature, tenant and trace id are there",
    );
    let has = |kind: Kind| records.iter().any(|r| r.kind() == kind);
    story.tell(
        "the sign-in is recorded",
        AUDIT,
        has(Kind::Callback) && has(Kind::TokenExchange),
        "callback and exchange",
    );
    Ok(())
}

/// `/strict/general/fhir/Condition?…` → `Condition`.
fn resource_type(path: &str) -> String {
    let after = path.split("/fhir/").nth(1).unwrap_or_default();
    after.split('/').next().unwrap_or_default().to_owned()
}

pub(super) async fn traces(outside: &Outside, story: &mut Story, launched: &Launched) -> anyhow::Result<()> {
    let records = outside.records(launched.launch).await?;
    let trace = records
        .iter()
        .find(|r| r.kind() == Kind::TokenExchange)
        .map(|r| r.trace_id.clone())
        .unwrap_or_default();
    let spans = outside.spans(&trace).await?;
    let names: Vec<&str> = spans.iter().filter_map(|s| s.get("name")?.as_str()).collect();
    let has = |prefix: &str| names.iter().any(|n| n.starts_with(prefix));
    let whole =
        has("launch-auth.launch") && has("launch-auth.callback") && has("token-vault.") && has("egress.");
    let foreign =
        names.iter().filter(|n| ["h2", "hyper", "Connection"].iter().any(|p| n.starts_with(p))).count();
    story.tell(
        "launch and callback are one trace",
        "the process's spans",
        whole && foreign == 0,
        format!("{} spans, trace {trace}", spans.len()),
    );

    let call =
        records.iter().find(|r| r.kind() == Kind::FhirCall).map(|r| r.trace_id.clone()).unwrap_or_default();
    let spans = outside.spans(&call).await?;
    let gateway = spans
        .iter()
        .any(|s| s.get("name").and_then(Value::as_str).is_some_and(|n| n.starts_with("fhir-gateway.")));
    let egress =
        spans.iter().any(|s| s.get("name").and_then(Value::as_str).is_some_and(|n| n.starts_with("egress.")));
    story.tell(
        "a FHIR call is traced to the EHR",
        "the process's spans",
        gateway && egress,
        format!("{} spans, trace {call}", spans.len()),
    );
    Ok(())
}

pub(super) async fn no_token_outside(
    outside: &Outside,
    story: &mut Story,
    browser: &Browser,
    launched: &Launched,
    since: u64,
) -> anyhow::Result<()> {
    let digests = token_digests(&outside.requests(since).await?);
    let mut spans = Vec::new();
    for record in outside.records(launched.launch).await? {
        spans.extend(serde_json::to_vec(&outside.spans(&record.trace_id).await?)?);
    }
    let metrics = outside.metrics().await?;
    let sinks: [(&'static str, &[u8]); 3] =
        [("browser traffic", browser.received()), ("spans", &spans), ("metrics", metrics.as_bytes())];
    for (sink, bytes) in sinks {
        let leaks = words(bytes)
            .filter(|word| digests.contains(&hex(word)) || digests.iter().any(|d| d.as_bytes() == *word))
            .count();
        let step = match sink {
            "browser traffic" => "no token in the browser",
            "spans" => "no token in a span",
            _ => "no token in a metric",
        };
        let seen = format!("{} bytes searched for {} tokens, {leaks} found", bytes.len(), digests.len());
        story.tell(step, "what was received", leaks == 0 && !digests.is_empty() && !bytes.is_empty(), seen);
    }
    Ok(())
}

/// Everything that could be a token: runs of token characters (RFC 6750 §2.1) of some length.
fn words(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_token = |b: &u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(b);
    bytes.split(move |b| !is_token(b)).filter(|word| word.len() >= 16)
}

fn hex(word: &[u8]) -> String {
    let sum = digest::digest(&digest::SHA256, word);
    sum.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

pub(super) async fn counters(outside: &Outside, story: &mut Story) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + SETTLE;
    loop {
        let logged: i64 = outside
            .counts(dev_tenant::TENANT)
            .await?
            .counts
            .iter()
            .filter(|c| c.kind.eq_ignore_ascii_case("fhir_call") && !c.phase.eq_ignore_ascii_case("intent"))
            .map(|c| c.count)
            .sum();
        let counted = sum_of(&outside.metrics().await?, "sallyport_fhir_calls_total");
        let is_equal = i64::try_from(counted) == Ok(logged) && logged > 0;
        if is_equal || tokio::time::Instant::now() > deadline {
            story.tell(
                "counters equal the audit log",
                "/metrics and the audit log",
                is_equal,
                format!("{counted} counted, {logged} logged"),
            );
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// The sum of a counter's series of this tenant.
fn sum_of(metrics: &str, name: &str) -> u64 {
    metrics
        .lines()
        .filter(|line| line.starts_with(name) && line.contains("tenant=\"general\""))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}
