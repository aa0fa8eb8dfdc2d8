//! From a revocation to its effect on every replica, measured.

use std::time::Duration;

use anyhow::{Context, ensure};
use sallyport::demo::browser::Browser;
use sallyport_model::ServiceName;
use sallyport_proto::{
    convert,
    launch::v1::{RevokeRequest, launch_auth_client::LaunchAuthClient},
    types::v1::{Selector, selector::By},
};
use tokio::{task::JoinSet, time::Instant};
use url::Url;

use super::{Stack, account, eventually, is_long, load::Person};

/// The longest that a revocation may take, whatever happens.
const ALWAYS: Duration = Duration::from_secs(5);

/// How many read at once.
const READERS: usize = 6;

/// # Errors
/// When a replica still answered after five seconds.
pub async fn every_replica_refuses_soon() -> anyhow::Result<()> {
    let stack = Stack::take().await?;
    let outside = &stack.outside;
    let trials = if is_long() { 100 } else { 12 };
    let mut client = LaunchAuthClient::new(outside.operator(ServiceName::LaunchAuth).await?);
    let mut took = Vec::new();
    for trial in 0..trials {
        let person = Person::launch(outside, trial).await?;
        ensure!(person.read(outside).await? == Some(200), "the launch reads");
        let selector = Selector { by: Some(By::Launch(convert::id_bytes(person.launched.launch.uuid()))) };
        let request = RevokeRequest {
            tenant: "general".to_owned(),
            selector: Some(selector),
            reason: "test".to_owned(),
        };
        // From the operator's word on: the call itself waits for the EHR, so its end says nothing about the replicas.
        let asked = Instant::now();
        let mut readers = JoinSet::new();
        for _ in 0..READERS {
            let (browser, url) = (person.browser.clone(), person.patient(outside)?);
            readers.spawn(last_answer(browser, url, asked));
        }
        client.revoke(request).await?;
        let mut slowest = Duration::ZERO;
        while let Some(last) = readers.join_next().await {
            slowest = slowest.max(last??);
        }
        took.push(slowest);
    }
    took.sort_unstable();
    let (median, worst) =
        (took.get(took.len() / 2).copied().context("trials")?, took.last().copied().context("trials")?);
    ensure!(worst <= ALWAYS, "the slowest took {worst:?}");
    let (median, worst) = (median.as_millis(), worst.as_millis());
    let seen = format!("last answer begun {median} ms after the word at the median, {worst} ms at worst");
    account("revocation to refusal on all replicas", trials, "revocations", &seen, None)
}

/// Reads until every replica refuses: when the last read that was answered began. The front door spreads calls over the
/// replicas; when twelve in a row are refused, all of them refuse.
async fn last_answer(mut browser: Browser, url: Url, asked: Instant) -> anyhow::Result<Duration> {
    let (mut last, mut in_a_row) = (Duration::ZERO, 0);
    while in_a_row < 12 {
        let begun = asked.elapsed();
        if browser.fetch(&url).await.is_ok_and(|page| page.status == 200) {
            (last, in_a_row) = (begun, 0);
        } else {
            in_a_row += 1;
        }
        ensure!(begun < 2 * ALWAYS, "reads are still answered {begun:?} after the revocation");
    }
    Ok(last)
}

/// Nobody tells the gateways any more what is revoked: they refuse within five seconds, and go on when they are told.
///
/// # Errors
/// When one still answers.
pub async fn without_heartbeats_nothing_is_answered() -> anyhow::Result<()> {
    let stack = Stack::take().await?;
    let outside = &stack.outside;
    let person = Person::launch(outside, 0).await?;
    let owners = stack.replicas("launch-auth")?;
    let owners: Vec<&str> = owners.iter().map(String::as_str).collect();
    // Stopped, not ended: connections stay open and say nothing.
    stack.pause(&owners).await?;
    let paused = Instant::now();
    // Each replica counts its own five seconds from the last heartbeat that it heard.
    let refused = eventually("every replica refuses", || async {
        for _ in 0..12 {
            if person.read(outside).await? != Some(503) {
                return Ok(false);
            }
        }
        Ok(true)
    })
    .await;
    let took = paused.elapsed();
    stack.resume(&owners).await?;
    refused?;
    ensure!(took > Duration::from_secs(3), "refused after {took:?}: something else stopped the reads");
    eventually("reads are answered again", || async { Ok(person.read(outside).await? == Some(200)) }).await
}
