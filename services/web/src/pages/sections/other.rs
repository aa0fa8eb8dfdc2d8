//! Immunizations, procedures, care team, coverage.

use maud::{Markup, html};
use sallyport_clinical::{
    careteam::CareTeamMember, coverage::Coverage, immunizations::Immunization, procedures::Procedure,
};

use super::{
    Drawn, Extent,
    rows::{Listing, row},
};
use crate::{
    domain::view::View,
    pages::{
        origin::{Facts, marks, panel},
        words::{Tone, badge, code_words, value},
    },
};

pub(super) fn immunizations(view: &View, extent: Extent, items: &[Immunization]) -> Drawn {
    let listing = Listing {
        items,
        is_main: |i| !i.not_given,
        is_valid: |i| i.record.is_valid(),
        others: "Not given",
        empty: "No immunization is recorded in the EHR.",
    };
    listing.draw(extent, |item| {
        let what = html! {
            (value(&item.what)) " "
            @if item.not_given { (badge(Tone::Warning, "Not given")) " " }
            (marks(&item.record))
        };
        let note =
            (item.not_given || item.dose.is_some() || item.is_primary_source == Some(false)).then(|| {
                html! {
                    @if let Some(dose) = &item.dose { "Dose " (value(dose)) " " }
                    @if item.not_given { @if let Some(reason) = &item.reason { (value(reason)) " " } }
                    @if item.is_primary_source == Some(false) { "Reported, not from who gave it" }
                }
            });
        let side = html! { @if let Some(when) = &item.when { (value(when)) } };
        let facts = Facts::default()
            .concept("Vaccine", &item.what)
            .maybe("Status", &item.status)
            .maybe("Reason", &item.reason)
            .maybe("When", &item.when)
            .maybe("Dose", &item.dose)
            .maybe("Lot", &item.lot);
        row(&what, note, &side, &panel(view, &item.record, facts))
    })
}

pub(super) fn procedures(view: &View, extent: Extent, items: &[Procedure]) -> Drawn {
    let listing = Listing {
        items,
        is_main: |p| !p.not_done,
        is_valid: |p| p.record.is_valid(),
        others: "Not done",
        empty: "No procedure is recorded in the EHR.",
    };
    listing.draw(extent, |item| {
        let status = item.status.as_ref().and_then(|s| s.value.as_deref());
        let what = html! {
            (value(&item.what)) " "
            @if item.not_done { (badge(Tone::Warning, "Not done")) " " }
            @else if let Some(status) = status.filter(|s| !["completed", "entered-in-error"].contains(s)) {
                (badge(Tone::Quiet, &code_words(status))) " "
            }
            (marks(&item.record))
        };
        let note = item.reasons.first().map(value);
        let side = html! { @if let Some(when) = &item.when { (value(when)) } };
        let facts = Facts::default()
            .concept("Procedure", &item.what)
            .maybe("Status", &item.status)
            .maybe("When", &item.when)
            .all("Body site", &item.body_sites)
            .all("Reason", &item.reasons)
            .all("Done by", &item.performers)
            .all("Remark", &item.notes);
        row(&what, note, &side, &panel(view, &item.record, facts))
    })
}

pub(super) fn care_team(view: &View, extent: Extent, items: &[CareTeamMember]) -> Drawn {
    let listing = Listing {
        items,
        is_main: |_| true,
        is_valid: |m| m.record.is_valid(),
        others: "Other",
        empty: "No care team is recorded in the EHR.",
    };
    listing.draw(extent, |item| {
        let what = html! { (value(&item.name)) " " (marks(&item.record)) };
        let note = (!item.roles.is_empty()).then(
            || html! { @for (index, role) in item.roles.iter().enumerate() { @if index > 0 { ", " } (value(role)) } },
        );
        let side = html! { @if let Some(team) = &item.team { (value(team)) } };
        let facts = Facts::default()
            .add("Name", &item.name)
            .all("Role", &item.roles)
            .maybe("Team", &item.team)
            .maybe("Period", &item.period);
        row(&what, note, &side, &panel(view, &item.record, facts))
    })
}

pub(super) fn coverages(view: &View, extent: Extent, items: &[Coverage]) -> Drawn {
    let listing = Listing {
        items,
        is_main: |c| c.is_active,
        is_valid: |c| c.record.is_valid(),
        others: "Not active",
        empty: "No active coverage is recorded in the EHR.",
    };
    listing.draw(extent, |item| {
        let what = html! { (value(&item.what)) " " (marks(&item.record)) };
        let note: Option<Markup> = item.payors.first().map(value);
        let side = html! { @if let Some(period) = &item.period { (value(period)) } };
        let facts = Facts::default()
            .concept("Plan", &item.what)
            .maybe("Status", &item.status)
            .all("Payor", &item.payors)
            .maybe("Member number", &item.subscriber_id)
            .maybe("Relationship", &item.relationship)
            .maybe("Period", &item.period);
        row(&what, note, &side, &panel(view, &item.record, facts))
    })
}
