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

const TRACEPARENT: &str = "traceparent";

struct Carrier<'a>(&'a mut HeaderMap);

impl Injector for Carrier<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

struct Reader<'a>(&'a HeaderMap);

/// Only `traceparent` is taken over: `tracestate` is free text of whoever sent it and would travel on to the EHR.
impl Extractor for Reader<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        if key == TRACEPARENT { self.0.get(key)?.to_str().ok() } else { None }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

/// Writes the current span's context into headers.
pub fn inject(headers: &mut HeaderMap) {
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut Carrier(headers));
}

/// Makes `span` a child of the context in the headers, if there is one. Before the span is entered.
pub fn set_parent(span: &Span, headers: &HeaderMap) {
    adopt(span, extract(headers));
}

/// Makes `span` a child of an outsider's context, if that is sampled. An outsider's choice not to sample is not ours:
/// then the span begins a trace of its own, because every call is traced unless an operator says otherwise.
pub fn set_parent_from_outside(span: &Span, headers: &HeaderMap) {
    let context = extract(headers);
    if context.span().span_context().is_sampled() {
        adopt(span, context);
    }
}

/// The context in the headers; an invalid one is an empty context.
pub fn extract(headers: &HeaderMap) -> Context {
    // Not `extract`: that answers the current context where there is none in the headers.
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Reader(headers))
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
    headers.get(TRACEPARENT)?.to_str().ok().map(str::to_owned)
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
        headers.insert(TRACEPARENT, value);
    }
    extract(&headers)
}
