//! The spool's directory: locked by one process, recovered at open, and what writer and relay share about it.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use sallyport_keyring::random;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    OpenError,
    cursor::Cursor,
    disk::{Disk, SpoolFile},
    frame,
    metrics::SpoolMetrics,
    segment,
};

/// What is known about one segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentState {
    /// Frames below this offset are acknowledged: the relay may read them.
    pub(crate) acknowledged: u64,
    /// No more will be acknowledged here.
    pub(crate) finished: bool,
    /// Bytes follow that are neither acknowledged nor written again elsewhere: kept for inspection, not deleted.
    pub(crate) damaged: bool,
}

/// Shared by the client, the writer and the relay.
pub(crate) struct Shared {
    pub(crate) directory: PathBuf,
    pub(crate) spool: Uuid,
    pub(crate) max_bytes: u64,
    pub(crate) segment_bytes: u64,
    segments: Mutex<BTreeMap<u64, SegmentState>>,
    /// Bumped whenever the relay may have something new to read.
    pub(crate) progress: watch::Sender<u64>,
    /// Every sequence number below is acknowledged.
    pub(crate) acknowledged_below: AtomicU64,
    /// Every sequence number below was accepted by the queue.
    pub(crate) relayed_below: watch::Sender<u64>,
    /// Bytes in segment files.
    pub(crate) disk_bytes: AtomicU64,
    /// Bytes of records waiting for the writer.
    pub(crate) queued_bytes: AtomicU64,
    /// A commit failed and no new segment has committed since: no call may start.
    pub(crate) broken: AtomicBool,
    /// How many `fdatasync` calls were made on segments.
    pub(crate) fdatasyncs: AtomicU64,
    pub(crate) metrics: SpoolMetrics,
    /// Held for the life of the spool; the lock goes with the descriptor.
    _lock: File,
}

/// What recovery found.
pub(crate) struct Recovered {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cursor: Cursor,
    /// The first sequence number never used.
    pub(crate) next_sequence: u64,
    /// The number of the segment to begin.
    pub(crate) next_segment: u64,
}

impl Shared {
    pub(crate) fn segments(&self) -> MutexGuard<'_, BTreeMap<u64, SegmentState>> {
        // A poisoned lock only means that a holder panicked between two complete states.
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the relay to look again.
    pub(crate) fn announce(&self) {
        self.progress.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// One more `fdatasync`, measured.
    pub(crate) fn sync(&self, file: &mut dyn SpoolFile) -> io::Result<()> {
        self.fdatasyncs.fetch_add(1, Ordering::AcqRel);
        let begun = Instant::now();
        let result = file.sync();
        self.metrics.synced(begun.elapsed());
        result
    }

    /// Shows depth and size in the metrics.
    pub(crate) fn show_level(&self) {
        self.metrics.level(self.depth(), self.disk_bytes.load(Ordering::Acquire));
    }

    /// Records acknowledged and not yet accepted by the queue.
    pub(crate) fn depth(&self) -> u64 {
        self.acknowledged_below.load(Ordering::Acquire).saturating_sub(*self.relayed_below.borrow())
    }
}

/// Opens or creates the spool in `directory`.
pub(crate) fn open(
    directory: &Path,
    max_bytes: u64,
    disk: &dyn Disk,
    metrics: SpoolMetrics,
) -> Result<Recovered, OpenError> {
    let at = |source| OpenError::Disk { directory: directory.to_owned(), source };
    fs::create_dir_all(directory).map_err(at)?;
    let lock = lock(directory)?;
    let spool = identity(directory, disk).map_err(at)?;
    let found = recover(directory).map_err(at)?;
    let cursor = Cursor::load(directory);
    let next_sequence = found.next_sequence.max(cursor.relayed_below);
    // Before the first record nothing waits; without a cursor everything does.
    let relayed_below = if found.segments.is_empty() { next_sequence } else { cursor.relayed_below.max(1) };
    let next_segment = found.segments.keys().next_back().copied().unwrap_or(0).max(cursor.segment) + 1;
    let shared = Shared {
        directory: directory.to_owned(),
        spool,
        max_bytes,
        // Several segments fit under the cap, so that relayed ones can be deleted before it is reached.
        segment_bytes: segment::MAX_SEGMENT_BYTES.min(max_bytes / 4),
        segments: Mutex::new(found.segments),
        progress: watch::Sender::new(0),
        acknowledged_below: AtomicU64::new(next_sequence),
        relayed_below: watch::Sender::new(relayed_below),
        disk_bytes: AtomicU64::new(found.bytes),
        queued_bytes: AtomicU64::new(0),
        broken: AtomicBool::new(false),
        fdatasyncs: AtomicU64::new(0),
        metrics,
        _lock: lock,
    };
    Ok(Recovered { shared: Arc::new(shared), cursor, next_sequence, next_segment })
}

fn lock(directory: &Path) -> Result<File, OpenError> {
    let at = |source| OpenError::Disk { directory: directory.to_owned(), source };
    let file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(directory.join("lock"))
        .map_err(at)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(OpenError::InUse(directory.to_owned())),
        Err(fs::TryLockError::Error(source)) => Err(at(source)),
    }
}

