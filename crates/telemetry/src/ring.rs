//! The last spans of this process, kept for the trace view and for `sallyport demo`.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;

/// A finished span as the trace view shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct SpanView {
    /// 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub span_id: String,
    /// 16 hex digits, empty at the root.
    pub parent_span_id: String,
    /// `service.area.verb`.
    pub name: String,
    /// client, server, internal, producer, consumer.
    pub kind: String,
    /// Microseconds since the epoch.
    pub start_us: u64,
    /// Microseconds since the epoch.
    pub end_us: u64,
    /// unset, ok or error.
    pub status: String,
    /// Allow-listed fields.
    pub attributes: std::collections::BTreeMap<String, String>,
    /// Trace ids of linked spans.
    pub links: Vec<String>,
}

/// How many spans are taken out at one time: a reader of a large ring holds up a span's end for no longer than this takes.
const AT_ONCE: u64 = 256;

/// A bounded memory of finished spans. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SpanRing {
    kept: Arc<Mutex<Kept>>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Kept {
    spans: VecDeque<Arc<SpanView>>,
    /// How many were dropped before the first that is kept.
    dropped: u64,
}

impl SpanRing {
    /// Keeps the last `capacity` spans; 0 keeps none.
    pub fn new(capacity: usize) -> Self {
        Self { kept: Arc::default(), capacity }
    }

    /// How many spans are kept at most.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The spans of a trace, by start.
    pub fn trace(&self, trace_id: &str) -> Vec<Arc<SpanView>> {
        let mut found: Vec<Arc<SpanView>> =
            self.all().into_iter().filter(|s| s.trace_id == trace_id).collect();
        found.sort_by_key(|s| s.start_us);
        found
    }

    /// Everything kept, oldest first. Spans that end meanwhile may be missing at either end.
    pub fn all(&self) -> Vec<Arc<SpanView>> {
        let mut found = Vec::new();
        let mut next = 0;
        while let Some(after) = self.take_some(next, &mut found) {
            next = after;
        }
        found
    }

    /// Adds a few spans from number `next` on; answers the number to go on with, if there are more.
    fn take_some(&self, next: u64, found: &mut Vec<Arc<SpanView>>) -> Option<u64> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let from = next.max(kept.dropped);
        let skipped = usize::try_from(from - kept.dropped).unwrap_or(usize::MAX);
        let before = found.len();
        found.extend(kept.spans.iter().skip(skipped).take(AT_ONCE as usize).cloned());
        let taken = (found.len() - before) as u64;
        (taken == AT_ONCE).then_some(from + taken)
    }

    pub(crate) fn push(&self, span: &SpanData) {
        if self.capacity > 0 {
            self.keep(view(span));
        }
    }

    pub(crate) fn keep(&self, span: SpanView) {
        let span = Arc::new(span);
        let mut oldest = None;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.spans.len() >= self.capacity {
            oldest = kept.spans.pop_front();
            kept.dropped += 1;
        }
        kept.spans.push_back(span);
        drop(kept);
        // Its memory is given back after the others may go on.
        drop(oldest);
    }
}

fn view(span: &SpanData) -> SpanView {
    let parent = span.parent_span_id;
    SpanView {
        trace_id: span.span_context.trace_id().to_string(),
        span_id: span.span_context.span_id().to_string(),
        parent_span_id: if parent == opentelemetry::SpanId::INVALID {
            String::new()
        } else {
            parent.to_string()
        },
        name: span.name.to_string(),
        kind: format!("{:?}", span.span_kind).to_lowercase(),
        start_us: micros(span.start_time),
        end_us: micros(span.end_time),
        status: match span.status {
            Status::Unset => "unset",
            Status::Ok => "ok",
            Status::Error { .. } => "error",
        }
        .to_owned(),
        attributes: span.attributes.iter().map(|kv| (kv.key.to_string(), kv.value.to_string())).collect(),
        links: span.links.iter().map(|l| l.span_context.trace_id().to_string()).collect(),
    }
}

fn micros(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(n: u64) -> SpanView {
        SpanView {
            trace_id: format!("{:032x}", n % 3),
            span_id: format!("{n:016x}"),
            start_us: n,
            ..SpanView::default()
        }
    }

    #[test]
    fn the_newest_spans_are_kept_and_read_in_order_however_many_there_are() {
        let ring = SpanRing::new(1_000);
        for n in 0..1_500 {
            ring.keep(span(n));
        }
        let starts: Vec<u64> = ring.all().iter().map(|s| s.start_us).collect();
        assert_eq!(starts, (500..1_500).collect::<Vec<_>>());
        assert_eq!(ring.trace(&format!("{:032x}", 1)).len(), 333);
    }

    #[test]
    fn a_reader_who_is_overtaken_goes_on_with_what_is_still_kept() {
        let ring = SpanRing::new(300);
        (0..300).for_each(|n| ring.keep(span(n)));
        let mut found = Vec::new();
        let next = ring.take_some(0, &mut found);
        assert_eq!((next, found.len()), (Some(AT_ONCE), 256));
        (300..900).for_each(|n| ring.keep(span(n)));
        let next = ring.take_some(AT_ONCE, &mut found);
        assert_eq!(found.get(256).map(|s| s.start_us), Some(600), "what was dropped meanwhile is skipped");
        assert_eq!(ring.take_some(next.unwrap(), &mut found), None);
        assert_eq!(found.last().map(|s| s.start_us), Some(899));
    }
}
