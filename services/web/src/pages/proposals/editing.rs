//! What would be written, before and after, and the fields that a person may put into other words.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{
    super::words::{plain, said},
    bound,
};
use crate::domain::{
    page::Page,
    proposals::{Draft, Editing, Proposal, fields},
    view::View,
};

/// Before and after; where somebody has edited, what was proposed stands beside. What is proposed is a new record unless it names a
/// version.
pub(super) fn changes(one: &Proposal, draft: &Draft) -> Markup {
    let is_edited = !draft.edits.is_empty();
    let proposed: BTreeMap<String, String> = fields(&one.proposed.payload).into_iter().collect();
    html! {
        table.values-table.changes {
            caption {
                @if one.base_version.is_empty() { "A new record of type " (said(&one.resource_type)) " would be written" }
                @else { "A record of type " (said(&one.resource_type)) " would be changed, based on version " (said(&one.base_version)) }
                @if is_edited { ", as edited" }
            }
            thead {
                tr {
                    th scope="col" { "Element" }
                    th scope="col" { "Before" }
                    @if is_edited { th scope="col" { "Proposed" } th scope="col" { "As edited" } } @else { th scope="col" { "After" } }
                }
            }
            tbody {
                @for (path, text) in fields(&draft.payload) {
                    @let was = proposed.get(&path).filter(|was| **was != text);
                    tr {
                        th scope="row" { code { (said(&path)) } }
                        td { @if one.base_version.is_empty() { span.absent { "Not there" } } @else { span.absent { "See the record" } } }
                        @if is_edited { td { @match was { Some(was) => { del { (said(was)) } } None => { (said(&text)) } } } }
                        td { @if was.is_some() { ins { (said(&text)) } } @else { (said(&text)) } }
                    }
                }
            }
        }
    }
}

/// The fields that may be edited. It only leads to a page that shows what would be written then.
pub(super) fn editor(view: &View, one: &Proposal, editing: Option<&Editing>, is_refused: bool) -> Markup {
    html! {
        details.edit open[is_refused] {
            summary { @if editing.is_some() { "Edit again" } @else { "Edit before approving" } }
            form method="post" action=(view.href(Page::Proposals)) {
                (bound(view, one, &one.payload_sha256))
                @for declared in &one.proposed.editable {
                    @let typed = editing.and_then(|editing| editing.edits.iter().find(|edit| edit.field == declared.field));
                    @let text = typed.map(|edit| edit.text.clone()).or_else(|| one.proposed.text_of(declared));
                    label {
                        (declared.label) " (at most " (declared.max_chars) " characters)"
                        textarea name=(format!("edit.{}", declared.field)) rows="3" maxlength=(declared.max_chars) required {
                            (plain(&text.unwrap_or_default()))
                        }
                    }
                }
                button type="submit" name="decision" value="preview" { "Show what would be written" }
                p.quiet { "Nothing is written yet." @if editing.is_some() { " " a href=(view.href(Page::Proposals)) { "Back to what was proposed" } } }
            }
        }
    }
}
