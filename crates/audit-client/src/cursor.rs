//! How far the relay has come, on disk.
//!
//! It is replaced after every accepted batch and synced only before a segment is deleted: after a power cut an older
//! cursor, or none, only means that some batches are published again, which the store takes once.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::frame;

/// Segment, offset, relayed-below, checksum.
const BYTES: usize = 8 + 8 + 8 + 4;

/// A position in the spool: everything before it was accepted by the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cursor {
    /// The segment the relay reads.
    pub(crate) segment: u64,
    /// The byte after the last accepted frame in it.
    pub(crate) offset: u64,
    /// Every sequence number below was accepted.
    pub(crate) relayed_below: u64,
}

impl Cursor {
    /// The stored cursor; the beginning when there is none or it is damaged.
    pub(crate) fn load(directory: &Path) -> Self {
        fs::read(path(directory)).ok().and_then(|bytes| Self::decode(&bytes)).unwrap_or_default()
    }

    /// Replaces the stored cursor; `durable` waits until it would survive a power cut.
    pub(crate) fn store(self, directory: &Path, durable: bool) -> io::Result<()> {
        let fresh = directory.join("cursor.new");
        let mut file = File::create(&fresh)?;
        file.write_all(&self.encode())?;
        if durable {
            file.sync_data()?;
        }
        fs::rename(&fresh, path(directory))?;
        if durable { File::open(directory)?.sync_all() } else { Ok(()) }
    }

    fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BYTES);
        for number in [self.segment, self.offset, self.relayed_below] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let sum = frame::crc32c(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (segment, rest) = bytes.split_first_chunk::<8>()?;
        let (offset, rest) = rest.split_first_chunk::<8>()?;
        let (relayed_below, rest) = rest.split_first_chunk::<8>()?;
        let sum = rest.first_chunk::<4>()?;
        let whole =
            bytes.len() == BYTES && frame::crc32c(bytes.get(..BYTES - 4)?) == u32::from_le_bytes(*sum);
        whole.then(|| Self {
            segment: u64::from_le_bytes(*segment),
            offset: u64::from_le_bytes(*offset),
            relayed_below: u64::from_le_bytes(*relayed_below),
        })
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join("cursor")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_cursor_is_read_back_and_a_damaged_one_means_the_beginning() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Cursor::load(directory.path()), Cursor::default());
        let cursor = Cursor { segment: 3, offset: 900, relayed_below: 77 };
        for durable in [false, true] {
            cursor.store(directory.path(), durable).unwrap();
            assert_eq!(Cursor::load(directory.path()), cursor);
        }
        let mut bytes = cursor.encode();
        bytes[8] ^= 1;
        fs::write(path(directory.path()), bytes).unwrap();
        assert_eq!(Cursor::load(directory.path()), Cursor::default());
    }
}
