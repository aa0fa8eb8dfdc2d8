//! The care gaps: a card for each measure with what it rests on, where it was published, and which scan judged when.

use maud::{Markup, html};
use sallyport_care_gaps::{Assessment, Evidence, Outcome, Published, Role, Weight};

use super::{
    origin::{clock, record_button},
    words::{Shows, Tone, badge, icon, said},
};
use crate::domain::{
    care_gaps::{CareGaps, Gaps, Scan},
    page::{CARE_GAPS, Page},
    view::View,
};

/// As many as the summary shows; the own page has them all.
const ON_SUMMARY: usize = 6;

/// The section in its reserved place.
pub(crate) fn section(view: &View, page: Page, gaps: &Gaps) -> Markup {
    let is_whole = page == Page::CareGaps;
    let count = match gaps {
        Gaps::Read(read) => read.scans.iter().map(|scan| scan.with(Outcome::Gap).count()).sum(),
        Gaps::Refused(_) | Gaps::Late => 0,
    };
    html! {
        section.card slot=(CARE_GAPS) id=(CARE_GAPS) aria-labelledby="heading-care-gaps" {
            header.card-head {
                h2 #heading-care-gaps {
                    (Page::CareGaps.title())
                    @if count > 0 { " " span.count { "(" (count) ")" } }
                }
                @if !is_whole { a.all href=(view.href(Page::CareGaps)) aria-label="All care gaps" { "All" } }
            }
            @match gaps {
                Gaps::Read(read) => (scans(view, read, is_whole)),
                Gaps::Refused(code) => {
                    p.state.warning { (icon(Tone::Warning)) "Could not be read. " (code.sentence()) }
                    p { "This does not mean that there are none. " (code.next_step()) " " a href=(view.href(page)) { "Try again" } }
                },
                Gaps::Late => {
                    p.state.warning { (icon(Tone::Warning)) "Reading what scans have found takes long." }
                    p { a href=(view.href(Page::CareGaps)) { "Open care gaps" } " and wait for it there." }
                },
            }
        }
    }
}

fn scans(view: &View, read: &CareGaps, is_whole: bool) -> Markup {
    html! {
        @if !read.is_set_up {
            p.state.empty { "No care-gap scan is set up for this EHR. This does not mean that there are no gaps." }
        } @else if read.scans.is_empty() {
            p.state.empty { "No scan has judged this patient yet. This does not mean that there are no gaps." }
        }
        @for scan in &read.scans { (of_scan(view, scan, is_whole)) }
    }
}

fn of_scan(view: &View, scan: &Scan, is_whole: bool) -> Markup {
    let open: Vec<&Assessment> = scan.with(Outcome::Gap).chain(scan.with(Outcome::CannotTell)).collect();
    let shown = if is_whole { open.len() } else { open.len().min(ON_SUMMARY) };
    html! {
        p.quiet.scanned { "Scanned " (clock(view, scan.judged_at)) " by “" (said(&scan.title)) "”. What changed since is not in it." }
        @if open.is_empty() { p.state.empty { "No gap was found by the measures of this scan." } }
        @else { ul.rows { @for one in open.iter().take(shown) { (row(view, scan, one)) } } }
        @if shown < open.len() { p.rest { a href=(view.href(Page::CareGaps)) { (open.len() - shown) " more" } } }
        @if scan.withheld > 0 {
            p.state.information {
                (icon(Tone::Information)) (scan.withheld)
                @if scan.withheld == 1 { " measure rests" } @else { " measures rest" }
                " on records that this launch may not see, and is not shown."
            }
        }
        @if is_whole {
            @for outcome in [Outcome::Met, Outcome::Excluded, Outcome::NotInPopulation] { (others(view, scan, outcome)) }
        }
    }
}

