//! Reading acknowledged frames back, segment by segment, for the relay. Every byte is read once.

use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    sync::Arc,
};

use prost::Message as _;
use sallyport_proto::audit::v1::{SealedRecord, WrappedKey};

use crate::{
    cursor::Cursor,
    frame::{self, Kind, Next},
    segment::{self, HEADER_BYTES},
    spool::Shared,
};

/// An acknowledged record and where it ends.
pub(crate) struct Stored {
    pub(crate) record: SealedRecord,
    /// The offset after its frame.
    pub(crate) end: u64,
    /// Bytes of the encoded record.
    pub(crate) bytes: usize,
}

/// Where reading stands in one segment.
pub(crate) struct Reader {
    shared: Arc<Shared>,
    segment: u64,
    /// Records that end at or before are relayed already.
    skip_to: u64,
    /// How far the file was read.
    loaded: u64,
    /// The data keys met in this segment.
    pub(crate) keys: HashMap<Vec<u8>, WrappedKey>,
    /// Read and not yet relayed, oldest first.
    pub(crate) pending: VecDeque<Stored>,
}

/// What a look at the segment gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// More may come.
    Open,
    /// Everything acknowledged in this segment is in `pending` or relayed, and no more will come.
    Complete,
}

impl Reader {
    /// At `cursor`, or at the first segment after it.
    pub(crate) fn new(shared: Arc<Shared>, cursor: Cursor) -> Self {
        let first = shared.segments().range(cursor.segment..).next().map(|(number, _)| *number);
        let segment = first.unwrap_or(cursor.segment);
        let skip_to = if segment == cursor.segment { cursor.offset } else { 0 };
        Self { shared, segment, skip_to, loaded: 0, keys: HashMap::new(), pending: VecDeque::new() }
    }

    pub(crate) fn segment(&self) -> u64 {
        self.segment
    }

    /// Reads what was acknowledged since the last look. Blocks.
    pub(crate) fn look(&mut self) -> io::Result<Look> {
        let state = self.shared.segments().get(&self.segment).copied();
        let Some(state) = state else { return Ok(Look::Complete) };
        if self.loaded < state.acknowledged {
            let bytes = self.read(state.acknowledged)?;
            self.parse(&bytes, state.acknowledged);
        }
        Ok(if state.finished { Look::Complete } else { Look::Open })
    }

    /// Goes to the segment after this one, when there is one.
    pub(crate) fn next_segment(&mut self) -> bool {
        let next = self.shared.segments().range(self.segment + 1..).next().map(|(number, _)| *number);
        let Some(next) = next else { return false };
        *self = Self::new(Arc::clone(&self.shared), Cursor { segment: next, ..Cursor::default() });
        true
    }

    fn read(&self, end: u64) -> io::Result<Vec<u8>> {
        let mut file = match File::open(segment::path(&self.shared.directory, self.segment)) {
            Ok(file) => file,
            // Somebody removed it: the store will see the gap in the sequence.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(self.loaded))?;
        let mut bytes = Vec::new();
        file.take(end - self.loaded).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn parse(&mut self, bytes: &[u8], end: u64) {
        let mut at = if self.loaded == 0 { HEADER_BYTES } else { 0 };
        while let Some(Next::Frame(kind, payload, used)) = bytes.get(at..).map(frame::next) {
            at += used;
            let offset = self.loaded + at as u64;
            match kind {
                Kind::Key => {
                    let key = WrappedKey::decode(payload).unwrap_or_default();
                    self.keys.insert(key.key_id.clone(), key);
                }
                Kind::Record if offset > self.skip_to => {
                    let record = SealedRecord::decode(payload).unwrap_or_default();
                    self.pending.push_back(Stored { record, end: offset, bytes: payload.len() });
                }
                Kind::Record => {}
            }
        }
        if self.loaded + (at as u64) < end {
            tracing::error!(code = "audit.segment_damaged", "acknowledged audit records cannot be read back");
            if let Some(state) = self.shared.segments().get_mut(&self.segment) {
                state.damaged = true;
            }
        }
        self.loaded = end;
    }
}
