#![doc = include_str!("../README.md")]

mod config;
mod consumer;
mod domain;
mod error;
mod grpc;
mod metrics;
mod sealed_form;
mod store;

use std::{future::Future, pin::Pin, sync::Arc};

use sallyport_audit_client::{AuditClient, Unsealer};
use sallyport_db::Pool;
use sallyport_keyring::{KeyEncryptionKey, Keyring};
use sallyport_model::{Clock, TenantId};
use sallyport_queue::Queue;
use sallyport_rpc::Served;
use sallyport_telemetry::metrics::Metrics;
use tokio::sync::watch;

pub use config::Config;
pub use domain::erase::{Erasure, Order};
pub use error::{DamagedRecord, Error};
pub use store::migrations;

/// What the service is given.
pub struct Ports {
    /// Its own database.
    pub pool: Pool,
    /// Where sealed records come from.
    pub queue: Arc<dyn Queue>,
    /// Unwraps the producers' data keys and the tenants' keys.
    pub kek: Arc<dyn KeyEncryptionKey>,
    /// For the record that the log was read.
    pub audit: AuditClient,
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
    /// The key-encryption key is not the one the log was written with, or its keeper is away.
    #[error("the audit log's keys do not open, check the key-encryption key")]
    Keys(#[source] Error),
}

/// Migrates the database, checks that its keys open, and puts the service together.
///
/// # Errors
/// [`BuildError`].
pub async fn build(config: Config, ports: Ports) -> Result<Service, BuildError> {
    config.validate().map_err(BuildError::Config)?;
    ports.pool.migrate(migrations()).await?;
    let domain = Arc::new(domain::Domain::new(
        store::Store::new(ports.pool),
        Unsealer::new(Arc::clone(&ports.kek)),
        Keyring::new(ports.kek),
        ports.audit,
        ports.clock,
        metrics::AuditMetrics::new(&ports.metrics),
    ));
    // With another key everything that arrives would look forged: found here, before anything is consumed.
    domain.tenant_key(&TenantId::system()).await.map_err(BuildError::Keys)?;
    let background = (0..config.consumers)
        .map(|_| {
            let consumer =
                consumer::run(Arc::clone(&domain), Arc::clone(&ports.queue), ports.shutdown.clone());
            Box::pin(consumer) as Pin<Box<dyn Future<Output = ()> + Send>>
        })
        .collect();
    Ok(Service { rpc: Some(grpc::served(Arc::clone(&domain))), erasure: Erasure::new(domain), background })
}
