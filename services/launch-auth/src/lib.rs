//! launch-auth: launches and sessions. It decides which EHRs may launch us, takes the browser there and back, has the
//! vault redeem the code, and keeps the session that a cookie per launch opens. It never holds a token.

mod config;
mod discovery;
mod domain;
mod error;
mod grpc;
mod http;
mod limits;
mod metrics;
mod page;
mod store;
mod vault;

use std::{future::Future, pin::Pin, sync::Arc};

use sallyport_audit_client::AuditClient;
use sallyport_db::{Pool, Tending};
use sallyport_egress::Egress;
use sallyport_kv::Kv;
use sallyport_model::{Clock, ServiceName};
use sallyport_proto::launch::v1::{
    incidents_server::IncidentsServer, launch_auth_server::LaunchAuthServer,
    operators_server::OperatorsServer,
};
use sallyport_registry::Registry;
use sallyport_rpc::{Served, Transport};
use sallyport_telemetry::{health::Ready, metrics::Metrics};
use tokio::sync::watch;

pub use config::Config;
pub use store::MIGRATIONS;

/// What the service stands on.
pub struct Ports {
    /// The tenants' files.
    pub registry: Arc<Registry>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// This service's own database; migrated by [`build`].
    pub pool: Pool,
    /// Rate limits.
    pub kv: Arc<dyn Kv>,
    /// The way to EHRs' discovery documents.
    pub egress: Egress,
    /// token-vault, called as launch-auth.
    pub vault: Transport,
    /// The audit log.
    pub audit: AuditClient,
    /// Where this process's numbers are.
    pub metrics: Metrics,
    /// Turns true when the process ends.
    pub shutdown: watch::Receiver<bool>,
}

/// The running parts, for the composer to serve.
pub struct Service {
    /// gRPC.
    pub rpc: Option<Served>,
    /// `/launch`, `/callback`, `/session`, `/.well-known/jwks.json`. Serve it with connect info: the peer's address is
    /// the source that rate limits count.
    pub http: axum::Router,
    /// Work to spawn; ends at shutdown.
    pub background: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Whether launches can be taken: the database can be used, and the spool takes records.
    pub ready: Ready,
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The configuration contradicts itself.
    #[error("launch-auth: {0}")]
    Config(&'static str),
    /// The database cannot be used.
    #[error("launch-auth: the database cannot be prepared")]
    Database(#[from] sallyport_db::Error),
}

/// Puts the service together. A database that is away is waited for in the background: see [`Service::ready`].
///
/// # Errors
/// [`BuildError`].
pub async fn build(config: Config, ports: Ports) -> Result<Service, BuildError> {
    config.validate().map_err(BuildError::Config)?;
    ports.pool.prepare(MIGRATIONS).await?;
    let ready = ready(ports.pool.clone(), ports.audit.clone());
    let tending = ports.pool.clone().tend(Tending {
        migrations: MIGRATIONS,
        clock: Arc::clone(&ports.clock),
        metrics: ports.metrics.for_service(ServiceName::LaunchAuth.as_str()),
        shutdown: ports.shutdown.clone(),
    });
    let app = Arc::new(domain::App {
        discovery: discovery::Discovery::new(ports.egress, Arc::clone(&ports.clock), &config),
        limits: limits::Limits::new(ports.kv, Arc::clone(&ports.clock), &config),
        numbers: metrics::Numbers::new(&ports.metrics),
        vault: vault::Vault::new(ports.vault),
        store: store::Store::new(ports.pool),
        registry: ports.registry,
        clock: ports.clock,
        audit: ports.audit,
        config,
    });
    let routes = tonic::service::Routes::new(LaunchAuthServer::new(grpc::Grpc(Arc::clone(&app))))
        .add_service(IncidentsServer::new(grpc::incidents::Edge(Arc::clone(&app))))
        .add_service(OperatorsServer::new(grpc::operators::Edge(Arc::clone(&app))));
    let sessions = grpc::operators::sessions(Arc::clone(&app));
    Ok(Service {
        rpc: Some(Served::new(routes, grpc::ALLOW).at_console(grpc::CONSOLE, sessions)),
        http: http::router(&app),
        background: vec![Box::pin(tending), Box::pin(domain::sweep::run(app, ports.shutdown))],
        ready,
    })
}

fn ready(pool: Pool, audit: AuditClient) -> Ready {
    Arc::new(move || {
        pool.ready().map_err(|missing| format!("launch-auth: {missing}"))?;
        audit.ready().map_err(|error| {
            format!("launch-auth: the audit spool does not take records ({})", error.label())
        })
    })
}
