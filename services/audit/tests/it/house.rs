//! The service with everything around it that a test needs to reach.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use sallyport_audit::{Config, Erasure, Ports, build};
use sallyport_audit_client::{AuditClient, OpenError, Settings};
use sallyport_db::{Pool, on_pool};
use sallyport_keyring::{DataKey, KeyEncryptionKey, KeyError};
use sallyport_model::{Secret, ServiceName, SystemClock};
use sallyport_proto::{
    audit::v1::{
        CountsRequest, Kind, Outcome, QueryRequest, Record, audit_client::AuditClient as Rpc,
        counts_response::Count,
    },
    types::v1::{Actor, User, actor},
};
use sallyport_queue::{
    ConsumeError, Consumer, Delivery, InProcess, Message, PublishError, Queue, Settle, Settlement,
};
use sallyport_rpc::Transport;
use sallyport_telemetry::metrics::Metrics;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

pub(crate) const TENANT: &str = "general-hospital";

/// A key-encryption key in memory.
pub(crate) struct MemoryKey(DataKey);

impl MemoryKey {
    pub(crate) fn kek() -> Arc<dyn KeyEncryptionKey> {
        Arc::new(Self(DataKey::generate()))
    }
}

#[async_trait::async_trait]
impl KeyEncryptionKey for MemoryKey {
    async fn wrap(&self, aad: &[u8], key: &Secret<Vec<u8>>) -> Result<Vec<u8>, KeyError> {
        Ok(self.0.seal(aad, key.expose()))
    }

    async fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<Secret<Vec<u8>>, KeyError> {
        self.0.open(aad, wrapped)
    }
}

/// The in-process queue, losing acks on command: the store has committed, the publisher does not hear of it.
#[derive(Clone, Default)]
pub(crate) struct LossyQueue {
    inner: InProcess,
    lose: Arc<AtomicU32>,
}

impl LossyQueue {
    pub(crate) fn lose_acks(&self, count: u32) {
        self.lose.store(count, Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl Queue for LossyQueue {
    async fn publish(&self, queue: &str, message: Message) -> Result<(), PublishError> {
        self.inner.publish(queue, message).await
    }

    async fn consume(&self, queue: &str) -> Result<Consumer, ConsumeError> {
        let mut inner = self.inner.consume(queue).await?;
        let (sender, receiver) = mpsc::channel(1);
        let lose = Arc::clone(&self.lose);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    delivery = inner.next() => {
                        let Some(delivery) = delivery else { return };
                        let message = delivery.message.clone();
                        let settle = Box::new(LossyAck { delivery, lose: Arc::clone(&lose) });
                        if sender.send(Delivery::new(message, settle)).await.is_err() {
                            return;
                        }
                    }
                    () = sender.closed() => return,
                }
            }
        });
        Ok(Consumer::new(receiver))
    }
}

struct LossyAck {
    delivery: Delivery,
    lose: Arc<AtomicU32>,
}

#[async_trait::async_trait]
impl Settle for LossyAck {
    async fn settle(self: Box<Self>, settlement: Settlement) {
        let lost = self.lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match settlement {
            Settlement::Ack if lost.is_err() => self.delivery.ack().await,
            Settlement::Reject => self.delivery.reject().await,
            Settlement::Ack | Settlement::Requeue => drop(self.delivery),
        }
    }

    fn abandon(self: Box<Self>) {
        drop(self.delivery);
    }
}

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
    served: sallyport_rpc::Served,
    own: AuditClient,
    tasks: Tasks,
    _shutdown: watch::Sender<bool>,
}

impl House {
    pub(crate) async fn start(pool: Pool) -> Self {
        let spools = tempfile::tempdir().unwrap();
        Self::assemble(pool, MemoryKey::kek(), LossyQueue::default(), spools).await
    }

    /// Everything in memory dies where it stands; files and rows stay.
    pub(crate) async fn crash_and_restart(self) -> Self {
        let Self { pool, kek, queue, spools, mut tasks, gateway, own, rpc, erasure, served, .. } = self;
        drop((gateway, own, rpc, erasure, served));
        for task in std::mem::take(&mut tasks.0) {
            task.abort();
            let _aborted = task.await;
        }
        Self::assemble(pool, kek, queue, spools).await
    }

    async fn assemble(
        pool: Pool,
        kek: Arc<dyn KeyEncryptionKey>,
        queue: LossyQueue,
        spools: tempfile::TempDir,
    ) -> Self {
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
            audit: own.clone(),
            clock: Arc::new(SystemClock),
            metrics: metrics.clone(),
            shutdown,
        };
        let service = build(Config::default(), ports).await.unwrap();
        tasks.extend(service.background.into_iter().map(tokio::spawn));
        let served = service.rpc.unwrap();
        let rpc = Transport::local(served.clone(), ServiceName::Operator);
        let erasure = service.erasure;
        let tasks = Tasks(tasks);
        Self { pool, kek, queue, metrics, spools, gateway, rpc, erasure, served, own, tasks, _shutdown: stop }
    }

    /// Calls made as another service.
    pub(crate) fn called_by(&self, caller: ServiceName) -> Transport {
        Transport::local(self.served.clone(), caller)
    }

    /// Waits until everything recorded so far is in the database.
    pub(crate) async fn settle(&self) {
        assert!(self.gateway.drain(Duration::from_secs(180)).await, "the gateway's spool drains");
        assert!(self.own.drain(Duration::from_secs(180)).await, "the service's own spool drains");
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
