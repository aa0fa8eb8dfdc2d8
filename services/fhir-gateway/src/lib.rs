//! fhir-gateway: every call to a FHIR server.
//!
//! Offers `/fhir/{launch}/…` and `/api/{launch}/…` to browsers and a gRPC service to `web`; all of them go through one
//! pipeline (`domain/call.rs`), which builds one access context, checks on the way in and on the way out, and
//! releases nothing that is not recorded.

mod config;
mod domain;
mod error;
mod grpc;
mod http;
mod metrics;
mod store;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use sallyport_audit_client::AuditClient;
use sallyport_data_keys::{DataKeys, Keeper};
use sallyport_db::{Pool, Tending};
use sallyport_egress::{Egress, Instant};
use sallyport_keyring::{KeyEncryptionKey, Keyring};
use sallyport_kv::Kv;
use sallyport_model::{Clock, LaunchId, ServiceName};
use sallyport_proto::{
    launch::v1::launch_auth_client::LaunchAuthClient, types::v1::WatchRevocationsRequest,
    vault::v1::token_vault_client::TokenVaultClient,
};
use sallyport_registry::Registry;
use sallyport_resilience::Priority;
use sallyport_rpc::{Served, Transport, revocation::Watch};
use sallyport_telemetry::{health::Ready, metrics::Metrics};
use tokio::sync::watch;

pub use config::Config;
pub use http::openapi;
pub use store::MIGRATIONS;

use domain::{
    activity::Activity,
    capability::Capabilities,
    circuit::Circuits,
    handles::Handles,
    holder::Holder,
    launch_limits::{LaunchLimits, Permit},
    metadata::Statements,
    page_keys::{KeyBook, SharedKeys},
    paging::Pages,
    place::{Place, Places},
    quota::Quotas,
    recording::Recorder,
    seen::Seen,
    session::Sessions,
    shared_seen::SharedSeen,
    store::Store,
    token::Tokens,
    write::WriteKeys,
};
use error::Refusal;
use metrics::GatewayMetrics;
use store::Database;

/// What the gateway is given.
pub struct Ports {
    /// The tenants' files.
    pub registry: Arc<Registry>,
    /// To launch-auth, as fhir-gateway.
    pub launch_auth: Transport,
    /// To token-vault, as fhir-gateway.
    pub token_vault: Transport,
    /// To job-worker, as fhir-gateway, for what scans have found; nothing else waits for it.
    pub job_worker: Option<Transport>,
    /// This service's own database, for writes; migrated here. Reads do without it.
    pub pool: Pool,
    /// This service's spool.
    pub audit: AuditClient,
    /// The way to EHRs.
    pub egress: Egress,
    /// What replicas tell each other; without it each knows what it met itself.
    pub kv: Arc<dyn Kv>,
    /// Wraps the keys of page links for the other replicas.
    pub kek: Arc<dyn KeyEncryptionKey>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where counters are registered.
    pub metrics: Metrics,
    /// Becomes `true` when the process ends.
    pub shutdown: watch::Receiver<bool>,
}

/// A task that ends at shutdown.
pub type Background = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The gateway, ready to be served.
pub struct Service {
    /// For `web`.
    pub rpc: Option<Served>,
    /// `/fhir/{launch}/…` and `/api/{launch}/…`.
    pub http: axum::Router,
    /// Must run for as long as the service is served.
    pub background: Vec<Background>,
    /// Whether calls can be made: the spool takes records and revocations are known.
    pub ready: Ready,
}

