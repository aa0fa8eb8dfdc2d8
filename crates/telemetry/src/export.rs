//! Between the SDK and any exporter: only allow-listed attributes pass, events and status texts do not.

use opentelemetry::trace::Status;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanExporter, SpanProcessor},
};

use crate::{SpanRing, fields, metrics::dropped_fields};

/// Cuts a span down to what may leave.
fn clean(span: &mut SpanData) {
    let before = span.attributes.len();
    span.attributes.retain(|kv| fields::is_allowed(kv.key.as_str()));
    dropped_fields(before - span.attributes.len());
    span.events = opentelemetry_sdk::trace::SpanEvents::default();
    if matches!(span.status, Status::Error { .. }) {
        span.status = Status::error("");
    }
}

/// An exporter behind the allow-list.
#[derive(Debug)]
pub(crate) struct Allowed<E>(pub(crate) E);

impl<E: SpanExporter> SpanExporter for Allowed<E> {
    fn export(&self, mut batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        batch.iter_mut().for_each(clean);
        self.0.export(batch)
    }

    fn shutdown_with_timeout(&self, timeout: std::time::Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// Writes finished spans into the ring at once, behind the same allow-list.
#[derive(Debug)]
pub(crate) struct RingProcessor(pub(crate) SpanRing);

impl SpanProcessor for RingProcessor {
    fn on_start(&self, _span: &mut Span, _cx: &opentelemetry::Context) {}

    fn on_end(&self, mut span: SpanData) {
        clean(&mut span);
        self.0.push(&span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: std::time::Duration) -> OTelSdkResult {
        Ok(())
    }
}
