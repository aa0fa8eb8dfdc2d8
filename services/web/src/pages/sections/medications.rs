//! Medications: what, how it is taken, since when, and whether the order is in force.

use maud::{Markup, html};
use sallyport_clinical::medications::{Medication, OrderState};

use super::{
    Drawn, Extent,
    rows::{Listing, attention, row},
};
use crate::{
    domain::view::View,
    pages::{
        origin::{Facts, marks, panel},
        words::{Tone, badge, code_words, value},
    },
};

pub(super) fn orders(view: &View, extent: Extent, items: &[Medication]) -> Drawn {
    let listing = Listing {
        items,
        is_main: |m| m.state != OrderState::Ended,
        is_valid: |m| m.record.is_valid(),
        others: "Ended",
        empty: "No current medication is recorded in the EHR.",
    };
    listing.draw(extent, |item| order(view, item))
}

fn order(view: &View, item: &Medication) -> Markup {
    let what = html! {
        (value(&item.what)) " "
        @if item.must_not_give { (badge(Tone::Critical, "Do not give")) " " }
        (marks(&item.record))
    };
    let note = html! {
        @if item.dosage.is_empty() { span.absent { "How to take it was not sent" } }
        @for (index, dosage) in item.dosage.iter().enumerate() { @if index > 0 { "; " } (value(dosage)) }
        @if item.as_needed && !says_as_needed(item) { " · as needed" }
        @if item.is_reported { " · reported" }
        @if let Some(authored) = &item.authored { " · ordered " (value(authored)) }
    };
    let status = item.status.as_ref().and_then(|s| s.value.as_deref()).map(code_words);
    let side = html! {
        @match (item.state, &status) {
            (OrderState::Active, _) => {},
            (OrderState::Unsettled, Some(status)) => { (attention(status)) " " },
            (OrderState::Unsettled, None) => { (attention("Status not sent")) " " },
            (OrderState::Ended, status) => { (badge(Tone::Quiet, status.as_deref().unwrap_or("Ended"))) " " },
        }
    };
    let facts = Facts::default()
        .concept("Medicine", &item.what)
        .all("How to take it", &item.dosage)
        .maybe("Status", &item.status)
        .maybe("Intent", &item.intent)
        .maybe("Ordered", &item.authored)
        .maybe("Ordered by", &item.requester)
        .all("What for", &item.reasons)
        .all("Remark", &item.notes);
    row(&what, Some(note), &side, &panel(view, &item.record, facts))
}

/// The instruction's own text already says so.
fn says_as_needed(item: &Medication) -> bool {
    let says = |text: &str| {
        let text = text.to_lowercase();
        text.contains("as needed") || text.contains("prn")
    };
    item.dosage.iter().filter_map(|d| d.value.as_deref()).any(says)
}
