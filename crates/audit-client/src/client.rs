//! What a service holds: recording an intent before bytes leave, the outcome after, and single events.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use prost::Message as _;
use sallyport_keyring::KeyEncryptionKey;
use sallyport_model::{Clock, RecordId, ServiceName};
use sallyport_proto::audit::v1::{Phase, Record};
use sallyport_telemetry::metrics::Metrics;
use tokio::sync::{mpsc, oneshot};
use tracing::Instrument as _;

use crate::{
    AuditError, OpenError, Relay,
    disk::{Disk, RealDisk},
    log::Log,
    metrics::SpoolMetrics,
    record,
    seal::Sealer,
    spool::{self, Shared},
    trace,
    writer::{Entry, Writer},
};

/// 256 MiB: about half a million records, some forty minutes at 200 calls a second without a queue.
const DEFAULT_MAX_BYTES: u64 = 256 * 1024 * 1024;

/// Where the spool is and how large it may become.
#[derive(Clone)]
pub struct Settings {
    /// A directory of this service's own, on a disk that survives the process.
    pub directory: PathBuf,
    /// At this many bytes not yet relayed no call may start any more.
    pub max_bytes: u64,
    /// The file operations; tests put a failing disk here.
    pub disk: Arc<dyn Disk>,
    /// Where the spool's metrics are registered.
    pub metrics: Metrics,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("directory", &self.directory)
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// A spool of the default size in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            max_bytes: DEFAULT_MAX_BYTES,
            disk: Arc::new(RealDisk),
            metrics: Metrics::new(),
        }
    }
}

/// Records what happens, durably. Cheap to clone.
#[derive(Clone)]
pub struct AuditClient {
    shared: Arc<Shared>,
    entries: mpsc::UnboundedSender<Entry>,
    service: ServiceName,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for AuditClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditClient").field("service", &self.service).finish_non_exhaustive()
    }
}

/// An intent on its way to the disk.
#[must_use = "nothing may be released before the intent is durable"]
pub struct Pending {
    record: RecordId,
    shared: Arc<Shared>,
    answer: oneshot::Receiver<Result<(), AuditError>>,
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").field("record", &self.record).finish_non_exhaustive()
    }
}

impl Pending {
    /// The record's id, for its outcome.
    pub fn record_id(&self) -> RecordId {
        self.record
    }

    /// Waits until the intent would survive a power cut. On an error nothing may be released.
    ///
    /// # Errors
    /// [`AuditError`] when it is not durable.
    pub async fn durable(self) -> Result<(), AuditError> {
        let span = tracing::info_span!("audit.intent.durable");
        let result = self.answer.instrument(span).await.unwrap_or(Err(AuditError::Closed));
        if let Err(error) = result {
            self.shared.metrics.refused(error.label());
        }
        result
    }
}

impl AuditClient {
    /// Opens the spool, recovers what an earlier process left, and starts its writer on the current runtime. The
    /// relay has to be run for the records to reach the audit service.
    ///
    /// # Errors
    /// [`OpenError`] when the directory is in use or cannot be written: the service must not start without it.
    pub async fn open(
        settings: Settings,
        service: ServiceName,
        kek: Arc<dyn KeyEncryptionKey>,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Relay), OpenError> {
        let Settings { directory, max_bytes, disk, metrics } = settings;
        let metrics = SpoolMetrics::new(&metrics, service);
        let at = |source| OpenError::Disk { directory: directory.clone(), source };
        let (path, opening_disk) = (directory.clone(), Arc::clone(&disk));
        let recovered = tokio::task::spawn_blocking(move || {
            spool::open(&path, max_bytes, opening_disk.as_ref(), metrics)
        })
        .await
        .map_err(|cancelled| at(std::io::Error::other(cancelled)))??;
        let shared = recovered.shared;
        // A segment is begun at once: its floor keeps every number used so far from being used again, and a disk that
        // cannot be written is found now rather than at the first call.
        let mut log = Log::new(Arc::clone(&shared), disk, recovered.next_segment);
        log.begin_again(&mut std::collections::VecDeque::new(), recovered.next_sequence).await.map_err(at)?;
        let sealer = Sealer::new(shared.spool, kek, Arc::clone(&clock));
        let (entries, receiver) = mpsc::unbounded_channel();
        let writer = Writer::new(Arc::clone(&shared), sealer, log, recovered.next_sequence);
        tokio::spawn(writer.run(receiver));
        let relay = Relay::new(Arc::clone(&shared), service, recovered.cursor);
        Ok((Self { shared, entries, service, clock }, relay))
    }

