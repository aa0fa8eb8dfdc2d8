//! The newest traces in one line each, and the filter over them.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::tree::{detail, is_error, layer};
use crate::SpanView;

/// One trace.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) trace_id: String,
    /// The earliest span's name.
    pub(super) name: String,
    /// Its route, method and the like.
    pub(super) detail: String,
    /// Microseconds since the epoch.
    pub(super) start_us: u64,
    /// From the first start to the last end, in microseconds.
    pub(super) duration_us: u64,
    pub(super) spans: usize,
    pub(super) errors: usize,
    /// Who took part, in order of appearance.
    pub(super) layers: Vec<String>,
    /// The launches it belongs to.
    pub(super) launches: Vec<String>,
    /// Every name, for the filter.
    #[serde(skip)]
    names: String,
}

/// What is asked for; all of it optional, as it stands in the address.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    /// At least so many milliseconds. Text, because an empty field of a form is no number.
    #[serde(default)]
    pub(super) min_ms: String,
    /// Part of a span's name or of the trace's route.
    #[serde(default)]
    pub(super) name: String,
    /// A launch id.
    #[serde(default)]
    pub(super) launch: String,
    /// Only those with errors, when it is not empty.
    #[serde(default)]
    pub(super) errors: String,
}

impl Filter {
    /// The lower bound in microseconds; what is no number bounds nothing.
    fn min_us(&self) -> u64 {
        self.min_ms.trim().parse::<u64>().map_or(0, |ms| ms.saturating_mul(1_000))
    }

    pub(super) fn admits(&self, trace: &Summary) -> bool {
        let name = self.name.trim().to_lowercase();
        let launch = self.launch.trim();
        trace.duration_us >= self.min_us()
            && (self.errors.is_empty() || trace.errors > 0)
            && (name.is_empty() || trace.names.contains(&name))
            && (launch.is_empty() || trace.launches.iter().any(|l| l == launch))
    }

    pub(super) fn is_empty(&self) -> bool {
        [&self.min_ms, &self.name, &self.launch, &self.errors].iter().all(|text| text.trim().is_empty())
    }
}

/// All traces of the spans, newest first.
pub(super) fn summaries(spans: &[Arc<SpanView>]) -> Vec<Summary> {
    let mut traces: BTreeMap<&str, Vec<&SpanView>> = BTreeMap::new();
    for span in spans {
        traces.entry(&span.trace_id).or_default().push(span);
    }
    let mut found: Vec<Summary> = traces.into_values().filter_map(summary).collect();
    found.sort_by(|a, b| (b.start_us, &b.trace_id).cmp(&(a.start_us, &a.trace_id)));
    found
}

fn summary(mut spans: Vec<&SpanView>) -> Option<Summary> {
    // A span starts before its children, or at the same microsecond: then the one without a parent comes first.
    spans.sort_by_key(|s| (s.start_us, !s.parent_span_id.is_empty()));
    let first = *spans.first()?;
    let end = spans.iter().map(|s| s.end_us).max()?;
    let mut layers: Vec<String> = Vec::new();
    let mut launches: Vec<String> = Vec::new();
    let mut names = String::new();
    for span in &spans {
        if !layers.iter().any(|l| l == layer(span)) {
            layers.push(layer(span).to_owned());
        }
        if let Some(launch) = span.attributes.get("launch.id").filter(|l| !launches.contains(l)) {
            launches.push(launch.clone());
        }
        names.push_str(&format!("{} {}\n", span.name, detail(span)).to_lowercase());
    }
    Some(Summary {
        trace_id: first.trace_id.clone(),
        name: first.name.clone(),
        detail: detail(first),
        start_us: first.start_us,
        duration_us: end.saturating_sub(first.start_us),
        spans: spans.len(),
        errors: spans.iter().filter(|s| is_error(s)).count(),
        layers,
        launches,
        names,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::tree::tests::span, *};

    fn traces() -> Vec<Summary> {
        let mut root = span(1, 0, 0, 80, "http.server.request");
        root.attributes.insert("http.route".to_owned(), "/fhir/{launch}/{*path}".to_owned());
        let mut call = span(2, 1, 10, 90, "fhir-gateway.call.read");
        call.attributes.insert("launch.id".to_owned(), "l-1".to_owned());
        let mut failed = span(3, 2, 20, 30, "egress.http.request");
        failed.status = "error".to_owned();
        let mut other = span(4, 0, 500, 501, "audit.append.batch");
        other.trace_id = format!("{:032x}", 8);
        summaries(&[call, failed, root, other].map(Arc::new))
    }

    fn names(filter: &Filter) -> Vec<String> {
        traces().into_iter().filter(|t| filter.admits(t)).map(|t| t.name).collect()
    }

    #[test]
    fn a_trace_is_told_by_its_first_span_and_the_newest_stands_first() {
        let [newest, first] = traces().try_into().unwrap();
        assert_eq!(newest.name, "audit.append.batch");
        assert_eq!(
            (first.name.as_str(), first.detail.as_str()),
            ("http.server.request", "/fhir/{launch}/{*path}")
        );
        assert_eq!((first.duration_us, first.spans, first.errors), (90_000, 3, 1));
        assert_eq!(first.layers, ["http", "fhir-gateway", "egress"]);
        assert_eq!(first.launches, ["l-1"]);
    }

    #[test]
    fn each_field_of_the_filter_narrows_and_an_empty_one_does_not() {
        let empty = Filter::default();
        assert!(empty.is_empty());
        assert_eq!(names(&empty).len(), 2);
        let with = |change: fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            names(&filter)
        };
        assert_eq!(with(|f| f.min_ms = "50".to_owned()), ["http.server.request"]);
        assert_eq!(with(|f| f.min_ms = "91".to_owned()), [""; 0]);
        assert_eq!(with(|f| f.min_ms = "x".to_owned()).len(), 2);
        assert_eq!(with(|f| f.errors = "1".to_owned()), ["http.server.request"]);
        assert_eq!(with(|f| f.launch = "l-1".to_owned()), ["http.server.request"]);
        assert_eq!(with(|f| f.launch = "l-2".to_owned()), [""; 0]);
        assert_eq!(with(|f| f.name = " GATEWAY ".to_owned()), ["http.server.request"]);
        assert_eq!(with(|f| f.name = "audit".to_owned()), ["audit.append.batch"]);
    }
}
