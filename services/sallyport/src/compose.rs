//! Everything in one process: the same services that run alone elsewhere, joined by in-process routes.
//!
//! Reads like a list on purpose: what is built, in which order, from what.

mod foundation;
mod running;

use std::{path::PathBuf, sync::Arc};

use anyhow::Context;
use sallyport_model::ServiceName;
use sallyport_registry::Registry;
use sallyport_rpc::{Served, Transport};
use sallyport_telemetry::{SpanRing, health};

use crate::{
    cli::UpArgs,
    config::{self, ConfigError, Environment, File},
    dev_tenant, edge, listen, operator,
    ready::Ready,
};
use foundation::Foundation;
pub use running::Running;

/// Where data is kept when nobody says.
pub const DEFAULT_DATA_DIR: &str = "data/sallyport";

/// Starts everything and returns when it is ready.
///
/// # Errors
/// [`ConfigError`] for what an operator must change, otherwise what could not be opened.
pub async fn start(args: UpArgs, ring: SpanRing) -> anyhow::Result<Running> {
    let config = merged(&args)?;
    let data_dir = args.data_dir.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR));
    let front = listen::bind(&config.server.listen).await?;
    let admin = listen::bind(&config.server.admin_listen).await?;
    let app = match config.server.public_url.as_str() {
        "" => format!("http://{}:{}", listen::host(&config.server.listen), listen::port(&front)?),
        given => given.trim_end_matches('/').to_owned(),
    };
    let mut running = Running::new();

    let ehr = match config.sandbox_ehr.enabled {
        true => Some(sandbox(&config, &app, &mut running).await?),
        false => None,
    };
    let base = Foundation::open(
        &data_dir,
        config.environment == Environment::Production,
        config.audit_spool.max_bytes,
    )?;
    let registry = Arc::new(registry(&config, &data_dir, ehr.as_deref())?);

    let audit = {
        let ports = sallyport_audit::Ports {
            clock: base.clock(),
            pool: base.pool("audit").await?,
            kek: base.kek(),
            queue: base.queue(),
            audit: base.spool(ServiceName::Audit, &mut running).await?,
            metrics: base.metrics(),
            shutdown: running.shutdown(),
        };
        sallyport_audit::build(config.audit, ports).await?
    };
    running.spawn_all(audit.background);

    let vault = {
        let ports = sallyport_token_vault::Ports {
            registry: Arc::clone(&registry),
            clock: base.clock(),
            pool: base.pool("token-vault").await?,
            kek: base.kek(),
            egress: base.egress()?,
            audit: base.spool(ServiceName::TokenVault, &mut running).await?,
            metrics: base.metrics(),
            shutdown: running.shutdown(),
        };
        sallyport_token_vault::build(config.token_vault, ports).await?
    };
    running.spawn_all(vault.background);
    let vault_rpc = served(vault.rpc, "token-vault")?;

    let launch = {
        let mut section = config.launch_auth;
        section.public_url = app.parse().context("server.public_url is not a URL")?;
        let ports = sallyport_launch_auth::Ports {
            registry: Arc::clone(&registry),
            clock: base.clock(),
            pool: base.pool("launch-auth").await?,
            kv: base.kv(),
            egress: base.egress()?,
            vault: Transport::local(vault_rpc.clone(), ServiceName::LaunchAuth),
            audit: base.spool(ServiceName::LaunchAuth, &mut running).await?,
            metrics: base.metrics(),
            shutdown: running.shutdown(),
        };
        sallyport_launch_auth::build(section, ports).await?
    };
    running.spawn_all(launch.background);
    let launch_rpc = served(launch.rpc, "launch-auth")?;

    let gateway = {
        let mut section = config.fhir_gateway;
        section.public_url.clone_from(&app);
        let ports = sallyport_fhir_gateway::Ports {
            registry: Arc::clone(&registry),
            clock: base.clock(),
            egress: base.egress()?,
            launch_auth: Transport::local(launch_rpc.clone(), ServiceName::FhirGateway),
            token_vault: Transport::local(vault_rpc.clone(), ServiceName::FhirGateway),
            audit: base.spool(ServiceName::FhirGateway, &mut running).await?,
            metrics: base.metrics(),
            shutdown: running.shutdown(),
        };
        sallyport_fhir_gateway::build(section, ports).await?
    };
    running.spawn_all(gateway.background);
    let gateway_rpc = served(gateway.rpc, "fhir-gateway")?;

    let _jobs = sallyport_job_worker::build(&sallyport_job_worker::Ports { metrics: base.metrics() });

    let web = {
        let mut section = config.web;
        section.public_url.clone_from(&app);
        section.sandbox_ehr_url.clone_from(&ehr);
        let ports = sallyport_web::Ports {
            gateway: Transport::local(gateway_rpc.clone(), ServiceName::Web),
            registry: Arc::clone(&registry),
            clock: base.clock(),
        };
        sallyport_web::build(section, ports).await?
    };

    let door = edge::router(edge::Parts {
        launch_auth: launch.http,
        fhir_gateway: gateway.http,
        web: web.http,
        gateway: Transport::local(gateway_rpc.clone(), ServiceName::Web),
        registry: Arc::clone(&registry),
        max_body_bytes: config.server.max_body_bytes,
    });
    base.metrics()
        .gauge("sallyport_registry_info", "The tenants' files in use, by hash.", &["hash"])
        .set(&[registry.hash()], 1);
    let admin_port = listen::port(&admin)?;
    let is_ready = base.readiness(gateway.ready);
    running.serve(admin, &health::router(base.metrics(), ring, is_ready));
    running.serve(front, &door);

    let socket = operator::socket_in(&data_dir);
    let services: Vec<Served> =
        [audit.rpc, Some(vault_rpc), Some(launch_rpc), Some(gateway_rpc)].into_iter().flatten().collect();
    let listener = operator::bind(&socket)?;
    running.spawn_try(operator::serve(listener, services, running.shutdown()));

    let ready = Ready {
        app,
        fhir_base: ehr.as_ref().map(|ehr| format!("{ehr}{}", dev_tenant::BASE_PATH)).unwrap_or_default(),
        ehr: ehr.unwrap_or_default(),
        admin: format!("http://{}:{admin_port}", listen::host(&config.server.admin_listen)),
        operator_socket: socket,
        data_dir: data_dir.clone(),
        pid: std::process::id(),
    };
    ready.write(&Ready::path_in(&data_dir))?;
    if let Some(path) = &args.ready_file {
        ready.write(path)?;
    }
    Ok(running.ready(ready, base))
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
        ..sallyport_sandbox_ehr::Config::default()
    })
    .await?;
    for listener in listeners {
        let mut shutdown = running.shutdown();
        let stopped = async move {
            // A sender that is gone means the same.
            let _either_way = shutdown.changed().await;
        };
        let serving = sallyport_sandbox_ehr::serve(listener, sandbox.clone(), stopped);
        running.spawn_try(async move { serving.await.map_err(Into::into) });
    }
    Ok(origin)
}

/// The tenant files of the folder, and the sandbox's tenant where there is a sandbox.
fn registry(config: &File, data_dir: &std::path::Path, ehr: Option<&str>) -> anyhow::Result<Registry> {
    let folder = match config.registry.folder.as_str() {
        "" => data_dir.join("tenants"),
        given => PathBuf::from(given),
    };
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let extra = ehr.map(dev_tenant::file).into_iter().collect();
    Registry::load_with(&folder, extra).map_err(|error| ConfigError(error.to_string()).into())
}

fn served(rpc: impl Into<Option<Served>>, name: &str) -> anyhow::Result<Served> {
    rpc.into().with_context(|| format!("{name} offers no methods"))
}
