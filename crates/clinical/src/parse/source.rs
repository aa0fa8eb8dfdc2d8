//! Where values come from: builds each sourced value and honours `data-absent-reason` wherever vendors put it.

use std::sync::Arc;

use sallyport_model::{Micros, ids::is_logical_id};

use super::{
    datatypes::{Annotation, CodeableConcept, Element, Extension, Head, Period, Reference},
    primitives::{List, Str, owned, text},
};
use crate::{
    concept::{Coding, Concept, Wanted},
    date::{Date, When},
    record::{Record, Standing},
    value::{Absent, Origin, Provenance, Value},
};

/// The extension by which R4 says why an element has no value.
const DATA_ABSENT_REASON: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

/// One resource as a source of values.
pub(crate) struct Source {
    resource_type: &'static str,
    reference: Arc<str>,
    version: Option<Arc<str>>,
    read_at: Micros,
    last_updated: Option<String>,
    profiles: Vec<String>,
    security: Vec<Coding>,
    cautions: Vec<String>,
}

impl Source {
    /// `None` when the resource has no usable id: then nothing could say where its values come from.
    pub(crate) fn new(resource_type: &'static str, head: &Head<'_>, read_at: Micros) -> Option<Self> {
        let id = text(&head.id).filter(|id| is_logical_id(id, 256))?;
        let meta = head.meta.as_ref();
        let mut cautions = Vec::new();
        for extension in head.modifier_extension.iter() {
            let url = text(&extension.url).unwrap_or("unnamed");
            cautions.push(format!(
                "It carries a modifier that this app does not know and that may change its meaning: {url}"
            ));
        }
        if let Some(rules) = text(&head.implicit_rules) {
            cautions.push(format!("It was written under rules that this app does not know: {rules}"));
        }
        Some(Self {
            resource_type,
            reference: format!("{resource_type}/{id}").into(),
            version: meta.and_then(|m| text(&m.version_id)).map(Into::into),
            read_at,
            last_updated: meta.and_then(|m| owned(&m.last_updated)),
            profiles: meta
                .map(|m| m.profile.iter().filter_map(|p| p.text().map(ToOwned::to_owned)).collect())
                .unwrap_or_default(),
            security: meta.map(|m| m.security.iter().map(Coding::from).collect()).unwrap_or_default(),
            cautions,
        })
    }

    pub(crate) fn reference(&self) -> Arc<str> {
        Arc::clone(&self.reference)
    }

    /// What the entry says about its resource.
    pub(crate) fn record(&self, standing: Standing) -> Record {
        Record {
            reference: self.reference(),
            version: self.version.clone(),
            last_updated: self.last_updated.clone(),
            read_at: self.read_at,
            profiles: self.profiles.clone(),
            security: self.security.clone(),
            standing,
            cautions: self.cautions.clone(),
            notes: Vec::new(),
        }
    }

    fn at(&self, origin: Origin, path: &str) -> Provenance {
        Provenance {
            origin,
            reference: self.reference(),
            version: self.version.clone(),
            path: format!("{}.{path}", self.resource_type),
            read_at: self.read_at,
        }
    }

    /// Provenance of an element of the resource itself.
    pub(crate) fn core(&self, path: &str) -> Provenance {
        self.at(Origin::Core, path)
    }

    /// Provenance of an extension: published profiles are told from vendors' own.
    pub(crate) fn extension(&self, url: &str) -> Provenance {
        let published = ["http://hl7.org/fhir/us/core/", "http://hl7.org/fhir/StructureDefinition/"];
        let origin =
            if published.iter().any(|p| url.starts_with(p)) { Origin::Profile } else { Origin::Extension };
        self.at(origin, &format!("extension({url})"))
    }

    /// A string element, with the reason beside it when it is absent.
    pub(crate) fn string(
        &self,
        path: &str,
        value: &Option<Str<'_>>,
        element: &Option<Element<'_>>,
    ) -> Option<Value<String>> {
        match (owned(value), absent_beside(element)) {
            (Some(known), _) => Some(Value::known(known, self.core(path))),
            (None, Some(reason)) => Some(Value::absent(reason, self.core(path))),
            (None, None) => None,
        }
    }

    /// A date element, with the reason beside it when it is absent.
    pub(crate) fn date(
        &self,
        path: &str,
        value: &Option<Str<'_>>,
        element: &Option<Element<'_>>,
    ) -> Option<Value<Date>> {
        let text = self.string(path, value, element)?;
        Some(Value { value: text.value.map(Date::new), absent: text.absent, source: text.source })
    }

