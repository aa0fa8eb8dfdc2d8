//! Observations as a table: the latest of each kind with flag, range and run over time; on their own page with the picture
//! and all values.

use std::collections::HashSet;

use maud::{Markup, html};
use sallyport_clinical::observations::{Level, Observation, ObservationValue, Observations, Quantity, Trend};

use super::{Drawn, Extent};
use crate::{
    domain::view::View,
    pages::{
        origin::{Facts, marks, panel},
        trend,
        words::{Tone, absent, badge, code_words, flag, plain, said, value},
    },
};

/// Vital signs in the order in which they are read at the bedside, with the names used there.
const BEDSIDE: &[(&str, &str)] = &[
    ("85354-9", "Blood pressure"),
    ("8867-4", "Heart rate"),
    ("59408-5", "Oxygen saturation"),
    ("2708-6", "Oxygen saturation"),
    ("8310-5", "Temperature"),
    ("8331-1", "Temperature (oral)"),
    ("9279-1", "Respiratory rate"),
    ("29463-7", "Weight"),
    ("8302-2", "Height"),
    ("39156-5", "Body mass index"),
];

/// The latest observation of each kind that counts. Vital signs in bedside order; results as they came, newest first.
pub(super) fn latest_of_each(all: &Observations, by_bedside: bool) -> Vec<&Observation> {
    let mut seen = HashSet::new();
    let mut latest: Vec<&Observation> = all
        .items
        .iter()
        .filter(|o| o.counts() && !o.is_group)
        .filter(|o| seen.insert(o.key.as_str()))
        .collect();
    if by_bedside {
        latest.sort_by_key(|o| bedside(o).map_or(BEDSIDE.len(), |(place, _)| place));
    }
    latest
}

fn bedside(item: &Observation) -> Option<(usize, &'static str)> {
    let code = item.key.strip_prefix("http://loinc.org|")?;
    BEDSIDE.iter().enumerate().find(|(_, (loinc, _))| *loinc == code).map(|(place, (_, name))| (place, *name))
}

/// The bedside name, or the EHR's own.
pub(super) fn short_name(item: &Observation) -> Markup {
    match bedside(item) {
        Some((_, name)) => html! { (name) },
        None => long_name(item),
    }
}

/// The EHR's own name. Of a LOINC long name (`Glucose [Mass/volume] in Serum or Plasma`) the first word is what is looked
/// for; the rest stands beside it, lighter.
fn long_name(item: &Observation) -> Markup {
    let name = item.what.value.as_ref().map(|concept| concept.name.as_str());
    match name.and_then(|name| name.split_once(" [")) {
        Some((first, rest)) => html! { bdi { (plain(first)) span.name-rest { " [" (plain(rest)) } } },
        None => value(&item.what),
    }
}

/// The finding; a group without a value of its own is its parts.
pub(super) fn finding(item: &Observation) -> Markup {
    if item.value.value.is_none() && !item.components.is_empty() {
        return html! {
            @for (index, part) in item.components.iter().enumerate() {
                @if index > 0 { ", " } (value(&part.what)) " " (value(&part.value))
            }
        };
    }
    value(&item.value)
}

/// How long a finding out of range stands before newer normal ones, in microseconds: a year before the newest result.
const RECENT_MICROS: i64 = 366 * 86_400_000_000;

/// On the summary what calls for action stands first, then what is out of range, then the newest.
fn out_of_range_first(latest: &mut [&Observation]) {
    let newest = latest.iter().filter_map(|o| o.instant()).max().unwrap_or_default();
    latest.sort_by_key(|o| {
        let level = o.flag.as_ref().and_then(|f| f.value.as_ref()).map(|f| f.level);
        let is_recent = o.instant().is_some_and(|at| newest.saturating_sub(at) < RECENT_MICROS);
        match level.filter(|_| is_recent) {
            Some(level) if level >= Level::CriticalLow => 0,
            Some(level) if level >= Level::Low => 1,
            _ => 2,
        }
    });
}

/// The table.
pub(super) fn table(view: &View, extent: Extent, all: &Observations, caption: &str) -> Drawn {
    let is_vitals = caption == "Vital signs";
    let mut latest = latest_of_each(all, is_vitals);
    if !extent.is_whole {
        out_of_range_first(&mut latest);
    }
    let hidden = latest.len().saturating_sub(extent.rows);
    let not_counted: Vec<&Observation> = all.items.iter().filter(|o| !o.counts()).collect();
    let body = html! {
        @if latest.is_empty() { p.state.empty { "Nothing of this kind is recorded in the EHR." } }
        @else {
            table.results role="table" {
                caption.visually-hidden {
                    (caption) ", the latest of each, "
                    (if extent.is_whole { "newest first" } else { "out of range first, then the newest" })
                }
                thead role="rowgroup" {
                    tr role="row" {
                        th role="columnheader" scope="col" { (if is_vitals { "Measurement" } else { "Test" }) }
                        th role="columnheader" scope="col" { "Result" }
                        th role="columnheader" scope="col" { "Range" }
                        th role="columnheader" scope="col" { "Over time" }
                        th role="columnheader" scope="col" { "Date" }
                    }
                }
                tbody role="rowgroup" {
                    @for item in latest.iter().take(extent.rows) { (table_row(view, extent, all, item)) }
                }
            }
        }
        @if extent.is_whole && !not_counted.is_empty() {
            h3 { "Not counted (cancelled or entered in error) (" (not_counted.len()) ")" }
            ul.rows.lesser {
                @for item in not_counted {
                    li.row { details name="origin" {
                        summary {
                            span.what { (short_name(item)) " " (finding(item)) " " (marks(&item.record)) }
                            span.side { @if let Some(when) = &item.when { (value(when)) } }
                        }
                        (origin(view, item, &[]))
                    } }
                }
            }
        }
    };
    Drawn { body, count: latest.len(), rest: (hidden > 0).then(|| format!("{hidden} more")) }
}

