//! Callers that read through the front door and remember every answer by its request id.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use sallyport::demo::{
    Launched, Outside,
    browser::{Browser, Page},
    ehr_launch,
};
use sallyport_model::RequestId;
use sallyport_proto::{
    audit::v1::{Kind, Phase, QueryRequest},
    convert,
};
use tokio::{task::JoinSet, time::Instant};
use url::Url;

use super::eventually;

/// Request ids, as records hold them.
pub type Ids = BTreeSet<Vec<u8>>;

/// A person with a chart open.
#[derive(Clone)]
pub struct Person {
    /// Her browser.
    pub browser: Browser,
    /// Her launch.
    pub launched: Arc<Launched>,
}

impl Person {
    /// Launches from the EHR with the patient of that number.
    ///
    /// # Errors
    /// When the launch does not reach the chart.
    pub async fn launch(outside: &Outside, number: usize) -> anyhow::Result<Self> {
        let patients = outside.patients().await?;
        let patient = patients.get(number % patients.len()).context("a patient")?;
        let mut browser = Browser::new();
        let launched = ehr_launch(outside, &mut browser, patient).await?;
        Ok(Self { browser, launched: Arc::new(launched) })
    }

    /// The address of her patient.
    ///
    /// # Errors
    /// When the address cannot be made.
    pub fn patient(&self, outside: &Outside) -> anyhow::Result<Url> {
        self.launched.url(outside, "fhir", &format!("Patient/{}", self.launched.patient))
    }

    /// Reads her patient once; the status, or `None` when the connection broke.
    ///
    /// # Errors
    /// When the address cannot be made.
    pub async fn read(&self, outside: &Outside) -> anyhow::Result<Option<u16>> {
        let url = self.patient(outside)?;
        Ok(self.browser.clone().fetch(&url).await.ok().map(|page| page.status))
    }
}

/// What callers were given.
#[derive(Debug, Default, Clone)]
pub struct Answers {
    /// With data: there must be an intent.
    pub released: Ids,
    /// By status, everything else that carried a request id of the gateway.
    pub refused: BTreeMap<u16, usize>,
    /// Connections that broke.
    pub broken: usize,
    /// Answers of another patient. Never.
    pub foreign: usize,
}

impl Answers {
    /// Counts one answer, which holds `canary` when it holds the own patient; `None` when the connection broke.
    fn take(&mut self, page: Option<Page>, canary: &str) {
        let Some(page) = page else {
            self.broken += 1;
            return;
        };
        let id = page.headers.get("x-request-id").and_then(|id| id.to_str().ok());
        match (page.status, id.and_then(|id| RequestId::parse(id).ok())) {
            (200, Some(id)) => {
                let text = page.text();
                self.foreign += usize::from(text.contains("canary-") && !text.contains(canary));
                self.released.insert(convert::id_bytes(id.uuid()));
            }
            (status, _) => *self.refused.entry(status).or_default() += 1,
        }
    }

    /// How many answers there were in all.
    pub fn total(&self) -> usize {
        self.released.len() + self.refused.values().sum::<usize>() + self.broken
    }
}

/// Callers at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    answers: Arc<Mutex<Answers>>,
    callers: JoinSet<()>,
}

impl Load {
    /// Starts `callers` that share the persons' launches; each waits `pause` between two calls.
    ///
    /// # Errors
    /// When an address cannot be made.
    pub fn start(
        outside: &Outside,
        persons: &[Person],
        callers: usize,
        pause: Duration,
    ) -> anyhow::Result<Self> {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let answers = Arc::new(Mutex::new(Answers::default()));
        let mut tasks = JoinSet::new();
        for caller in 0..callers {
            let person = persons.get(caller % persons.len()).context("a person")?.clone();
            let urls = [
                person.patient(outside)?,
                person.launched.url(outside, "fhir", "Condition")?,
                person.launched.url(outside, "fhir", "Observation?_count=5")?,
            ];
            let (stop, count, answers) = (Arc::clone(&stop), Arc::clone(&count), Arc::clone(&answers));
            tasks.spawn(async move {
                let mut browser = person.browser.clone();
                let canary = format!("canary-{}\"", person.launched.patient);
                for url in urls.iter().cycle().skip(caller) {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let page = browser.fetch(url).await.ok();
                    answers.lock().unwrap_or_else(PoisonError::into_inner).take(page, &canary);
                    count.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(pause).await;
                }
            });
        }
        Ok(Self { stop, count, answers, callers: tasks })
    }