fn others(view: &View, scan: &Scan, outcome: Outcome) -> Markup {
    let all: Vec<&Assessment> = scan.with(outcome).collect();
    html! {
        @if !all.is_empty() {
            h3 { (outcome.words()) " (" (all.len()) ")" }
            ul.rows.lesser { @for one in all { (row(view, scan, one)) } }
        }
    }
}

fn tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Gap => Tone::Warning,
        Outcome::CannotTell => Tone::Information,
        Outcome::Met => Tone::Good,
        Outcome::Excluded | Outcome::NotInPopulation => Tone::Quiet,
    }
}

/// One measure: the answer in a line, everything behind it underneath.
fn row(view: &View, scan: &Scan, one: &Assessment) -> Markup {
    html! {
        li.row.care-gap data-measure=(one.measure) {
            details name="origin" {
                summary {
                    span.what { (said(&one.title)) " " (badge(tone(one.outcome), one.outcome.words())) }
                    span.side { @if let Some(due) = &one.due { "due " (due.on.text()) } }
                    span.note {
                        @if let Some(why) = one.why.first() { (said(why)) }
                        @if let Some(action) = &one.action { " " b { (said(action)) "." } }
                    }
                }
                div.panel {
                    dl.facts-list {
                        @for why in one.why.iter().skip(1) { (fact("Also", &said(why))) }
                        @if let Some(due) = &one.due { (fact("Due", &html! { (due.on.text()) ": " (said(&due.why)) })) }
                        (fact("Rule", &rule(one)))
                        (fact("Asked for", &html! { (one.period.first.text()) " to " (one.period.last.text()) ", judged on " (one.judged_on.text()) }))
                        (fact("Scan", &html! {
                            (said(&scan.title)) ", " (clock(view, scan.judged_at))
                            span.path { "job " (said(&scan.job)) ", run " (scan.run) }
                        }))
                    }
                    @if one.evidence.is_empty() { p.quiet { "No entry of the record was found that bears on it." } }
                    @else {
                        p.label { "What it rests on" }
                        ul.evidence { @for evidence in &one.evidence { (cited(view, evidence)) } }
                    }
                }
            }
        }
    }
}

pub(super) fn fact(label: &str, text: &Markup) -> Markup {
    html! { div.fact { dt { (label) } dd { (text) } } }
}

/// The rule and where it was published.
pub(super) fn rule(one: &Assessment) -> Markup {
    let Published { name, steward, numbers, year, url } = &one.published;
    html! {
        (said(name)) " (" (said(&numbers.join(", "))) "), " (said(steward)) ", " (year) " "
        // The address stands in a rule file, which a tenant may write.
        @if url.starts_with("https://") { a href=(url) target="_blank" rel="noopener noreferrer" { "Read the measure" } }
        @for file in &one.changed_by { span.path { "changed by " (said(file)) } }
    }
}

/// One entry of the record, as sent.
pub(super) fn cited(view: &View, evidence: &Evidence) -> Markup {
    let weight = match evidence.weight {
        Weight::Counts => badge(Tone::Good, "Counts"),
        Weight::Unclear => badge(Tone::Warning, "Unclear"),
        Weight::DoesNotCount => badge(Tone::Quiet, "Does not count"),
    };
    let role = match evidence.role {
        Role::Population => "who the measure is about",
        Role::Exclusion => "who is left out",
        Role::Requirement => "what is asked for",
    };
    let source = &evidence.source;
    html! {
        li {
            b { (said(&evidence.what)) }
            @if let Some(value) = &evidence.value { " " (said(value)) }
            @if let Some(when) = &evidence.when { ", " (when.show()) }
            " " (weight)
            span.path { (role) ": " (said(&evidence.criterion)) ". " (said(&evidence.why)) }
            span.path {
                (said(&source.reference))
                @if let Some(version) = &source.version { ", version " (said(version)) }
                ", " (said(&source.path)) ", read " (clock(view, source.read_at))
                @if let Some(code) = &evidence.code { ", " (said(code)) }
            }
            (record_button(&source.reference, "Show the record"))
        }
    }
}
