//! The service with everything around it that a test needs to reach.

use std::{sync::Arc, time::Duration};

use sallyport_audit::{Config, Erasure, Ports, build};
use sallyport_audit_client::{AuditClient, OpenError, Settings};
use sallyport_db::{Pool, on_pool};
use sallyport_keyring::{KeyEncryptionKey, testing::MemoryKey};
use sallyport_model::{
    Code, RecordId, Secret, ServiceName, SystemClock, TenantId,
    operator::{Operator, Role, Tenants},
};
use sallyport_proto::{
    audit::v1::{
        CountsRequest, Kind, Outcome, QueryRequest, Record, audit_client::AuditClient as Rpc,
        counts_response::Count,
    },
    types::v1::{Actor, User, actor},
};
use sallyport_queue::{AUDIT_RECORDS, Message, PublishError, Queue as _};
use sallyport_rpc::{Transport, console::Sessions};
use sallyport_telemetry::{health::Ready, metrics::Metrics};
use tokio::{sync::watch, task::JoinHandle};

use crate::queues::LossyQueue;

pub(crate) const TENANT: &str = "general-hospital";

/// The house around one audit service. Restarted, it keeps its database, spools, keys and queue.
pub(crate) struct House {
    pub(crate) pool: Pool,
    pub(crate) kek: Arc<dyn KeyEncryptionKey>,
    pub(crate) queue: LossyQueue,
    pub(crate) metrics: Metrics,
    pub(crate) spools: tempfile::TempDir,
    /// The gateway's way to record.
    pub(crate) gateway: AuditClient,
    pub(crate) rpc: Transport,
    pub(crate) erasure: Erasure,
    pub(crate) ready: Ready,
    /// What a restart is configured with.
    pub(crate) config: Config,
    served: sallyport_rpc::Served,
    own: AuditClient,
    tasks: Tasks,
    _shutdown: watch::Sender<bool>,
}

/// A secret is a role's name, and after an @ a tenant's where it is not all.
pub(crate) fn by_role() -> Sessions {
    Arc::new(|secret: Secret<String>| {
        let (role, tenants) = match secret.expose().split_once('@') {
            Some((role, tenant)) => (role, Tenants::Some(vec![TenantId::parse(tenant).unwrap()])),
            None => (secret.expose().as_str(), Tenants::All),
        };
        let operator = Role::parse(role).map(|role| {
            let (session, name) = (RecordId::new(&SystemClock).uuid(), format!("Olga {}", role.as_str()));
            Operator { session, name, role, tenants, idle_expires_at: 0, absolute_expires_at: 0 }
        });
        Box::pin(async move { operator.map(Arc::new).ok_or(Code::ConsoleSignedOut) })
    })
}

impl House {
    /// With the queue that belongs to this database.
    pub(crate) async fn start(pool: Pool) -> Self {
        Self::start_with(pool, &MemoryKey::new()).await
    }

    /// The same, with a key-encryption key that the test holds too.
    pub(crate) async fn start_with(pool: Pool, key: &Arc<MemoryKey>) -> Self {
        let queue = LossyQueue::beside(&pool);
        let spools = tempfile::tempdir().unwrap();
        Self::assemble(pool, key.kek(), queue, spools, Config::default()).await
    }

    /// With checkpoints in a folder, signed as `config` says.
    pub(crate) async fn start_signing(pool: Pool, config: Config) -> Self {
        let queue = LossyQueue::beside(&pool);
        let spools = tempfile::tempdir().unwrap();
        Self::assemble(pool, MemoryKey::new().kek(), queue, spools, config).await
    }

    pub(crate) async fn start_over(pool: Pool, queue: LossyQueue) -> Self {
        let spools = tempfile::tempdir().unwrap();
        Self::assemble(pool, MemoryKey::new().kek(), queue, spools, Config::default()).await
    }

    /// Another process of the service on the same database, with a queue of its own: what is published there reaches
    /// this one alone.
    pub(crate) async fn replica(&self) -> Self {
        let spools = tempfile::tempdir().unwrap();
        let config = self.config.clone();
        Self::assemble(self.pool.replica(), Arc::clone(&self.kek), LossyQueue::default(), spools, config)
            .await
    }

    /// Everything in memory dies where it stands; files and rows stay.
    pub(crate) async fn crash_and_restart(self) -> Self {
        let Self {
            pool,
            kek,
            queue,
            spools,
            mut tasks,
            gateway,
            own,
            rpc,
            erasure,
            ready,
            served,
            config,
            ..
        } = self;
        drop((gateway, own, rpc, erasure, ready, served));
        for task in std::mem::take(&mut tasks.0) {
            task.abort();
            let _aborted = task.await;
        }
        Self::assemble(pool, kek, queue, spools, config).await
    }

