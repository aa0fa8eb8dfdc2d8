//! Bodies: sent with a mark that sending began, received under caps while they stream in.

use std::{
    io::Write,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::EgressError;

/// How much more than its packed size an answer may unpack to (CWE-409).
const MAX_RATIO: u64 = 100;

/// Below this size the ratio says nothing: a short page of spaces packs very well.
const RATIO_FLOOR_BYTES: u64 = 64 * 1024;

/// A request body that remembers whether any of it was handed to the connection.
pub(crate) struct Tracked {
    bytes: Option<Bytes>,
    started: Arc<AtomicBool>,
}

impl Tracked {
    pub(crate) fn new(bytes: Bytes, started: Arc<AtomicBool>) -> Self {
        let bytes = (!bytes.is_empty()).then_some(bytes);
        Self { bytes, started }
    }
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.started.store(true, Ordering::SeqCst);
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |b| b.len() as u64))
    }
}

/// Reads a response body under `max_bytes`, unpacking gzip. Returns it with the number of bytes that came over the wire.
pub(crate) async fn read(
    headers: &HeaderMap,
    mut body: Incoming,
    max_bytes: usize,
) -> Result<(Bytes, u64), EgressError> {
    let mut sink = Sink::for_encoding(headers, max_bytes as u64)?;
    if body.size_hint().lower() > max_bytes as u64 {
        return Err(EgressError::TooLarge);
    }
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_broken| EgressError::Interrupted)?;
        if let Ok(data) = frame.into_data() {
            sink.push(&data)?;
        }
    }
    sink.finish()
}

/// Unpacks a body piece by piece: what comes out of one piece is bounded, whatever the whole amounts to.
pub(crate) enum Unpacker {
    /// As it came.
    Plain,
    /// One or more gzip members.
    Gzip(Box<MultiGzDecoder<Capped>>),
}

impl Unpacker {
    pub(crate) fn for_encoding(headers: &HeaderMap) -> Result<Self, EgressError> {
        Ok(match Sink::for_encoding(headers, 0)? {
            Sink::Plain(_) => Self::Plain,
            Sink::Gzip(decoder, _) => Self::Gzip(decoder),
        })
    }

    /// What a piece unpacks to; may be empty.
    pub(crate) fn push(&mut self, data: Bytes) -> Result<Bytes, EgressError> {
        match self {
            Self::Plain => Ok(data),
            Self::Gzip(decoder) => {
                decoder.get_mut().allowed = (data.len() as u64 * MAX_RATIO).max(RATIO_FLOOR_BYTES);
                let outcome = decoder.write_all(&data);
                outcome.map_err(|_broken| decoder.get_ref().why())?;
                Ok(std::mem::take(&mut decoder.get_mut().bytes).into())
            }
        }
    }

    /// What is left at the end; an error where the packing is cut off.
    pub(crate) fn finish(&mut self) -> Result<Bytes, EgressError> {
        match self {
            Self::Plain => Ok(Bytes::new()),
            Self::Gzip(decoder) => {
                decoder.get_mut().allowed = RATIO_FLOOR_BYTES;
                let outcome = decoder.try_finish();
                outcome.map_err(|_broken| decoder.get_ref().why())?;
                Ok(std::mem::take(&mut decoder.get_mut().bytes).into())
            }
        }
    }
}

/// Where the bytes go.
enum Sink {
    Plain(Capped),
    Gzip(Box<MultiGzDecoder<Capped>>, u64),
}

impl Sink {
    fn for_encoding(headers: &HeaderMap, max_bytes: u64) -> Result<Self, EgressError> {
        let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
        let encoding = encodings.next().map(|v| v.as_bytes().to_ascii_lowercase());
        if encodings.next().is_some() {
            return Err(EgressError::Invalid);
        }
        let capped = Capped { bytes: Vec::new(), allowed: max_bytes, max_bytes, is_over: false };
        match encoding.as_deref() {
            None | Some(b"" | b"identity") => Ok(Self::Plain(capped)),
            Some(b"gzip" | b"x-gzip") => Ok(Self::Gzip(Box::new(MultiGzDecoder::new(capped)), 0)),
            Some(_) => Err(EgressError::Invalid),
        }
    }

