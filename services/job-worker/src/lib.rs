//! job-worker: what runs by itself. Runs are cut into small batches; each is one message, one lease with a fencing epoch, and
//! transactions that commit effects and checkpoint together. It reads through fhir-gateway alone and never writes to an EHR.

mod batch;
mod config;
mod domain;
mod engine;
mod error;
mod gateway;
mod grpc;
mod halt;
mod items;
mod kinds;
mod metrics;
mod pace;
mod records;
mod run;
mod sealing;
mod store;
mod worker;

use std::{future::Future, pin::Pin, sync::Arc};

use sallyport_audit_client::AuditClient;
use sallyport_data_keys::{DataKeys, Keeper};
use sallyport_db::{Pool, Tending};
use sallyport_keyring::{KeyEncryptionKey, Keyring, SelfTest};
use sallyport_kv::Kv;
use sallyport_model::{Clock, ServiceName};
use sallyport_proto::{
    jobs::v1::{
        care_gaps_server::CareGapsServer, jobs_server::JobsServer, proposals_server::ProposalsServer,
    },
    launch::v1::launch_auth_client::LaunchAuthClient,
    types::v1::WatchRevocationsRequest,
    vault::v1::token_vault_client::TokenVaultClient,
};
use sallyport_queue::Queue;
use sallyport_registry::Registry;
use sallyport_rpc::{Served, Transport, revocation::Watch};
use sallyport_telemetry::{health::Ready, metrics::Metrics};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

pub use config::Config;
pub use store::MIGRATIONS;

use crate::{metrics::JobMetrics, pace::Pace, sealing::Sealing, store::Store, worker::Worker};

/// What the service stands on.
pub struct Ports {
    /// Who this worker is over its restarts, and nobody else is at the same time.
    pub worker: Uuid,
    /// The tenants.
    pub registry: Arc<Registry>,
    /// This service's own database; migrated here.
    pub pool: Pool,
    /// Wraps the data keys.
    pub kek: Arc<dyn KeyEncryptionKey>,
    /// Carries batches.
    pub queue: Arc<dyn Queue>,
    /// Shared pace of jobs that have one.
    pub kv: Arc<dyn Kv>,
    /// The way to EHRs.
    pub gateway: Transport,
    /// Grants of registrations themselves, and what was revoked.
    pub token_vault: Transport,
    /// Which sessions ended.
    pub launch_auth: Transport,
    /// This service's spool.
    pub audit: AuditClient,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where metrics are registered.
    pub metrics: Metrics,
    /// `true` ends the background work.
    pub shutdown: watch::Receiver<bool>,
}