fn table_row(view: &View, extent: Extent, all: &Observations, item: &Observation) -> Markup {
    let trends: Vec<&Trend> = all.trends.iter().filter(|t| t.key == item.key).collect();
    let status = item.status.as_ref().and_then(|s| s.value.as_deref());
    let is_settled = |s: &&str| ["final", "amended", "corrected"].contains(s);
    html! {
        tr role="row" {
            th role="rowheader" scope="row" {
                details name="origin" {
                    summary { (short_name(item)) " " (marks(&item.record)) }
                    (origin(view, item, &trends))
                }
            }
            td role="cell" {
                span.finding { (finding(item)) } " "
                @if let Some(found) = item.flag.as_ref().and_then(|f| f.value.as_ref()) { (flag(found)) }
                @if let Some(status) = status.filter(|s| !is_settled(s)) { " " (badge(Tone::Warning, &code_words(status))) }
            }
            td.range role="cell" {
                @for (index, range) in item.ranges.iter().filter_map(|r| r.words()).take(2).enumerate() {
                    @if index > 0 { br; } (said(&range))
                }
            }
            td.over-time role="cell" { (trend::spark(&trends)) }
            td.date role="cell" { @match &item.when { Some(when) => (value(when)), None => (absent("Not known")) } }
        }
        @if extent.is_whole && !trends.is_empty() {
            tr.history role="row" { td role="cell" colspan="5" { (history(all, item, &trends)) } }
        }
    }
}

/// The picture and every value behind it.
fn history(all: &Observations, item: &Observation, trends: &[&Trend]) -> Markup {
    let same: Vec<&Observation> = all.items.iter().filter(|o| o.key == item.key && o.counts()).collect();
    html! {
        details.values {
            summary { "All " (same.len()) " values of " (short_name(item)) }
            (trend::picture(trends))
            table.values-table {
                caption { "All values of " (short_name(item)) ", newest first" }
                thead { tr { th scope="col" { "Date" } th scope="col" { "Result" } th scope="col" { "Range" } } }
                tbody {
                    @for one in same {
                        tr {
                            th scope="row" { @match &one.when { Some(when) => (value(when)), None => (absent("Not known")) } }
                            td {
                                (finding(one)) " "
                                @if let Some(found) = one.flag.as_ref().and_then(|f| f.value.as_ref()) { (flag(found)) }
                            }
                            td { @for range in one.ranges.iter().filter_map(|r| r.words()).take(2) { (said(&range)) " " } }
                        }
                    }
                }
            }
        }
    }
}

/// Where an observation comes from.
pub(super) fn origin(view: &View, item: &Observation, trends: &[&Trend]) -> Markup {
    let mut facts = Facts::default().concept("What", &item.what).add("Result", &item.value);
    let long = |q: &Quantity| crate::pages::words::number_text(&q.value).1;
    if let Some(ObservationValue::Quantity { quantity }) = &item.value.value {
        if long(quantity) {
            facts = facts.plain("In full", &said(&quantity.to_string()));
        }
        if let (Some(code), Some(shown)) = (&quantity.code, quantity.unit_text()) {
            let sent = quantity.unit.as_deref().unwrap_or(code);
            facts = facts.plain(
                "Unit",
                &html! { (said(shown)) ", sent as " code { (said(sent)) } ", code " code { (said(code)) } },
            );
        }
    }
    facts = facts.maybe("Flag", &item.flag);
    if item.flag.as_ref().and_then(|f| f.value.as_ref()).is_some_and(|f| f.is_computed) {
        facts = facts
            .plain("Flag", &html! { "The EHR sent none; this is the comparison with the range it sent." });
    }
    for part in &item.components {
        let name = html! { (value(&part.what)) };
        facts = facts.plain("Part", &name).add("Result of the part", &part.value).maybe("Flag", &part.flag);
    }
    for range in item.ranges.iter().filter_map(|r| r.words()) {
        facts = facts.plain("Range", &said(&range));
    }
    facts = facts.maybe("When", &item.when).maybe("Status", &item.status).maybe("Specimen", &item.specimen);
    facts =
        facts.maybe("Method", &item.method).maybe("Body site", &item.body_site).all("Remark", &item.notes);
    let start = item.when.as_ref().and_then(|w| w.value.as_ref()).and_then(|w| w.start.as_ref());
    if let Some((start, zone)) = start.and_then(|start| Some((start, start.zone_text()?))) {
        facts = facts.plain("Time", &html! { (start.full_text()) " " (zone) ", as sent" });
    }
    for trend in trends {
        facts = facts.plain("Over time", &said(&trend.summary));
        if trend.left_out > 0 {
            let words = format!(
                "{} more are no plain number or in another unit and are not in the series",
                trend.left_out
            );
            facts = facts.plain("Left out", &said(&words));
        }
    }
    if let Some((_, name)) =
        bedside(item).filter(|(_, name)| item.what.value.as_ref().is_none_or(|c| c.name != *name))
    {
        facts = facts.plain("Shown as", &html! { (name) });
    }
    html! { (panel(view, &item.record, facts)) }
}
