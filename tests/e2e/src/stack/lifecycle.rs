//! Processes come and go in good order: any order of start, a polite end, new certificates while serving.

use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::time::Instant;

use super::{Stack, eventually, load::Person};

/// Everything is stopped, then started from the outside in, each before what it needs.
///
/// # Errors
/// When it does not come to life by itself.
pub async fn any_order_of_start_works() -> anyhow::Result<()> {
    let stack = Stack::take().await?;
    let person = Person::launch(&stack.outside, 0).await?;
    let mut names: Vec<String> = Vec::new();
    for service in ["edge", "web", "fhir-gateway", "launch-auth", "token-vault", "audit"] {
        names.extend(stack.replicas(service)?);
    }
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    stack.stop(&all).await?;
    stack.stop(&["postgres"]).await?;
    // Started while there is no database: alive, not ready, and says what it waits for.
    let begun = stack.begin(&all).await;
    let during = async {
        begun?;
        for name in ["token-vault-1", "launch-auth-1", "audit-1"] {
            eventually("it says what it waits for", || async {
                let said = stack.ask(name, "ready").await?;
                Ok(said.is_some_and(|(status, text)| status == 503 && text.contains("database")))
            })
            .await?;
            let alive = stack.ask(name, "live").await?.context("it answers")?;
            ensure!(alive.0 == 200, "{name} is alive");
        }
        anyhow::Ok(())
    }
    .await;
    stack.start(&["postgres"]).await?;
    during?;
    for name in &all {
        stack.until_ready(name, true).await?;
    }
    eventually("the chart reads on", || async { Ok(person.read(&stack.outside).await? == Some(200)) }).await
}

/// Asked to end while calls are under way, a gateway answers them, hands its records over and is gone within a minute.
///
/// # Errors
/// When it was not so.
pub async fn an_end_in_good_order_finishes_what_is_under_way() -> anyhow::Result<()> {
    let stack = Stack::take().await?;
    let outside = &stack.outside;
    let person = Person::launch(outside, 0).await?;
    // The EHR is slow, so that calls are under way.
    outside.fault("fhir", "", "delay:2000", 6).await?;
    let since = outside.last_request().await?;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (mut browser, url) = (person.browser.clone(), person.patient(outside)?);
        calls.spawn(async move { browser.fetch(&url).await.map(|page| page.status) });
    }
    eventually("calls are under way", || async { Ok(outside.requests(since).await?.len() >= 6) }).await?;
    let gateways = stack.replicas("fhir-gateway")?;
    let names: Vec<&str> = gateways.iter().map(String::as_str).collect();
    let asked = Instant::now();
    stack.stop(&names).await?;
    let took = asked.elapsed();
    let mut statuses = Vec::new();
    while let Some(status) = calls.join_next().await {
        statuses.push(status?.ok());
    }
    for name in &names {
        let spool = stack.folder().join("data").join(name).join("spool/fhir-gateway");
        ensure!(spool.is_dir(), "{name} has a spool");
    }
    stack.start(&names).await?;
    outside.clear_faults().await?;
    ensure!(statuses.iter().all(|status| *status == Some(200)), "calls under way ended as {statuses:?}");
    ensure!(took < Duration::from_secs(60), "the end took {took:?}");
    Ok(())
}

/// New certificates come into use without a restart, and the calls go on.
///
/// # Errors
/// When a call failed.
pub async fn certificates_are_renewed_while_serving() -> anyhow::Result<()> {
    let stack = Stack::take().await?;
    let outside = &stack.outside;
    let person = Person::launch(outside, 0).await?;
    let pki = stack.folder().join("pki");
    let before = std::fs::read(pki.join("fhir-gateway.pem"))?;
    let expiry = stack.metric("fhir-gateway", "sallyport_certificate_expires_seconds", "").await?;
    let binary = std::fs::read_to_string(stack.folder().join("binary"))?;
    let renewed =
        tokio::process::Command::new(binary.trim()).args(["pki", "dev", "--out"]).arg(&pki).output().await?;
    ensure!(renewed.status.success(), "{}", String::from_utf8_lossy(&renewed.stderr));
    ensure!(std::fs::read(pki.join("fhir-gateway.pem"))? != before, "the certificate is another");
    eventually("the new certificate is in use", || async {
        ensure!(person.read(outside).await? == Some(200), "a read failed while certificates changed");
        Ok(stack.metric("fhir-gateway", "sallyport_certificate_expires_seconds", "").await? > expiry)
    })
    .await?;
    for _ in 0..20 {
        ensure!(person.read(outside).await? == Some(200), "a read failed with the new certificates");
    }
    Ok(())
}

/// The console, whose pages come from one process and whose answers from three others.
///
/// # Errors
/// What did not hold.
pub async fn the_console_opens() -> anyhow::Result<()> {
    let stack = Stack::take().await?;
    crate::scenario::console_holds(&stack.outside).await
}
