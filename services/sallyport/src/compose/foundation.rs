//! What the embedded services stand on: a locked data folder, SQLite files, a local key, in-process queue and cache.

use std::{
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, bail};
use sallyport_audit_client::{AuditClient, Settings};
use sallyport_db::Pool;
use sallyport_egress::{Egress, Limits};
use sallyport_keyring::{Deployment, KeyEncryptionKey, LocalKey};
use sallyport_kv::Kv;
use sallyport_model::{Clock, ServiceName, SystemClock};
use sallyport_queue::Queue;
use sallyport_telemetry::{health::Ready, metrics::Metrics};

use super::Running;

/// Shared by the services of one process.
pub(super) struct Foundation {
    folder: PathBuf,
    /// Held while the process lives: two instances on one folder would each believe to be alone.
    _lock: File,
    clock: Arc<dyn Clock>,
    kek: Arc<dyn KeyEncryptionKey>,
    queue: Arc<dyn Queue>,
    kv: Arc<dyn Kv>,
    metrics: Metrics,
    spool_max_bytes: u64,
    spools: Arc<Mutex<Vec<AuditClient>>>,
}

impl Foundation {
    /// Opens the data folder.
    pub(super) fn open(folder: &Path, production: bool, spool_max_bytes: u64) -> anyhow::Result<Self> {
        create_private(folder)?;
        let lock_path = folder.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path)?;
        if lock.try_lock().is_err() {
            bail!(
                "another instance runs on {}: stop it, or give --data-dir another folder",
                folder.display()
            );
        }
        let deployment = if production { Deployment::Production } else { Deployment::Development };
        let kek = LocalKey::open_or_create(&folder.join("local.key"), deployment)
            .context("the local key cannot be used")?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Ok(Self {
            folder: folder.to_owned(),
            _lock: lock,
            kek: Arc::new(kek),
            queue: Arc::new(sallyport_queue::InProcess::new()),
            kv: Arc::new(sallyport_kv::InProcess::new(Arc::clone(&clock))),
            clock,
            metrics: Metrics::new(),
            spool_max_bytes,
            spools: Arc::default(),
        })
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    pub(super) fn kek(&self) -> Arc<dyn KeyEncryptionKey> {
        Arc::clone(&self.kek)
    }

    pub(super) fn queue(&self) -> Arc<dyn Queue> {
        Arc::clone(&self.queue)
    }

    pub(super) fn kv(&self) -> Arc<dyn Kv> {
        Arc::clone(&self.kv)
    }

    pub(super) fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    pub(super) fn egress(&self) -> anyhow::Result<Egress> {
        Ok(Egress::new(Limits::default())?)
    }

    /// A service's own database file.
    pub(super) async fn pool(&self, service: &str) -> anyhow::Result<Pool> {
        let folder = self.folder.join("db");
        create_private(&folder)?;
        let path = folder.join(format!("{service}.sqlite"));
        Pool::sqlite(&path).await.with_context(|| format!("cannot open {}", path.display()))
    }

    /// A service's own audit spool, relayed over the queue.
    pub(super) async fn spool(
        &self,
        service: ServiceName,
        running: &mut Running,
    ) -> anyhow::Result<AuditClient> {
        let folder = self.folder.join("spool").join(service.as_str());
        create_private(&folder)?;
        let settings =
            Settings { max_bytes: self.spool_max_bytes, metrics: self.metrics(), ..Settings::new(folder) };
        let (client, relay) = AuditClient::open(settings, service, self.kek(), self.clock()).await?;
        running.spawn(relay.run(self.queue(), running.shutdown()));
        self.spools.lock().unwrap_or_else(PoisonError::into_inner).push(client.clone());
        Ok(client)
    }

    /// Ready means: every spool could take a record, and the gateway could make a call.
    pub(super) fn readiness(&self, gateway: Ready) -> Ready {
        let spools = Arc::clone(&self.spools);
        Arc::new(move || {
            let spools = spools.lock().unwrap_or_else(PoisonError::into_inner);
            spools.iter().try_for_each(|spool| spool.ready().map_err(|error| error.to_string()))?;
            gateway()
        })
    }

    /// Everything recorded so far, durable.
    pub(super) async fn flush(&self) {
        let spools = self.spools.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for spool in spools {
            if let Err(error) = spool.flush().await {
                tracing::error!(reason = error.label(), "the audit spool could not be flushed at the end");
            }
        }
    }
}

/// A folder that only its owner can read.
fn create_private(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot create {}", folder.display()))
}
