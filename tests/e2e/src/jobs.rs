//! Jobs end to end: the composed binary crawls the sandbox EHR, each in a process of its own, and is killed, stopped and cut off
//! while it does. What it kept in the end must be what an undisturbed run keeps.

mod exports;
mod house;

use std::time::Duration;

use anyhow::{Context, ensure};
use http::Method;
use sallyport_model::ServiceName;
use sallyport_proto::jobs::v1::{
    ControlRequest, DryRunRequest, GetRunRequest, ListDeadLettersRequest, Progress, Run, StartRequest,
    jobs_client::JobsClient,
};
use sallyport_rpc::Transport;
use sallyport_testkit::assurance::Report;
use serde_json::json;
use tokio::time::Instant;

use crate::stack::{is_long, outage};
pub use exports::a_killed_export_keeps_what_an_undisturbed_one_keeps;
use house::House;

/// How many patients the crawl is over.
const PATIENTS: usize = 200;

/// Different from run to run only when somebody asks for it.
const SEED: u64 = 20_261_130;

/// How long anything may take that has to happen by itself; a crawl of thousands of patients longer.
fn patience() -> Duration {
    Duration::from_secs(if is_long() { 3_600 } else { 300 })
}

/// What a run has kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kept {
    items: i64,
    results: i64,
    resources: i64,
    subjects: i64,
    rewritten: i64,
    quarantined: i64,
}

impl From<Progress> for Kept {
    fn from(progress: Progress) -> Self {
        Self {
            items: progress.items_done,
            results: progress.results,
            resources: progress.resources,
            subjects: progress.subjects,
            rewritten: progress.rewritten,
            quarantined: progress.quarantined,
        }
    }
}

/// An instance and its run.
struct Crawl {
    house: House,
    run: Vec<u8>,
}

impl Crawl {
    async fn start(house: House) -> anyhow::Result<Self> {
        Self::start_job(house, "nightly").await
    }

    async fn start_job(house: House, job: &str) -> anyhow::Result<Self> {
        let request = StartRequest {
            tenant: "general".to_owned(),
            job: job.to_owned(),
            by: "a test".to_owned(),
            reason: "a test".to_owned(),
            ..StartRequest::default()
        };
        let run = client(&house).await?.start(request).await?.into_inner();
        Ok(Self { house, run: run.run_id })
    }

    /// `None` while the process is not there.
    async fn look(&self) -> Option<Run> {
        let mut client = client(&self.house).await.ok()?;
        let request = GetRunRequest { run_id: self.run.clone() };
        let look = tokio::time::timeout(Duration::from_secs(5), client.get_run(request));
        look.await.ok()?.ok().map(tonic::Response::into_inner)
    }

    async fn done(&self) -> i64 {
        self.look().await.and_then(|run| run.progress).map_or(0, |progress| progress.items_done)
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Run) -> bool) -> anyhow::Result<Run> {
        let deadline = Instant::now() + patience();
        loop {
            let seen = self.look().await;
            if let Some(run) = seen.as_ref().filter(|run| is_so(run)) {
                return Ok(run.clone());
            }
            ensure!(Instant::now() < deadline, "{what}: did not happen; last seen {seen:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn more(&self, items: i64) -> anyhow::Result<()> {
        let from = self.done().await;
        self.until("more items", |run| {
            run.state != "running" || run.progress.as_ref().is_some_and(|p| p.items_done >= from + items)
        })
        .await
        .map(|_run| ())
    }

    /// The end of the run, and what it kept.
    async fn end(&self) -> anyhow::Result<Kept> {
        let run = self.until("the run to be over", |run| run.state != "running").await?;
        ensure!(run.state == "done", "the run is {}: {} {}", run.state, run.code, run.scope);
        Ok(run.progress.context("progress")?.into())
    }

    /// The codes of what was set aside.
    async fn set_aside_for(&self) -> anyhow::Result<Vec<String>> {
        let request =
            ListDeadLettersRequest { run_id: self.run.clone(), ..ListDeadLettersRequest::default() };
        let letters = client(&self.house).await?.list_dead_letters(request).await?.into_inner().letters;
        Ok(letters.into_iter().map(|letter| letter.code).collect())
    }
}

async fn client(house: &House) -> anyhow::Result<JobsClient<Transport>> {
    Ok(JobsClient::new(house.operator(ServiceName::JobWorker).await?))
}

/// A small generator whose whole state is its seed (SplitMix64).
struct Seeded(u64);

impl Seeded {
    fn millis(&mut self, from: u64, below: u64) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_millis(from + (z ^ (z >> 31)) % (below - from))
    }
}