    async fn assemble(
        pool: Pool,
        kek: Arc<dyn KeyEncryptionKey>,
        queue: LossyQueue,
        spools: tempfile::TempDir,
        config: Config,
    ) -> Self {
        #[cfg(feature = "planted-bugs")]
        if let Ok(name) = std::env::var("SALLYPORT_PLANTED") {
            sallyport_model::planted::set(&[&name]);
        }
        let metrics = Metrics::new();
        let (stop, shutdown) = watch::channel(false);
        let mut tasks = Vec::new();
        let mut clients = Vec::new();
        for service in [ServiceName::FhirGateway, ServiceName::Audit] {
            let settings = Settings::new(spools.path().join(service.as_str()));
            let (client, relay) = open(settings, service, &kek).await;
            tasks.push(tokio::spawn(relay.run(Arc::new(queue.clone()), shutdown.clone())));
            clients.push(client);
        }
        let own = clients.pop().unwrap();
        let gateway = clients.pop().unwrap();
        let ports = Ports {
            pool: pool.clone(),
            queue: Arc::new(queue.clone()),
            kek: Arc::clone(&kek),
            checkpoint_seed: seed(),
            audit: own.clone(),
            sessions: by_role(),
            clock: Arc::new(SystemClock),
            metrics: metrics.clone(),
            shutdown,
        };
        let service = build(config.clone(), ports).await.unwrap();
        tasks.extend(service.background.into_iter().map(tokio::spawn));
        let served = service.rpc.unwrap();
        let rpc = Transport::local(served.clone(), ServiceName::Operator);
        let (erasure, ready) = (service.erasure, service.ready);
        let tasks = Tasks(tasks);
        Self {
            pool,
            kek,
            queue,
            metrics,
            spools,
            gateway,
            rpc,
            erasure,
            ready,
            config,
            served,
            own,
            tasks,
            _shutdown: stop,
        }
    }

    /// Calls made as another service.
    pub(crate) fn called_by(&self, caller: ServiceName) -> Transport {
        Transport::local(self.served.clone(), caller)
    }

    /// Ends everything in the background; what is asked is still answered, and nothing is appended any more.
    pub(crate) async fn freeze(&mut self) {
        for task in std::mem::take(&mut self.tasks.0) {
            task.abort();
            let _aborted = task.await;
        }
    }

    /// Waits until everything recorded so far is in the database.
    pub(crate) async fn settle(&self) {
        assert!(self.gateway.drain(Duration::from_secs(180)).await, "the gateway's spool drains");
        assert!(self.own.drain(Duration::from_secs(180)).await, "the service's own spool drains");
        // On a broker, what left the spool may still be on its way.
        self.queue.settled().await;
    }

    /// Publishes by hand and waits until the service has settled it.
    pub(crate) async fn deliver(&self, message: Message) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            match self.queue.publish(AUDIT_RECORDS, message.clone()).await {
                Ok(()) => break,
                Err(PublishError::Unavailable) if tokio::time::Instant::now() < deadline => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        self.queue.settled().await;
    }

    pub(crate) async fn query(&self, request: QueryRequest) -> Vec<Record> {
        self.try_query(request).await.unwrap()
    }

    pub(crate) async fn try_query(&self, request: QueryRequest) -> Result<Vec<Record>, tonic::Status> {
        let request = QueryRequest {
            tenant: if request.tenant.is_empty() { TENANT.to_owned() } else { request.tenant },
            limit: if request.limit == 0 { 1_000 } else { request.limit },
            operator: "olga".to_owned(),
            reason: "test".to_owned(),
            ..request
        };
        Rpc::new(self.rpc.clone()).query(request).await.map(|response| response.into_inner().records)
    }

    pub(crate) async fn counts(&self) -> Vec<Count> {
        let request = CountsRequest { tenant: TENANT.to_owned(), ..CountsRequest::default() };
        Rpc::new(self.rpc.clone()).counts(request).await.unwrap().into_inner().counts
    }

    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        on_pool!(self.pool, |c| sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
    }
}

/// Aborted when dropped: nothing of one test goes on beside the next.
struct Tasks(Vec<JoinHandle<()>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// The seed of the key that signs checkpoints in tests.
pub(crate) fn seed() -> Secret<Vec<u8>> {
    Secret::new(vec![7; 32])
}

/// Opens a spool, waiting until the one before has let go of it.
pub(crate) async fn open(
    settings: Settings,
    service: ServiceName,
    kek: &Arc<dyn KeyEncryptionKey>,
) -> (AuditClient, sallyport_audit_client::Relay) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        match AuditClient::open(settings.clone(), service, Arc::clone(kek), Arc::new(SystemClock)).await {
            Ok(opened) => return opened,
            Err(OpenError::InUse(_)) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

pub(crate) fn user(subject: &str) -> User {
    User {
        issuer: "https://ehr.example/fhir".to_owned(),
        subject: subject.to_owned(),
        fhir_user: format!("Practitioner/{subject}"),
    }
}

/// A FHIR read about `patient` by `subject`, as an intent.
pub(crate) fn read(patient: &str, subject: &str) -> Record {
    Record {
        kind: Kind::FhirCall.into(),
        tenant: TENANT.to_owned(),
        endpoint: "main".to_owned(),
        registration: "chart-main".to_owned(),
        actor: Some(Actor { kind: Some(actor::Kind::User(user(subject))) }),
        patients: vec![patient.to_owned()],
        encounter: format!("encounter-of-{patient}"),
        purpose: "TREAT".to_owned(),
        feature: "patient-summary".to_owned(),
        policy_decision: "permit:treatment".to_owned(),
        interaction: "read".to_owned(),
        resource_types: vec!["Condition".to_owned()],
        resource_id: format!("condition-of-{patient}"),
        launch_id: vec![7; 16],
        trace_id: "0af7651916cd43dd8448eb211c80319c".to_owned(),
        ..Record::default()
    }
}

pub(crate) fn succeeded(record: Record) -> Record {
    Record { outcome: Outcome::Success.into(), http_status: 200, upstream_status: 200, released: 1, ..record }
}
