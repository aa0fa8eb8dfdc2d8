//! A process that is killed in the middle of its work: whatever it had answered before stands in the audit log after it
//! has been started again on the same folder (invariant 4).

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use sallyport::{
    demo::{Outside, browser::Browser, ehr_launch},
    ready::Ready,
};
use sallyport_model::RequestId;
use sallyport_proto::{
    audit::v1::{Kind, Phase, QueryRequest},
    convert,
};
use sallyport_testkit::assurance::Report;
use tokio::{sync::Mutex, task::JoinSet, time::Instant};
use url::Url;

use super::eventually;

/// A started binary; it is killed with this value.
struct Process {
    child: Child,
    ready: Ready,
}

impl Process {
    async fn start(folder: &Path) -> anyhow::Result<Self> {
        let ready_file = folder.join("ready.json");
        if ready_file.exists() {
            std::fs::remove_file(&ready_file)?;
        }
        let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log.ndjson"))?;
        let mut child = Command::new(binary()?)
            .args(["up", "--listen", "localhost:0", "--ehr-listen", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(folder.join("data"))
            .arg("--ready-file")
            .arg(&ready_file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::from(log))
            .spawn()
            .context("the binary does not start")?;
        let deadline = Instant::now() + Duration::from_secs(60);
        while !ready_file.exists() {
            if let Some(status) = child.try_wait()? {
                bail!(
                    "the process ended with {status}: {}",
                    std::fs::read_to_string(folder.join("log.ndjson"))?
                );
            }
            ensure!(Instant::now() < deadline, "the process is not ready after a minute");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { child, ready: Ready::read(&ready_file)? })
    }

    /// SIGKILL: nothing of it runs any more.
    fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already, or to be ended now: both are fine.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The product's binary beside this test's own, built if need be.
pub(crate) fn binary() -> anyhow::Result<PathBuf> {
    if let Some(given) = std::env::var_os("SALLYPORT_BINARY") {
        return Ok(PathBuf::from(given));
    }
    let own = std::env::current_exe()?;
    let profile = own.parent().and_then(Path::parent).context("no target folder")?;
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--quiet", "--package", "sallyport", "--bin", "sallyport", "--target-dir"]);
    build.arg(profile.parent().context("no target folder")?);
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    if profile.ends_with("release") {
        build.arg("--release");
    }
    ensure!(build.status().context("cargo does not start")?.success(), "the binary does not build");
    Ok(profile.join("sallyport"))
}

/// Where the process is killed, as a number of answers: different from round to round, the same from run to run.
const KILL_AFTER: [usize; 3] = [37, 211, 118];

/// How many callers work at the same time.
const CALLERS: usize = 6;

/// Request ids, as records hold them.
type Ids = BTreeSet<Vec<u8>>;

/// What callers were given.
#[derive(Default, Clone)]
struct Answered {
    /// Patient data: there must be an intent.
    released: Ids,
    /// Refusals are answers too: there must be a record.
    refused: Ids,
}

/// What the log holds of FHIR calls.
struct Recorded {
    intents: Ids,
    all: Ids,
}

impl Recorded {
    fn missing(&self, answered: &Answered) -> (usize, usize) {
        let without_intent = answered.released.difference(&self.intents).count();
        (without_intent, answered.refused.difference(&self.all).count())
    }
}

/// Calls, a kill without warning, a new start on the same folder; three times over.
///
/// # Errors
/// When an answer that was given is not in the audit log.
pub async fn no_answer_without_its_record() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut process = Process::start(folder.path()).await?;
    let mut report = Report::new("killed process").scenario("all in one, embedded").unit("kills");
    for kill_after in KILL_AFTER {
        let answered = call_until_killed(process, kill_after).await?;
        let (released, refused) = (answered.released.len(), answered.refused.len());
        ensure!(
            released + refused >= kill_after && refused > 0,
            "only {released} and {refused} answers before the kill"
        );
        process = Process::start(folder.path()).await?;
        let outside = Outside::connect(&process.ready).await?;
        let whole = || async { Ok((recorded(&outside).await?.missing(&answered) == (0, 0)).then_some(())) };
        if eventually("every answer is in the audit log", Duration::from_secs(30), whole).await.is_err() {
            let (data, refusals) = recorded(&outside).await?.missing(&answered);
            bail!("{data} of {released} answers have no intent, {refusals} of {refused} refusals no record");
        }
        report.add_tried(1);
    }
    report.write();
    process.kill()
}

/// The request ids of every answer to a FHIR call that arrived before the process was killed.
async fn call_until_killed(process: Process, kill_after: usize) -> anyhow::Result<Answered> {
    let outside = Outside::connect(&process.ready).await?;
    let patient = outside.patients().await?.into_iter().next().context("a patient")?;
    let mut browser = Browser::new();
    let launched = ehr_launch(&outside, &mut browser, &patient).await?;
    let paths = [
        format!("Patient/{patient}"),
        "Condition".to_owned(),
        "Observation?_count=5".to_owned(),
        "Patient/other".to_owned(),
    ];
    let urls: Vec<Url> =
        paths.iter().map(|path| launched.url(&outside, "fhir", path)).collect::<Result<_, _>>()?;
    let (answers, ids) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Answered::default())));
    let mut callers: JoinSet<anyhow::Result<()>> = JoinSet::new();
    for caller in 0..CALLERS {
        let (mut tab, urls) = (browser.clone(), urls.clone());
        let (answers, ids) = (Arc::clone(&answers), Arc::clone(&ids));
        callers.spawn(async move {
            for url in urls.iter().cycle().skip(caller) {
                // A broken connection is the kill.
                let Ok(page) = tab.fetch(url).await else { return Ok(()) };
                let id = page.headers.get("x-request-id").context("an answer without X-Request-Id")?;
                let id = convert::id_bytes(RequestId::parse(id.to_str()?)?.uuid());
                let mut ids = ids.lock().await;
                if page.status == 200 {
                    ids.released.insert(id)
                } else {
                    ids.refused.insert(id)
                };
                drop(ids);
                answers.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        });
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while answers.load(Ordering::SeqCst) < kill_after {
        ensure!(Instant::now() < deadline, "only {} answers in a minute", answers.load(Ordering::SeqCst));
        tokio::task::yield_now().await;
    }
    process.kill()?;
    while let Some(caller) = callers.join_next().await {
        caller.context("a caller panicked")??;
    }
    let ids = ids.lock().await.clone();
    Ok(ids)
}

/// The request ids of every record of a FHIR call, page by page.
async fn recorded(outside: &Outside) -> anyhow::Result<Recorded> {
    let mut found = Recorded { intents: Ids::new(), all: Ids::new() };
    let mut after = Vec::new();
    loop {
        let request = QueryRequest {
            tenant: "general".to_owned(),
            from: 1,
            until: i64::MAX,
            limit: 1_000,
            after_record: after.clone(),
            operator: "test".to_owned(),
            reason: "every answer has its record".to_owned(),
            ..QueryRequest::default()
        };
        let page = outside.audit().query(request).await?.into_inner().records;
        let Some(last) = page.last() else { return Ok(found) };
        // Intent and outcome share their id: a place in the log is the id and the phase.
        after.clone_from(&last.record_id);
        after.push(u8::try_from(last.phase)?);
        for record in page.iter().filter(|record| record.kind() == Kind::FhirCall) {
            if record.phase() == Phase::Intent {
                found.intents.insert(record.request_id.clone());
            }
            found.all.insert(record.request_id.clone());
        }
    }
}
