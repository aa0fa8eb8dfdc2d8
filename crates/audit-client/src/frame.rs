//! Frames: how one entry lies in a segment, so that a tail torn by a crash is recognised and cut.
//!
//! `length u32 LE ‖ CRC-32C u32 LE ‖ kind u8 ‖ payload`; the checksum covers kind and payload. It finds torn writes,
//! not attackers: every payload is authenticated by its own seal.

/// Bytes before the payload.
pub(crate) const HEAD_BYTES: usize = 9;

/// The longest payload. A record of a cohort of ten thousand patients stays below.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 4 * 1024 * 1024;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A `WrappedKey`: the data key of the records that follow in this segment.
    Key,
    /// A `SealedRecord`.
    Record,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Key => 1,
            Self::Record => 2,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Key),
            2 => Some(Self::Record),
            _ => None,
        }
    }
}

/// What stands at a position.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// A whole frame and how many bytes it takes.
    Frame(Kind, &'a [u8], usize),
    /// Nothing more.
    End,
    /// Bytes that are no whole frame.
    Torn,
}

/// Appends one frame to `buffer`.
pub(crate) fn put(buffer: &mut Vec<u8>, kind: Kind, payload: &[u8]) {
    // Callers keep to MAX_PAYLOAD_BYTES; a longer one would be read back as torn, never as something else.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(&checksum(kind, payload).to_le_bytes());
    buffer.push(kind.byte());
    buffer.extend_from_slice(payload);
}

/// Reads the frame at the start of `bytes`.
pub(crate) fn next(bytes: &[u8]) -> Next<'_> {
    if bytes.is_empty() {
        return Next::End;
    }
    parse(bytes).map_or(Next::Torn, |(kind, payload)| Next::Frame(kind, payload, HEAD_BYTES + payload.len()))
}

fn parse(bytes: &[u8]) -> Option<(Kind, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let (kind, rest) = rest.split_first()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let kind = Kind::from_byte(*kind)?;
    if length > MAX_PAYLOAD_BYTES {
        return None;
    }
    let payload = rest.get(..length)?;
    (checksum(kind, payload) == u32::from_le_bytes(*sum)).then_some((kind, payload))
}

fn checksum(kind: Kind, payload: &[u8]) -> u32 {
    !update(update(u32::MAX, &[kind.byte()]), payload)
}

/// CRC-32C (Castagnoli) of `bytes`.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    !update(u32::MAX, bytes)
}

fn update(crc: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(crc, |crc, byte| {
        let index = (crc ^ u32::from(*byte)) & 0xff;
        // The index is below 256, so the entry always exists.
        (crc >> 8) ^ TABLE.get(index as usize).copied().unwrap_or(0)
    })
}

/// The remainders of all single bytes, for the reversed polynomial 0x82F63B78.
static TABLE: [u32; 256] = table();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks every index")]
const fn table() -> [u32; 256] {
    let mut table = [0_u32; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc32c() {
        // The check value of CRC-32/ISCSI, and RFC 3720 B.4: 32 bytes of zeros.
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
    }

    #[test]
    fn frames_come_back_in_order_and_end_cleanly() {
        let mut bytes = Vec::new();
        put(&mut bytes, Kind::Key, b"key");
        put(&mut bytes, Kind::Record, b"");
        let Next::Frame(Kind::Key, b"key", used) = next(&bytes) else { panic!("first frame") };
        let Next::Frame(Kind::Record, b"", more) = next(&bytes[used..]) else { panic!("second frame") };
        assert_eq!(next(&bytes[used + more..]), Next::End);
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_seen() {
        let mut bytes = Vec::new();
        put(&mut bytes, Kind::Record, b"a sealed record");
        for length in 1..bytes.len() {
            assert_eq!(next(&bytes[..length]), Next::Torn, "cut at {length}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(next(&damaged), Next::Frame(..)), "bit {bit}");
        }
    }

    #[test]
    fn a_tail_of_zeros_is_torn_not_an_empty_frame() {
        assert_eq!(next(&[0; 64]), Next::Torn);
    }
}
