//! The segment being written: appending a group, and beginning a new segment after a failure or when one is full.
//!
//! File operations block, so each commit runs as one blocking task that owns the segment while it works.

use std::{
    collections::{HashSet, VecDeque},
    io,
    sync::{Arc, atomic::Ordering},
};

use prost::Message as _;
use sallyport_proto::audit::v1::WrappedKey;

use crate::{
    disk::{Disk, SpoolFile},
    frame::{self, Kind},
    metrics::Labels,
    segment::{self, Header},
    spool::{SegmentState, Shared},
};

/// A sealed record that is not yet known to be durable.
pub(crate) struct Unacknowledged {
    pub(crate) key: Arc<WrappedKey>,
    pub(crate) labels: Labels,
    /// An encoded `SealedRecord`.
    pub(crate) payload: Vec<u8>,
}

/// The open segment.
struct Segment {
    number: u64,
    file: Box<dyn SpoolFile>,
    /// Acknowledged length.
    length: u64,
    /// Data keys that stand in it already.
    keys: HashSet<Vec<u8>>,
}

pub(crate) struct Log {
    shared: Arc<Shared>,
    disk: Arc<dyn Disk>,
    segment: Option<Segment>,
    next_number: u64,
}

impl Log {
    pub(crate) fn new(shared: Arc<Shared>, disk: Arc<dyn Disk>, next_number: u64) -> Self {
        Self { shared, disk, segment: None, next_number }
    }

    /// Appends `records` to the current segment and clears them once they are durable. A full segment is followed by
    /// a new one. `floor` is the first sequence number not yet used.
    pub(crate) async fn append(
        &mut self,
        records: &mut VecDeque<Unacknowledged>,
        floor: u64,
    ) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let Some(mut segment) = self.segment.take() else {
            return self.begin_again(records, floor).await;
        };
        let buffer = frames(records, &mut segment.keys);
        if segment.length + buffer.len() as u64 > self.shared.segment_bytes {
            self.finish(&segment);
            return self.begin_again(records, floor).await;
        }
        let shared = Arc::clone(&self.shared);
        let added = buffer.len() as u64;
        let work = move || {
            let result = segment.file.append(&buffer).and_then(|()| shared.sync(segment.file.as_mut()));
            (segment, result)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok((mut segment, Ok(()))) => {
                segment.length += added;
                self.acknowledge(&segment, added, records);
                self.segment = Some(segment);
                Ok(())
            }
            Ok((segment, Err(error))) => {
                report("append", &error);
                self.abandon(segment).await;
                Err(error)
            }
            Err(cancelled) => Err(io::Error::other(cancelled)),
        }
    }

    /// Begins a new segment with `records`, which are cleared once file and directory entry are durable.
    pub(crate) async fn begin_again(
        &mut self,
        records: &mut VecDeque<Unacknowledged>,
        floor: u64,
    ) -> io::Result<()> {
        let number = self.next_number;
        self.next_number += 1;
        let mut keys = HashSet::new();
        let mut buffer = Header { spool: self.shared.spool, floor }.encode();
        buffer.extend_from_slice(&frames(records, &mut keys));
        let length = buffer.len() as u64;
        let (shared, disk) = (Arc::clone(&self.shared), Arc::clone(&self.disk));
        let work = move || create(&shared, disk.as_ref(), number, &buffer);
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(file)) => {
                let segment = Segment { number, file, length, keys };
                self.acknowledge(&segment, length, records);
                self.segment = Some(segment);
                Ok(())
            }
            Ok(Err(error)) => {
                report("begin", &error);
                Err(error)
            }
            Err(cancelled) => Err(io::Error::other(cancelled)),
        }
    }

    fn acknowledge(&self, segment: &Segment, added: u64, records: &mut VecDeque<Unacknowledged>) {
        self.shared.disk_bytes.fetch_add(added, Ordering::AcqRel);
        let state = SegmentState { acknowledged: segment.length, finished: false, damaged: false };
        self.shared.segments().insert(segment.number, state);
        for record in records.drain(..) {
            self.shared.metrics.durable(record.labels);
        }
    }

    fn finish(&self, segment: &Segment) {
        if let Some(state) = self.shared.segments().get_mut(&segment.number) {
            state.finished = true;
        }
        self.shared.announce();
    }

    /// A segment whose sync failed ends at what was acknowledged. What follows is written again elsewhere; cutting it
    /// off only spares the store duplicates, so a failure to cut changes nothing.
    async fn abandon(&mut self, mut segment: Segment) {
        self.finish(&segment);
        let cut = move || segment.file.truncate(segment.length);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(cut).await {
            report("cut", &error);
        }
    }
}

/// Frames of `records`, each key once before its first record.
fn frames(records: &VecDeque<Unacknowledged>, keys: &mut HashSet<Vec<u8>>) -> Vec<u8> {
    let mut buffer = Vec::new();
    for record in records {
        if keys.insert(record.key.key_id.clone()) {
            frame::put(&mut buffer, Kind::Key, &record.key.encode_to_vec());
        }
        frame::put(&mut buffer, Kind::Record, &record.payload);
    }
    buffer
}

fn create(shared: &Shared, disk: &dyn Disk, number: u64, bytes: &[u8]) -> io::Result<Box<dyn SpoolFile>> {
    let path = segment::path(&shared.directory, number);
    let mut file = disk.create(&path)?;
    let written = file.append(bytes).and_then(|()| {
        shared.sync(file.as_mut())?;
        disk.sync_directory(&shared.directory)
    });
    if let Err(error) = written {
        // Never acknowledged and never read; if it cannot be removed, the next open recognises what it is.
        let _left_behind = std::fs::remove_file(&path);
        return Err(error);
    }
    Ok(file)
}

fn report(step: &'static str, error: &io::Error) {
    tracing::error!(code = "audit.unavailable", state = step, reason = %error.kind(), "the audit spool cannot be written");
}
