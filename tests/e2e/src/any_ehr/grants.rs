//! The life of a grant, seen through the front door and in the EHR's own request log: refreshed once, replayed once,
//! dead, uncertain, withdrawn.

use std::time::Duration;

use anyhow::{Context, ensure};
use http::Method;
use sallyport::{
    cli::RevokeArgs,
    demo::browser::{Browser, Page},
    operate,
};
use sallyport_model::{Clock, LaunchId, SystemClock};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};
use url::Url;

use super::{eventually, walking::walk};
use crate::world::World;

const TOKEN: &str = "/strict/general/oauth/token";
const REVOKE: &str = "/strict/general/oauth/revoke";

/// A launch whose chart nobody has opened yet.
pub(super) struct Unopened {
    pub(super) launch: LaunchId,
    pub(super) patient: String,
    pub(super) chart: Url,
}

impl Unopened {
    pub(super) async fn start(
        world: &World,
        browser: &mut Browser,
        nth_patient: usize,
    ) -> anyhow::Result<Self> {
        let patient = world.outside.patients().await?.into_iter().nth(nth_patient).context("a patient")?;
        let start = world.outside.launch_url(&patient).await?;
        let walked = walk(browser, &world.outside.ready.app, &start).await?;
        let launch = walked.launch()?;
        Ok(Self { launch, patient, chart: walked.chart.context("a chart")? })
    }

    pub(super) fn url(&self, world: &World, rest: &str) -> anyhow::Result<Url> {
        Ok(Url::parse(&format!("{}/fhir/{}/{rest}", world.outside.ready.app, self.launch))?)
    }

    pub(super) async fn read(&self, world: &World, browser: &mut Browser) -> anyhow::Result<Page> {
        browser.fetch(&self.url(world, &format!("Patient/{}", self.patient))?).await
    }
}

/// How many requests to a path reached the EHR since a position of its log.
pub(super) async fn count(world: &World, since: u64, path: &str) -> anyhow::Result<usize> {
    let requests = world.outside.requests(since).await?;
    Ok(requests
        .iter()
        .filter(|r| r.get("path").and_then(Value::as_str).is_some_and(|p| p.starts_with(path)))
        .count())
}

/// The next `times` token responses are good for two seconds.
async fn short_lived(world: &World, times: u32) -> anyhow::Result<()> {
    world.outside.fault("oauth", TOKEN, "expires-in:2", times).await
}

/// Waits until the launch's token is over, by what its session says of it.
async fn token_is_over(world: &World, browser: &Browser, place: &Unopened) -> anyhow::Result<()> {
    let url = Url::parse(&format!("{}/session/{}", world.outside.ready.app, place.launch))?;
    let ends = browser.clone().fetch(&url).await?.json()?;
    let ends = ends.get("tokenExpiresAt").and_then(Value::as_i64).context("no tokenExpiresAt")?;
    let is_over = || async { Ok((SystemClock.now() / 1_000 > ends).then_some(())) };
    eventually("the token is over", Duration::from_secs(10), is_over).await
}

/// A hundred calls at once on a token that has just expired, at a slow token endpoint.
///
/// # Errors
/// When it is refreshed more or less than once, or a call is not answered with the new token.
pub async fn a_hundred_calls_refresh_once() -> anyhow::Result<()> {
    const CALLS: usize = 100;
    let config = "[fhir_gateway]\nconcurrent_calls_per_launch = 128\nconcurrent_calls_per_endpoint = 128\n";
    let world = World::start_with(config).await?;
    short_lived(&world, 1).await?;
    let mut browser = Browser::new();
    let place = Unopened::start(&world, &mut browser, 0).await?;
    token_is_over(&world, &browser, &place).await?;
    world.outside.fault("oauth", TOKEN, "token-delay:1500", 1).await?;
    let since = world.outside.last_request().await?;
    let url = place.url(&world, &format!("Patient/{}", place.patient))?;
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let (mut tab, url) = (browser.clone(), url.clone());
        calls.spawn(async move { tab.fetch(&url).await });
    }
    while let Some(call) = calls.join_next().await {
        let page = call.context("a call panicked")??;
        ensure!(page.status == 200, "a call was answered {}: {}", page.status, page.text());
    }
    let refreshes = count(&world, since, TOKEN).await?;
    ensure!(refreshes == 1, "{refreshes} refreshes");
    let requests = world.outside.requests(since).await?;
    let tokens = requests.iter().filter_map(|r| r.pointer("/headers/token_sha256")?.as_str());
    let tokens: std::collections::BTreeSet<&str> = tokens.collect();
    ensure!(tokens.len() == 1, "{} access tokens were used", tokens.len());
    world.stop().await?;
    Ok(())
}

/// The FHIR server refuses a good token: one refresh, one replay, the answer; and when it refuses again, no third try.
///
/// # Errors
/// When there is another number of either.
pub async fn a_401_is_refreshed_and_replayed_once() -> anyhow::Result<()> {
    let world = World::start().await?;
    let mut browser = Browser::new();
    let place = Unopened::start(&world, &mut browser, 0).await?;
    let warm = place.read(&world, &mut browser).await?;
    ensure!(warm.status == 200, "the first read answered {}", warm.status);
    let path = "/strict/general/fhir/Condition";
    for (fault, times, status) in [("401", 1, 200), ("401-text", 1, 200), ("401-text", 2, 401)] {
        world.outside.fault("fhir", path, fault, times).await?;
        let since = world.outside.last_request().await?;
        let page = browser.fetch(&place.url(&world, "Condition")?).await?;
        ensure!(page.status == status, "{fault} {times} times was answered {}: {}", page.status, page.text());
        let (refreshes, reads) = (count(&world, since, TOKEN).await?, count(&world, since, path).await?);
        ensure!((refreshes, reads) == (1, 2), "{fault} {times} times: {refreshes} refreshes, {reads} reads");
    }
    world.stop().await?;
    Ok(())
}

