//! `sallyport serve SERVICE`: one service as a process of its own. Starts in any order: what is not there yet is waited
//! for, what an operator must change ends the process with 64.

mod attempt;
mod phase;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use sallyport_model::ServiceName;
use sallyport_telemetry::{SpanRing, health, metrics::Metrics};
use tokio::net::TcpListener;

use crate::{
    cli::ServeArgs,
    compose::{DEFAULT_DATA_DIR, Running},
    config::{self, ConfigError, File},
    house, listen,
    ready::Ready,
    signals::Ending,
};
use attempt::Attempt;
use phase::Phase;

/// Between attempts to start: from this …
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// … doubling to this, with jitter.
const LAST_PAUSE: Duration = Duration::from_secs(3);

/// Runs one service until it is asked to end.
///
/// # Errors
/// [`ConfigError`] for what waiting cannot mend.
pub async fn run(args: ServeArgs, ring: SpanRing) -> anyhow::Result<ExitCode> {
    let mut ending = Ending::listen()?;
    let config = config::load(args.config.as_deref())?;
    let service = args.service.name();
    let data_dir = args.data_dir.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR));
    let identity = house::identity(&config.rpc, service)?;
    let doors = Doors::bind(&config, service).await?;
    let metrics = Metrics::new();
    let phase = Phase::starting();

    // Health answers from the first moment on, and until the last.
    let mut admin = Running::new(Duration::from_millis(config.server.grace_ms));
    let admin_listeners = listen::bind(&config.server.admin_listen).await?;
    let admin_port = listen::port(&admin_listeners)?;
    admin.serve(admin_listeners, &health::router(metrics.clone(), ring, phase.probes()));
    admin.spawn(identity.clone().watch(admin.shutdown()));
    admin.spawn(house::tell_expiry(identity.clone(), metrics.clone(), admin.shutdown()));

    let attempt =
        Attempt { service, config: &config, data_dir: &data_dir, identity: &identity, metrics: &metrics };
    let started = tokio::select! {
        started = until_started(&attempt, &phase) => started?,
        () = ending.asked() => {
            admin.stop().await;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let ready = Ready {
        app: started.public_url.clone(),
        ehr: String::new(),
        fhir_base: String::new(),
        admin: format!("http://{}:{admin_port}", listen::host(&config.server.admin_listen)),
        admins: Vec::new(),
        operator_socket: PathBuf::new(),
        operator_config: None,
        data_dir: data_dir.clone(),
        pid: std::process::id(),
    };
    let readiness = started.readiness.clone();
    let running = started.open(doors, &identity, &config);
    ready.write(&Ready::path_in(&data_dir))?;
    if let Some(path) = &args.ready_file {
        ready.write(path)?;
    }
    let running = running.ready(ready);
    phase.serving(readiness);
    tracing::info!(service = service.as_str(), "the service is ready");

    ending.asked().await;
    phase.leaving();
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(config.server.leave_ms)) => {}
        () = ending.asked_again() => {}
    }
    tokio::select! {
        () = running.stop() => {}
        () = ending.asked_again() => tracing::warn!("asked twice to end: ended at once"),
    }
    admin.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// The sockets, bound before anything else so that a taken port is an error at once.
pub(crate) struct Doors {
    /// Peers, by mutual TLS.
    pub(crate) house: Option<TcpListener>,
    /// Browsers or an ingress, plain.
    pub(crate) public: Vec<TcpListener>,
}

impl Doors {
    async fn bind(config: &File, service: ServiceName) -> anyhow::Result<Self> {
        if service == ServiceName::Edge {
            return Ok(Self { house: None, public: listen::bind(&config.server.listen).await? });
        }
        if config.rpc.listen.is_empty() {
            return Err(ConfigError("rpc.listen must say where peers reach this service".to_owned()).into());
        }
        let mut house = listen::bind(&config.rpc.listen).await?;
        let public = match config.rpc.ingress_listen.as_str() {
            "" => Vec::new(),
            address => listen::bind(address).await?,
        };
        Ok(Self { house: house.drain(..).next(), public })
    }
}

async fn until_started(attempt: &Attempt<'_>, phase: &Phase) -> anyhow::Result<attempt::Started> {
    let mut pause = FIRST_PAUSE;
    loop {
        match Box::pin(attempt.start()).await {
            Ok(started) => return Ok(started),
            Err(error) if error.is::<ConfigError>() => return Err(error),
            Err(error) => {
                // The chain names places and reasons, never contents; the innermost text may be a driver's own.
                let reason = error.to_string();
                tracing::warn!(service = attempt.service.as_str(), "the service waits for what it needs");
                phase.waiting(reason);
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}
