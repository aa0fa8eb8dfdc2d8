//! Counters, histograms and gauges: the home of the prometheus crate.
//!
//! Whoever asks for the same name with the same labels gets the same metric, so that parts of one process add up.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
    core::Collector,
};

static DROPPED_FIELDS: AtomicU64 = AtomicU64::new(0);

/// Upper ends of a histogram's buckets, in seconds: from a cached answer to the longest call.
const BUCKETS: [f64; 12] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Counts fields that were not on the allow-list.
pub(crate) fn dropped_fields(count: usize) {
    DROPPED_FIELDS.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// Where a process's metrics are registered. Cheap to clone.
#[derive(Clone, Default)]
pub struct Metrics {
    registry: Registry,
    known: Arc<Mutex<HashMap<Identity, Known>>>,
    service: Option<Arc<str>>,
}

/// What makes a metric the same: service, name, labels.
type Identity = (Option<Arc<str>>, String, Vec<String>);

#[derive(Clone)]
enum Known {
    Counter(IntCounterVec),
    Gauge(IntGaugeVec),
    Histogram(HistogramVec),
}

/// A counter with labels.
#[derive(Clone)]
pub struct Counter(Option<IntCounterVec>);

/// A gauge with labels.
#[derive(Clone)]
pub struct Gauge(Option<IntGaugeVec>);

/// A histogram of seconds with labels.
#[derive(Clone)]
pub struct Histogram(Option<HistogramVec>);

impl Counter {
    /// One more.
    pub fn inc(&self, labels: &[&str]) {
        self.add(labels, 1);
    }

    /// Some more. Labels that do not fit the declaration count nowhere.
    pub fn add(&self, labels: &[&str], by: u64) {
        if let Some(counter) = self.0.as_ref().and_then(|c| c.get_metric_with_label_values(labels).ok()) {
            counter.inc_by(by);
        }
    }

    /// What it stands at.
    pub fn get(&self, labels: &[&str]) -> u64 {
        let counter = self.0.as_ref().and_then(|c| c.get_metric_with_label_values(labels).ok());
        counter.map_or(0, |counter| counter.get())
    }
}

impl Gauge {
    /// Sets it.
    pub fn set(&self, labels: &[&str], value: i64) {
        if let Some(gauge) = self.0.as_ref().and_then(|g| g.get_metric_with_label_values(labels).ok()) {
            gauge.set(value);
        }
    }
}

impl Histogram {
    /// Adds an observation in seconds.
    pub fn observe(&self, labels: &[&str], seconds: f64) {
        if let Some(histogram) = self.0.as_ref().and_then(|h| h.get_metric_with_label_values(labels).ok()) {
            histogram.observe(seconds);
        }
    }
}

impl Metrics {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same registry for one service of the process: its metrics carry `service="…"`, so that what two services
    /// have alike (their audit spools) stays apart. A name is used either with a service or without.
    #[must_use]
    pub fn for_service(&self, service: &str) -> Self {
        Self { service: Some(service.into()), ..self.clone() }
    }

    /// A counter; the same name and labels twice give the same counter.
    pub fn counter(&self, name: &str, help: &str, labels: &[&str]) -> Counter {
        let made = self.metric(name, labels, || {
            let counter = IntCounterVec::new(self.options(name, help), labels)?;
            Ok((Box::new(counter.clone()), Known::Counter(counter)))
        });
        Counter(match made {
            Some(Known::Counter(counter)) => Some(counter),
            _ => malformed(name),
        })
    }

    /// A gauge; the same name and labels twice give the same gauge.
    pub fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> Gauge {
        let made = self.metric(name, labels, || {
            let gauge = IntGaugeVec::new(self.options(name, help), labels)?;
            Ok((Box::new(gauge.clone()), Known::Gauge(gauge)))
        });
        Gauge(match made {
            Some(Known::Gauge(gauge)) => Some(gauge),
            _ => malformed(name),
        })
    }

    /// A histogram of seconds with buckets from 1 ms to 30 s; the same name and labels twice give the same histogram.
    pub fn histogram(&self, name: &str, help: &str, labels: &[&str]) -> Histogram {
        let made = self.metric(name, labels, || {
            let options = HistogramOpts { common_opts: self.options(name, help), buckets: BUCKETS.to_vec() };
            let histogram = HistogramVec::new(options, labels)?;
            Ok((Box::new(histogram.clone()), Known::Histogram(histogram)))
        });
        Histogram(match made {
            Some(Known::Histogram(histogram)) => Some(histogram),
            _ => malformed(name),
        })
    }

    /// A gauge that is always 1 and says something about the process.
    pub fn set_info(&self, name: &str, help: &str) {
        self.gauge(name, help, &[]).set(&[], 1);
    }

    /// The text that `/metrics` answers.
    pub fn render(&self) -> String {
        let mut out = Vec::new();
        if TextEncoder::new().encode(&self.registry.gather(), &mut out).is_err() {
            return String::new();
        }
        let mut text = String::from_utf8_lossy(&out).into_owned();
        let dropped = DROPPED_FIELDS.load(Ordering::Relaxed);
        text.push_str(
            "# HELP sallyport_telemetry_dropped_fields_total Fields that were not on the allow-list.\n",
        );
        text.push_str("# TYPE sallyport_telemetry_dropped_fields_total counter\n");
        text.push_str(&format!("sallyport_telemetry_dropped_fields_total {dropped}\n"));
        text
    }

    fn options(&self, name: &str, help: &str) -> Opts {
        let options = Opts::new(name, help);
        match &self.service {
            Some(service) => options.const_label("service", service.as_ref()),
            None => options,
        }
    }

    /// The metric that is there, or a new one. `None` when it cannot be: then nothing is counted, and nothing fails.
    fn metric(
        &self,
        name: &str,
        labels: &[&str],
        make: impl FnOnce() -> prometheus::Result<(Box<dyn Collector>, Known)>,
    ) -> Option<Known> {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        let identity = (self.service.clone(), name.to_owned(), labels);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = known.get(&identity) {
            return Some(there.clone());
        }
        let (collector, made) = make().ok()?;
        self.registry.register(collector).ok()?;
        known.insert(identity, made.clone());
        Some(made)
    }
}

/// A mistake in a declaration: the process serves on, and its log says which metric is missing.
fn malformed<T>(name: &str) -> Option<T> {
    tracing::error!(reason = name, "a metric is declared twice in different ways, or malformed");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_rendered() {
        let metrics = Metrics::new();
        let counter = metrics.counter("sallyport_calls_total", "Calls.", &["outcome"]);
        counter.inc(&["success"]);
        counter.add(&["success"], 2);
        metrics.gauge("sallyport_depth", "Depth.", &[]).set(&[], 7);
        metrics.histogram("sallyport_call_seconds", "Time.", &[]).observe(&[], 0.3);
        let text = metrics.render();
        assert!(text.contains("sallyport_calls_total{outcome=\"success\"} 3"), "{text}");
        assert!(text.contains("sallyport_depth 7"), "{text}");
        assert!(text.contains("sallyport_call_seconds_bucket{le=\"0.25\"} 0"), "{text}");
        assert!(text.contains("sallyport_call_seconds_bucket{le=\"0.5\"} 1"), "{text}");
        assert!(text.contains("sallyport_telemetry_dropped_fields_total "), "{text}");
    }

    #[test]
    fn two_who_ask_for_the_same_name_count_together() {
        let metrics = Metrics::new();
        metrics.counter("c_total", "C.", &["a"]).inc(&["x"]);
        let other = metrics.clone();
        other.counter("c_total", "C.", &["a"]).inc(&["x"]);
        assert!(metrics.render().contains("c_total{a=\"x\"} 2"));
    }

    #[test]
    fn services_of_one_process_stay_apart() {
        let metrics = Metrics::new();
        for (service, depth) in [("audit", 1), ("web", 2)] {
            metrics.for_service(service).gauge("spool_depth", "Depth.", &["kind"]).set(&["intent"], depth);
        }
        let text = metrics.render();
        assert!(text.contains("spool_depth{kind=\"intent\",service=\"audit\"} 1"), "{text}");
        assert!(text.contains("spool_depth{kind=\"intent\",service=\"web\"} 2"), "{text}");
    }

    #[test]
    fn labels_or_declarations_that_do_not_fit_neither_count_nor_crash() {
        let metrics = Metrics::new();
        let counter = metrics.counter("c_total", "C.", &["a"]);
        counter.inc(&["x", "y"]);
        metrics.gauge("c_total", "C.", &["a"]).set(&["x"], 9);
        metrics.counter("not a name", "C.", &[]).inc(&[]);
        metrics.counter("c_total", "C.", &["b"]).inc(&["x"]);
        assert_eq!(counter.get(&["x"]), 0);
        assert!(!metrics.render().contains('9'));
    }
}
