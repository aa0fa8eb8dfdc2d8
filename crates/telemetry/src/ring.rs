//! The last spans of this process, kept for the trace view and for `sallyport demo`.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;

/// A finished span as the trace view shows it.
#[derive(Debug, Clone, serde::Serialize)]
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

/// A bounded memory of finished spans. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SpanRing {
    spans: Arc<Mutex<VecDeque<SpanView>>>,
    capacity: usize,
}

impl SpanRing {
    /// Keeps the last `capacity` spans; 0 keeps none.
    pub fn new(capacity: usize) -> Self {
        Self { spans: Arc::default(), capacity }
    }

    /// The spans of a trace, by start.
    pub fn trace(&self, trace_id: &str) -> Vec<SpanView> {
        let spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<SpanView> = spans.iter().filter(|s| s.trace_id == trace_id).cloned().collect();
        found.sort_by_key(|s| s.start_us);
        found
    }

    /// Everything kept, oldest first.
    pub fn all(&self) -> Vec<SpanView> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(crate) fn push(&self, span: &SpanData) {
        if self.capacity == 0 {
            return;
        }
        let view = view(span);
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        while spans.len() >= self.capacity {
            spans.pop_front();
        }
        spans.push_back(view);
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