/// The spool's random id, made once.
fn identity(directory: &Path, disk: &dyn Disk) -> io::Result<Uuid> {
    let path = directory.join("spool-id");
    match fs::read_to_string(&path) {
        Ok(text) => Uuid::parse_str(text.trim())
            .map_err(|_shape| io::Error::new(io::ErrorKind::InvalidData, "spool-id does not hold a uuid")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = uuid::Builder::from_random_bytes(random::<16>()).into_uuid();
            let fresh = directory.join("spool-id.new");
            let mut file = File::create(&fresh)?;
            file.write_all(id.simple().to_string().as_bytes())?;
            file.sync_all()?;
            fs::rename(&fresh, &path)?;
            disk.sync_directory(directory)?;
            Ok(id)
        }
        Err(error) => Err(error),
    }
}

struct Found {
    segments: BTreeMap<u64, SegmentState>,
    next_sequence: u64,
    bytes: u64,
}

/// Reads what an earlier process left: cuts the torn tail of the newest segment, finds the first unused number.
fn recover(directory: &Path) -> io::Result<Found> {
    let numbers = segment::list(directory)?;
    let newest = numbers.last().copied();
    let mut found = Found { segments: BTreeMap::new(), next_sequence: 1, bytes: 0 };
    for number in numbers {
        let path = segment::path(directory, number);
        let bytes = fs::read(&path)?;
        let mut above = 0;
        let walked =
            segment::walk(&bytes, |kind, payload, _| above = above.max(sequence_after(kind, payload)));
        let Some((header, end)) = walked else {
            set_aside(&path, bytes.len())?;
            continue;
        };
        let mut torn = end < bytes.len() as u64;
        if torn && Some(number) == newest {
            // Nothing after it was acknowledged: the write never came to its end.
            OpenOptions::new().write(true).open(&path)?.set_len(end)?;
            tracing::info!(bytes = bytes.len() as u64 - end, "cut the torn tail of the audit spool");
            torn = false;
        }
        found.next_sequence = found.next_sequence.max(header.floor).max(above);
        found.bytes += end;
        found.segments.insert(number, SegmentState { acknowledged: end, finished: true, damaged: torn });
    }
    Ok(found)
}

/// A segment without a whole header: one that was never committed goes, anything longer is kept for inspection.
fn set_aside(path: &Path, length: usize) -> io::Result<()> {
    if length <= segment::HEADER_BYTES {
        return fs::remove_file(path);
    }
    tracing::error!(code = "audit.segment_damaged", "a segment of the audit spool has no readable header");
    fs::rename(path, path.with_extension("damaged"))
}

/// The number after the one in a record's frame.
fn sequence_after(kind: frame::Kind, payload: &[u8]) -> u64 {
    use prost::Message as _;
    if kind != frame::Kind::Record {
        return 0;
    }
    let record = sallyport_proto::audit::v1::SealedRecord::decode(payload).unwrap_or_default();
    u64::try_from(record.spool_sequence).map_or(0, |sequence| sequence.saturating_add(1))
}
