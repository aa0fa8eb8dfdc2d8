//! The trace a record belongs to.

/// The current span's trace id, 32 hex digits, or nothing outside a trace.
pub(crate) fn current_id() -> String {
    String::new()
}

/// The current span as a W3C `traceparent`, or nothing outside a trace.
pub(crate) fn current_parent() -> String {
    String::new()
}
