//! One service built from what it stands on: the same for all of them in one process and for each alone.

use std::sync::Arc;

use axum::Router;
use sallyport_model::{Clock, Code, ServiceName};
use sallyport_registry::Registry;
use sallyport_rpc::{
    Later, Served, Transport,
    console::{self, Sessions},
};
use sallyport_telemetry::health::Ready;

use super::{Running, foundation::Foundation, peers::Peers};
use crate::config::{ConfigError, File};

/// What the services of one process have in common.
pub(crate) struct Site {
    pub(crate) config: File,
    pub(crate) base: Foundation,
    pub(crate) registry: Arc<Registry>,
    /// The one origin that browsers use.
    pub(crate) public_url: String,
    /// The sandbox EHR's origin, where there is one.
    pub(crate) sandbox_ehr: Option<String>,
}

/// A built service, to be served.
pub(crate) struct Part {
    /// Its methods.
    pub(crate) rpc: Option<Served>,
    /// Its public paths.
    pub(crate) http: Option<Router>,
    /// Whether it can serve.
    pub(crate) ready: Ready,
}

/// Builds a service and starts its background work.
///
/// # Errors
/// [`ConfigError`] for what an operator must change; otherwise what is not there yet.
pub(crate) async fn build(
    service: ServiceName,
    site: &Site,
    peers: &Peers,
    running: &mut Running,
) -> anyhow::Result<Part> {
    match service {
        ServiceName::Audit => audit(site, peers, running).await,
        ServiceName::TokenVault => token_vault(site, running).await,
        ServiceName::LaunchAuth => launch_auth(site, peers, running).await,
        ServiceName::FhirGateway => fhir_gateway(site, peers, running).await,
        ServiceName::JobWorker => job_worker(site, peers, running).await,
        ServiceName::Web => web(site, peers).await,
        other => anyhow::bail!("{} is not a service that can be built", other.as_str()),
    }
}

async fn audit(site: &Site, peers: &Peers, running: &mut Running) -> anyhow::Result<Part> {
    use sallyport_audit::{BuildError, Ports, build};
    let base = &site.base;
    let mut section = site.config.audit.clone();
    section.checkpoint_folder.get_or_insert_with(|| base.folder().join("checkpoints"));
    let ports = Ports {
        checkpoint_seed: base.signing_seed(section.checkpoint_key_file.as_deref(), "audit-checkpoint.key")?,
        clock: base.clock(),
        pool: base.pool(ServiceName::Audit).await?,
        kek: base.kek(),
        queue: base.queue(),
        audit: base.spool(ServiceName::Audit, running).await?,
        sessions: sessions(peers, ServiceName::Audit, base.clock())?,
        metrics: base.metrics(),
        shutdown: running.shutdown(),
    };
    let service = build(section, ports)
        .await
        .map_err(|error| permanent(error, |e| matches!(e, BuildError::Config(_))))?;
    running.spawn_all(service.background);
    Ok(Part { rpc: service.rpc, http: None, ready: service.ready })
}

/// Who is signed in at the console, as launch-auth knows. Where nobody says where that is, nobody is.
fn sessions(peers: &Peers, own: ServiceName, clock: Arc<dyn Clock>) -> Result<Sessions, ConfigError> {
    Ok(match peers.perhaps(own, ServiceName::LaunchAuth)? {
        Some(launch_auth) => console::sessions(launch_auth, clock),
        None => Arc::new(|_secret| Box::pin(async { Err(Code::DependencyDown) })),
    })
}

async fn token_vault(site: &Site, running: &mut Running) -> anyhow::Result<Part> {
    use sallyport_token_vault::{BuildError, Ports, build};
    let base = &site.base;
    let ports = Ports {
        registry: Arc::clone(&site.registry),
        clock: base.clock(),
        pool: base.pool(ServiceName::TokenVault).await?,
        kek: base.kek(),
        egress: base.egress()?,
        audit: base.spool(ServiceName::TokenVault, running).await?,
        metrics: base.metrics(),
        shutdown: running.shutdown(),
    };
    let is_permanent = |e: &BuildError| matches!(e, BuildError::Config(_) | BuildError::Credential(_));
    let service = build(site.config.token_vault.clone(), ports)
        .await
        .map_err(|error| permanent(error, is_permanent))?;
    running.spawn_all(service.background);
    Ok(Part { rpc: service.rpc, http: None, ready: service.ready })
}

async fn launch_auth(site: &Site, peers: &Peers, running: &mut Running) -> anyhow::Result<Part> {
    use sallyport_launch_auth::{BuildError, Ports, build};
    let base = &site.base;
    let mut section = site.config.launch_auth.clone();
    section.public_url =
        site.public_url.parse().map_err(|_shape| ConfigError("server.public_url is not a URL".to_owned()))?;
    let ports = Ports {
        registry: Arc::clone(&site.registry),
        clock: base.clock(),
        pool: base.pool(ServiceName::LaunchAuth).await?,
        kv: base.kv(),
        egress: base.egress()?,
        vault: peers.transport(ServiceName::LaunchAuth, ServiceName::TokenVault)?,
        audit: base.spool(ServiceName::LaunchAuth, running).await?,
        metrics: base.metrics(),
        shutdown: running.shutdown(),
    };
    let service = build(section, ports)
        .await
        .map_err(|error| permanent(error, |e| matches!(e, BuildError::Config(_))))?;
    running.spawn_all(service.background);
    Ok(Part { rpc: service.rpc, http: Some(service.http), ready: service.ready })
}

