//! Two tabs of one browser, two patients, many calls in between each other.

use std::sync::Arc;

use anyhow::{Context, ensure};
use sallyport::demo::{browser::Browser, ehr_launch};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::world::World;

/// How many calls are under way at once.
const AT_ONCE: usize = 16;

/// `calls` interleaved calls of two launches in one cookie jar: every answer holds the own patient's canary and never
/// the other's.
///
/// # Errors
/// The first answer that mixed them, or was refused.
pub async fn two_tabs_never_mix(calls: usize) -> anyhow::Result<()> {
    let world = World::start().await?;
    let outside = &world.outside;
    let patients = outside.patients().await?;
    let [first, second, ..] = patients.as_slice() else { anyhow::bail!("too few patients") };
    let mut browser = Browser::new();
    let a = ehr_launch(outside, &mut browser, first).await?;
    let b = ehr_launch(outside, &mut browser, second).await?;
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    for n in 0..calls {
        let (own, other) = if n % 2 == 0 { (&a, &b) } else { (&b, &a) };
        let path = match n % 3 {
            0 => format!("Patient/{}", own.patient),
            1 => format!("Condition?patient={}", own.patient),
            _ => "Observation?category=vital-signs&_count=5".to_owned(),
        };
        let url = own.url(outside, "fhir", &path)?;
        let (canary, foreign) = (format!("canary-{}\"", own.patient), format!("canary-{}\"", other.patient));
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let mut tab = browser.clone();
        tasks.spawn(async move {
            let page = tab.fetch(&url).await?;
            drop(permit);
            let text = page.text();
            ensure!(page.status == 200, "call {n} answered {}", page.status);
            ensure!(text.contains(&canary), "call {n} holds nothing of its own patient");
            ensure!(!text.contains(&foreign), "call {n} holds the other patient");
            Ok(())
        });
    }
    let mut answered = 0;
    while let Some(result) = tasks.join_next().await {
        result.context("a call panicked")??;
        answered += 1;
    }
    ensure!(answered == calls, "{answered} of {calls} calls answered");
    // The handle of one tab with the cookie of the other opens nothing.
    let mut thief = browser.clone();
    thief.forget(&format!("__Host-s-{}", a.launch));
    let crossed = thief.fetch(&a.url(outside, "fhir", &format!("Patient/{first}"))?).await?;
    ensure!(crossed.status == 401, "another launch's cookie was answered {}", crossed.status);
    world.stop().await?;
    Ok(())
}