fn seed() -> u64 {
    std::env::var("SALLYPORT_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(SEED)
}

/// What an undisturbed run keeps: everything, once. The dry run said so before, and nothing had been read.
///
/// # Errors
/// What was otherwise.
pub async fn a_crawl_keeps_everything_once() -> anyhow::Result<()> {
    let house = House::open(PATIENTS).await?;
    let request = DryRunRequest { tenant: "general".to_owned(), job: "nightly".to_owned() };
    let seen = client(&house).await?.dry_run(request).await?.into_inner();
    ensure!(seen.items == i64::try_from(PATIENTS)? && seen.obstacles.is_empty(), "{seen:?}");
    ensure!(house.fhir_requests().await? == 0, "a dry run asked the EHR");
    let crawl = Crawl::start(house).await?;
    let kept = crawl.end().await?;
    whole(&kept, PATIENTS)?;
    // Everybody has an observation in the sandbox, and each call of the run has its record.
    ensure!(kept.resources > 2 * i64::try_from(PATIENTS)?, "{kept:?}");
    Ok(())
}

fn whole(kept: &Kept, patients: usize) -> anyhow::Result<()> {
    let all = i64::try_from(patients)?;
    ensure!(kept.items == all && kept.subjects == all, "lost: {kept:?}");
    ensure!(kept.rewritten == 0, "doubled: {kept:?}");
    ensure!(kept.quarantined == 0, "set aside: {kept:?}");
    Ok(())
}

/// Seeded `kill -9` of the whole process, 20 times over 200 patients or 1,000 times over 10,000: nothing is lost, nothing doubled.
///
/// # Errors
/// What was.
pub async fn kills_lose_nothing_and_double_nothing() -> anyhow::Result<()> {
    let (kills, patients) = if is_long() { (1_000, 10_000) } else { (20, PATIENTS) };
    let mut random = Seeded(seed());
    let mut crawl = Crawl::start(House::open(patients).await?).await?;
    let (mut tried, mut runs) = (0_u64, 0_u64);
    while tried < kills {
        tokio::time::sleep(random.millis(50, 700)).await;
        crawl.house.kill()?;
        tried += 1;
        crawl.house.start().await?;
        if crawl.look().await.is_some_and(|run| run.state == "done") {
            whole(&crawl.end().await?, patients)
                .with_context(|| format!("after {tried} kills, seed {}", seed()))?;
            runs += 1;
            if tried < kills {
                crawl.house.forget_results().await?;
                crawl = Crawl::start(crawl.house).await?;
            }
        }
    }
    whole(&crawl.end().await?, patients).with_context(|| format!("seed {}", seed()))?;
    let report = Report::new("kill -9 of the worker during a crawl").tried(tried).unit("kills");
    report.scenario(&format!("{} runs over {patients} patients", runs + 1)).seed(seed()).write();
    Ok(())
}

/// SIGSTOP beyond the lease, then SIGCONT, 5 times or 200: nothing is written under a lease that is over.
///
/// # Errors
/// What was.
pub async fn a_process_that_stood_still_writes_nothing_late() -> anyhow::Result<()> {
    let stops = if is_long() { 200 } else { 5 };
    let mut crawl = Crawl::start(House::open(PATIENTS).await?).await?;
    let mut tried = 0_u64;
    while tried < stops {
        crawl.more(3).await?;
        crawl.house.signal("STOP")?;
        // The lease is a second in these tests.
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        crawl.house.signal("CONT")?;
        tried += 1;
        if crawl.look().await.is_some_and(|run| run.state == "done") && tried < stops {
            whole(&crawl.end().await?, PATIENTS)?;
            crawl.house.forget_results().await?;
            crawl = Crawl::start(crawl.house).await?;
        }
    }
    whole(&crawl.end().await?, PATIENTS)?;
    Report::new("SIGSTOP of the worker beyond its lease").tried(tried).unit("stops").write();
    Ok(())
}

/// The EHR is gone for 6 s, or a minute: the run waits, keeps its checkpoints, sets nobody aside and comes to its end.
///
/// # Errors
/// What was otherwise.
pub async fn an_ehr_that_is_gone_is_waited_for() -> anyhow::Result<()> {
    let crawl = Crawl::start(House::open(PATIENTS).await?).await?;
    crawl.more(10).await?;
    crawl.house.ehr_signal("STOP")?;
    let gone = Instant::now();
    tokio::time::sleep(outage()).await;
    let run = crawl.look().await.context("the operator's door is open meanwhile")?;
    ensure!(run.state == "running", "the run is {} {}", run.state, run.code);
    crawl.house.ehr_signal("CONT")?;
    whole(&crawl.end().await?, PATIENTS)?;
    let report = Report::new("EHR gone during a crawl").tried(1).unit("outages");
    report.scenario(&format!("{} s", gone.elapsed().as_secs())).write();
    Ok(())
}

/// A registered scope is taken away: the run stops within a batch, says which, and keeps its checkpoint.
///
/// # Errors
/// What was otherwise.
pub async fn a_scope_that_is_taken_away_stops_the_run() -> anyhow::Result<()> {
    let house = House::open(PATIENTS).await?;
    let crawl = Crawl::start(house).await?;
    crawl.more(5).await?;
    crawl.house.register(&["system/Patient.rs", "system/Condition.rs"]).await?;
    crawl.house.end_tokens().await?;
    let run = crawl.until("the run to stop", |run| run.state != "running").await?;
    ensure!(run.code == "job.scope_changed", "{} {}", run.code, run.scope);
    ensure!(run.scope.contains("-system/Observation.rs"), "it does not say which: {}", run.scope);
    let progress = run.progress.context("progress")?;
    ensure!(progress.items_done < i64::try_from(PATIENTS)? && progress.quarantined == 0, "{progress:?}");
    crawl.house.register(house::SCOPES).await?;
    crawl.house.end_tokens().await?;
    let request =
        ControlRequest { run_id: crawl.run.clone(), by: "a test".to_owned(), reason: "restored".to_owned() };
    client(&crawl.house).await?.retry(request).await?;
    whole(&crawl.end().await?, PATIENTS)
}

impl House {
    /// Removes what earlier runs kept, so that the next one's is its own.
    async fn forget_results(&self) -> anyhow::Result<()> {
        let request = sallyport_proto::jobs::v1::EraseRequest {
            tenant: "general".to_owned(),
            by: "a test".to_owned(),
            reason: "the next run begins anew".to_owned(),
            ..sallyport_proto::jobs::v1::EraseRequest::default()
        };
        client(self).await?.erase(request).await?;
        Ok(())
    }

    /// Registers the client at the sandbox with these scopes.
    async fn register(&self, scopes: &[&str]) -> anyhow::Result<()> {
        let client = json!({
            "client_id": "reports",
            "name": "Reports",
            "launch_url": format!("{}/launch/reports", self.app()),
            "redirect_uris": [format!("{}/callback/reports", self.app())],
            "auth": { "type": "jwks_uri", "value": format!("{}/.well-known/jwks.json", self.app()) },
            "scopes": scopes,
        });
        self.sandbox(Method::POST, "clients", Some(client)).await.map(|_| ())
    }

    /// Ends every token, as time would: the next call asks for a new one.
    async fn end_tokens(&self) -> anyhow::Result<()> {
        self.sandbox(Method::POST, "revoke", Some(json!({ "client_id": "reports" }))).await.map(|_| ())
    }

    /// FHIR requests that reached the sandbox.
    async fn fhir_requests(&self) -> anyhow::Result<usize> {
        let log = self.sandbox(Method::GET, "requests?kind=fhir", None).await?;
        let requests = log.get("requests").and_then(serde_json::Value::as_array).context("a log")?;
        let fhir = requests.iter().filter(|r| r.get("kind").and_then(|k| k.as_str()) == Some("fhir"));
        Ok(fhir.count())
    }
}