    /// Waits until that many more calls were answered.
    ///
    /// # Errors
    /// When they are not within a minute.
    pub async fn more(&self, calls: usize) -> anyhow::Result<()> {
        let goal = self.count.load(Ordering::SeqCst) + calls;
        let deadline = Instant::now() + super::PATIENCE;
        while self.count.load(Ordering::SeqCst) < goal {
            ensure!(Instant::now() < deadline, "the callers were not answered");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// What was answered so far.
    pub fn so_far(&self) -> Answers {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the callers.
    pub async fn end(mut self) -> Answers {
        self.stop.store(true, Ordering::SeqCst);
        while self.callers.join_next().await.is_some() {}
        self.so_far()
    }
}

/// The request ids of FHIR calls in the audit log since a time.
#[derive(Debug, Default)]
pub struct Recorded {
    /// Of intents.
    pub intents: Ids,
    /// Their traces, as the EHR saw them.
    pub traces: BTreeSet<String>,
    /// Which request asked under which trace; under two, where the front door asked a second replica.
    pub calls: BTreeSet<(Vec<u8>, String)>,
    /// Record ids of intents that were met twice.
    pub doubled: usize,
    seen: Ids,
}

/// Reads the log page by page.
///
/// # Errors
/// When it cannot be asked.
pub async fn recorded(outside: &Outside, from: i64) -> anyhow::Result<Recorded> {
    let mut found = Recorded::default();
    let mut after = Vec::new();
    loop {
        let request = QueryRequest {
            tenant: "general".to_owned(),
            from,
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
        for record in page.iter().filter(|r| r.kind() == Kind::FhirCall && r.phase() == Phase::Intent) {
            found.intents.insert(record.request_id.clone());
            found.traces.insert(record.trace_id.clone());
            found.calls.insert((record.request_id.clone(), record.trace_id.clone()));
            found.doubled += usize::from(!found.seen.insert(record.record_id.clone()));
        }
    }
}

/// Waits until the log holds an intent for each answer with data.
///
/// # Errors
/// How many are missing.
pub async fn audit_holds(outside: &Outside, from: i64, answers: &Answers) -> anyhow::Result<Recorded> {
    let whole = || async { Ok(answers.released.is_subset(&recorded(outside, from).await?.intents)) };
    let result = eventually("every answer is in the audit log", whole).await;
    let found = recorded(outside, from).await?;
    let missing = answers.released.difference(&found.intents).count();
    ensure!(missing == 0, "{missing} of {} answers have no intent", answers.released.len());
    result?;
    ensure!(answers.foreign == 0, "{} answers held another patient", answers.foreign);
    Ok(found)
}

/// The traces of the FHIR calls that reached the EHR after a number of its log.
///
/// # Errors
/// When the EHR does not tell, or its log holds no longer all that came after.
pub async fn reached_the_ehr(outside: &Outside, since: u64) -> anyhow::Result<Vec<String>> {
    let requests = outside.requests(since).await?;
    let first = requests.first().and_then(|r| r.get("seq")).and_then(serde_json::Value::as_u64);
    ensure!(first.is_none_or(|first| first == since + 1), "the EHR's log has dropped its oldest entries");
    let calls = requests.iter().filter(|r| r.get("kind").and_then(serde_json::Value::as_str) == Some("fhir"));
    let trace = |call: &serde_json::Value| {
        let parent = call.pointer("/headers/traceparent")?.as_str()?;
        Some(parent.split('-').nth(1)?.to_owned())
    };
    calls.map(|call| trace(call).context("a call to the EHR without a trace")).collect()
}

/// How many answers with data were given without a call of their own at the EHR, by their records. None: nothing answers
/// from memory.
pub fn without_a_call(answers: &Answers, found: &Recorded, reached: &[String]) -> usize {
    let reached: BTreeSet<&str> = reached.iter().map(String::as_str).collect();
    let asked = found.calls.iter().filter(|(_, trace)| reached.contains(trace.as_str()));
    let asked: BTreeSet<&[u8]> = asked.map(|(request, _)| request.as_slice()).collect();
    answers.released.iter().filter(|request| !asked.contains(request.as_slice())).count()
}

/// Now, in microseconds.
pub fn now() -> i64 {
    use sallyport_model::Clock;
    sallyport_model::SystemClock.now()
}