async fn fhir_gateway(site: &Site, peers: &Peers, running: &mut Running) -> anyhow::Result<Part> {
    let base = &site.base;
    let mut section = site.config.fhir_gateway.clone();
    section.public_url.clone_from(&site.public_url);
    let ports = sallyport_fhir_gateway::Ports {
        registry: Arc::clone(&site.registry),
        clock: base.clock(),
        pool: base.pool(ServiceName::FhirGateway).await?,
        egress: base.egress()?,
        kv: base.kv(),
        kek: base.kek(),
        launch_auth: peers.transport(ServiceName::FhirGateway, ServiceName::LaunchAuth)?,
        token_vault: peers.transport(ServiceName::FhirGateway, ServiceName::TokenVault)?,
        job_worker: peers.perhaps(ServiceName::FhirGateway, ServiceName::JobWorker)?,
        audit: base.spool(ServiceName::FhirGateway, running).await?,
        metrics: base.metrics(),
        shutdown: running.shutdown(),
    };
    // All else that the gateway finds wrong when it is built stands in its section or in a tenant file.
    let is_permanent = |e: &sallyport_fhir_gateway::BuildError| {
        !matches!(e, sallyport_fhir_gateway::BuildError::Database(_))
    };
    let service = sallyport_fhir_gateway::build(section, ports)
        .await
        .map_err(|error| permanent(error, is_permanent))?;
    running.spawn_all(service.background);
    Ok(Part { rpc: service.rpc, http: Some(service.http), ready: service.ready })
}

async fn job_worker(site: &Site, peers: &Peers, running: &mut Running) -> anyhow::Result<Part> {
    use sallyport_job_worker::{BuildError, Ports, build};
    let base = &site.base;
    let own = ServiceName::JobWorker;
    let ports = Ports {
        worker: base.worker_id()?,
        registry: Arc::clone(&site.registry),
        clock: base.clock(),
        pool: base.pool(own).await?,
        kek: base.kek(),
        queue: base.queue(),
        kv: base.kv(),
        gateway: peers.transport(own, ServiceName::FhirGateway)?,
        token_vault: peers.transport(own, ServiceName::TokenVault)?,
        launch_auth: peers.transport(own, ServiceName::LaunchAuth)?,
        audit: base.spool(own, running).await?,
        metrics: base.metrics(),
        shutdown: running.shutdown(),
    };
    let is_permanent = |e: &BuildError| matches!(e, BuildError::Config(_) | BuildError::Job(_));
    let mut section = site.config.job_worker.clone();
    section.exports_folder = base.within(&section.exports_folder);
    let service = build(section, ports).await.map_err(|error| permanent(error, is_permanent))?;
    running.spawn_all(service.background);
    Ok(Part { rpc: service.rpc, http: None, ready: service.ready })
}

async fn web(site: &Site, peers: &Peers) -> anyhow::Result<Part> {
    let mut section = site.config.web.clone();
    section.public_url.clone_from(&site.public_url);
    section.sandbox_ehr_url.clone_from(&site.sandbox_ehr);
    let ports = sallyport_web::Ports {
        gateway: peers.transport(ServiceName::Web, ServiceName::FhirGateway)?,
        console: sallyport_web::ConsolePorts {
            launch_auth: for_console(peers, ServiceName::LaunchAuth)?,
            audit: for_console(peers, ServiceName::Audit)?,
            job_worker: peers.perhaps(ServiceName::Web, ServiceName::JobWorker)?,
        },
        registry: Arc::clone(&site.registry),
        clock: site.base.clock(),
    };
    let service = sallyport_web::build(section, ports).await.map_err(|error| permanent(error, |_| true))?;
    Ok(Part { rpc: None, http: Some(service.http), ready: service.ready })
}

/// To a service that only the console needs: where nobody says where it is, charts are served and the console says that a part
/// is not available.
fn for_console(peers: &Peers, peer: ServiceName) -> Result<Transport, ConfigError> {
    let known = peers.perhaps(ServiceName::Web, peer)?;
    Ok(known.unwrap_or_else(|| Transport::later(&Later::default(), ServiceName::Web)))
}

/// Tells what waiting cannot mend from what it can: the first ends the process with 64, the second is tried again.
fn permanent<E>(error: E, is_permanent: impl Fn(&E) -> bool) -> anyhow::Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    if is_permanent(&error) {
        return ConfigError(error.to_string()).into();
    }
    anyhow::Error::new(error).context("the service cannot be built yet")
}
