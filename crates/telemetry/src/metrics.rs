//! Counters, histograms and gauges: the home of the prometheus crate.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
};

static DROPPED_FIELDS: AtomicU64 = AtomicU64::new(0);

/// Counts fields that were not on the allow-list.
pub(crate) fn dropped_fields(count: usize) {
    DROPPED_FIELDS.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// Where a process's metrics are registered. Cheap to clone.
#[derive(Clone, Default)]
pub struct Metrics(Registry);

/// A counter with labels.
#[derive(Clone)]
pub struct Counter(IntCounterVec);

/// A gauge with labels.
#[derive(Clone)]
pub struct Gauge(IntGaugeVec);

/// A histogram of seconds with labels.
#[derive(Clone)]
pub struct Histogram(HistogramVec);

impl Counter {
    /// One more.
    pub fn inc(&self, labels: &[&str]) {
        self.add(labels, 1);
    }

    /// Some more. Labels that do not fit the declaration count nowhere.
    pub fn add(&self, labels: &[&str], by: u64) {
        if let Ok(counter) = self.0.get_metric_with_label_values(labels) {
            counter.inc_by(by);
        }
    }

    /// What it stands at.
    pub fn get(&self, labels: &[&str]) -> u64 {
        self.0.get_metric_with_label_values(labels).map_or(0, |counter| counter.get())
    }
}

impl Gauge {
    /// Sets it.
    pub fn set(&self, labels: &[&str], value: i64) {
        if let Ok(gauge) = self.0.get_metric_with_label_values(labels) {
            gauge.set(value);
        }
    }
}

impl Histogram {
    /// Adds an observation in seconds.
    pub fn observe(&self, labels: &[&str], seconds: f64) {
        if let Ok(histogram) = self.0.get_metric_with_label_values(labels) {
            histogram.observe(seconds);
        }
    }
}

impl Metrics {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// A counter; the same name twice gives the same counter.
    pub fn counter(&self, name: &str, help: &str, labels: &[&str]) -> Counter {
        match IntCounterVec::new(Opts::new(name, help), labels) {
            Ok(counter) => {
                self.register(Box::new(counter.clone()));
                Counter(counter)
            }
            Err(_malformed) => Counter(no_counter()),
        }
    }

    /// A gauge.
    pub fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> Gauge {
        match IntGaugeVec::new(Opts::new(name, help), labels) {
            Ok(gauge) => {
                self.register(Box::new(gauge.clone()));
                Gauge(gauge)
            }
            Err(_malformed) => Gauge(no_gauge()),
        }
    }

    /// A histogram of seconds with buckets from 1 ms to 30 s.
    pub fn histogram(&self, name: &str, help: &str, labels: &[&str]) -> Histogram {
        let buckets = vec![0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
        match HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), labels) {
            Ok(histogram) => {
                self.register(Box::new(histogram.clone()));
                Histogram(histogram)
            }
            Err(_malformed) => Histogram(no_histogram()),
        }
    }

    /// A gauge that is always 1 and says something about the process.
    pub fn set_info(&self, name: &str, help: &str) {
        self.gauge(name, help, &[]).set(&[], 1);
    }

    /// The text that `/metrics` answers.
    pub fn render(&self) -> String {
        let mut out = Vec::new();
        if TextEncoder::new().encode(&self.0.gather(), &mut out).is_err() {
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

    /// A second service in the same process may ask for a name that is there: then its numbers are not shown twice.
    fn register(&self, collector: Box<dyn prometheus::core::Collector>) {
        let _already_there = self.0.register(collector);
    }
}

#[expect(clippy::expect_used, reason = "constant, well-formed options")]
fn no_counter() -> IntCounterVec {
    IntCounterVec::new(Opts::new("malformed", "malformed"), &[]).expect("constant options")
}

#[expect(clippy::expect_used, reason = "constant, well-formed options")]
fn no_gauge() -> IntGaugeVec {
    IntGaugeVec::new(Opts::new("malformed", "malformed"), &[]).expect("constant options")
}

#[expect(clippy::expect_used, reason = "constant, well-formed options")]
fn no_histogram() -> HistogramVec {
    HistogramVec::new(HistogramOpts::new("malformed", "malformed"), &[]).expect("constant options")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_rendered() {
        let metrics = Metrics::new();
        let counter = metrics.counter("sallyport_calls_total", "Calls.", &["outcome"]);
        counter.inc(&["success"]);
        counter.inc(&["success"]);
        assert!(metrics.render().contains("sallyport_calls_total{outcome=\"success\"} 2"));
    }

    #[test]
    fn labels_that_do_not_fit_do_not_crash() {
        let metrics = Metrics::new();
        metrics.counter("c_total", "C.", &["a"]).inc(&["x", "y"]);
    }
}
