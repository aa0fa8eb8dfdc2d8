//! Starts traces and logs for a process and flushes them at its end.

use std::sync::Arc;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use sallyport_model::SystemClock;
use tracing::{Metadata, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::filter_fn, layer::SubscriberExt};

use crate::{
    LogSink, SpanRing,
    export::{Allowed, RingProcessor},
    log::JsonLog,
    panics,
};

/// How a process observes itself.
pub struct Settings {
    /// `service.name` of the resource.
    pub service: String,
    /// OTLP over gRPC; `None` sends nothing.
    pub otlp_endpoint: Option<String>,
    /// Share of root traces kept, 0.0 to 1.0; a parent's decision is followed.
    pub sample_ratio: f64,
    /// Spans kept in this process.
    pub span_ring: usize,
    /// Where log lines go.
    pub log: LogSink,
}

/// Why observing could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The exporter refused its settings.
    #[error("the OTLP exporter cannot be built: check telemetry.otlp_endpoint")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
    /// Another subscriber is installed.
    #[error("telemetry was started twice in this process")]
    Twice(#[source] tracing::subscriber::SetGlobalDefaultError),
}

/// A started telemetry; flush it with [`Telemetry::shutdown`].
pub struct Telemetry {
    provider: SdkTracerProvider,
    /// The last spans of this process.
    pub ring: SpanRing,
}

/// Only our own spans: none of h2, hyper or tonic (that costs 7 to 27 times the CPU), nothing below INFO.
pub(crate) fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("sallyport") && *metadata.level() <= LevelFilter::INFO
}

/// Starts traces and logs for this process.
///
/// # Errors
/// When the exporter cannot be built or telemetry was started before.
pub fn init(settings: Settings) -> Result<Telemetry, Error> {
    let ring = SpanRing::new(settings.span_ring);
    // NaN keeps everything: not tracing has to be asked for.
    let ratio = if settings.sample_ratio.is_nan() { 1.0 } else { settings.sample_ratio.clamp(0.0, 1.0) };
    let mut provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))))
        .with_resource(Resource::builder().with_service_name(settings.service).build());
    if settings.span_ring > 0 {
        provider = provider.with_span_processor(RingProcessor(ring.clone()));
    }
    if let Some(endpoint) = settings.otlp_endpoint {
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .build()
            .map_err(Error::Exporter)?;
        provider = provider.with_batch_exporter(Allowed { exporter, counts: settings.span_ring == 0 });
    }
    let provider = provider.build();
    let traces = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("sallyport"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(is_ours));
    let logs = JsonLog { sink: settings.log, clock: Arc::new(SystemClock) };
    let logs = logs.with_filter(filter_fn(|m| {
        is_ours(m)
            || (!m.target().starts_with("sallyport")
                && *m.level() <= LevelFilter::WARN
                && m.is_event()
                && !is_wire(m))
    }));
    let subscriber = tracing_subscriber::registry().with(traces).with(logs);
    tracing::subscriber::set_global_default(subscriber).map_err(Error::Twice)?;
    panics::install();
    Ok(Telemetry { provider, ring })
}

/// Libraries whose messages quote what went over the wire.
fn is_wire(metadata: &Metadata<'_>) -> bool {
    ["h2", "hyper", "tonic", "rustls", "sqlx", "reqwest"]
        .iter()
        .any(|name| metadata.target().starts_with(name))
}

impl Telemetry {
    /// Sends what waits and stops.
    pub fn shutdown(&self) {
        // A collector that is down must not keep a process from ending.
        let _result = self.provider.shutdown();
    }

    /// Sends what waits.
    pub fn flush(&self) {
        let _result = self.provider.force_flush();
    }
}
