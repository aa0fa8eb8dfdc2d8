//! The markup of the two pages. Bars are drawn in SVG, whose geometry needs no inline style.

use maud::{DOCTYPE, Markup, html};

use super::{
    list::{Filter, Summary},
    tree::{Node, detail, is_error},
    waterfall::Waterfall,
};
use crate::SpanView;

/// More rows than anybody reads; the filter finds the rest.
const MAX_ROWS: usize = 200;

/// The deepest indentation; deeper spans stand below each other.
const MAX_INDENT: usize = 12;

pub(super) fn newest(found: &[Summary], filter: &Filter, spans: usize, is_full: bool) -> Markup {
    let shown = found.len().min(MAX_ROWS);
    frame(
        "Traces",
        &html! {
            h1 { "Traces" }
            p.quiet {
                "The last " (spans) " spans of this process"
                @if is_full { ", older ones are no longer kept" }
            }
            (form(filter))
            @if found.is_empty() {
                p.state {
                    @if filter.is_empty() { "No trace yet. Launch the app, then reload this page." }
                    @else { "No trace fits. " a href="/traces" { "Show all" } }
                }
            } @else {
                p.quiet {
                    @if shown < found.len() { "The newest " (shown) " of " }
                    (counted(found.len(), "trace")) ", newest first"
                }
                (table(found.get(..shown).unwrap_or_default()))
            }
        },
    )
}

fn form(filter: &Filter) -> Markup {
    html! {
        form.filter method="get" action="/traces" {
            label { "Name or route" input type="search" name="name" value=(filter.name) maxlength="100"; }
            label { "At least, ms" input type="number" name="min_ms" min="0" value=(filter.min_ms); }
            label { "Launch id" input type="search" name="launch" value=(filter.launch) maxlength="64"; }
            label.tick {
                input type="checkbox" name="errors" value="1" checked[!filter.errors.is_empty()];
                "With errors only"
            }
            button { "Show" }
        }
    }
}

/// The roles are said aloud because the narrow layout takes the table's display away.
fn table(traces: &[Summary]) -> Markup {
    html! {
        table role="table" {
            thead role="rowgroup" {
                tr role="row" {
                    @for name in ["What", "Started (UTC)", "Duration", "Spans", "Errors", "Who took part"] {
                        th role="columnheader" scope="col" { (name) }
                    }
                }
            }
            tbody role="rowgroup" {
                @for trace in traces {
                    tr role="row" {
                        th.what role="rowheader" scope="row" { (link(trace)) }
                        td.when role="cell" { (moment(trace.start_us)) }
                        td.number role="cell" { (duration(trace.duration_us)) }
                        td.number role="cell" { (counted(trace.spans, "span")) }
                        td.number role="cell" { (errors(trace.errors)) }
                        td.who role="cell" { (trace.layers.join(", ")) }
                    }
                }
            }
        }
    }
}

/// Most traces begin with a request to the front door: its route says more than the span's name.
fn title(trace: &Summary) -> (&str, &str) {
    let is_request = trace.name.starts_with("http.") && !trace.detail.is_empty();
    if is_request { (&trace.detail, &trace.name) } else { (&trace.name, &trace.detail) }
}

fn link(trace: &Summary) -> Markup {
    let (first, second) = title(trace);
    html! {
        a href={ "/traces/" (trace.trace_id) } { (first) }
        @if !second.is_empty() { " " span.detail { (second) } }
    }
}

/// `1 span`, `2 spans`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn errors(count: usize) -> Markup {
    html! {
        @if count == 0 { span.quiet { "no errors" } }
        @else { span.error { "⚠ " (counted(count, "error")) } }
    }
}

/// A name may be broken after its dots, rather than anywhere.
fn breakable(name: &str) -> Markup {
    html! { @for (n, word) in name.split('.').enumerate() { @if n > 0 { "." wbr; } (word) } }
}

pub(super) fn one(found: &Waterfall) -> Markup {
    let trace = &found.summary;
    let (first, second) = title(trace);
    frame(
        first,
        &html! {
            p { a href="/traces" { "All traces" } }
            h1 { (first) " " span.detail { (second) } }
            p.quiet {
                (moment(trace.start_us)) " UTC · " (duration(trace.duration_us)) " · "
                (counted(trace.spans, "span")) " · " (errors(trace.errors)) " · trace " code { (trace.trace_id) }
            }
            @if found.starts_elsewhere {
                p.state { "Somebody outside this process started it, or its first spans are no longer kept." }
            }
            (scale(trace.duration_us))
            ol.waterfall {
                @for node in &found.roots { (branch(found, node, 0)) }
            }
            @if !found.related.is_empty() {
                h2 { "Related traces" }
                p.quiet { "Of the same launch, or joined by a link; oldest first" }
                (table(found.related.get(..found.related.len().min(MAX_ROWS)).unwrap_or_default()))
            }
        },
    )
}

