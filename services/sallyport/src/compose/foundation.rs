//! What the services of one process stand on: a locked data folder, and for rows, messages, cache and keys either the
//! embedded back end or the configured server. Nothing here waits for a server: adapters connect by themselves.

use std::{
    fs::{File as OpenFile, OpenOptions},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};
use sallyport_audit_client::{AuditClient, Settings};
use sallyport_db::{Migrate, Pool};
use sallyport_egress::{Egress, Limits};
use sallyport_keyring::{Deployment, KeyEncryptionKey, LocalKey};
use sallyport_kv::Kv;
use sallyport_model::{Clock, Secret, ServiceName, SystemClock};
use sallyport_queue::Queue;
use sallyport_telemetry::{health::Ready, metrics::Metrics};

use super::{Running, adapters};
use crate::config::{ConfigError, File};

/// Shared by the services of one process.
pub(crate) struct Foundation {
    folder: PathBuf,
    /// Held while the process lives: two instances on one folder would each believe to be alone.
    _lock: OpenFile,
    clock: Arc<dyn Clock>,
    kek: Arc<dyn KeyEncryptionKey>,
    queue: Arc<dyn Queue>,
    kv: Arc<dyn Kv>,
    metrics: Metrics,
    database: Option<Secret<String>>,
    schema_prefix: String,
    migrate: Migrate,
    spool_max_bytes: u64,
    deployment: Deployment,
    spools: Arc<Mutex<Vec<AuditClient>>>,
    pools: Arc<Mutex<Vec<Pool>>>,
}

impl Foundation {
    /// Opens the data folder and the adapters.
    ///
    /// # Errors
    /// What an operator must change: a folder that another instance uses, a configuration that cannot be.
    pub(crate) fn open(config: &File, folder: &Path, metrics: Metrics) -> anyhow::Result<Self> {
        create_private(folder)?;
        let lock_path = folder.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path)?;
        if lock.try_lock().is_err() {
            bail!(
                "another instance runs on {}: stop it, or give --data-dir another folder",
                folder.display()
            );
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Ok(Self {
            folder: folder.to_owned(),
            _lock: lock,
            kek: adapters::kek(config, folder)?,
            queue: adapters::queue(config, &metrics)?,
            kv: adapters::kv(config, &clock, &metrics)?,
            clock,
            metrics,
            database: config.database.server()?,
            schema_prefix: config.database.schema_prefix.clone(),
            migrate: if config.database.migrate_at_start { Migrate::AtStart } else { Migrate::Refuse },
            spool_max_bytes: config.audit_spool.max_bytes,
            deployment: adapters::deployment(config),
            spools: Arc::default(),
            pools: Arc::default(),
        })
    }

    /// This process's own folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The seed of a signing key: from the file that the configuration names, or from the data folder.
    ///
    /// # Errors
    /// What an operator must change.
    pub(crate) fn signing_seed(&self, file: Option<&Path>, name: &str) -> anyhow::Result<Secret<Vec<u8>>> {
        let own = self.folder.join(name);
        let path = file.unwrap_or(&own);
        LocalKey::signing_seed(path, self.deployment)
            .map_err(|error| ConfigError(format!("{}: {error}", path.display())).into())
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    pub(crate) fn kek(&self) -> Arc<dyn KeyEncryptionKey> {
        Arc::clone(&self.kek)
    }

    pub(crate) fn queue(&self) -> Arc<dyn Queue> {
        Arc::clone(&self.queue)
    }

    pub(crate) fn kv(&self) -> Arc<dyn Kv> {
        Arc::clone(&self.kv)
    }

    pub(crate) fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    pub(crate) fn egress(&self) -> anyhow::Result<Egress> {
        Ok(Egress::new(Limits::default())?)
    }

    /// A service's own database: a schema of the server, or a file.
    pub(crate) async fn pool(&self, service: ServiceName) -> anyhow::Result<Pool> {
        let pool = if let Some(url) = &self.database {
            let schema = schema(&self.schema_prefix, service);
            let settings =
                sallyport_db::Settings { migrate: self.migrate, ..sallyport_db::Settings::default() };
            Pool::postgres(url.expose(), &schema, settings)
                .map_err(|error| ConfigError(format!("[database]: {error}")))?
        } else {
            let path = database_file(&self.folder, service)?;
            Pool::sqlite(&path).await.with_context(|| format!("cannot open {}", path.display()))?
        };
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).push(pool.clone());
        Ok(pool)
    }

    /// Closes the databases: nothing of what was deleted stays behind in a file beside one.
    pub(crate) async fn close(&self) {
        let pools = std::mem::take(&mut *self.pools.lock().unwrap_or_else(PoisonError::into_inner));
        for pool in pools {
            pool.close().await;
        }
    }

    /// Who this process is over its restarts, as far as leases go: an id that the data folder keeps, and the folder's lock
    /// says that nobody else is.
    /// A path of the configuration; a relative one is meant within the data folder.
    pub(crate) fn within(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    pub(crate) fn worker_id(&self) -> anyhow::Result<uuid::Uuid> {
        let path = self.folder.join("worker.id");
        if let Some(id) =
            std::fs::read_to_string(&path).ok().and_then(|text| uuid::Uuid::try_parse(text.trim()).ok())
        {
            return Ok(id);
        }
        let id = sallyport_model::RunId::new(self.clock.as_ref()).uuid();
        std::fs::write(&path, id.simple().to_string())
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(id)
    }

    /// A service's own audit spool, relayed over the queue.
    pub(crate) async fn spool(
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

    /// Ready means: every spool takes records, and every service of this process can serve.
    pub(crate) fn readiness(&self, services: Vec<Ready>) -> Ready {
        let spools = Arc::clone(&self.spools);
        Arc::new(move || {
            let spools = spools.lock().unwrap_or_else(PoisonError::into_inner);
            spools.iter().try_for_each(|spool| spool.ready().map_err(|error| error.to_string()))?;
            services.iter().try_for_each(|ready| ready())
        })
    }

    /// Everything recorded so far, durable, and handed to the audit service as far as that works `within`.
    pub(crate) async fn flush(&self, within: Duration) {
        let spools = self.spools.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let each = spools.into_iter().map(|spool| async move {
            if let Err(error) = spool.flush().await {
                tracing::error!(reason = error.label(), "the audit spool could not be flushed at the end");
            }
            if !within.is_zero() {
                let _kept_in_the_spool = spool.drain(within).await;
            }
        });
        futures_util::future::join_all(each).await;
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

/// A service's schema: `<prefix>_token_vault`.
pub(crate) fn schema(prefix: &str, service: ServiceName) -> String {
    format!("{prefix}_{}", service.as_str().replace('-', "_"))
}

/// A service's database file in a data folder.
pub(crate) fn database_file(folder: &Path, service: ServiceName) -> anyhow::Result<PathBuf> {
    let folder = folder.join("db");
    create_private(&folder)?;
    Ok(folder.join(format!("{}.sqlite", service.as_str())))
}
