//! Each server gone under a whole instance: what people see meanwhile, and that everything goes on by itself after.

use std::time::Duration;

use anyhow::{Context, ensure};
use sallyport::demo::browser::Browser;
use tokio::time::Instant;

use super::{
    Stack, account, eventually,
    load::{self, Load, Person, audit_holds},
    outage,
};

/// The database: charts that are open read on while the heartbeats vouch for it, then nothing is answered; a launch is
/// refused in words; afterwards everything works without a restart.
///
/// # Errors
/// When something else happened.
pub async fn the_database_is_gone() -> anyhow::Result<()> {
    let stack = Stack::take().await?;
    let outside = &stack.outside;
    let person = Person::launch(outside, 0).await?;
    ensure!(person.read(outside).await? == Some(200), "the chart reads");
    let start = outside.launch_url(&person.launched.patient).await?;
    stack.kill(&["postgres"]).await?;
    let gone = Instant::now();
    let during = async {
        let early = person.read(outside).await?;
        // Only within the five seconds; a slow machine may have used them up.
        if gone.elapsed() < Duration::from_secs(3) {
            ensure!(early == Some(200), "an open chart answers {early:?} at once");
        }
        // A session that is just then looked up anew is refused for want of its owner's database; then for want of news.
        let url = person.patient(outside)?;
        let is_refused = || async {
            let page = person.browser.clone().fetch(&url).await?;
            let is_named = page.text().contains("revocation.stale");
            ensure!(
                page.status == 200
                    || (page.status == 503 && (is_named || page.text().contains("service.unavailable"))),
                "a read answers {} and names no reason",
                page.status
            );
            Ok(is_named)
        };
        eventually("reads are refused because nobody vouches for what is known", is_refused).await?;
        let asked = Instant::now();
        let launch = Browser::new().visit(&start).await?;
        ensure!(launch.status == 503, "a launch answers {}", launch.status);
        ensure!(launch.text().contains("service.unavailable"), "the launch's refusal says why");
        ensure!(asked.elapsed() < Duration::from_secs(15), "the refusal took {:?}", asked.elapsed());
        stack.until_ready("launch-auth-1", false).await?;
        lasts(gone).await;
        eventually("reads are still refused", || async { Ok(person.read(outside).await? == Some(503)) })
            .await?;
        anyhow::Ok(())
    }
    .await;
    stack.start(&["postgres"]).await?;
    during?;
    goes_on(&stack, &person).await?;
    seen("postgres", gone)
}

