//! Services put together: all of them in one process, joined by in-process routes, or one alone ([`crate::serve`]).
//!
//! Reads like a list on purpose: what is built, in which order, from what.

pub(crate) mod adapters;
pub(crate) mod foundation;
pub(crate) mod parts;
pub(crate) mod peers;
mod running;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use axum::Router;
use sallyport_model::{Clock, ServiceName, SystemClock};
use sallyport_registry::Registry;
use sallyport_rpc::{Later, Served};
use sallyport_telemetry::{SpanRing, health, metrics::Metrics};

use crate::{
    cli::UpArgs,
    config::{self, ConfigError, File},
    dev_tenant, edge, listen, operator,
    ready::Ready,
};
use foundation::Foundation;
use parts::{Part, Site};
use peers::Peers;
pub use running::Running;

/// Where data is kept when nobody says.
pub const DEFAULT_DATA_DIR: &str = "data/sallyport";

/// In the order in which one needs another.
const SERVICES: [ServiceName; 6] = [
    ServiceName::Audit,
    ServiceName::TokenVault,
    ServiceName::LaunchAuth,
    ServiceName::FhirGateway,
    ServiceName::JobWorker,
    ServiceName::Web,
];

/// Starts everything and returns when it is ready.
///
/// # Errors
/// [`ConfigError`] for what an operator must change, otherwise what could not be opened.
pub async fn start(args: UpArgs, ring: SpanRing) -> anyhow::Result<Running> {
    start_some(&SERVICES, HashMap::new(), args, ring).await
}

/// Starts `services`, in the order given, over `others` that are there already, and returns when they are ready. The
/// gateway must be among them. This is how `bench/` measures one service as it is composed here.
///
/// # Errors
/// As [`start`].
pub async fn start_some(
    services: &[ServiceName],
    others: HashMap<ServiceName, Served>,
    args: UpArgs,
    ring: SpanRing,
) -> anyhow::Result<Running> {
    let config = merged(&args)?;
    let data_dir = args.data_dir.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR));
    let front = listen::bind(&config.server.listen).await?;
    let admin = listen::bind(&config.server.admin_listen).await?;
    let app = match config.server.public_url.as_str() {
        "" => format!("http://{}:{}", listen::host(&config.server.listen), listen::port(&front)?),
        given => given.trim_end_matches('/').to_owned(),
    };
    let mut running = Running::new(Duration::from_millis(config.server.grace_ms));
    let ehr = match config.sandbox_ehr.enabled {
        true => Some(sandbox(&config, &app, &mut running).await?),
        false => None,
    };
    let base = Foundation::open(&config, &data_dir, Metrics::new())?;
    let registry = Arc::new(registry(&config, &data_dir, ehr.as_deref())?);
    let site = Site { config, base, registry, public_url: app, sandbox_ehr: ehr };

    // They are called by what is built before them.
    let later =
        HashMap::from([ServiceName::LaunchAuth, ServiceName::JobWorker].map(|of| (of, Later::default())));
    let mut peers = Peers::Local { there: others, later: later.clone() };
    let mut built: Vec<Served> = Vec::new();
    let mut public = Router::new();
    let mut readiness = Vec::new();
    for service in services {
        let Part { rpc, http, ready } = Box::pin(parts::build(*service, &site, &peers, &mut running)).await?;
        if let (Some(served), Peers::Local { there, .. }) = (rpc, &mut peers) {
            built.push(served.clone());
            if let Some(place) = later.get(service) {
                place.is(served.clone());
            }
            there.insert(*service, served);
        }
        public = public.merge(http.unwrap_or_default());
        readiness.push(ready);
    }
    let gateway = peers.transport(ServiceName::Edge, ServiceName::FhirGateway)?;
    let own = edge::own_front_end(gateway, Arc::clone(&site.registry));
    let door = edge::dressed(public.merge(own), site.config.server.max_body_bytes, &site.base.metrics());

    running.lets_go_of(later.into_values());
    show_registry(&site);
    let admin_port = listen::port(&admin)?;
    let probes = health::Probes::of(site.base.readiness(readiness));
    running.serve(admin, &health::router(site.base.metrics(), ring, probes));
    running.serve(front, &door);
    running.offer(&built);
    let socket = operator::socket_in(&data_dir);
    let listener = operator::bind(&socket)?;
    running.spawn_server(operator::serve(listener, built, running.closing()));

    let ehr = site.sandbox_ehr.unwrap_or_default();
    let ready = Ready {
        app: site.public_url,
        fhir_base: match ehr.as_str() {
            "" => String::new(),
            ehr => dev_tenant::endpoints(ehr, &site.config.sandbox_ehr.profile)?.fhir_base,
        },
        ehr,
        admin: format!("http://{}:{admin_port}", listen::host(&site.config.server.admin_listen)),
        admins: Vec::new(),
        operator_socket: socket,
        operator_config: None,
        data_dir: data_dir.clone(),
        pid: std::process::id(),
    };
    ready.write(&Ready::path_in(&data_dir))?;
    if let Some(path) = &args.ready_file {
        ready.write(path)?;
    }
    Ok(running.ready(ready, site.base))
}

