//! What a span is called, whether it failed, and who its children are.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::SpanView;

/// Deeper than any trace of ours; what lies deeper is drawn beside its parent instead of below it.
const MAX_DEPTH: usize = 24;

/// A span and what happened within it.
pub(super) struct Node {
    pub(super) span: Arc<SpanView>,
    pub(super) children: Vec<Node>,
}

/// The trees of a trace's spans, by start. A span whose parent is not here (another process's, or no longer kept)
/// starts a tree of its own.
pub(super) fn trees(spans: &[Arc<SpanView>]) -> Vec<Node> {
    let mut by_parent: BTreeMap<&str, Vec<&Arc<SpanView>>> = BTreeMap::new();
    let here: BTreeSet<&str> = spans.iter().map(|s| s.span_id.as_str()).collect();
    for span in spans {
        let parent = span.parent_span_id.as_str();
        let parent = if here.contains(parent) && parent != span.span_id { parent } else { "" };
        by_parent.entry(parent).or_default().push(span);
    }
    for siblings in by_parent.values_mut() {
        siblings.sort_by_key(|s| (s.start_us, s.span_id.clone()));
    }
    let mut roots = below(&mut by_parent, "", 0);
    // Spans that are each other's parents belong to no tree; they are shown all the same.
    let rest: Vec<&Arc<SpanView>> = by_parent.into_values().flatten().collect();
    roots.extend(rest.into_iter().map(|span| Node { span: Arc::clone(span), children: Vec::new() }));
    roots
}

fn below(by_parent: &mut BTreeMap<&str, Vec<&Arc<SpanView>>>, parent: &str, depth: usize) -> Vec<Node> {
    let mut nodes = Vec::new();
    for span in by_parent.remove(parent).unwrap_or_default() {
        let children = below(by_parent, &span.span_id, depth + 1);
        let is_too_deep = depth >= MAX_DEPTH;
        let (inside, beside) = if is_too_deep { (Vec::new(), children) } else { (children, Vec::new()) };
        nodes.push(Node { span: Arc::clone(span), children: inside });
        nodes.extend(beside);
    }
    nodes
}

/// What a span did, in the words of its own attributes: the route, the method, the status.
pub(super) fn detail(span: &SpanView) -> String {
    const TOLD: [&str; 10] = [
        "http.request.method",
        "http.route",
        "rpc.method",
        "server.address",
        "fhir.resource_type",
        "section",
        "messaging.destination.name",
        "http.response.status_code",
        "error.kind",
        "outcome",
    ];
    let words = TOLD.iter().filter_map(|name| span.attributes.get(*name)).map(String::as_str);
    words.filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Who did it: the first word of the span's name.
pub(super) fn layer(span: &SpanView) -> &str {
    span.name.split('.').next().unwrap_or_default()
}

/// Whether it went wrong.
pub(super) fn is_error(span: &SpanView) -> bool {
    span.status == "error" || span.attributes.get("error.kind").is_some_and(|kind| !kind.is_empty())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A span by its ids, its time in milliseconds and its name.
    pub(in crate::traces) fn span(id: u64, parent: u64, from: u64, until: u64, name: &str) -> SpanView {
        SpanView {
            trace_id: format!("{:032x}", 7),
            span_id: format!("{id:016x}"),
            parent_span_id: if parent == 0 { String::new() } else { format!("{parent:016x}") },
            name: name.to_owned(),
            kind: "internal".to_owned(),
            start_us: 1_790_000_000_000_000 + from * 1_000,
            end_us: 1_790_000_000_000_000 + until * 1_000,
            status: "unset".to_owned(),
            ..SpanView::default()
        }
    }

    fn shape(nodes: &[Node]) -> String {
        nodes.iter().map(|n| format!("{}({})", n.span.name, shape(&n.children))).collect()
    }

    #[test]
    fn children_stand_below_their_parents_by_start() {
        let spans =
            [span(3, 1, 5, 6, "c"), span(1, 0, 0, 9, "a"), span(2, 1, 1, 4, "b"), span(4, 2, 2, 3, "d")];
        assert_eq!(shape(&trees(&spans.map(Arc::new))), "a(b(d())c())");
    }

    #[test]
    fn no_span_is_lost_when_its_parent_is_missing_or_when_parents_go_in_circles() {
        let spans = [
            span(1, 99, 0, 1, "orphan"),
            span(2, 2, 1, 2, "own"),
            span(3, 4, 2, 3, "x"),
            span(4, 3, 2, 3, "y"),
        ];
        assert_eq!(shape(&trees(&spans.map(Arc::new))), "orphan()own()y()x()");
    }

    #[test]
    fn a_chain_of_any_depth_is_drawn_whole() {
        let spans: Vec<_> = (1..=200).map(|n| Arc::new(span(n, n - 1, n, 400 - n, "s"))).collect();
        fn count(nodes: &[Node]) -> usize {
            nodes.iter().map(|n| 1 + count(&n.children)).sum()
        }
        fn depth(nodes: &[Node]) -> usize {
            nodes.iter().map(|n| 1 + depth(&n.children)).max().unwrap_or(0)
        }
        let nodes = trees(&spans);
        assert_eq!((count(&nodes), depth(&nodes)), (200, MAX_DEPTH + 1));
    }

    #[test]
    fn a_span_tells_its_route_and_its_failure() {
        let mut failed = span(1, 0, 0, 1, "egress.http.request");
        failed.attributes.insert("http.request.method".to_owned(), "GET".to_owned());
        failed.attributes.insert("error.kind".to_owned(), "timeout".to_owned());
        assert_eq!(
            (detail(&failed).as_str(), layer(&failed), is_error(&failed)),
            ("GET timeout", "egress", true)
        );
    }
}
