//! The lines of the demonstration, in the order a launch takes.

mod attacks;
mod calls;
mod evidence;
mod happy;

use anyhow::Context;

use super::{Outside, Story, browser::Browser};

/// Everything that one launch can show.
pub(super) async fn all(outside: &Outside, story: &mut Story) -> anyhow::Result<()> {
    let patients = outside.patients().await?;
    let [first, second, ..] = patients.as_slice() else {
        anyhow::bail!("the sandbox has fewer than two patients")
    };
    outside.clear_faults().await?;
    let mut browser = Browser::remembering();
    let since = outside.last_request().await?;
    let launched = happy::launch(outside, story, &mut browser, first).await.context("launch")?;
    calls::reads(outside, story, &mut browser, &launched, second).await.context("reads")?;
    evidence::audit(outside, story, &launched, since).await.context("audit")?;
    evidence::traces(outside, story, &launched).await.context("traces")?;
    evidence::no_token_outside(outside, story, &browser, &launched, since).await.context("leaks")?;
    attacks::unknown_issuer(outside, story).await.context("unknown issuer")?;
    attacks::callbacks(outside, story, first).await.context("callbacks")?;
    attacks::two_launches(outside, story, first, second).await.context("two launches")?;
    attacks::hostile_ehr(outside, story, &mut browser, &launched, second).await.context("hostile EHR")?;
    evidence::counters(outside, story).await.context("counters")
}