/// The cache and limiter: nobody notices.
///
/// # Errors
/// When somebody does.
pub async fn the_cache_is_gone() -> anyhow::Result<()> {
    let stack = Stack::take().await?;
    let outside = &stack.outside;
    let person = Person::launch(outside, 0).await?;
    stack.kill(&["redis"]).await?;
    let gone = Instant::now();
    let during = async {
        for number in 0..3 {
            ensure!(person.read(outside).await? == Some(200), "a read fails");
            let other = Person::launch(outside, number).await?;
            ensure!(other.read(outside).await? == Some(200), "a new launch does not read");
        }
        while gone.elapsed() < outage() {
            ensure!(person.read(outside).await? == Some(200), "a read fails");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    }
    .await;
    stack.start(&["redis"]).await?;
    during?;
    goes_on(&stack, &person).await?;
    seen("redis", gone)
}

/// The keeper of the key-encryption key: open charts and known tenants go on from keys in memory.
///
/// # Errors
/// When they do not.
pub async fn the_key_service_is_gone() -> anyhow::Result<()> {
    let stack = Stack::take().await?;
    let outside = &stack.outside;
    let person = Person::launch(outside, 0).await?;
    ensure!(person.read(outside).await? == Some(200), "the chart reads");
    stack.kill(&["openbao"]).await?;
    let gone = Instant::now();
    let during = async {
        let until = Instant::now() + outage();
        while Instant::now() < until {
            ensure!(person.read(outside).await? == Some(200), "an open chart does not read on");
        }
        anyhow::Ok(())
    }
    .await;
    stack.start(&["openbao"]).await?;
    during?;
    goes_on(&stack, &person).await?;
    seen("openbao", gone)
}

/// The audit service: its records wait in spools and broker, and arrive when it is back.
///
/// # Errors
/// When a read failed or a record is lost.
pub async fn the_audit_service_is_gone() -> anyhow::Result<()> {
    let stack = Stack::take().await?;
    let (outside, from) = (&stack.outside, load::now());
    let persons = [Person::launch(outside, 0).await?, Person::launch(outside, 1).await?];
    let load = Load::start(outside, &persons, 4, Duration::from_millis(20))?;
    load.more(20).await?;
    stack.kill(&["audit-1"]).await?;
    let gone = Instant::now();
    let during = load.more(200).await;
    lasts(gone).await;
    stack.start(&["audit-1"]).await?;
    during?;
    let answers = load.end().await;
    ensure!(answers.refused.is_empty() && answers.broken == 0, "reads failed: {:?}", answers.refused);
    let found = audit_holds(outside, from, &answers).await?;
    ensure!(found.doubled == 0, "{} records are there twice", found.doubled);
    seen("audit service", gone)
}

/// The EHR: refused in words, calls pause, nothing storms it, and it is asked again by itself.
///
/// # Errors
/// When something else happened.
pub async fn the_ehr_is_gone() -> anyhow::Result<()> {
    let stack = Stack::take().await?;
    let outside = &stack.outside;
    let person = Person::launch(outside, 0).await?;
    let url = person.patient(outside)?;
    outside.fault("fhir", "", "503", 100_000).await?;
    let gone = Instant::now();
    let since = outside.last_request().await?;
    let during = async {
        let mut paused = 0;
        for _ in 0..60 {
            let page = person.browser.clone().fetch(&url).await?;
            ensure!(page.status >= 500 || page.status == 429, "a read answers {}", page.status);
            paused += usize::from(page.text().contains("ehr.circuit_open"));
        }
        ensure!(paused > 0, "calls never paused");
        let asked = outside.requests(since).await?.len();
        // Five failures in a row open the circuit of each gateway; a retry of a read may be among them.
        let most = 12 * stack.replicas("fhir-gateway")?.len();
        ensure!(asked <= most, "{asked} calls reached an EHR that fails");
        lasts(gone).await;
        anyhow::Ok(())
    }
    .await;
    outside.clear_faults().await?;
    during?;
    goes_on(&stack, &person).await?;
    seen("EHR", gone)
}

async fn goes_on(stack: &Stack, person: &Person) -> anyhow::Result<()> {
    let outside = &stack.outside;
    // By every replica: each learns for itself that what was gone is back.
    let in_turn = 4 * stack.replicas("fhir-gateway")?.len();
    eventually("reads are answered again", || async {
        for _ in 0..in_turn {
            if person.read(outside).await? != Some(200) {
                return Ok(false);
            }
        }
        Ok(true)
    })
    .await?;
    for service in ["launch-auth", "token-vault", "fhir-gateway", "audit"] {
        for replica in stack.replicas(service)? {
            stack.until_ready(&replica, true).await?;
        }
    }
    let again = Person::launch(outside, 1).await.context("a launch afterwards")?;
    ensure!(again.read(outside).await? == Some(200), "a new launch reads");
    Ok(())
}

/// Until the outage is as long as it is to be.
async fn lasts(gone: Instant) {
    tokio::time::sleep_until(gone + outage()).await;
}

fn seen(server: &str, gone: Instant) -> anyhow::Result<()> {
    let seen = format!("{server}, gone for {} s", gone.elapsed().as_secs());
    account("a server gone under a whole instance", 1, "outages", &seen, None)
}
