//! Where a value comes from: the panel that opens under a row.

use maud::{Markup, html};
use sallyport_clinical::{
    concept::{Coding, Concept},
    record::{Record, Standing},
    value::{Origin, Provenance, Value},
};

use super::words::{Shows, Tone, badge, icon, said, value};
use crate::domain::view::View;

/// The lines of a panel.
#[derive(Default)]
pub(crate) struct Facts(Vec<Markup>);

impl Facts {
    /// A value with its element.
    pub(crate) fn add<T: Shows>(mut self, label: &str, fact: &Value<T>) -> Self {
        self.0.push(line(label, &value(fact), &fact.source));
        self
    }

    /// A value that may not have been sent.
    pub(crate) fn maybe<T: Shows>(self, label: &str, fact: &Option<Value<T>>) -> Self {
        match fact {
            Some(fact) => self.add(label, fact),
            None => self,
        }
    }

    /// Several values of one kind.
    pub(crate) fn all<T: Shows>(mut self, label: &str, facts: &[Value<T>]) -> Self {
        for fact in facts {
            self = self.add(label, fact);
        }
        self
    }

    /// A coded value: with all codes, and how the name was chosen.
    pub(crate) fn concept(mut self, label: &str, fact: &Value<Concept>) -> Self {
        self = self.add(label, fact);
        if let Some(concept) = &fact.value {
            self.0.push(html! {
                div.fact {
                    dt { "Codes" }
                    dd {
                        @for coding in &concept.codings { (code(coding)) }
                        span.told { (concept.told()) }
                    }
                }
            });
        }
        self
    }

    /// A line without an element of its own.
    pub(crate) fn plain(mut self, label: &str, text: &Markup) -> Self {
        self.0.push(html! { div.fact { dt { (said(label)) } dd { (text) } } });
        self
    }
}

fn line(label: &str, shown: &Markup, source: &Provenance) -> Markup {
    let origin = match source.origin {
        Origin::Core => "FHIR element",
        Origin::Profile => "profile extension",
        Origin::Extension => "vendor extension",
    };
    html! {
        div.fact {
            dt { (said(label)) }
            dd { (shown) span.path title=(origin) { (said(&source.path)) " · " (origin) } }
        }
    }
}

fn code(coding: &Coding) -> Markup {
    html! {
        span.code {
            code { (said(coding.code.as_deref().unwrap_or("no code"))) } " "
            @match coding.system.as_deref() {
                Some(system) => { (said(system_name(system))) },
                None => { "no code system sent" },
            }
            @if let Some(display) = &coding.display { " · " (said(display)) }
            @if coding.user_selected { " · selected in the EHR" }
        }
    }
}

/// The usual names of the usual systems; any other system by its address.
fn system_name(system: &str) -> &str {
    match system {
        "http://snomed.info/sct" => "SNOMED CT",
        "http://loinc.org" => "LOINC",
        "http://www.nlm.nih.gov/research/umls/rxnorm" => "RxNorm",
        "http://hl7.org/fhir/sid/icd-10-cm" => "ICD-10-CM",
        "http://hl7.org/fhir/sid/icd-10" => "ICD-10",
        "http://hl7.org/fhir/sid/cvx" => "CVX",
        "http://hl7.org/fhir/sid/ndc" => "NDC",
        "http://unitsofmeasure.org" => "UCUM",
        other => other,
    }
}

/// The panel of an entry.
pub(crate) fn panel(view: &View, record: &Record, facts: Facts) -> Markup {
    html! {
        div.panel {
            @for caution in &record.cautions { p.caution { (icon(Tone::Warning)) (said(caution)) } }
            dl.facts-list {
                @for fact in facts.0 { (fact) }
                @for note in &record.notes { div.fact { dt { "Note" } dd { (said(note)) } } }
                (record_lines(view, record))
            }
            (record_button(&record.reference, "Show the record"))
        }
    }
}

fn record_lines(view: &View, record: &Record) -> Markup {
    html! {
        div.fact {
            dt { "Record" }
            dd {
                code { (record.reference) }
                @if let Some(version) = &record.version { ", version " (said(version)) } @else { ", no version sent" }
                @if let Some(changed) = &record.last_updated { ", last changed " (said(changed)) }
                ", read " (clock(view, record.read_at))
                @for profile in &record.profiles { span.path { (said(profile)) } }
            }
        }
    }
}

/// Our own time with the zone on hover.
pub(crate) fn clock(view: &View, micros: i64) -> Markup {
    html! { time datetime=(view.times.machine(micros)) title=(view.times.full(micros)) { (view.times.clock(micros)) } }
}

/// The one form of a page that opens records; see [`record_button`].
pub(crate) fn record_form(view: &View) -> Markup {
    html! {
        form #record-form method="post" action=(format!("{}/source", view.base)) hidden {
            input type="hidden" name="token" value=(view.source_token);
        }
    }
}

/// Opens a record as the EHR sent it. Posts, so that no id stands in an address.
pub(crate) fn record_button(reference: &str, words: &str) -> Markup {
    html! { button.record type="submit" form="record-form" name="ref" value=(reference) { (words) } }
}

/// What marks an entry apart: not counted, labelled, to be looked at.
pub(crate) fn marks(record: &Record) -> Markup {
    html! {
        @match record.standing {
            Standing::Valid => {},
            Standing::EnteredInError => (badge(Tone::Warning, "Entered in error")),
            Standing::Refuted => (badge(Tone::Warning, "Refuted")),
        }
        @for label in &record.security {
            @if let Some(name) = label.display.as_deref().or(label.code.as_deref()) {
                (badge(Tone::Information, security_words(name)))
            }
        }
        @if !record.cautions.is_empty() { (badge(Tone::Warning, "Check the source")) }
    }
}

/// v3 Confidentiality codes that come without a display.
fn security_words(label: &str) -> &str {
    match label {
        "R" => "Restricted",
        "V" => "Very restricted",
        "N" => "Normal confidentiality",
        other => other,
    }
}
