//! The patient banner, by the NHS CUI guidance: the name first and without a label, labels without colons, values stronger
//! than labels, `14-Jul-1945 (81 y)`, "Not known" and never a dash.

use maud::{Markup, html};
use sallyport_clinical::{
    allergies::{AllergyStatement, Criticality},
    banner::{Banner, PatientIdentifier},
    value::Value,
};

use super::{
    origin::{Facts, panel},
    sections::Shown,
    words::{Shows, Tone, absent, badge, icon, said, value},
};
use crate::domain::view::View;
use sallyport_clinical::Content;

/// The always visible zone, and the one that opens.
pub(crate) fn full(view: &View, banner: &Banner) -> Markup {
    html! {
        div.banner slot="banner" {
            div.zone1 {
                p.name { (value(&banner.name)) }
                (fact("Born", &birth(view, banner)))
                @if banner.is_deceased { (fact("Died", &died(banner))) }
                (fact("Gender", &value(&banner.gender)))
                (fact("MRN", &mrn(banner)))
                (preferred(banner))
                @if let Some(encounter) = &banner.encounter {
                    p.banner-fact.visit {
                        span.label { "Visit" } " "
                        b { (value(&encounter.what)) @if let Some(period) = &encounter.period { " " (value(period)) } }
                    }
                }
            }
            (warnings(banner))
            details.zone2 {
                summary { "More about the patient" }
                (more(view, banner))
            }
        }
    }
}

/// One line of 28 px for an EHR that shows a banner of its own: never nothing.
pub(crate) fn slim(view: &View, banner: &Banner) -> Markup {
    html! {
        div.banner.slim slot="banner" {
            p.name { (value(&banner.name)) }
            (fact("Born", &birth(view, banner)))
            (fact("MRN", &mrn(banner)))
            (warnings(banner))
        }
    }
}

fn preferred(banner: &Banner) -> Markup {
    html! {
        @if let Some(Value { value: Some(preferred), .. }) = &banner.preferred_name {
            (fact("Preferred name", &said(&if preferred.given.is_empty() { preferred.display.clone() } else { preferred.given.join(" ") })))
        }
    }
}

fn fact(label: &str, shown: &Markup) -> Markup {
    html! { p.banner-fact { span.label { (label) } " " b { (shown) } } }
}

fn birth(view: &View, banner: &Banner) -> Markup {
    let age = |date: &sallyport_clinical::date::Date| match &banner.deceased {
        Some(Value { value: Some(died), .. }) => {
            died.parts().and_then(|on| date.age_text(&on)).map(|age| format!("{age} at death"))
        }
        _ if banner.is_deceased => None,
        _ => date.age_text(&view.times.today()),
    };
    html! {
        @match banner.birth_date.known_or_words() {
            Ok(date) => {
                (date.show())
                @if let Some(age) = age(date) { " (" (age) ")" }
            },
            Err(words) => (absent(words)),
        }
    }
}

fn died(banner: &Banner) -> Markup {
    match &banner.deceased {
        Some(date) => value(date),
        None => absent("Date not known"),
    }
}

/// The medical record number; without one, what the EHR calls its first identifier.
fn mrn(banner: &Banner) -> Markup {
    let Some(identifier) = banner.identifiers.first().filter(|i| i.is_mrn) else {
        return absent("Not known");
    };
    html! { (value(&identifier.value)) (issuer(identifier)) }
}

fn issuer(identifier: &PatientIdentifier) -> Markup {
    html! { @if let Some(issuer) = &identifier.issuer { span.issuer { " (" (said(issuer)) ")" } } }
}

fn warnings(banner: &Banner) -> Markup {
    html! {
        @if banner.is_deceased { (badge(Tone::Information, "Deceased")) }
        @if banner.is_replaced { (badge(Tone::Critical, "Replaced by another record: check in the EHR")) }
        @if banner.is_inactive && !banner.is_replaced { (badge(Tone::Warning, "Record not in use")) }
        @for caution in &banner.record.cautions { p.caution { (icon(Tone::Warning)) (said(caution)) } }
    }
}

fn more(view: &View, banner: &Banner) -> Markup {
    let mut facts = Facts::default()
        .add("Name", &banner.name)
        .maybe("Preferred name", &banner.preferred_name)
        .add("Born", &banner.birth_date)
        .maybe("Died", &banner.deceased)
        .add("Gender", &banner.gender);
    for about in &banner.about {
        facts = facts.add(&about.label, &about.value);
    }
    for identifier in &banner.identifiers {
        facts = facts.add(&identifier.label, &identifier.value);
        if let Some(issuer) = identifier.issuer.as_ref().or(identifier.system.as_ref()) {
            facts = facts.plain("issued by", &said(issuer));
        }
    }
    facts = facts.all("Address", &banner.addresses);
    for contact in &banner.contacts {
        facts = facts.add(&contact.label, &contact.value);
    }
    facts = facts.all("Language", &banner.languages).all("Practitioner", &banner.practitioners);
    if let Some(encounter) = &banner.encounter {
        facts = facts
            .add("Visit", &encounter.what)
            .maybe("Visit period", &encounter.period)
            .all("Location", &encounter.locations);
    }
    panel(view, &banner.record, facts)
}

/// The allergies in the always visible zone.
pub(crate) fn allergies(shown: &Shown) -> Markup {
    let content = match shown {
        Shown::Section(section) => Some(&section.content),
        Shown::Refused(_) | Shown::Late => None,
    };
    html! {
        div.banner-allergies slot="banner-allergies" {
            span.label { "Allergies" } " "
            @match content {
                Some(Content::Allergies(allergies)) => {
                    @match allergies.statement {
                        AllergyStatement::Listed => {
                            @let counted: Vec<_> = allergies.items.iter().filter(|a| a.counts()).collect();
                            @for allergy in counted.iter().take(4) {
                                @let tone = if allergy.criticality == Criticality::High { Tone::Critical } else { Tone::Warning };
                                span class={ "badge " (tone.class()) } {
                                    (icon(tone)) (value(&allergy.what))
                                    @if allergy.criticality == Criticality::High { span.visually-hidden { " (high criticality)" } }
                                }
                            }
                            @if counted.len() > 4 { b { "and " (counted.len() - 4) " more" } }
                        },
                        AllergyStatement::NoneKnown => b { "None known" },
                        AllergyStatement::NothingRecorded => (badge(Tone::Warning, "Nothing recorded")),
                    }
                },
                _ => (not_read(shown)),
            }
        }
    }
}

fn not_read(shown: &Shown) -> Markup {
    use sallyport_clinical::SectionState;
    let words = match shown {
        Shown::Section(section) => match section.state {
            SectionState::NotGranted => "Not requested (permission not granted)",
            SectionState::Withheld => "Withheld",
            SectionState::Complete | SectionState::Partial | SectionState::Failed => "Could not be read",
        },
        Shown::Refused(_) => "Could not be read",
        Shown::Late => "Not read yet",
    };
    badge(Tone::Warning, words)
}