/// The EHR ends the authorisation: the call says so, the page says how to start again, nobody asks the EHR twice.
///
/// # Errors
/// When it is anything else.
pub async fn a_refused_refresh_ends_the_grant() -> anyhow::Result<()> {
    let world = World::start().await?;
    let mut browser = Browser::new();
    let place = Unopened::start(&world, &mut browser, 0).await?;
    let warm = place.read(&world, &mut browser).await?;
    ensure!(warm.status == 200, "the first read answered {}", warm.status);
    world.outside.sandbox(Method::POST, "revoke", Some(json!({ "patient": place.patient }))).await?;
    let since = world.outside.last_request().await?;
    for _ in 0..3 {
        let page = place.read(&world, &mut browser).await?;
        ensure!(page.status == 401 && page.text().contains("grant.dead"), "{}: {}", page.status, page.text());
    }
    let refreshes = count(&world, since, TOKEN).await?;
    ensure!(refreshes == 1, "{refreshes} refreshes of a dead grant");
    let chart = browser.visit(&place.chart).await?;
    let text = chart.text();
    ensure!(
        text.contains("grant.dead") && text.contains("Start the app again"),
        "the page says {}",
        super::walking::words(&text)
    );
    world.stop().await?;
    Ok(())
}

/// The token endpoint does its work but the answer is lost, or comes too late: with tokens that rotate, asking again
/// could end the family. The state is `uncertain`, and it stays.
///
/// # Errors
/// When a refresh token is redeemed twice, or the person is told something else.
pub async fn an_unknown_outcome_is_never_redeemed_again() -> anyhow::Result<()> {
    let world = World::start().await?;
    let mut browser = Browser::new();
    short_lived(&world, 2).await?;
    let lost = Unopened::start(&world, &mut browser, 0).await?;
    let late = Unopened::start(&world, &mut browser, 1).await?;
    for place in [&lost, &late] {
        token_is_over(&world, &browser, place).await?;
    }
    let since = world.outside.last_request().await?;
    // Longer than the generic patience with a token endpoint.
    for (place, fault, refreshes) in [(&lost, "reset-after", 1), (&late, "token-delay:18000", 2)] {
        world.outside.fault("oauth", TOKEN, fault, 1).await?;
        for _ in 0..4 {
            let page = place.read(&world, &mut browser).await?;
            ensure!(
                page.status == 401 && page.text().contains("grant.uncertain"),
                "{fault}: {}: {}",
                page.status,
                page.text()
            );
        }
        let seen = count(&world, since, TOKEN).await?;
        ensure!(seen == refreshes, "{fault}: the token endpoint was asked {seen} times in all");
    }
    let chart = browser.visit(&lost.chart).await?;
    ensure!(
        chart.text().contains("grant.uncertain") && chart.text().contains("Start the app again"),
        "the page explains it"
    );
    world.stop().await?;
    Ok(())
}

/// `sallyport revoke --launch`: the next call is refused within five seconds, the EHR is told, nobody else is touched.
///
/// # Errors
/// When one of these does not hold.
pub async fn a_revocation_acts_here_and_at_the_ehr() -> anyhow::Result<()> {
    let world = World::start().await?;
    let mut browser = Browser::new();
    let gone = Unopened::start(&world, &mut browser, 0).await?;
    let stays = Unopened::start(&world, &mut browser, 1).await?;
    for place in [&gone, &stays] {
        let page = place.read(&world, &mut browser).await?;
        ensure!(page.status == 200, "before, a read answered {}", page.status);
    }
    let since = world.outside.last_request().await?;
    let args = RevokeArgs {
        tenant: "general".to_owned(),
        reason: "the badge was lost".to_owned(),
        launch: Some(gone.launch.to_string()),
        endpoint: None,
        user: None,
        all: false,
        place: sallyport::cli::Where { data_dir: Some(world.data()), config: None },
    };
    let revoked = Instant::now();
    operate::revoke(args).await?;
    loop {
        let page = place_answer(&world, &mut browser, &gone).await?;
        if page.0 == 401 {
            // Whichever of the two is seen first: the vault's grant or launch-auth's session.
            let is_revoked = page.1.contains("session.revoked") || page.1.contains("grant.revoked");
            ensure!(is_revoked, "it was refused with {}", page.1);
            break;
        }
        ensure!(
            revoked.elapsed() < Duration::from_secs(5),
            "five seconds later it is still answered {}",
            page.0
        );
    }
    let told = || async {
        let requests = world.outside.requests(since).await?;
        let at_revoke = requests.iter().filter(|r| r.get("path").and_then(Value::as_str) == Some(REVOKE));
        let done = at_revoke.filter(|r| r.get("status").and_then(Value::as_u64) == Some(200)).count();
        Ok((done > 0).then_some(done))
    };
    eventually("the EHR is told of the revocation", Duration::from_secs(15), told).await?;
    let grants = world.outside.sandbox(Method::GET, "grants", None).await?.text();
    let other = stays.read(&world, &mut browser).await?;
    ensure!(other.status == 200, "another launch was answered {}; the EHR's grants: {grants}", other.status);
    world.stop().await?;
    Ok(())
}

async fn place_answer(
    world: &World,
    browser: &mut Browser,
    place: &Unopened,
) -> anyhow::Result<(u16, String)> {
    let page = place.read(world, browser).await?;
    Ok((page.status, page.text()))
}
