//! Visits and documents.

use maud::{Markup, html};
use sallyport_clinical::{
    documents::{Attachment, Document, Place},
    encounters::Encounter,
};

use super::{
    Drawn, Extent,
    rows::{Listing, open_row, row},
};
use crate::{
    domain::view::View,
    pages::{
        origin::{Facts, marks, panel, record_button},
        words::{Shows, Tone, badge, code_words, said, value},
    },
};

pub(super) fn encounters(view: &View, extent: Extent, items: &[Encounter]) -> Drawn {
    let listing = Listing {
        items,
        is_main: |_| true,
        is_valid: |e| e.record.is_valid(),
        others: "Other",
        empty: "No visit is recorded in the EHR.",
    };
    listing.draw(extent, |item| encounter(view, item))
}

fn encounter(view: &View, item: &Encounter) -> Markup {
    let status = item.status.as_ref().and_then(|s| s.value.as_deref());
    let what = html! {
        (value(&item.what)) " "
        @if item.is_in_context { (badge(Tone::Information, "This visit")) " " }
        @if let Some(status) = status.filter(|s| *s != "finished" && *s != "entered-in-error") {
            (badge(Tone::Quiet, &code_words(status))) " "
        }
        (marks(&item.record))
    };
    let parts: Vec<Markup> = item
        .reasons
        .iter()
        .map(value)
        .chain(item.locations.iter().take(1).map(value))
        .chain(item.participants.iter().take(1).map(value))
        .collect();
    let note = (!parts.is_empty())
        .then(|| html! { @for (index, part) in parts.iter().enumerate() { @if index > 0 { " · " } (part) } });
    let side = html! { @if let Some(period) = &item.period { (value(period)) } };
    let facts = Facts::default()
        .concept("Kind", &item.what)
        .maybe("Class", &item.class)
        .maybe("Status", &item.status)
        .maybe("When", &item.period)
        .all("Reason", &item.reasons)
        .all("Where", &item.locations)
        .all("With", &item.participants)
        .maybe("Organisation", &item.provider);
    row(&what, note, &side, &panel(view, &item.record, facts))
}

pub(super) fn documents(view: &View, extent: Extent, items: &[Document]) -> Drawn {
    let sent: Vec<&str> = view.context.iter().map(|item| item.reference.as_str()).collect();
    let (mut first, rest): (Vec<&Document>, Vec<&Document>) =
        items.iter().partition(|d| sent.contains(&d.record.reference.as_ref()));
    first.extend(rest);
    let items: Vec<Document> = first.into_iter().cloned().collect();
    let listing = Listing {
        items: &items,
        is_main: |d| d.is_current,
        is_valid: |d| d.record.is_valid(),
        others: "Superseded",
        empty: "No document is recorded in the EHR.",
    };
    let mut drawn =
        listing.draw(extent, |item| document(view, item, sent.contains(&item.record.reference.as_ref())));
    let listed = |reference: &str| items.iter().any(|d| d.record.reference.as_ref() == reference);
    let missing: Vec<&str> =
        sent.iter().copied().filter(|r| r.starts_with("DocumentReference/") && !listed(r)).collect();
    if extent.is_whole && !missing.is_empty() {
        let body = drawn.body;
        drawn.body = html! {
            p.state.information {
                (badge(Tone::Information, "Sent by the EHR")) " A document that is not in the list below. "
                @for reference in missing { (record_button(reference, "Open the document")) " " }
            }
            (body)
        };
    }
    drawn
}

fn document(view: &View, item: &Document, is_sent: bool) -> Markup {
    let unfinished = item.document_status.as_ref().and_then(|s| s.value.as_deref()).filter(|s| *s != "final");
    let what = html! {
        (value(&item.what)) " "
        @if is_sent { (badge(Tone::Information, "Sent by the EHR")) " " }
        @if let Some(status) = unfinished { (badge(Tone::Warning, &code_words(status))) " " }
        (marks(&item.record))
    };
    let parts: Vec<Markup> =
        item.authors.iter().take(1).map(value).chain(item.description.iter().map(value)).collect();
    let note = (!parts.is_empty())
        .then(|| html! { @for (index, part) in parts.iter().enumerate() { @if index > 0 { " · " } (part) } });
    let side = html! {
        @if let Some(date) = item.date.as_ref().or(item.care_period.as_ref()) { (value(date)) }
    };
    let mut facts = Facts::default()
        .concept("Kind", &item.what)
        .all("Category", &item.categories)
        .maybe("Status", &item.status)
        .maybe("Document status", &item.document_status)
        .maybe("Date", &item.date)
        .maybe("Care period", &item.care_period)
        .all("Author", &item.authors)
        .maybe("Description", &item.description);
    for attachment in &item.attachments {
        facts = facts.plain("Content", &content(attachment));
    }
    let can_open =
        item.attachments.iter().any(|a| matches!(a.place, Place::Inline { .. } | Place::Binary { .. }));
    let panel = html! {
        @if can_open { p.open-document { (record_button(&item.record.reference, "Open the document")) } }
        (panel(view, &item.record, facts))
    };
    let panel = html! { div.panel-group { (panel) } };
    if is_sent { open_row(&what, note, &side, &panel) } else { row(&what, note, &side, &panel) }
}

fn content(attachment: &Attachment) -> Markup {
    html! {
        @if let Some(title) = &attachment.title { (said(title)) ", " }
        (said(attachment.content_type.as_deref().unwrap_or("kind of file not sent"))) ", "
        @match &attachment.place {
            Place::Inline { bytes } => { (bytes) " bytes in the record" },
            Place::Binary { .. } => "in a record of its own",
            Place::Elsewhere => "at another address, which this app does not follow; open it in the EHR",
            Place::Missing { reason: Some(reason) } => (reason.words()),
            Place::Missing { reason: None } => "neither content nor address was sent; open it in the EHR",
        }
        @if let Some(made) = &attachment.creation { ", made " (made.show()) }
    }
}
