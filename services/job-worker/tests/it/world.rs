//! Workers on one database and one queue, their peers in memory, and an operator.

use std::{future::Future, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use sallyport_audit_client::{AuditClient, Settings, faults::read_spool};
use sallyport_db::{Pool, testing};
use sallyport_job_worker::{Config, MIGRATIONS, Ports, build};
use sallyport_keyring::testing::MemoryKey;
use sallyport_model::{RequestId, ServiceName, SystemClock};
use sallyport_proto::{
    audit::v1::Record,
    jobs::v1::{ControlRequest, GetRunRequest, Progress, Run, StartRequest, jobs_client::JobsClient},
};
use sallyport_registry::Registry;
use sallyport_rpc::{Served, Transport};
use sallyport_telemetry::metrics::Metrics;
use tokio::{sync::watch, task::JoinSet};
use tonic::Status;
use uuid::Uuid;

use crate::{broker::Broker, ehr::Ehr, owners::Owners};

/// A crawl over so many patients `p000 …`, in small batches.
pub(crate) fn crawl(id: &str, tenant: &str, patients: usize, more: &str) -> String {
    let ids: Vec<String> = (0..patients).map(|n| format!("\"p{n:03}\"")).collect();
    format!(
        "[[job]]\nid = \"{id}\"\ntitle = \"A crawl\"\nkind = \"crawl\"\nfeature = \"crawl\"\n\
         registration = \"{tenant}-backend\"\npurpose = \"HOPERAT\"\nidentity = \"backend\"\non = true\n\
         stage = \"general\"\n{more}\n[job.cohort]\npatients = [{}]\n",
        ids.join(", ")
    )
}

/// A tenant's file with these jobs.
pub(crate) fn tenant(id: &str, jobs: &str) -> (PathBuf, String) {
    let text = include_str!("tenant.toml").replace("{tenant}", id).replace("{jobs}", jobs);
    (PathBuf::from(format!("{id}.toml")), text)
}

/// Quick, so that nothing has to be waited for long.
pub(crate) fn quick() -> Config {
    Config {
        slots: 4,
        lease_ms: 1_000,
        relay_interval_ms: 20,
        lost_after_ms: 1_000,
        slice_ms: 100,
        retry_ms: 20,
        stop_grace_ms: 500,
        catch_up_seconds: 3_600,
        ..Config::default()
    }
}

type Background = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A process of the service. Dropped, it is as dead as one that was killed.
pub(crate) struct Worker {
    pub(crate) served: Served,
    pub(crate) metrics: Metrics,
    tasks: JoinSet<()>,
    shutdown: watch::Sender<bool>,
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) pool: Pool,
    pub(crate) ehr: Ehr,
    pub(crate) owners: Owners,
    pub(crate) queue: Arc<Broker>,
    pub(crate) kek: Arc<MemoryKey>,
    /// Another gateway than [`World::ehr`]'s.
    pub(crate) gateway: Option<Transport>,
    pub(crate) folder: Arc<tempfile::TempDir>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) config: Config,
}

/// Runs a test with these tenants on every database.
pub(crate) async fn each<F, Fut>(tenants: &[(PathBuf, String)], test: F)
where
    F: Fn(World) -> Fut,
    Fut: Future<Output = ()>,
{
    let test = &test;
    testing::each(MIGRATIONS, |pool| async move {
        test(World::new(pool, tenants, &quick())).await;
    })
    .await;
}

impl World {
    pub(crate) fn new(pool: Pool, tenants: &[(PathBuf, String)], config: &Config) -> Self {
        #[cfg(feature = "planted-bugs")]
        if let Ok(name) = std::env::var("SALLYPORT_PLANTED") {
            sallyport_model::planted::set(&[&name]);
        }
        let folder = tempfile::tempdir().unwrap();
        Self {
            pool,
            ehr: Ehr::default(),
            owners: Owners::new(),
            queue: Arc::default(),
            kek: MemoryKey::new(),
            gateway: None,
            config: Config { exports_folder: folder.path().join("exports"), ..config.clone() },
            folder: Arc::new(folder),
            registry: Arc::new(Registry::from_texts(tenants).unwrap()),
        }
    }

    /// With another registry: as after a change of the tenants' files and a restart.
    pub(crate) fn with(mut self, tenants: &[(PathBuf, String)]) -> Self {
        self.registry = Arc::new(Registry::from_texts(tenants).unwrap());
        self
    }

    /// Starts a process of the service; the same id again is a restart.
    pub(crate) async fn worker(&self, id: u128) -> Worker {
        self.worker_on(id, self.pool.replica(), &self.config).await
    }

    /// A process that answers operators and takes no work.
    pub(crate) async fn operator(&self) -> Worker {
        self.built(u128::MAX, self.pool.replica(), &self.config).await.0
    }

    pub(crate) async fn worker_on(&self, id: u128, pool: Pool, config: &Config) -> Worker {
        let (mut worker, background) = self.built(id, pool, config).await;
        for task in background {
            worker.tasks.spawn(task);
        }
        worker
    }

