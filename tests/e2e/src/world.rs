//! A whole instance for one test, and what it leaves in its logs.

use std::{
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use anyhow::Context;
use sallyport::{cli::UpArgs, compose, compose::Running, demo::Outside};
use sallyport_rpc::Served;
use sallyport_telemetry::{LogSink, Settings, SpanRing};
use sallyport_testkit::otlp::Receiver;

use crate::back_ends::RealServers;

/// What this process observes of itself; one for all its tests.
pub struct Observed {
    /// The log's bytes.
    pub log: Arc<Mutex<Vec<u8>>>,
    /// The spans.
    pub ring: SpanRing,
    /// A collector that receives them over OTLP.
    pub collector: Receiver,
    telemetry: sallyport_telemetry::Telemetry,
}

impl Observed {
    /// Everything logged so far.
    pub fn log_bytes(&self) -> Vec<u8> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends spans that wait to the collector.
    pub fn flush(&self) {
        self.telemetry.flush();
    }
}

static OBSERVED: OnceLock<Observed> = OnceLock::new();

/// Telemetry belongs to the process, so it is started once, on a runtime that outlives every test's own.
///
/// # Panics
/// When telemetry cannot be started: then no test means anything.
pub fn observed() -> &'static Observed {
    OBSERVED.get_or_init(|| {
        let (send, receive) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            let runtime = runtime.expect("a runtime for telemetry");
            let _installed_already = rustls::crypto::aws_lc_rs::default_provider().install_default();
            let started = runtime.block_on(async {
                let collector = Receiver::start().await.expect("a collector on a free port");
                let log = Arc::new(Mutex::new(Vec::new()));
                let telemetry = sallyport_telemetry::init(Settings {
                    service: "sallyport-e2e".to_owned(),
                    otlp_endpoint: Some(collector.endpoint()),
                    sample_ratio: 1.0,
                    span_ring: 100_000,
                    log: LogSink::Buffer(Arc::clone(&log)),
                });
                let telemetry = telemetry.expect("telemetry starts once");
                Observed { log, ring: telemetry.ring.clone(), collector, telemetry }
            });
            send.send(started).expect("the test waits");
            runtime.block_on(std::future::pending::<()>());
        });
        receive.recv().expect("telemetry starts")
    })
}

/// A running instance with its sandbox EHR, in a folder of its own.
pub struct World {
    folder: tempfile::TempDir,
    running: Running,
    servers: Option<RealServers>,
    /// How it is seen.
    pub outside: Outside,
}

impl World {
    /// Starts one.
    ///
    /// # Errors
    /// When it cannot start.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with("").await
    }

    /// Starts one with a configuration file of that text.
    ///
    /// # Errors
    /// When it cannot start.
    pub async fn start_with(config: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        Self::start_in(folder, config).await
    }

    /// Starts one in a prepared folder (tenant files in `data/tenants`).
    ///
    /// # Errors
    /// When it cannot start.
    pub async fn start_in(folder: tempfile::TempDir, config: &str) -> anyhow::Result<Self> {
        Self::open(folder, RealServers::wanted().await?, config).await
    }

    async fn open(
        folder: tempfile::TempDir,
        servers: Option<RealServers>,
        config: &str,
    ) -> anyhow::Result<Self> {
        let ring = observed().ring.clone();
        let config_file = folder.path().join("sallyport.toml");
        let sections = servers.as_ref().map(RealServers::sections).transpose()?.unwrap_or_default();
        std::fs::write(&config_file, format!("{config}{sections}"))?;
        let args = UpArgs {
            listen: Some("localhost:0".to_owned()),
            ehr_listen: Some("127.0.0.1:0".to_owned()),
            data_dir: Some(folder.path().join("data")),
            config: Some(config_file),
            ready_file: Some(folder.path().join("ready.json")),
            import: None,
        };
        let running = Box::pin(compose::start(args, ring)).await?;
        let outside = Outside::connect(running.urls().context("it says where it is")?).await?;
        Ok(Self { folder, running, servers, outside })
    }

    /// Its services, to be called as anybody.
    pub fn served(&self) -> Vec<Served> {
        self.running.served().to_vec()
    }

    /// Its data folder.
    pub fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// Stops it and removes what it wrote on servers.
    ///
    /// # Errors
    /// When its database cannot be reached.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.pause().await.remove().await
    }

    /// Stops it; what it wrote stays.
    pub async fn pause(self) -> Remains {
        self.running.stop().await;
        Remains { folder: self.folder, servers: self.servers }
    }

    /// Starts it again on what it left.
    ///
    /// # Errors
    /// When it cannot start.
    pub async fn resume(remains: Remains, config: &str) -> anyhow::Result<Self> {
        Self::open(remains.folder, remains.servers, config).await
    }
}

/// What a stopped instance wrote. Its files are removed with this value, its rows by [`Remains::remove`].
pub struct Remains {
    folder: tempfile::TempDir,
    servers: Option<RealServers>,
}

impl Remains {
    /// Every file of the data folder, and every table of a database server.
    ///
    /// # Errors
    /// When one cannot be read.
    pub async fn everything(&self) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let mut found = files_below(&self.folder.path().join("data"))?;
        if let Some(servers) = &self.servers {
            found.extend(servers.rows().await?);
        }
        Ok(found)
    }

    /// Removes it all.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn remove(self) -> anyhow::Result<()> {
        match self.servers {
            Some(servers) => servers.remove().await,
            None => Ok(()),
        }
    }
}

/// Every byte below a folder, file by file.
///
/// # Errors
/// When a file cannot be read.
fn files_below(folder: &Path) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_below(&path)?);
        } else if path.is_file() {
            found.push((path.to_string_lossy().into_owned(), std::fs::read(&path)?));
        }
    }
    Ok(found)
}
