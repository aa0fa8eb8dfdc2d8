//! The product as separate processes on real servers (`scripts/stack`), seen and disturbed from outside.
//!
//! One stack serves all tests of a binary, one test at a time: `SALLYPORT_TEST_STACK` names its folder. Each test leaves
//! it whole.

pub mod kills;
pub mod lifecycle;
pub mod load;
pub mod outages;
pub mod revoking;
pub mod storm;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use sallyport::{
    demo::{Outside, browser::Browser},
    ready::Ready,
};
use sallyport_testkit::assurance::Report;
use tokio::{
    process::Command,
    sync::{Mutex, MutexGuard},
    time::Instant,
};
use url::Url;

/// How long anything may take that has to happen by itself.
pub const PATIENCE: Duration = Duration::from_secs(60);

static ALONE: Mutex<()> = Mutex::const_new(());

/// A running stack, for one test at a time.
pub struct Stack {
    folder: PathBuf,
    /// How it is seen.
    pub outside: Outside,
    _alone: MutexGuard<'static, ()>,
}

impl Stack {
    /// Takes the stack; it is whole, whatever an earlier test left behind.
    ///
    /// # Errors
    /// When there is none, or it cannot be made whole.
    pub async fn take() -> anyhow::Result<Self> {
        let alone = ALONE.lock().await;
        let folder = std::env::var_os("SALLYPORT_TEST_STACK").map(PathBuf::from).context(
            "SALLYPORT_TEST_STACK names no stack: scripts/stack up DIR fhir-gateway=3 token-vault=2 launch-auth=2 \
             starts one",
        )?;
        script("up", &folder, &[]).await?;
        let ready = Ready::read(&folder.join("ready.json"))?;
        let outside = Outside::connect(&ready).await?;
        outside.clear_faults().await?;
        Ok(Self { folder, outside, _alone: alone })
    }

    /// Where it keeps everything.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts processes or servers and waits until they are ready.
    ///
    /// # Errors
    /// When they do not become ready.
    pub async fn start(&self, names: &[&str]) -> anyhow::Result<()> {
        script("start", &self.folder, names).await
    }

    /// Starts processes without waiting for them.
    ///
    /// # Errors
    /// When they cannot be started.
    pub async fn begin(&self, names: &[&str]) -> anyhow::Result<()> {
        script("begin", &self.folder, names).await
    }

    /// Ends them in good order.
    ///
    /// # Errors
    /// When there is no such process.
    pub async fn stop(&self, names: &[&str]) -> anyhow::Result<()> {
        script("stop", &self.folder, names).await
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When there is no such process.
    pub async fn kill(&self, names: &[&str]) -> anyhow::Result<()> {
        script("kill", &self.folder, names).await
    }

    /// SIGSTOP: there, but answering nothing.
    ///
    /// # Errors
    /// When there is no such process.
    pub async fn pause(&self, names: &[&str]) -> anyhow::Result<()> {
        script("pause", &self.folder, names).await
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// When there is no such process.
    pub async fn resume(&self, names: &[&str]) -> anyhow::Result<()> {
        script("resume", &self.folder, names).await
    }

    /// The processes of a service.
    ///
    /// # Errors
    /// When the stack does not say what it has.
    pub fn replicas(&self, service: &str) -> anyhow::Result<Vec<String>> {
        let names = std::fs::read_to_string(self.folder.join("names"))?;
        let own = |name: &&str| name.rsplit_once('-').is_some_and(|(own, _)| own == service);
        Ok(names.lines().filter(own).map(str::to_owned).collect())
    }

    /// The address of a process's admin port.
    ///
    /// # Errors
    /// When it has none.
    pub fn admin(&self, name: &str) -> anyhow::Result<Url> {
        let port = std::fs::read_to_string(self.folder.join(format!("{name}-admin.port")))
            .with_context(|| format!("there is no {name}"))?;
        Ok(Url::parse(&format!("http://127.0.0.1:{}/", port.trim()))?)
    }

    /// What a process says of itself: `ready`, `live`, `metrics` …; `None` when it does not answer.
    ///
    /// # Errors
    /// When there is no such process.
    pub async fn ask(&self, name: &str, path: &str) -> anyhow::Result<Option<(u16, String)>> {
        let url = self.admin(name)?.join(path)?;
        Ok(Browser::new().fetch(&url).await.ok().map(|page| (page.status, page.text())))
    }

    /// Waits until a process says that it is ready, or that it is not.
    ///
    /// # Errors
    /// When it says the other for too long.
    pub async fn until_ready(&self, name: &str, is_ready: bool) -> anyhow::Result<()> {
        eventually(&format!("{name} ready: {is_ready}"), || async {
            let said = self.ask(name, "ready").await?;
            Ok(said.map_or(!is_ready, |(status, _)| (status == 200) == is_ready))
        })
        .await
    }

    /// The sum of a metric over the replicas of a service, over all its labels that contain `labels`.
    ///
    /// # Errors
    /// When a replica does not answer.
    pub async fn metric(&self, service: &str, name: &str, labels: &str) -> anyhow::Result<f64> {
        let mut sum = 0.0;
        for replica in self.replicas(service)? {
            let (_, text) = self.ask(&replica, "metrics").await?.context("no metrics")?;
            let own = text.lines().filter(|line| line.starts_with(name) && line.contains(labels));
            sum += own.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>();
        }
        Ok(sum)
    }
}

/// Runs `scripts/stack`.
async fn script(command: &str, folder: &Path, names: &[&str]) -> anyhow::Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/stack");
    let done = Command::new(script)
        .arg(command)
        .arg(folder)
        .args(names)
        .stdin(Stdio::null())
        .output()
        .await
        .context("scripts/stack does not start")?;
    if !done.status.success() {
        bail!("scripts/stack {command} {names:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(())
}

/// Polls until `check` says yes.
///
/// # Errors
/// When it does not within [`PATIENCE`], or cannot tell.
pub async fn eventually<F, Fut>(what: &str, check: F) -> anyhow::Result<()>
where
    F: Fn() -> Fut,
    Fut: Future<Output = anyhow::Result<bool>>,
{
    let deadline = Instant::now() + PATIENCE;
    while !check().await? {
        ensure!(Instant::now() < deadline, "{what}: did not happen within {} s", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Whether the long form of a suite was asked for.
pub fn is_long() -> bool {
    std::env::var("SALLYPORT_TEST_LONG").is_ok_and(|value| value == "1")
}

/// How long a server is gone: 6 s, or a minute in the long form.
pub fn outage() -> Duration {
    Duration::from_secs(if is_long() { 60 } else { 6 })
}

/// Writes down what a scenario tried when nothing of it failed.
///
/// # Errors
/// When a count is beyond all bounds.
pub fn account(suite: &str, tried: usize, unit: &str, seen: &str, seed: Option<u64>) -> anyhow::Result<()> {
    let report = Report::new(suite).tried(u64::try_from(tried)?).unit(unit).scenario(seen);
    match seed {
        Some(seed) => report.seed(seed).write(),
        None => report.write(),
    }
    Ok(())
}