    async fn built(&self, id: u128, pool: Pool, config: &Config) -> (Worker, Vec<Background>) {
        let spool = self.folder.path().join(format!("audit-{}", RequestId::new(&SystemClock).uuid()));
        let clock = Arc::new(SystemClock);
        let opened =
            AuditClient::open(Settings::new(&spool), ServiceName::JobWorker, self.kek.kek(), clock.clone());
        let (audit, _relay) = opened.await.unwrap();
        let (shutdown, ending) = watch::channel(false);
        let metrics = Metrics::new();
        let ports = Ports {
            worker: Uuid::from_u128(id),
            registry: Arc::clone(&self.registry),
            pool,
            kek: self.kek.kek(),
            queue: self.queue.clone(),
            kv: Arc::new(sallyport_kv::InProcess::new(clock.clone())),
            gateway: self.gateway.clone().unwrap_or_else(|| self.ehr.transport()),
            token_vault: self.owners.token_vault(),
            launch_auth: self.owners.launch_auth(),
            audit,
            clock,
            metrics: metrics.clone(),
            shutdown: ending,
        };
        let service = build(config.clone(), ports).await.unwrap();
        let worker = Worker { served: service.rpc.unwrap(), metrics, tasks: JoinSet::new(), shutdown };
        (worker, service.background)
    }

    /// The files of exports, by their path.
    pub(crate) fn export_files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().join("exports")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        files
    }

    /// Every record of every process, whatever became of it.
    pub(crate) async fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        let spools = std::fs::read_dir(self.folder.path()).unwrap();
        for entry in spools.filter(|entry| entry.as_ref().unwrap().file_name() != "exports") {
            records.extend(read_spool(&entry.unwrap().path(), self.kek.kek()).await.unwrap());
        }
        records
    }

    /// A number from behind the door.
    pub(crate) async fn number(&self, query: &'static str) -> i64 {
        sallyport_db::on_pool!(self.pool, |c| sqlx::query_scalar::<_, i64>(query).fetch_one(c).await).unwrap()
    }

    /// The grant of the tenant's only run.
    pub(crate) async fn grant_of(&self, tenant: &'static str) -> Vec<u8> {
        let id: Uuid = sallyport_db::on_pool!(self.pool, |c| {
            sqlx::query_scalar("SELECT grant_id FROM runs WHERE tenant = $1").bind(tenant).fetch_one(c).await
        })
        .unwrap();
        id.as_bytes().to_vec()
    }

    /// Changes something behind the door.
    pub(crate) async fn execute(&self, statement: &'static str) {
        sallyport_db::on_pool!(self.pool, |c| sqlx::query(statement).execute(c).await.map(|_done| ()))
            .unwrap();
    }
}

impl Worker {
    /// As another service reaches it.
    pub(crate) fn transport(&self, caller: ServiceName) -> Transport {
        Transport::local(self.served.clone(), caller)
    }

    pub(crate) fn client(&self) -> JobsClient<Transport> {
        JobsClient::new(Transport::local(self.served.clone(), ServiceName::Operator))
    }

    /// Ends it as it should be ended, and waits.
    pub(crate) async fn end(mut self) {
        self.shutdown.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }

    pub(crate) async fn start(&self, tenant: &str, job: &str) -> Result<Run, Status> {
        let request = StartRequest {
            tenant: tenant.to_owned(),
            job: job.to_owned(),
            by: "ada".to_owned(),
            reason: "a test".to_owned(),
            ..StartRequest::default()
        };
        self.client().start(request).await.map(tonic::Response::into_inner)
    }

    /// The run as it is told. A database that was away answers some connections before others: whoever asks, asks again.
    pub(crate) async fn run(&self, run: &Run) -> Run {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            let request = GetRunRequest { run_id: run.run_id.clone() };
            match self.client().get_run(request).await {
                Err(status) if code(&status) == "service.unavailable" => {
                    assert!(tokio::time::Instant::now() < deadline, "no answer in time: {status:?}");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                answer => return answer.unwrap().into_inner(),
            }
        }
    }

    pub(crate) async fn progress(&self, run: &Run) -> Progress {
        self.run(run).await.progress.unwrap()
    }

    /// Waits until the run is in a state.
    pub(crate) async fn until(&self, run: &Run, state: &str) -> Run {
        eventually(&format!("the run to be {state}"), || async { self.run(run).await.state == state }).await;
        self.run(run).await
    }

    /// Waits until so many items are done.
    pub(crate) async fn until_done(&self, run: &Run, items: i64) {
        eventually("items to be done", || async { self.progress(run).await.items_done >= items }).await;
    }
}

/// A request about a run.
pub(crate) fn control(run: &Run) -> ControlRequest {
    ControlRequest { run_id: run.run_id.clone(), by: "ada".to_owned(), reason: "a test".to_owned() }
}

/// Waits for something that happens in the background; never the decision itself.
pub(crate) async fn eventually<F, Fut>(what: &str, check: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = bool>,
{
    let deadline = tokio::time::Instant::now() + Duration::from_secs(120);
    while !check().await {
        assert!(tokio::time::Instant::now() < deadline, "{what}: did not happen in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The stable code of a refusal.
pub(crate) fn code(status: &Status) -> &'static str {
    sallyport_rpc::code_of(status).as_str()
}
