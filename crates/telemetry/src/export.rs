//! Between the SDK and any exporter: only allow-listed attributes pass, events and status texts do not.

use opentelemetry::{Value, trace::Status};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanExporter, SpanProcessor},
};

use crate::{SpanRing, fields, metrics::dropped_fields};

/// Cuts a span down to what may leave. Answers how many attributes stay behind.
fn clean(span: &mut SpanData) -> usize {
    let before = span.attributes.len();
    span.attributes.retain_mut(|kv| {
        let name = kv.key.as_str();
        match &kv.value {
            Value::Bool(_) | Value::I64(_) | Value::F64(_) => fields::is_allowed(name),
            Value::String(text) => match fields::admit(name, text.as_str()) {
                Some(admitted) if admitted.len() == text.as_str().len() => true,
                Some(cut) => {
                    kv.value = Value::from(cut.to_owned());
                    true
                }
                None => false,
            },
            // Lists: nothing of ours is one.
            _ => false,
        }
    });
    span.events = opentelemetry_sdk::trace::SpanEvents::default();
    if matches!(span.status, Status::Error { .. }) {
        span.status = Status::error("");
    }
    before - span.attributes.len()
}

/// An exporter behind the allow-list.
#[derive(Debug)]
pub(crate) struct Allowed<E> {
    pub(crate) exporter: E,
    /// Counts what stays behind; one processor of several does.
    pub(crate) counts: bool,
}

impl<E: SpanExporter> SpanExporter for Allowed<E> {
    fn export(&self, mut batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        let dropped = batch.iter_mut().map(clean).sum();
        if self.counts {
            dropped_fields(dropped);
        }
        self.exporter.export(batch)
    }

    fn shutdown_with_timeout(&self, timeout: std::time::Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Writes finished spans into the ring at once, behind the same allow-list.
#[derive(Debug)]
pub(crate) struct RingProcessor(pub(crate) SpanRing);

impl SpanProcessor for RingProcessor {
    fn on_start(&self, _span: &mut Span, _cx: &opentelemetry::Context) {}

    fn on_end(&self, mut span: SpanData) {
        dropped_fields(clean(&mut span));
        self.0.push(&span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: std::time::Duration) -> OTelSdkResult {
        Ok(())
    }
}
