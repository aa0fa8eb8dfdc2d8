//! A disk that fails on command, and reading a spool back: for tests of this crate and of the services.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use prost::Message as _;
use sallyport_keyring::KeyEncryptionKey;
use sallyport_proto::audit::v1::{Record, SealedRecord, WrappedKey};

use crate::{
    Unsealer,
    disk::{Disk, RealDisk, SpoolFile},
    frame::Kind,
    segment,
};

/// The real disk, until a switch is set. Clones share the switches.
#[derive(Debug, Clone, Default)]
pub struct FaultyDisk {
    switches: Arc<Switches>,
}

#[derive(Debug, Default)]
struct Switches {
    sync: AtomicBool,
    create: AtomicBool,
    directory: AtomicBool,
    append: AtomicBool,
    sync_once: AtomicBool,
    /// How often a file that had failed was synced again: must stay 0.
    retried: AtomicU64,
}

impl FaultyDisk {
    /// From now on `fdatasync` fails (or works again).
    pub fn fail_sync(&self, fail: bool) {
        self.switches.sync.store(fail, Ordering::SeqCst);
    }

    /// The next `fdatasync` fails, those after it work.
    pub fn fail_sync_once(&self) {
        self.switches.sync_once.store(true, Ordering::SeqCst);
    }

    /// From now on creating a segment fails.
    pub fn fail_create(&self, fail: bool) {
        self.switches.create.store(fail, Ordering::SeqCst);
    }

    /// From now on syncing the directory fails.
    pub fn fail_directory(&self, fail: bool) {
        self.switches.directory.store(fail, Ordering::SeqCst);
    }

    /// From now on a write stops half-way (disk full).
    pub fn fail_append(&self, fail: bool) {
        self.switches.append.store(fail, Ordering::SeqCst);
    }

    /// How often a file was synced or written after its sync had failed: a kernel may then answer `Ok` for lost bytes.
    pub fn retried_after_failure(&self) -> u64 {
        self.switches.retried.load(Ordering::SeqCst)
    }
}

fn broken() -> io::Error {
    io::Error::other("injected fault")
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>> {
        if self.switches.create.load(Ordering::SeqCst) {
            return Err(broken());
        }
        let file = RealDisk.create(path)?;
        Ok(Box::new(FaultyFile { file, has_failed: false, switches: Arc::clone(&self.switches) }))
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        if self.switches.directory.load(Ordering::SeqCst) {
            return Err(broken());
        }
        RealDisk.sync_directory(directory)
    }
}

struct FaultyFile {
    file: Box<dyn SpoolFile>,
    has_failed: bool,
    switches: Arc<Switches>,
}

impl FaultyFile {
    fn note_use(&self) {
        if self.has_failed {
            self.switches.retried.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl SpoolFile for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.note_use();
        if self.switches.append.load(Ordering::SeqCst) {
            self.has_failed = true;
            self.file.append(bytes.get(..bytes.len() / 2).unwrap_or_default())?;
            return Err(broken());
        }
        self.file.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.note_use();
        if self.switches.sync.load(Ordering::SeqCst) || self.switches.sync_once.swap(false, Ordering::SeqCst)
        {
            self.has_failed = true;
            return Err(broken());
        }
        self.file.sync()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }
}

/// Every record in the spool's segments, opened, in the order they were written.
///
/// # Errors
/// When a file cannot be read or a record does not open.
pub async fn read_spool(directory: &Path, kek: Arc<dyn KeyEncryptionKey>) -> io::Result<Vec<Record>> {
    let unsealer = Unsealer::new(kek, Arc::new(sallyport_model::SystemClock));
    let mut records = Vec::new();
    for number in segment::list(directory)? {
        let bytes = std::fs::read(segment::path(directory, number))?;
        let mut keys = Vec::new();
        let mut sealed = Vec::new();
        segment::walk(&bytes, |kind, payload, _| match kind {
            Kind::Key => keys.extend(WrappedKey::decode(payload)),
            Kind::Record => sealed.extend(SealedRecord::decode(payload)),
        });
        for record in sealed {
            records.push(unsealer.open(&record, &keys).await.map_err(io::Error::other)?);
        }
    }
    Ok(records)
}