    fn push(&mut self, data: &[u8]) -> Result<(), EgressError> {
        match self {
            Self::Plain(capped) => capped.write_all(data).map_err(|_full| EgressError::TooLarge),
            Self::Gzip(decoder, wire) => {
                *wire += data.len() as u64;
                let capped = decoder.get_mut();
                capped.allowed = capped.max_bytes.min((*wire * MAX_RATIO).max(RATIO_FLOOR_BYTES));
                let outcome = decoder.write_all(data);
                outcome.map_err(|_broken| decoder.get_ref().why())
            }
        }
    }

    fn finish(self) -> Result<(Bytes, u64), EgressError> {
        match self {
            Self::Plain(capped) => {
                let wire = capped.bytes.len() as u64;
                Ok((capped.bytes.into(), wire))
            }
            Self::Gzip(mut decoder, wire) => {
                if wire == 0 {
                    return Ok((Bytes::new(), 0));
                }
                let outcome = decoder.try_finish();
                outcome.map_err(|_broken| decoder.get_ref().why())?;
                Ok((std::mem::take(&mut decoder.get_mut().bytes).into(), wire))
            }
        }
    }
}

/// A buffer that refuses to grow beyond what is allowed.
pub(crate) struct Capped {
    bytes: Vec<u8>,
    allowed: u64,
    max_bytes: u64,
    is_over: bool,
}

impl Capped {
    fn why(&self) -> EgressError {
        if self.is_over { EgressError::TooLarge } else { EgressError::Invalid }
    }
}

impl Write for Capped {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        if (self.bytes.len() + data.len()) as u64 > self.allowed {
            self.is_over = true;
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack(packed: &[u8], max_bytes: u64) -> Result<Bytes, EgressError> {
        let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, "gzip".parse().unwrap())]);
        let mut sink = Sink::for_encoding(&headers, max_bytes).unwrap();
        for chunk in packed.chunks(1_000) {
            sink.push(chunk)?;
        }
        sink.finish().map(|(bytes, _)| bytes)
    }

    #[test]
    fn gzip_unpacks_to_what_was_packed() {
        let text = r#"{"resourceType":"Patient"}"#.repeat(100);
        assert_eq!(unpack(&gzip(text.as_bytes()), 1 << 20).unwrap(), text.as_bytes());
    }

    #[test]
    fn a_bomb_is_cut_at_a_hundred_to_one() {
        let bomb = gzip(&vec![0_u8; 64 << 20]);
        assert!(bomb.len() * 1_000 < 70 << 20, "it is a bomb");
        assert_eq!(unpack(&bomb, 1 << 30), Err(EgressError::TooLarge));
    }

    #[test]
    fn the_cap_holds_for_unpacked_bytes() {
        let mut noise = Vec::new();
        for n in 0_u32..50_000 {
            noise.extend_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
        }
        assert_eq!(unpack(&gzip(&noise), 199_999), Err(EgressError::TooLarge));
        assert!(unpack(&gzip(&noise), 200_000).is_ok());
    }

    #[test]
    fn truncated_or_foreign_bytes_are_invalid() {
        let packed = gzip(&b"abcdefgh".repeat(50));
        assert_eq!(unpack(&packed[..packed.len() - 6], 1 << 20), Err(EgressError::Invalid));
        assert_eq!(unpack(b"not gzip at all", 1 << 20), Err(EgressError::Invalid));
    }

    #[test]
    fn other_and_nested_encodings_are_invalid() {
        for encoding in ["br", "gzip, gzip", "deflate"] {
            let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, encoding.parse().unwrap())]);
            assert!(Sink::for_encoding(&headers, 10).is_err(), "{encoding}");
        }
    }
}
