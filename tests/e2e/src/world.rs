//! A whole instance for one test, and what it leaves in its logs.

use std::{
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use anyhow::Context;
use sallyport::{cli::UpArgs, compose, compose::Running, demo::Outside};
use sallyport_telemetry::{LogSink, Settings, SpanRing};
use sallyport_testkit::otlp::Receiver;

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
        let ring = observed().ring.clone();
        let config_file = folder.path().join("sallyport.toml");
        std::fs::write(&config_file, config)?;
        let args = UpArgs {
            listen: Some("localhost:0".to_owned()),
            ehr_listen: Some("127.0.0.1:0".to_owned()),
            data_dir: Some(folder.path().join("data")),
            config: Some(config_file),
            ready_file: Some(folder.path().join("ready.json")),
            import: None,
        };
        let running = compose::start(args, ring).await?;
        let outside = Outside::connect(running.urls().context("it says where it is")?).await?;
        Ok(Self { folder, running, outside })
    }

    /// Its data folder.
    pub fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// Stops it; its files stay until the folder that is returned is dropped.
    pub async fn stop(self) -> tempfile::TempDir {
        self.running.stop().await;
        self.folder
    }
}

/// Every byte below a folder, file by file.
///
/// # Errors
/// When a file cannot be read.
pub fn files_below(folder: &Path) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
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
