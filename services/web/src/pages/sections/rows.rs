//! Rows that open: a line with the one thing that matters, its source underneath.

use maud::{Markup, html};

use super::{Drawn, Extent};
use crate::pages::words::{Tone, icon};

/// A row that is open from the start: what the EHR sent the person to.
pub(super) fn open_row(what: &Markup, note: Option<Markup>, side: &Markup, panel: &Markup) -> Markup {
    details(what, note, side, panel, true)
}

/// One row. `side` is what stands at the end of the line: since when, which state.
pub(super) fn row(what: &Markup, note: Option<Markup>, side: &Markup, panel: &Markup) -> Markup {
    details(what, note, side, panel, false)
}

fn details(what: &Markup, note: Option<Markup>, side: &Markup, panel: &Markup, is_open: bool) -> Markup {
    html! {
        li.row {
            details name="origin" open[is_open] {
                summary {
                    span.what { (what) }
                    span.side { (side) }
                    @if let Some(note) = note { span.note { (note) } }
                }
                (panel)
            }
        }
    }
}

/// A list of what counts, and on a section's own page of what does not.
pub(super) struct Listing<'a, T> {
    pub(super) items: &'a [T],
    /// Whether an entry is among what is shown first.
    pub(super) is_main: fn(&T) -> bool,
    /// Whether it is true of the patient at all.
    pub(super) is_valid: fn(&T) -> bool,
    /// The heading of what is true but not among the main ones, such as `Resolved`.
    pub(super) others: &'static str,
    /// What to say when nothing is recorded.
    pub(super) empty: &'static str,
}

impl<T> Listing<'_, T> {
    pub(super) fn draw(&self, extent: Extent, row: impl Fn(&T) -> Markup) -> Drawn {
        let (main, rest): (Vec<&T>, Vec<&T>) =
            self.items.iter().partition(|item| (self.is_valid)(item) && (self.is_main)(item));
        let (others, invalid): (Vec<&T>, Vec<&T>) = rest.into_iter().partition(|item| (self.is_valid)(item));
        let hidden = main.len().saturating_sub(extent.rows);
        let body = html! {
            @if main.is_empty() { p.state.empty { (self.empty) } }
            @else { ul.rows { @for item in main.iter().take(extent.rows) { (row(item)) } } }
            @if extent.is_whole {
                (group(self.others, &others, &row))
                (group("Not counted (entered in error or refuted)", &invalid, &row))
            }
        };
        let mut rest = Vec::new();
        if hidden > 0 {
            rest.push(format!("{hidden} more"));
        }
        if !extent.is_whole && !others.is_empty() {
            rest.push(format!("{} {}", others.len(), self.others.to_lowercase()));
        }
        Drawn { body, count: main.len(), rest: (!rest.is_empty()).then(|| rest.join(", ")) }
    }
}

fn group<T>(title: &str, items: &[&T], row: &impl Fn(&T) -> Markup) -> Markup {
    html! {
        @if !items.is_empty() {
            h3 { (title) " (" (items.len()) ")" }
            ul.rows.lesser { @for item in items { (row(item)) } }
        }
    }
}

/// A state that needs attention, as the first word of a note.
pub(super) fn attention(words: &str) -> Markup {
    html! { span.badge.warning { (icon(Tone::Warning)) (words) } }
}