/// Why the gateway cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A key of this section has a value that cannot be.
    #[error("fhir_gateway.{0}")]
    Config(&'static str),
    /// An endpoint of the tenants' files cannot be called.
    #[error("{0}")]
    Endpoint(String),
    /// The database.
    #[error("fhir-gateway: the database cannot be used")]
    Database(#[from] sallyport_db::Error),
    /// The way out.
    #[error("fhir-gateway: the client for EHRs cannot be made")]
    Egress(#[from] sallyport_egress::EgressError),
}

/// Everything the use cases share.
pub(crate) struct Gateway {
    config: Config,
    registry: Arc<Registry>,
    places: Places,
    sessions: Sessions,
    tokens: Tokens,
    job_worker: Option<Transport>,
    seen: Seen,
    shared_seen: SharedSeen,
    pages: Pages,
    handles: Handles,
    page_keys: Arc<SharedKeys>,
    statements: Statements,
    capabilities: Capabilities,
    activity: Activity,
    launches: LaunchLimits,
    circuits: Circuits,
    quotas: Quotas,
    store: Store,
    recorder: Recorder,
    metrics: Arc<GatewayMetrics>,
    egress: Egress,
    /// For writes: a new connection each, so that a closing one makes no outcome unknown.
    writer: Egress,
    database: Database,
    write_keys: WriteKeys,
    clock: Arc<dyn Clock>,
}

impl Gateway {
    /// Takes a place for a call.
    pub(crate) async fn enter(
        &self,
        holder: Holder<'_>,
        place: &Place,
        priority: Priority,
        deadline: Instant,
    ) -> Result<Permit, Refusal> {
        self.launches.enter(holder.authority(), &place.limits, priority, deadline).await
    }

    /// The FHIR base that a launch's page uses.
    pub(crate) fn own_base(&self, launch: LaunchId) -> String {
        format!("{}/fhir/{launch}", self.config.public_url)
    }

    /// When a call from an edge must be over.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.config.call_timeout_ms)
    }

    fn sweep(&self) {
        self.seen.sweep(self.clock.now());
        self.tokens.sweep();
        self.launches.sweep();
        self.quotas.sweep();
        self.sessions.sweep();
        self.handles.sweep();
    }
}

/// A key of page links seals for so long at least.
const PAGE_KEY_SECONDS: i64 = 3_600;

/// Between two clean-ups of the database.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);

/// How often what has died is thrown away.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Puts the gateway together.
///
/// # Errors
/// [`BuildError`] names the key or the endpoint; [`BuildError::Database`] may be over when it is tried again.
pub async fn build(config: Config, ports: Ports) -> Result<Service, BuildError> {
    config.validate().map_err(BuildError::Config)?;
    let places = Places::new(&ports.registry, &config).map_err(BuildError::Endpoint)?;
    ports.pool.prepare(MIGRATIONS).await?;
    let tending = ports.pool.clone().tend(Tending {
        migrations: MIGRATIONS,
        clock: Arc::clone(&ports.clock),
        metrics: ports.metrics.for_service(ServiceName::FhirGateway.as_str()),
        shutdown: ports.shutdown.clone(),
    });
    let metrics = Arc::new(GatewayMetrics::new(&ports.metrics));
    let clock = Arc::clone(&ports.clock);
    let write_ring = Arc::new(Keyring::new(Arc::clone(&ports.kek), Arc::clone(&clock)));
    let keys = DataKeys::new(write_ring, &ports.pool, domain::write::PURPOSES, Arc::clone(&clock));
    let keeper = Keeper::over(ServiceName::FhirGateway, &keys, ports.audit.clone());
    let database = Database::new(ports.pool, Arc::clone(&clock));
    let watch = Watch::new(Arc::clone(&clock));
    let keep = Duration::from_millis(config.session_cache_ms);
    let life = i64::try_from(config.page_link_seconds).unwrap_or(0).max(PAGE_KEY_SECONDS) * 1_000_000;
    let book = Arc::new(KeyBook::new(Arc::clone(&clock), life));
    let ring = Keyring::new(Arc::clone(&ports.kek), Arc::clone(&clock));
    let handles = Handles::new(Keyring::new(ports.kek, Arc::clone(&clock)), Arc::clone(&clock));
    let page_keys =
        Arc::new(SharedKeys::new(Arc::clone(&book), Arc::clone(&ports.kv), ring, Arc::clone(&metrics)));
    let activity = Activity::default();
    let store = Store::new(Arc::clone(&ports.kv), Arc::clone(&clock), Arc::clone(&metrics));
    let flush_every = Duration::from_secs(config.activity_flush_seconds);
    let gateway = Arc::new(Gateway {
        registry: ports.registry,
        places,
        sessions: Sessions::new(
            ports.launch_auth.clone(),
            watch.clone(),
            Arc::clone(&clock),
            keep,
            Arc::clone(&metrics),
        ),
        tokens: Tokens::new(ports.token_vault.clone(), Arc::clone(&clock), Arc::clone(&metrics)),
        job_worker: ports.job_worker,
        seen: Seen::new(config.seen_references_per_launch),
        shared_seen: SharedSeen::new(store.clone(), Arc::clone(&clock)),
        pages: Pages::new(book, config.page_link_seconds, config.max_pages),
        handles,
        page_keys: Arc::clone(&page_keys),
        statements: Statements::new(config.metadata_cache_seconds),
        capabilities: Capabilities::new(config.sample_one_in),
        activity: activity.clone(),
        launches: LaunchLimits::new(&config),
        circuits: Circuits::new(store.clone()),
        quotas: Quotas::new(store.clone(), Arc::clone(&clock)),
        store,
        recorder: Recorder::new(ports.audit.clone(), Arc::clone(&metrics), Arc::clone(&clock)),
        metrics,
        writer: ports.egress.without_keep_alive()?,
        egress: ports.egress,
        write_keys: WriteKeys::new(keys),
        database,
        clock,
        config,
    });
    let mut background = follow_revocations(&watch, &ports.launch_auth, &ports.token_vault, &ports.shutdown);
    background.push(Box::pin(activity.run(ports.launch_auth, flush_every, ports.shutdown.clone())));
    background.push(Box::pin(page_keys.run(ports.shutdown.clone())));
    background.push(Box::pin(tending));
    background.push(Box::pin(domain::write::reconcile(Arc::clone(&gateway), ports.shutdown.clone())));
    background.push(Box::pin(domain::proposals::settle(Arc::clone(&gateway), ports.shutdown.clone())));
    background.push(Box::pin(prune(Arc::clone(&gateway), ports.shutdown.clone())));
    background.push(Box::pin(domain::capability::run(Arc::clone(&gateway), ports.shutdown.clone())));
    background.push(Box::pin(sweep(Arc::clone(&gateway), ports.shutdown)));
    let ready = ready(ports.audit, watch);
    Ok(Service {
        rpc: Some(grpc::served(Arc::clone(&gateway), keeper)),
        http: http::router(gateway),
        background,
        ready,
    })
}

/// Both owners' streams: launch-auth knows launches, the vault knows grants.
fn follow_revocations(
    watch: &Watch,
    launch: &Transport,
    vault: &Transport,
    shutdown: &watch::Receiver<bool>,
) -> Vec<Background> {
    let (launch, vault) = (LaunchAuthClient::new(launch.clone()), TokenVaultClient::new(vault.clone()));
    let launches = watch.follow(move |after| {
        let mut client = launch.clone();
        async move {
            client.watch_revocations(WatchRevocationsRequest { after }).await.map(tonic::Response::into_inner)
        }
    });
    let grants = watch.follow(move |after| {
        let mut client = vault.clone();
        async move {
            client.watch_revocations(WatchRevocationsRequest { after }).await.map(tonic::Response::into_inner)
        }
    });
    vec![until_shutdown(launches, shutdown.clone()), until_shutdown(grants, shutdown.clone())]
}

fn until_shutdown(
    task: impl Future<Output = ()> + Send + 'static,
    mut shutdown: watch::Receiver<bool>,
) -> Background {
    Box::pin(async move {
        tokio::select! {
            () = task => {}
            _ = shutdown.wait_for(|over| *over) => {}
        }
    })
}

async fn sweep(gateway: Arc<Gateway>, mut shutdown: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(SWEEP_EVERY) => gateway.sweep(),
            _ = shutdown.wait_for(|over| *over) => return,
        }
    }
}

/// Removes rows that nobody needs any more. A database that is away is tried again an hour later.
async fn prune(gateway: Arc<Gateway>, mut shutdown: watch::Receiver<bool>) {
    loop {
        let keep = i64::from(gateway.config.write_retention_days) * 24 * 3_600 * 1_000_000;
        if gateway.database.prune_writes(gateway.clock.now() - keep).await.is_err() {
            tracing::warn!("the clean-up of the database waits for its next turn");
        }
        tokio::select! {
            () = tokio::time::sleep(PRUNE_EVERY) => {}
            _ = shutdown.wait_for(|over| *over) => return,
        }
    }
}

/// Reads go on without the database, so it is not asked here.
fn ready(audit: AuditClient, watch: Watch) -> Ready {
    Arc::new(move || {
        audit.ready().map_err(|error| {
            format!("fhir-gateway: the audit spool does not take records ({})", error.label())
        })?;
        if watch.is_fresh() {
            Ok(())
        } else {
            Err("fhir-gateway: it is not known which sessions were ended".to_owned())
        }
    })
}
