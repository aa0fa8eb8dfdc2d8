//! W3C trace context over HTTP headers and gRPC metadata, and as text on rows and messages.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::TraceContextExt,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

struct Carrier<'a>(&'a mut HeaderMap);

impl Injector for Carrier<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

struct Reader<'a>(&'a HeaderMap);

impl Extractor for Reader<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// Writes the current span's context into headers.
pub fn inject(headers: &mut HeaderMap) {
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut Carrier(headers));
}

/// Makes `span` a child of the context in the headers, if there is one. Before the span is entered.
pub fn set_parent(span: &Span, headers: &HeaderMap) {
    if headers.contains_key("traceparent") {
        adopt(span, TraceContextPropagator::new().extract(&Reader(headers)));
    }
}

/// Makes `span` a child of a stored `traceparent`, e.g. the launch's when its callback comes.
pub fn set_parent_text(span: &Span, traceparent: &str) {
    adopt(span, context(traceparent));
}

/// Links `span` to a stored `traceparent`: related, but not its cause.
pub fn link(span: &Span, traceparent: &str) {
    let context = context(traceparent);
    let target = context.span().span_context().clone();
    if target.is_valid() {
        span.add_link(target);
    }
}

/// The current span as `traceparent`, for a row or a message.
pub fn traceparent() -> Option<String> {
    let mut headers = HeaderMap::new();
    inject(&mut headers);
    headers.get("traceparent")?.to_str().ok().map(str::to_owned)
}

/// The current trace's id, 32 hex digits.
pub fn current_trace_id() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let id = span.span_context();
    id.is_valid().then(|| id.trace_id().to_string())
}

fn adopt(span: &Span, context: Context) {
    if context.span().span_context().is_valid() {
        // The only failure is a span that was entered already; then it stays where it is.
        let _kept_where_it_is = span.set_parent(context);
    }
}

fn context(traceparent: &str) -> Context {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(traceparent) {
        headers.insert("traceparent", value);
    }
    TraceContextPropagator::new().extract(&Reader(&headers))
}