    /// Appends the intent of a call that is about to start. `Err`: the call must not start.
    ///
    /// Missing record id, time and trace id are filled in; phase, service and the outcome `PENDING` are set.
    ///
    /// # Errors
    /// [`AuditError`] when the spool is full or broken, or the record is not complete.
    pub fn begin(&self, record: Record) -> Result<Pending, AuditError> {
        self.submit(record, Phase::Intent)
    }

    /// Appends the outcome of a call begun before, with the same record id. It is durable with the next group, and
    /// never refused for want of space: a call that happened is recorded.
    pub fn outcome(&self, record: Record) {
        let completed = record::complete(record, Phase::Outcome, self.service, self.clock.as_ref());
        let sent = completed.map_err(AuditError::Incomplete).and_then(|record| self.send(record, None));
        if let Err(error) = sent {
            // The intent is there and stays open, which a reader of the log sees.
            tracing::error!(
                code = "audit.outcome_lost",
                reason = error.label(),
                "an outcome is not recorded"
            );
        }
    }

    /// Records a single event; durable when it returns.
    ///
    /// # Errors
    /// [`AuditError`] when it is not durable.
    pub async fn event(&self, record: Record) -> Result<(), AuditError> {
        self.submit(record, Phase::Event)?.durable().await
    }

    /// Waits until everything recorded so far, outcomes included, is durable. Called at shutdown.
    ///
    /// # Errors
    /// [`AuditError`] when it cannot be made durable now.
    pub async fn flush(&self) -> Result<(), AuditError> {
        let (done, answer) = oneshot::channel();
        self.entries.send(Entry::Flush(done)).map_err(|_closed| AuditError::Closed)?;
        answer.await.unwrap_or(Err(AuditError::Closed))
    }

    /// Flushes, then waits until the queue has accepted everything flushed. `false` when `within` passes first: the
    /// rest stays in the spool for the next start.
    pub async fn drain(&self, within: Duration) -> bool {
        let drained = async {
            if self.flush().await.is_err() {
                return false;
            }
            let goal = self.shared.acknowledged_below.load(Ordering::Acquire);
            self.shared.relayed_below.subscribe().wait_for(|relayed| *relayed >= goal).await.is_ok()
        };
        tokio::time::timeout(within, drained).await.unwrap_or(false)
    }

    /// How many `fdatasync` calls were made on segments: far fewer than records under load.
    pub fn fdatasyncs(&self) -> u64 {
        self.shared.fdatasyncs.load(Ordering::Acquire)
    }

    /// How many durable records the queue has not accepted yet.
    pub fn depth(&self) -> u64 {
        self.shared.depth()
    }

    /// Whether calls may start: the spool is neither full nor broken. For readiness.
    ///
    /// # Errors
    /// The [`AuditError`] that the next call would get.
    pub fn ready(&self) -> Result<(), AuditError> {
        if self.entries.is_closed() {
            return Err(AuditError::Closed);
        }
        if self.shared.broken.load(Ordering::Acquire) {
            return Err(AuditError::Unavailable);
        }
        let used =
            self.shared.disk_bytes.load(Ordering::Acquire) + self.shared.queued_bytes.load(Ordering::Acquire);
        if used >= self.shared.max_bytes { Err(AuditError::Full) } else { Ok(()) }
    }

    fn submit(&self, record: Record, phase: Phase) -> Result<Pending, AuditError> {
        self.try_submit(record, phase).inspect_err(|error| self.shared.metrics.refused(error.label()))
    }

    fn try_submit(&self, record: Record, phase: Phase) -> Result<Pending, AuditError> {
        self.ready()?;
        let record = record::complete(record, phase, self.service, self.clock.as_ref())
            .map_err(AuditError::Incomplete)?;
        let id = record::check(&record).map_err(AuditError::Incomplete)?.record;
        let (done, answer) = oneshot::channel();
        self.send(record, Some(done))?;
        Ok(Pending { record: id, shared: Arc::clone(&self.shared), answer })
    }

    fn send(&self, record: Record, done: Option<crate::writer::Done>) -> Result<(), AuditError> {
        let size = u64::try_from(record.encoded_len()).unwrap_or(u64::MAX);
        self.shared.queued_bytes.fetch_add(size, Ordering::AcqRel);
        let entry = Entry::Record { record: Box::new(record), traceparent: trace::current_parent(), done };
        self.entries.send(entry).map_err(|_closed| AuditError::Closed)
    }
}
