//! How a file's answer begins, and how what is in it is given on.

use std::time::Duration;

use sallyport_egress::{File as Incoming, header};
use sallyport_model::{Code, Micros};
use tokio::sync::mpsc::error::SendTimeoutError;

use super::file::{Asked, Event, Sink};
use crate::error::Refusal;

/// Whoever takes the file. A file takes longer than a lease, and a stream cannot be told of a renewal: that the run still has
/// its lease shows in its taking what it gets. One that takes nothing for as long as the lease was is over.
pub(super) struct Taker<'a> {
    sink: &'a Sink,
    patience: Duration,
}

impl<'a> Taker<'a> {
    /// With what is left of the run's lease, in microseconds.
    pub(super) fn new(sink: &'a Sink, left: Micros) -> Self {
        Self { sink, patience: Duration::from_micros(u64::try_from(left).unwrap_or(0)) }
    }

    /// Gives one event; waits for as long as the lease was.
    pub(super) async fn give(&self, event: Event) -> Result<(), Option<Refusal>> {
        if sallyport_model::planted!("stream-outlives-its-taker") {
            return self.sink.send(Ok(event)).await.map_err(|_gone| None);
        }
        match self.sink.send_timeout(Ok(event), self.patience).await {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Timeout(_)) => Err(Some(Code::RunExpired.into())),
            Err(SendTimeoutError::Closed(_)) => Err(None),
        }
    }
}

/// Where an answer starts.
pub(super) struct Start {
    is_range: bool,
    /// Bytes that the run has already.
    pub(super) skip: u64,
    etag: String,
}

impl Start {
    /// Checks that the answer goes on where the run asked.
    pub(super) fn of(asked: &Asked, incoming: &Incoming) -> Result<Self, Option<Refusal>> {
        let status = incoming.status.as_u16();
        let changed = || Some(Refusal::upstream(Code::BulkFileChanged, status));
        // The packed form has a validator of its own, which says nothing about the unpacked one.
        let is_packed = incoming.headers.contains_key(header::CONTENT_ENCODING);
        let etag = incoming.headers.get(header::ETAG).and_then(|value| value.to_str().ok());
        let etag =
            etag.filter(|tag| !is_packed && tag.starts_with('"') && tag.len() <= 256).unwrap_or_default();
        if !asked.etag.is_empty() && !etag.is_empty() && asked.etag != etag && asked.offset > 0 {
            return Err(changed());
        }
        let is_range = status == 206;
        if is_range {
            let range = incoming.headers.get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
            let from =
                range.and_then(|text| text.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok());
            if asked.offset == 0 || from != Some(asked.offset) || is_packed {
                return Err(Some(Refusal::upstream(Code::UpstreamInvalid, status)));
            }
        }
        let skip = if is_range { 0 } else { asked.offset };
        Ok(Self { is_range, skip, etag: etag.to_owned() })
    }

    /// What the run is told first.
    pub(super) fn begin(&self, incoming: &Incoming) -> Event {
        let content = incoming.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type =
            content.and_then(|text| text.split(';').next()).unwrap_or_default().trim().to_owned();
        let length = incoming.length.filter(|_| !self.is_range);
        Event::Begin { content_type, length, etag: self.etag.clone(), is_range: self.is_range }
    }
}