fn scale(whole_us: u64) -> Markup {
    html! {
        div.scale aria-hidden="true" {
            span { "0" } span { (duration(whole_us / 2)) } span { (duration(whole_us)) }
        }
    }
}

fn branch(found: &Waterfall, node: &Node, depth: usize) -> Markup {
    let span = &node.span;
    let (from, long) = found.bar(span);
    let words = detail(span);
    html! {
        li {
            details.span {
                summary.failed[is_error(span)] {
                    span class={ "name d" (depth.min(MAX_INDENT)) } {
                        b { (breakable(&span.name)) }
                        @if !words.is_empty() { " " span.detail { (words) } }
                        @if is_error(span) { " " span.error { "⚠ error" } }
                    }
                    " "
                    span.time {
                        (duration(span.end_us.saturating_sub(span.start_us)))
                        span.quiet { " at +" (duration(span.start_us.saturating_sub(found.summary.start_us))) }
                    }
                    svg.bar aria-hidden="true" width="100%" height="14" {
                        rect class={ "kind-" (span.kind) } x={ (format!("{from:.3}")) "%" } y="2" rx="2"
                            height="10" width={ (format!("{long:.3}")) "%" } {}
                    }
                }
                (fields(span))
            }
            @if !node.children.is_empty() {
                ol { @for child in &node.children { (branch(found, child, depth + 1)) } }
            }
        }
    }
}

fn fields(span: &SpanView) -> Markup {
    html! {
        dl {
            div { dt { "span" } dd { code { (span.span_id) } } }
            div { dt { "kind" } dd { (span.kind) } }
            @for (name, value) in &span.attributes {
                div {
                    dt { (name) }
                    dd {
                        @if name == "launch.id" { a href={ "/traces?launch=" (value) } { (value) } }
                        @else { (value) }
                    }
                }
            }
            @for trace in &span.links {
                div { dt { "linked to" } dd { a href={ "/traces/" (trace) } { code { (trace) } } } }
            }
        }
    }
}

pub(super) fn unknown() -> Markup {
    frame(
        "No such trace",
        &html! {
            h1 { "No such trace" }
            p { "This process keeps no span of it: it is another process's, was not sampled, or is too old." }
            p { a href="/traces" { "All traces" } }
        },
    )
}

fn frame(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Sallyport" }
                link rel="stylesheet" href="/traces.css";
            }
            body { main { (content) } }
        }
    }
}

/// `12.3 ms`, in the unit that is read without counting digits.
fn duration(us: u64) -> String {
    let value = us as f64;
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..10_000 => format!("{:.2} ms", value / 1_000.0),
        10_000..100_000 => format!("{:.1} ms", value / 1_000.0),
        100_000..1_000_000 => format!("{:.0} ms", value / 1_000.0),
        _ => format!("{:.2} s", value / 1_000_000.0),
    }
}

/// `14-Jul-2026 14:02:31.123`.
fn moment(us: u64) -> String {
    let at = i64::try_from(us).ok().and_then(|us| jiff::Timestamp::from_microsecond(us).ok());
    at.map_or_else(|| "Not known".to_owned(), |at| at.strftime("%d-%b-%Y %H:%M:%S%.3f").to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        super::{list::summaries, tree::tests::span},
        *,
    };

    #[test]
    fn times_are_read_without_counting_digits() {
        for (us, text) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_500, "1.50 ms"),
            (99_940, "99.9 ms"),
            (456_700, "457 ms"),
            (2_345_678, "2.35 s"),
        ] {
            assert_eq!(duration(us), text);
        }
        assert_eq!(moment(1_790_000_000_123_456), "21-Sep-2026 14:13:20.123");
        assert_eq!(moment(u64::MAX), "Not known");
    }

    #[test]
    fn what_a_span_says_is_text_and_never_markup() {
        let mut root = span(1, 0, 0, 9, "<b>root");
        root.attributes.insert("tenant.id".to_owned(), "\"><script>".to_owned());
        root.attributes.insert("launch.id".to_owned(), "\"><script>".to_owned());
        let all = [Arc::new(root)];
        let found = Waterfall::of(&all, &format!("{:032x}", 7)).unwrap();
        let filter = Filter { name: "\"><script>".to_owned(), ..Filter::default() };
        for page in [one(&found), newest(&summaries(&all), &filter, 1, false)] {
            let page = page.into_string();
            assert!(
                page.contains("&lt;b&gt;root") && !page.contains("<script>") && !page.contains("<b>root")
            );
        }
    }
}
