//! Problems and allergies.

use maud::{Markup, html};
use sallyport_clinical::{
    allergies::{Allergies, Allergy, AllergyStatement, Criticality},
    conditions::{Condition, ConditionState},
};

use super::{
    Drawn, Extent,
    rows::{Listing, row},
};
use crate::{
    domain::view::View,
    pages::{
        origin::{Facts, marks, panel},
        words::{Tone, badge, code_words, icon, optional, said, value},
    },
};

pub(super) fn conditions(view: &View, extent: Extent, items: &[Condition]) -> Drawn {
    let listing = Listing {
        items,
        is_main: |c| c.state != ConditionState::Inactive && !c.is_encounter_diagnosis(),
        is_valid: |c| c.record.is_valid(),
        others: "Resolved, inactive or of one visit",
        empty: "No current problem is recorded in the EHR.",
    };
    listing.draw(extent, |item| condition(view, item))
}

fn condition(view: &View, item: &Condition) -> Markup {
    let what = html! { (value(&item.what)) " " (marks(&item.record)) };
    let severity = optional(&item.severity);
    let note = (item.is_encounter_diagnosis() || severity.is_some()).then(|| {
        html! {
            @if let Some(severity) = &severity { (severity) }
            @if item.is_encounter_diagnosis() { @if severity.is_some() { " · " } "Diagnosis of a visit" }
        }
    });
    let side = html! {
        @match (item.state, &item.abatement) {
            (ConditionState::Inactive, Some(until)) => { (badge(Tone::Quiet, "Ended")) " " (value(until)) },
            (ConditionState::Inactive, None) => (badge(Tone::Quiet, "Inactive")),
            (ConditionState::NotStated, _) if !item.record.is_valid() => (since(item)),
            (ConditionState::NotStated, _) => { (badge(Tone::Quiet, "Status not sent")) " " (since(item)) },
            (ConditionState::Active, _) => (since(item)),
        }
    };
    let facts = Facts::default()
        .concept("Problem", &item.what)
        .maybe("Clinical status", &item.clinical_status)
        .maybe("Verification", &item.verification)
        .all("Category", &item.categories)
        .maybe("Severity", &item.severity)
        .maybe("Onset", &item.onset)
        .maybe("Ended", &item.abatement)
        .maybe("Recorded", &item.recorded)
        .maybe("Recorded by", &item.recorder)
        .all("Remark", &item.notes);
    row(&what, note, &side, &panel(view, &item.record, facts))
}

fn since(item: &Condition) -> Markup {
    html! {
        @match (&item.onset, &item.recorded) {
            (Some(onset), _) => { "since " (value(onset)) },
            (None, Some(recorded)) => { "recorded " (value(recorded)) },
            (None, None) => {},
        }
    }
}

pub(super) fn allergies(view: &View, extent: Extent, allergies: &Allergies) -> Drawn {
    let listing = Listing {
        items: &allergies.items,
        is_main: |a| a.is_current && !a.is_absence,
        is_valid: |a| a.record.is_valid(),
        others: "Other statements",
        empty: "",
    };
    let mut drawn = listing.draw(extent, |item| allergy(view, item));
    let absences = || allergies.items.iter().filter(|a| a.is_absence && a.is_current && a.record.is_valid());
    match allergies.statement {
        AllergyStatement::Listed => {}
        AllergyStatement::NoneKnown => {
            let statement = html! {
                p.state.good { (icon(Tone::Good)) "No known allergies, as recorded in the EHR" }
                @if !extent.is_whole { ul.rows { @for item in absences() { (allergy(view, item)) } } }
            };
            drawn.body = if extent.is_whole {
                html! { (statement) (drawn.body) }
            } else {
                statement
            };
            drawn.rest = None;
        }
        AllergyStatement::NothingRecorded => {
            let statement = html! {
                p.state.warning { (icon(Tone::Warning)) "Nothing is recorded about allergies" }
                p.quiet { "This does not mean that there are none. Ask the patient." }
            };
            drawn.body = if extent.is_whole {
                html! { (statement) (drawn.body) }
            } else {
                statement
            };
        }
    }
    drawn
}

fn allergy(view: &View, item: &Allergy) -> Markup {
    let what = html! {
        (value(&item.what)) " "
        @if item.criticality == Criticality::High && item.counts() { (badge(Tone::Critical, "High criticality")) " " }
        (marks(&item.record))
    };
    let reactions: Vec<Markup> = item
        .reactions
        .iter()
        .flat_map(|reaction| {
            let severity = reaction.severity.as_ref().and_then(|s| s.value.clone());
            let described = reaction.description.as_ref().filter(|_| reaction.manifestations.is_empty());
            let named = reaction.manifestations.iter().map(move |m| {
                html! { (value(m)) @if let Some(severity) = &severity { " (" (said(severity)) ")" } }
            });
            named.chain(described.map(value)).collect::<Vec<_>>()
        })
        .collect();
    let note = (!reactions.is_empty()).then(|| {
        html! { @for (index, reaction) in reactions.iter().enumerate() { @if index > 0 { ", " } (reaction) } }
    });
    let side = html! {
        @if !item.is_current { (badge(Tone::Quiet, "Not current")) " " }
        @match (&item.onset, &item.recorded) {
            (Some(onset), _) => { "since " (value(onset)) },
            (None, Some(recorded)) => { "recorded " (value(recorded)) },
            (None, None) => {},
        }
    };
    let mut facts = Facts::default()
        .concept(if item.is_absence { "Statement" } else { "Substance" }, &item.what)
        .maybe("Criticality", &item.criticality_sent)
        .maybe("Clinical status", &item.clinical_status)
        .maybe("Verification", &item.verification)
        .maybe("Kind", &item.mechanism)
        .all("Category", &item.categories);
    for reaction in &item.reactions {
        facts = facts
            .all("Reaction", &reaction.manifestations)
            .maybe("Severity", &reaction.severity)
            .maybe("Described", &reaction.description);
    }
    facts = facts.maybe("Onset", &item.onset).maybe("Recorded", &item.recorded).all("Remark", &item.notes);
    if item.criticality_sent.is_none() && !item.is_absence {
        facts = facts.plain("Criticality", &html! { (code_words("not-sent")) });
    }
    row(&what, note, &side, &panel(view, &item.record, facts))
}