/// The file's values, with what the command line says over them.
fn merged(args: &UpArgs) -> Result<File, ConfigError> {
    let mut config = config::load(args.config.as_deref())?;
    if let Some(listen) = &args.listen {
        config.server.listen.clone_from(listen);
    }
    if let Some(listen) = &args.ehr_listen {
        config.sandbox_ehr.listen.clone_from(listen);
    }
    if let Some(folder) = &args.import {
        config.sandbox_ehr.import_dir = folder.to_string_lossy().into_owned();
    }
    Ok(config)
}

/// Starts the sandbox EHR and returns its origin.
async fn sandbox(config: &File, app: &str, running: &mut Running) -> anyhow::Result<String> {
    let section = &config.sandbox_ehr;
    let listeners = listen::bind(&section.listen).await?;
    let origin = format!("http://{}:{}", listen::host(&section.listen), listen::port(&listeners)?);
    let sandbox = sallyport_sandbox_ehr::build(sallyport_sandbox_ehr::Config {
        public_base: origin.clone(),
        seed: section.seed,
        patients: section.patients,
        import_dir: (!section.import_dir.is_empty()).then(|| PathBuf::from(&section.import_dir)),
        clients: vec![dev_tenant::client(app)],
        profile: section.profile.clone(),
        ..sallyport_sandbox_ehr::Config::default()
    })
    .await?;
    for listener in listeners {
        let mut closing = running.closing();
        let stopped = async move {
            // A sender that is gone means the same.
            let _either_way = closing.wait_for(|over| *over).await;
        };
        let serving = sallyport_sandbox_ehr::serve(listener, sandbox.clone(), stopped);
        running.spawn_server(async move { serving.await.map_err(Into::into) });
    }
    Ok(origin)
}

/// The tenant files of the folder, and the sandbox's tenant where there is a sandbox.
pub(crate) fn registry(config: &File, data_dir: &Path, ehr: Option<&str>) -> anyhow::Result<Registry> {
    let folder = match config.registry.folder.as_str() {
        "" => data_dir.join("tenants"),
        given => PathBuf::from(given),
    };
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let own = ehr.map(|ehr| dev_tenant::file(ehr, &config.sandbox_ehr.profile)).transpose()?;
    let extra = own.into_iter().collect();
    let registry = Registry::load_with(&folder, extra).map_err(|error| ConfigError(error.to_string()))?;
    if registry.check_overrides(SystemClock.now()).is_err() {
        // One tenant's forgotten line must not keep all others from starting.
        tracing::error!(
            "an endpoint's override has expired: every launch and call there is refused; `sallyport config check` names it"
        );
    }
    Ok(registry)
}

/// Which tenants' files are in use, for whoever compares replicas.
pub(crate) fn show_registry(site: &Site) {
    site.base
        .metrics()
        .gauge("sallyport_registry_info", "The tenants' files in use, by hash.", &["hash"])
        .set(&[site.registry.hash()], 1);
}
