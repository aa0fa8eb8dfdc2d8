#![doc = include_str!("../README.md")]

mod config;
mod consumer;
mod domain;
mod error;
mod grpc;
mod metrics;
mod proof;
mod published;
mod sealed_form;
mod store;

use std::{future::Future, pin::Pin, sync::Arc};

use sallyport_audit_client::{AuditClient, Unsealer};
use sallyport_db::{Pool, Tending};
use sallyport_keyring::{KeyEncryptionKey, Keyring};
use sallyport_model::{Clock, Secret, ServiceName, TenantId};
use sallyport_queue::Queue;
use sallyport_rpc::{Served, console::Sessions};
use sallyport_telemetry::{health::Ready, metrics::Metrics};
use tokio::sync::watch;

pub use config::Config;
pub use domain::erase::{Erasure, Order};
pub use error::{DamagedLog, DamagedRecord, Error};
pub use published::CheckpointFolder;
pub use store::migrations;

use domain::checkpoint::Signer;
use proof::{Proof, Prover};
use published::Published;

/// What the service is given.
pub struct Ports {
    /// Its own database.
    pub pool: Pool,
    /// Where sealed records come from.
    pub queue: Arc<dyn Queue>,
    /// Unwraps the producers' data keys and the tenants' keys.
    pub kek: Arc<dyn KeyEncryptionKey>,
    /// The seed of the key that signs checkpoints, 32 bytes.
    pub checkpoint_seed: Secret<Vec<u8>>,
    /// For the record that the log was read.
    pub audit: AuditClient,
    /// Who is signed in at the console.
    pub sessions: Sessions,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where metrics are registered.
    pub metrics: Metrics,
    /// Turns true when background work has to end.
    pub shutdown: watch::Receiver<bool>,
}

/// The service, ready to be served.
pub struct Service {
    /// Its gRPC methods.
    pub rpc: Option<Served>,
    /// Erasure of patients and users from the log.
    pub erasure: Erasure,
    /// The consumers; they end after `shutdown`.
    pub background: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Whether records can be stored and read: the database can be used, the log's keys open, and the spool takes
    /// records.
    pub ready: Ready,
}

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The configuration names something impossible.
    #[error("the configuration is not possible: {0}")]
    Config(&'static str),
    /// The database cannot be used.
    #[error("the audit database cannot be used")]
    Database(#[from] sallyport_db::Error),
    /// The key-encryption key is not the one the log was written with.
    #[error("the audit log's keys do not open, check the key-encryption key")]
    Keys(#[source] Error),
}

/// Prepares the database, checks that its keys open, and puts the service together. A database or key service that is
/// away is waited for in the background: see [`Service::ready`].
///
/// # Errors
/// [`BuildError`].
pub async fn build(config: Config, ports: Ports) -> Result<Service, BuildError> {
    config.validate().map_err(BuildError::Config)?;
    ports.pool.prepare(migrations()).await?;
    let tending = ports.pool.clone().tend(Tending {
        migrations: migrations(),
        clock: Arc::clone(&ports.clock),
        metrics: ports.metrics.for_service(ServiceName::Audit.as_str()),
        shutdown: ports.shutdown.clone(),
    });
    let published = Published {
        folder: config.checkpoint_folder.clone().map(CheckpointFolder::new),
        to_stdout: config.checkpoint_stdout,
    };
    let signer = Signer::new(&config, ports.checkpoint_seed, published);
    // A key that cannot sign is told before anything is stored.
    signer.verifier(TenantId::system().as_str()).map_err(BuildError::Keys)?;
    let (pool, spool) = (ports.pool.clone(), ports.audit.clone());
    let domain = Arc::new(domain::Domain::new(
        store::Store::new(ports.pool),
        Unsealer::new(Arc::clone(&ports.kek), Arc::clone(&ports.clock)),
        Arc::new(Keyring::new(ports.kek, Arc::clone(&ports.clock))),
        ports.audit,
        ports.clock,
        metrics::AuditMetrics::new(&ports.metrics),
        signer,
    ));
    let (prover, proof) = Prover::start(Arc::clone(&domain)).await.map_err(BuildError::Keys)?;
    let mut background: Vec<Pin<Box<dyn Future<Output = ()> + Send>>> =
        vec![Box::pin(tending), Box::pin(prover.run(ports.shutdown.clone()))];
    background.push(Box::pin(domain::checkpoint::run(Arc::clone(&domain), ports.shutdown.clone())));
    background.push(Box::pin(domain::adopt::run(Arc::clone(&domain), proof.clone(), ports.shutdown.clone())));
    for _ in 0..config.consumers {
        let (domain, queue) = (Arc::clone(&domain), Arc::clone(&ports.queue));
        background.push(Box::pin(consumer::run(domain, queue, proof.clone(), ports.shutdown.clone())));
    }
    Ok(Service {
        rpc: Some(grpc::served(Arc::clone(&domain), ports.sessions)),
        erasure: Erasure::new(domain),
        background,
        ready: ready(pool, proof, spool),
    })
}

fn ready(pool: Pool, proof: Proof, spool: AuditClient) -> Ready {
    Arc::new(move || {
        pool.ready().map_err(|missing| format!("audit: {missing}"))?;
        if !proof.is_made() {
            return Err("audit: the log's keys were not opened yet, check the key service".to_owned());
        }
        spool
            .ready()
            .map_err(|error| format!("audit: the audit spool does not take records ({})", error.label()))
    })
}
