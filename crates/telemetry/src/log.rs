//! JSON log lines on stderr: time, level, target, message, allow-listed fields, trace and span id.
//!
//! Our own messages are constants (tests/architecture); a library's may quote what went over the wire, so only its
//! name and level are told.

use std::{
    fmt,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use opentelemetry::trace::TraceContextExt;
use sallyport_model::Clock;
use serde_json::{Map, Value};
use tracing::{Event, Subscriber, field::Field};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use crate::{fields, init::is_ours, metrics::dropped_fields};

/// Instead of what a library says.
const FOREIGN: &str = "a library reported a problem";

/// Where log lines go; tests take them from a buffer.
#[derive(Clone)]
pub enum LogSink {
    /// The process's standard error.
    Stderr,
    /// A buffer.
    Buffer(Arc<Mutex<Vec<u8>>>),
}

pub(crate) struct JsonLog {
    pub(crate) sink: LogSink,
    pub(crate) clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Visitor {
    message: String,
    fields: Map<String, Value>,
    dropped: usize,
}

impl Visitor {
    fn put_text(&mut self, field: &Field, text: &str) {
        if field.name() == "message" {
            text.clone_into(&mut self.message);
        } else if let Some(admitted) = fields::admit(field.name(), text) {
            self.fields.insert(field.name().to_owned(), Value::from(admitted));
        } else {
            self.dropped += 1;
        }
    }

    fn put(&mut self, field: &Field, value: Value) {
        if fields::is_allowed(field.name()) {
            self.fields.insert(field.name().to_owned(), value);
        } else {
            self.dropped += 1;
        }
    }
}

impl tracing::field::Visit for Visitor {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::from(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put_text(field, &format!("{value:?}"));
    }
}

impl<S> Layer<S> for JsonLog
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut visitor = Visitor::default();
        if is_ours(event.metadata()) {
            event.record(&mut visitor);
        } else {
            visitor.message = FOREIGN.to_owned();
        }
        dropped_fields(visitor.dropped);
        let mut line = Map::new();
        line.insert("timestamp_us".to_owned(), Value::from(self.clock.now()));
        line.insert("level".to_owned(), Value::from(event.metadata().level().as_str()));
        line.insert("target".to_owned(), Value::from(event.metadata().target()));
        line.insert("message".to_owned(), Value::from(visitor.message));
        let current = opentelemetry::Context::current();
        let span = current.span();
        let id = span.span_context();
        if id.is_valid() {
            line.insert("trace_id".to_owned(), Value::from(id.trace_id().to_string()));
            line.insert("span_id".to_owned(), Value::from(id.span_id().to_string()));
        }
        line.extend(visitor.fields);
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        // A log that cannot be written must not stop the request it is about.
        let _written = match &self.sink {
            LogSink::Stderr => std::io::stderr().lock().write_all(text.as_bytes()),
            LogSink::Buffer(buffer) => {
                buffer.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(text.as_bytes());
                Ok(())
            }
        };
    }
}
