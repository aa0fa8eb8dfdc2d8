//! One trace laid out over time, and the traces that belong to it.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    list::{Summary, summaries},
    tree::{Node, trees},
};
use crate::SpanView;

/// A trace, ready to be drawn.
pub(super) struct Waterfall {
    pub(super) summary: Summary,
    pub(super) roots: Vec<Node>,
    /// Whether the first span was started by somebody whose span is not here.
    pub(super) starts_elsewhere: bool,
    /// The other traces of the same launch, and those that a link joins with this one; oldest first.
    pub(super) related: Vec<Summary>,
}

impl Waterfall {
    /// The trace with this id; `None` when no span of it is kept.
    pub(super) fn of(all: &[Arc<SpanView>], trace_id: &str) -> Option<Self> {
        let spans: Vec<Arc<SpanView>> = all.iter().filter(|s| s.trace_id == trace_id).cloned().collect();
        let (mut own, mut others): (Vec<Summary>, Vec<Summary>) =
            summaries(all).into_iter().partition(|s| s.trace_id == trace_id);
        let summary = own.pop()?;
        let mut linked: BTreeSet<&str> = BTreeSet::new();
        for span in all {
            if span.trace_id == trace_id {
                linked.extend(span.links.iter().map(String::as_str));
            } else if span.links.iter().any(|link| link == trace_id) {
                linked.insert(&span.trace_id);
            }
        }
        others.retain(|other| {
            linked.contains(other.trace_id.as_str())
                || other.launches.iter().any(|launch| summary.launches.contains(launch))
        });
        others.reverse();
        let roots = trees(&spans);
        let starts_elsewhere = roots.iter().any(|root| !root.span.parent_span_id.is_empty());
        Some(Self { summary, roots, starts_elsewhere, related: others })
    }

    /// Where a span's bar starts and how long it is, in percent of the trace. Never too short to be seen, never beyond
    /// the end.
    pub(super) fn bar(&self, span: &SpanView) -> (f64, f64) {
        const LEAST: f64 = 0.4;
        let whole = self.summary.duration_us.max(1) as f64;
        let from = span.start_us.saturating_sub(self.summary.start_us) as f64 / whole * 100.0;
        let long = span.end_us.saturating_sub(span.start_us) as f64 / whole * 100.0;
        let from = from.clamp(0.0, 100.0 - LEAST);
        (from, long.clamp(LEAST, 100.0 - from))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tree::tests::span, *};

    fn of_trace(n: u64, mut span: SpanView, launch: &str) -> Arc<SpanView> {
        span.trace_id = format!("{n:032x}");
        if !launch.is_empty() {
            span.attributes.insert("launch.id".to_owned(), launch.to_owned());
        }
        Arc::new(span)
    }

    #[test]
    fn a_trace_names_what_is_linked_with_it_and_what_else_belongs_to_its_launch() {
        let mut consumer = span(9, 0, 50, 60, "audit.append.batch");
        consumer.links = vec![format!("{:032x}", 1)];
        let all = [
            of_trace(1, span(1, 77, 0, 40, "http.server.request"), "l-1"),
            of_trace(2, span(2, 0, 45, 48, "http.server.request"), "l-1"),
            of_trace(3, consumer, ""),
            of_trace(4, span(4, 0, 46, 47, "http.server.request"), "l-2"),
        ];
        let related = |n: u64| {
            let found = Waterfall::of(&all, &format!("{n:032x}")).unwrap();
            found.related.iter().map(|s| s.trace_id.trim_start_matches('0').to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(related(1), ["2", "3"], "the launch's other trace, and the one that took its message up");
        assert_eq!(related(2), ["1"]);
        assert_eq!(related(3), ["1"], "a link is followed both ways");
        assert_eq!(related(4), [""; 0]);
        assert!(Waterfall::of(&all, &format!("{:032x}", 1)).unwrap().starts_elsewhere);
        assert!(Waterfall::of(&all, "none").is_none());
    }

    #[test]
    fn bars_lie_within_the_trace_whatever_the_clock_said() {
        let all = [of_trace(1, span(1, 0, 0, 100, "a"), ""), of_trace(1, span(2, 1, 25, 75, "b"), "")];
        let found = Waterfall::of(&all, &format!("{:032x}", 1)).unwrap();
        assert_eq!(found.bar(&all[0]), (0.0, 100.0));
        assert_eq!(found.bar(&all[1]), (25.0, 50.0));
        for odd in
            [span(3, 1, 100, 100, "end"), span(4, 1, 100, 900, "late"), span(5, 1, 60, 50, "backwards")]
        {
            let (from, long) = found.bar(&odd);
            assert!(long > 0.0 && from + long <= 100.0, "{}: {from} {long}", odd.name);
        }
    }
}
