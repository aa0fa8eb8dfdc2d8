//! Segment files: their names, their header, and reading them back.
//!
//! A segment is self-contained: its header names the spool, and the wrapped data keys of its records stand in it. The
//! header also carries a floor: every sequence number below it may have been used before, so that none is used twice
//! even when the frames that carried it are gone.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::frame::{self, Next};

/// When the next segment begins.
pub(crate) const MAX_SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

/// Magic, spool id, floor, checksum.
pub(crate) const HEADER_BYTES: usize = 8 + 16 + 8 + 4;

const MAGIC: &[u8; 8] = b"SPSPOOL1";
const EXTENSION: &str = "segment";

/// What a segment says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The spool that wrote it.
    pub(crate) spool: Uuid,
    /// Numbers below may have been used before this segment began.
    pub(crate) floor: u64,
}

impl Header {
    /// As the file begins.
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(self.spool.as_bytes());
        bytes.extend_from_slice(&self.floor.to_le_bytes());
        let sum = frame::crc32c(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads it; `None` when it is not whole.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (spool, rest) = rest.split_first_chunk::<16>()?;
        let (floor, rest) = rest.split_first_chunk::<8>()?;
        let sum = rest.first_chunk::<4>()?;
        let covered = bytes.get(..HEADER_BYTES - 4)?;
        let whole = magic == MAGIC && frame::crc32c(covered) == u32::from_le_bytes(*sum);
        whole.then(|| Self { spool: Uuid::from_bytes(*spool), floor: u64::from_le_bytes(*floor) })
    }
}

/// The path of segment `number`.
pub(crate) fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:020}.{EXTENSION}"))
}

/// The numbers of the segments in `directory`, ascending.
pub(crate) fn list(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = PathBuf::from(entry?.file_name());
        let is_segment = name.extension().is_some_and(|e| e == EXTENSION);
        let number = name.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let (true, Some(number)) = (is_segment, number) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Walks the frames of a whole segment. Calls `each(kind, payload, end offset)` and returns the offset where whole
/// frames end, or `None` when the header is not whole.
pub(crate) fn walk(bytes: &[u8], mut each: impl FnMut(frame::Kind, &[u8], u64)) -> Option<(Header, u64)> {
    let header = Header::decode(bytes)?;
    let mut offset = HEADER_BYTES;
    while let Some(rest) = bytes.get(offset..) {
        let Next::Frame(kind, payload, used) = frame::next(rest) else { break };
        offset += used;
        each(kind, payload, offset as u64);
    }
    Some((header, offset as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_and_a_damaged_one_does_not() {
        let header = Header { spool: Uuid::from_u128(7), floor: 42 };
        let bytes = header.encode();
        assert_eq!(bytes.len(), HEADER_BYTES);
        assert_eq!(Header::decode(&bytes), Some(header));
        for position in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[position] ^= 1;
            assert_eq!(Header::decode(&damaged), None, "byte {position}");
        }
        assert_eq!(Header::decode(&bytes[..HEADER_BYTES - 1]), None);
    }

    #[test]
    fn segments_are_listed_in_the_order_they_were_written() {
        let directory = tempfile::tempdir().unwrap();
        for name in [path(directory.path(), 10), path(directory.path(), 9), directory.path().join("lock")] {
            fs::write(name, b"").unwrap();
        }
        assert_eq!(list(directory.path()).unwrap(), [9, 10]);
    }

    #[test]
    fn a_walk_stops_where_whole_frames_end() {
        let mut bytes = Header { spool: Uuid::nil(), floor: 0 }.encode();
        frame::put(&mut bytes, frame::Kind::Record, b"one");
        let whole = bytes.len() as u64;
        bytes.extend_from_slice(&[9, 0, 0, 0, 1]);
        let mut seen = 0;
        assert_eq!(walk(&bytes, |_, _, _| seen += 1).map(|(_, end)| end), Some(whole));
        assert_eq!(seen, 1);
    }
}
