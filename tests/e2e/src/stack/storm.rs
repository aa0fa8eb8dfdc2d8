//! The refresh storm: three gateways, two vaults, a thousand calls on an expired token, a token endpoint that takes
//! fifteen seconds and would end the grant if a refresh token came twice, and a vault that dies in the middle.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::task::JoinSet;

use super::{Stack, account, eventually, load::Person};

const CALLS: usize = 1_000;

/// # Errors
/// When the refresh token was redeemed twice, or the calls ended in anything but data or a clear way on.
pub async fn a_storm_redeems_once_or_says_uncertain() -> anyhow::Result<()> {
    let stack = Stack::take().await?;
    let outside = &stack.outside;
    ensure!(stack.replicas("fhir-gateway")?.len() >= 3, "the storm needs three gateways");
    ensure!(stack.replicas("token-vault")?.len() >= 2, "the storm needs two vaults");
    // A token that lives two seconds, then an endpoint that is slow.
    outside.fault("oauth", "/strict/general/oauth/token", "expires-in:2", 1).await?;
    let person = Person::launch(outside, 0).await?;
    outside.clear_faults().await?;
    let since = outside.last_request().await?;
    outside.fault("oauth", "/strict/general/oauth/token", "late:15000", 1_000).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;

    let url = person.patient(outside)?;
    let mut calls: JoinSet<Option<u16>> = JoinSet::new();
    for _ in 0..CALLS {
        let (mut browser, url) = (person.browser.clone(), url.clone());
        calls.spawn(async move { browser.fetch(&url).await.ok().map(|page| page.status) });
    }
    // One of the vaults is asking; kill the one that is.
    let asking = || async { Ok(refreshes(outside, since).await? > 0) };
    eventually("a refresh is under way", asking).await?;
    let mut victim = None;
    for replica in stack.replicas("token-vault")? {
        let (_, metrics) = stack.ask(&replica, "metrics").await?.context("metrics")?;
        let is_asking = metrics
            .lines()
            .any(|line| line.starts_with("sallyport_vault_refreshes_in_flight") && !line.ends_with(" 0"));
        if is_asking {
            victim = Some(replica);
        }
    }
    let victim = victim.context("a vault says that it refreshes")?;
    stack.kill(&[&victim]).await?;
    let mut statuses = std::collections::BTreeMap::<Option<u16>, usize>::new();
    while let Some(status) = calls.join_next().await {
        *statuses.entry(status?).or_default() += 1;
    }
    outside.clear_faults().await?;
    stack.start(&[&victim]).await?;

    let redeemed = refreshes(outside, since).await?;
    ensure!(redeemed == 1, "the refresh token was redeemed {redeemed} times: {statuses:?}");
    // What became of it is known, or said: the person can launch again, and that works.
    let url = person.patient(outside)?;
    let page = person.browser.clone().fetch(&url).await?;
    let text = page.text();
    let is_clear = page.status == 200 || text.contains("grant.uncertain");
    ensure!(is_clear, "afterwards a read answers {} without a way on", page.status);
    ensure!(refreshes(outside, since).await? == 1, "the refresh token was redeemed again afterwards");
    let again = Person::launch(outside, 0).await?;
    ensure!(again.read(outside).await? == Some(200), "a new launch reads");
    let seen = format!("1 redemption; answers by status {statuses:?}");
    account("refresh storm over 3 gateways and 2 vaults, one vault killed", CALLS, "calls", &seen, None)
}

/// How often the token endpoint was asked: no launch is under way, so each time is a refresh.
async fn refreshes(outside: &sallyport::demo::Outside, since: u64) -> anyhow::Result<usize> {
    let requests = outside.requests(since).await?;
    let path = |request: &Value| request.get("path").and_then(Value::as_str).map(str::to_owned);
    Ok(requests.iter().filter_map(path).filter(|path| path.ends_with("/oauth/token")).count())
}