/// A running service, to be composed.
pub struct Service {
    /// The gRPC side.
    pub rpc: Option<Served>,
    /// To be spawned; each ends at shutdown.
    pub background: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Whether it can take work: the database can be used, the key-encryption key opened what it wrapped, and the spool takes
    /// records.
    pub ready: Ready,
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A configuration key.
    #[error("job_worker: {0}")]
    Config(&'static str),
    /// A job's definition.
    #[error("{0}")]
    Job(String),
    /// The database.
    #[error("job-worker: the database cannot be used")]
    Database(#[from] sallyport_db::Error),
}

/// Whether each job is one that its kind can work on, beyond what the tenants' files say by themselves.
///
/// # Errors
/// A sentence for an operator, naming tenant and job.
pub fn check(registry: &Registry) -> Result<(), String> {
    for tenant in registry.tenants() {
        for job in &tenant.jobs {
            let named = |reason: String| format!("tenant {}: job {} {reason}", tenant.id, job.id);
            let feature = tenant.features.iter().find(|feature| feature.id == job.feature);
            let feature = feature.ok_or_else(|| named("names a feature that does not exist".to_owned()))?;
            if let Some(kind) = kinds::kind_of(job.kind) {
                let entry = registry.registration(&job.registration);
                let entry =
                    entry.ok_or_else(|| named("names a registration that does not exist".to_owned()))?;
                kind.check(job, feature, entry.endpoint).map_err(named)?;
            }
        }
    }
    Ok(())
}

/// Builds the service: migrates its database and checks every job's definition before anything is done.
///
/// # Errors
/// [`BuildError`], naming what an operator must change.
pub async fn build(config: Config, ports: Ports) -> Result<Service, BuildError> {
    config.validate().map_err(BuildError::Config)?;
    check(&ports.registry).map_err(BuildError::Job)?;
    ports.pool.prepare(MIGRATIONS).await?;
    let tending = ports.pool.clone().tend(Tending {
        migrations: MIGRATIONS,
        clock: Arc::clone(&ports.clock),
        metrics: ports.metrics.for_service(ServiceName::JobWorker.as_str()),
        shutdown: ports.shutdown.clone(),
    });
    let (proof, proving) = SelfTest::start(Arc::clone(&ports.kek), ports.shutdown.clone());
    let ready = ready(ports.pool.clone(), ports.audit.clone(), proof);
    let ring = Arc::new(Keyring::new(ports.kek, Arc::clone(&ports.clock)));
    let keys = DataKeys::new(ring, &ports.pool, sealing::PURPOSES, Arc::clone(&ports.clock));
    let keeper = Keeper::over(ServiceName::JobWorker, &keys, ports.audit.clone());
    let store = Store::new(ports.pool, Arc::clone(&ports.clock));
    let revoked = Watch::new(Arc::clone(&ports.clock));
    let mut background: Vec<engine::Background> = vec![Box::pin(tending), Box::pin(proving)];
    background.extend(follow(&revoked, &ports.launch_auth, &ports.token_vault, &ports.shutdown));
    let sessions = sallyport_rpc::console::sessions(ports.launch_auth.clone(), Arc::clone(&ports.clock));
    let worker = Arc::new(Worker {
        id: ports.worker,
        config,
        registry: ports.registry,
        sealing: Sealing::new(keys),
        store,
        gateway: gateway::client(ports.gateway),
        vault: TokenVaultClient::new(ports.token_vault),
        queue: ports.queue,
        pace: Pace::new(ports.kv, Arc::clone(&ports.clock)),
        revoked,
        audit: ports.audit,
        clock: ports.clock,
        metrics: JobMetrics::new(&ports.metrics),
        wake: Notify::new(),
        shutdown: ports.shutdown,
    });
    background.extend(engine::background(&worker));
    let care_gaps = CareGapsServer::new(grpc::care_gaps::Edge(Arc::clone(&worker)));
    let proposals = ProposalsServer::new(grpc::proposals::Edge(Arc::clone(&worker)));
    let routes = tonic::service::Routes::new(JobsServer::new(grpc::Edge(worker)))
        .add_service(care_gaps)
        .add_service(proposals)
        .add_service(keeper.server());
    Ok(Service {
        rpc: Some(Served::new(routes, grpc::ALLOW).at_console(grpc::CONSOLE, sessions)),
        background,
        ready,
    })
}

/// Both owners' streams: launch-auth knows launches, the vault knows grants.
fn follow(
    revoked: &Watch,
    launch: &Transport,
    vault: &Transport,
    shutdown: &watch::Receiver<bool>,
) -> [engine::Background; 2] {
    let (launch, vault) = (LaunchAuthClient::new(launch.clone()), TokenVaultClient::new(vault.clone()));
    let launches = revoked.follow(move |after| {
        let mut client = launch.clone();
        async move {
            client.watch_revocations(WatchRevocationsRequest { after }).await.map(tonic::Response::into_inner)
        }
    });
    let grants = revoked.follow(move |after| {
        let mut client = vault.clone();
        async move {
            client.watch_revocations(WatchRevocationsRequest { after }).await.map(tonic::Response::into_inner)
        }
    });
    [until_shutdown(launches, shutdown.clone()), until_shutdown(grants, shutdown.clone())]
}

fn until_shutdown(
    task: impl Future<Output = ()> + Send + 'static,
    mut shutdown: watch::Receiver<bool>,
) -> engine::Background {
    Box::pin(async move {
        tokio::select! {
            () = task => {}
            _ = shutdown.wait_for(|over| *over) => {}
        }
    })
}

fn ready(pool: Pool, audit: AuditClient, proof: SelfTest) -> Ready {
    Arc::new(move || {
        pool.ready().map_err(|missing| format!("job-worker: {missing}"))?;
        proof.passed().map_err(|failed| format!("job-worker: {failed}"))?;
        audit
            .ready()
            .map_err(|error| format!("job-worker: the audit spool does not take records ({})", error.label()))
    })
}