    /// A concept. Absent reasons hide in its extension or, at Oracle, in its codings.
    pub(crate) fn concept(
        &self,
        path: &str,
        concept: &Option<CodeableConcept<'_>>,
        wanted: Wanted,
    ) -> Option<Value<Concept>> {
        let concept = concept.as_ref()?;
        if let Some(known) = Concept::choose(concept, wanted) {
            return Some(Value::known(known, self.core(path)));
        }
        let reason =
            absent_in(&concept.extension).or_else(|| concept.coding.iter().find_map(absent_as_coding));
        Some(Value::absent(reason.unwrap_or(Absent::NotSent), self.core(path)))
    }

    /// A concept that the chart always shows: when it was not sent, that is said.
    pub(crate) fn required_concept(
        &self,
        path: &str,
        concept: &Option<CodeableConcept<'_>>,
        wanted: Wanted,
    ) -> Value<Concept> {
        self.concept(path, concept, wanted).unwrap_or_else(|| Value::absent(Absent::NotSent, self.core(path)))
    }

    /// The known ones of a list of concepts.
    pub(crate) fn concepts(
        &self,
        path: &str,
        concepts: &List<CodeableConcept<'_>>,
        wanted: Wanted,
    ) -> Vec<Value<Concept>> {
        let known = concepts.iter().filter_map(|c| Concept::choose(c, wanted));
        known.map(|c| Value::known(c, self.core(path))).collect()
    }

    /// Who or what a reference names: its display, else its target.
    pub(crate) fn named(&self, path: &str, reference: &Option<Reference<'_>>) -> Option<Value<String>> {
        let reference = reference.as_ref()?;
        match (owned(&reference.display), absent_in(&reference.extension)) {
            (Some(display), _) => Some(Value::known(display, self.core(path))),
            (None, Some(reason)) => Some(Value::absent(reason, self.core(path))),
            (None, None) => None,
        }
    }

    /// A period.
    pub(crate) fn period(&self, path: &str, period: &Option<Period<'_>>) -> Option<Value<When>> {
        let period = period.as_ref()?;
        let (start, end) = (owned(&period.start).map(Date::new), owned(&period.end).map(Date::new));
        if start.is_none() && end.is_none() {
            return absent_in(&period.extension).map(|reason| Value::absent(reason, self.core(path)));
        }
        Some(Value::known(When { start, end, text: None }, self.core(path)))
    }

    /// A moment given as one date.
    pub(crate) fn moment(
        &self,
        path: &str,
        value: &Option<Str<'_>>,
        element: &Option<Element<'_>>,
    ) -> Option<Value<When>> {
        let date = self.date(path, value, element)?;
        let when = date.value.map(|start| When { start: Some(start), end: None, text: None });
        Some(Value { value: when, absent: date.absent, source: date.source })
    }

    /// A moment given in words (an age, a range, a description).
    pub(crate) fn in_words(&self, path: &str, words: Option<String>) -> Option<Value<When>> {
        words.map(|words| Value::known(When { start: None, end: None, text: Some(words) }, self.core(path)))
    }

    /// The texts of annotations.
    pub(crate) fn annotations(&self, notes: &List<Annotation<'_>>) -> Vec<Value<String>> {
        let texts = notes.iter().filter_map(|note| owned(&note.text));
        texts.map(|note| Value::known(note, self.core("note"))).collect()
    }
}

/// The reason in the extensions of an element, if any.
pub(crate) fn absent_in(extensions: &List<Extension<'_>>) -> Option<Absent> {
    let reason = extensions.iter().find(|e| text(&e.url) == Some(DATA_ABSENT_REASON))?;
    Some(text(&reason.value_code).map_or(Absent::Other, Absent::from_code))
}

fn absent_beside(element: &Option<Element<'_>>) -> Option<Absent> {
    element.as_ref().and_then(|e| absent_in(&e.extension))
}

/// The reason when a coding stands for "no code": by its extension, or as a code of the reason's own systems.
pub(crate) fn absent_as_coding(coding: &super::datatypes::Coding<'_>) -> Option<Absent> {
    if let Some(reason) = absent_in(&coding.extension) {
        return Some(reason);
    }
    let system = text(&coding.system)?;
    let is_reason = system.ends_with("/data-absent-reason") || system.ends_with("v3-NullFlavor");
    (is_reason).then(|| text(&coding.code).map_or(Absent::Other, Absent::from_code))
}
