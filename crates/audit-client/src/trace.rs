//! The trace a record belongs to, and the relay's own spans.

use std::collections::BTreeSet;

use sallyport_proto::audit::v1::SealedRecord;
use sallyport_telemetry::propagate;

/// More links than a span may have by default are dropped by exporters.
const MAX_LINKS: usize = 128;

/// The current span's trace id, 32 hex digits, or nothing outside a trace.
pub(crate) fn current_id() -> String {
    propagate::current_trace_id().unwrap_or_default()
}

/// The current span as a W3C `traceparent`, or nothing outside a trace.
pub(crate) fn current_parent() -> String {
    propagate::traceparent().unwrap_or_default()
}

/// Links `span` to the calls that made these records: related, but not its cause. A message holds many.
pub fn link_producers(span: &tracing::Span, records: &[SealedRecord]) {
    let parents: BTreeSet<&str> =
        records.iter().map(|r| r.traceparent.as_str()).filter(|p| !p.is_empty()).collect();
    for parent in parents.into_iter().take(MAX_LINKS) {
        propagate::link(span, parent);
    }
}
