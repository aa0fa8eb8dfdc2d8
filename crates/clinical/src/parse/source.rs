//! Where values come from: builds each sourced value and honours `data-absent-reason` wherever vendors put it.

use std::{borrow::Cow, sync::Arc};

use sallyport_model::{Micros, ids::is_logical_id};

use super::{
    datatypes::{Annotation, CodeableConcept, Element, Extension, Head, Period, Reference},
    primitives::{List, Str, owned, text},
};
use crate::{
    FhirVersion,
    concept::{Coding, Concept, Wanted},
    date::{Date, When},
    mapping::Rules,
    record::{Record, Standing},
    value::{Absent, Origin, Provenance, Value},
    version,
};

/// The extension by which R4 says why an element has no value.
const DATA_ABSENT_REASON: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

/// One resource as a source of values. Paths are R4's, with the type (`Patient.birthDate`); what leaves names the element
/// that was sent.
pub(crate) struct Source {
    reference: Arc<str>,
    version: Option<Arc<str>>,
    read_at: Micros,
    fhir: FhirVersion,
    rules: Rules,
}

/// An id that can name a resource: longer than R4 allows (64) where vendors send such, never with a slash.
pub(crate) fn usable_id<'s>(id: &'s Option<Str<'_>>) -> Option<&'s str> {
    text(id).filter(|id| is_logical_id(id, 256))
}

impl Source {
    /// The source and what the entry says about its resource. `None` when the resource has no usable id: then nothing
    /// could say where its values come from.
    pub(crate) fn open(
        sent_type: &'static str,
        head: &Head<'_, '_>,
        read_at: Micros,
        fhir: FhirVersion,
        rules: Rules,
    ) -> Option<(Self, Record)> {
        let id = usable_id(head.id)?;
        let meta = head.meta.as_ref();
        let mut cautions = Vec::new();
        for extension in head.modifier_extension.iter() {
            let url = text(&extension.url).unwrap_or("unnamed");
            cautions.push(format!(
                "It carries a modifier that this app does not know and that may change its meaning: {url}"
            ));
        }
        if let Some(rules) = text(head.implicit_rules) {
            cautions.push(format!("It was written under rules that this app does not know: {rules}"));
        }
        let reference: Arc<str> = [sent_type, "/", id].concat().into();
        let version: Option<Arc<str>> = meta.and_then(|m| text(&m.version_id)).map(Into::into);
        let record = Record {
            reference: Arc::clone(&reference),
            version: version.clone(),
            last_updated: meta.and_then(|m| owned(&m.last_updated)),
            read_at,
            profiles: meta
                .map(|m| m.profile.iter().filter_map(|p| p.text().map(ToOwned::to_owned)).collect())
                .unwrap_or_default(),
            security: meta.map(|m| m.security.iter().map(Coding::from).collect()).unwrap_or_default(),
            standing: Standing::Valid,
            cautions,
            notes: Vec::new(),
        };
        Some((Self { reference, version, read_at, fhir, rules }, record))
    }

    pub(crate) fn reference(&self) -> Arc<str> {
        Arc::clone(&self.reference)
    }

    /// The rules of the mapping.
    pub(crate) fn rules(&self) -> Rules {
        self.rules
    }

    fn at(&self, origin: Origin, path: Cow<'static, str>) -> Provenance {
        Provenance {
            origin,
            defined_by: None,
            reference: self.reference(),
            version: self.version.clone(),
            path: version::sent_path(self.fhir, path),
            read_at: self.read_at,
        }
    }

    /// Provenance of an element of the resource itself.
    pub(crate) fn core(&self, path: &'static str) -> Provenance {
        self.at(Origin::Core, Cow::Borrowed(path))
    }

    /// The same below a repeating element: `Type.element` becomes `Type.{within}element`.
    pub(crate) fn core_within(&self, within: &str, path: &'static str) -> Provenance {
        if within.is_empty() {
            return self.core(path);
        }
        let path = match path.split_once('.') {
            Some((kind, element)) => Cow::Owned([kind, ".", within, element].concat()),
            None => Cow::Borrowed(path),
        };
        self.at(Origin::Core, path)
    }

    /// Provenance of an extension, which names what defines it: for one of a published guide the profile of that guide
    /// which the resource claims, else the extension itself; for a vendor's own its URL.
    pub(crate) fn extension(&self, url: &str, path: &'static str, claimed: &[String]) -> Provenance {
        let guide = ["http://hl7.org/fhir/us/core/", "http://hl7.org/fhir/StructureDefinition/"]
            .into_iter()
            .find(|guide| url.starts_with(guide));
        let origin = if guide.is_some() { Origin::Profile } else { Origin::Extension };
        let profile = guide.and_then(|guide| claimed.iter().find(|profile| profile.starts_with(guide)));
        let defined_by = profile.map_or(url, String::as_str).to_owned();
        Provenance { defined_by: Some(defined_by), ..self.at(origin, format!("{path}({url})").into()) }
    }

    /// The concept by the rules of the mapping.
    pub(crate) fn choose(&self, concept: &CodeableConcept<'_>, wanted: Wanted) -> Option<Concept> {
        Concept::choose(concept, wanted, self.rules)
    }

    /// A string element, with the reason beside it when it is absent.
    pub(crate) fn string(
        &self,
        path: &'static str,
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
        path: &'static str,
        value: &Option<Str<'_>>,
        element: &Option<Element<'_>>,
    ) -> Option<Value<Date>> {
        let text = self.string(path, value, element)?;
        Some(Value { value: text.value.map(Date::new), absent: text.absent, source: text.source })
    }

    /// A concept. Absent reasons hide in its extension or, at Oracle, in its codings.
    pub(crate) fn concept(
        &self,
        path: &'static str,
        concept: &Option<CodeableConcept<'_>>,
        wanted: Wanted,
    ) -> Option<Value<Concept>> {
        self.concept_within("", path, concept, wanted)
    }

    /// The same below a repeating element.
    pub(crate) fn concept_within(
        &self,
        within: &str,
        path: &'static str,
        concept: &Option<CodeableConcept<'_>>,
        wanted: Wanted,
    ) -> Option<Value<Concept>> {
        let concept = concept.as_ref()?;
        if let Some(known) = self.choose(concept, wanted) {
            return Some(Value::known(known, self.core_within(within, path)));
        }
        let reason =
            absent_in(&concept.extension).or_else(|| concept.coding.iter().find_map(absent_as_coding));
        Some(Value::absent(reason.unwrap_or(Absent::NotSent), self.core_within(within, path)))
    }

    /// A concept that the chart always shows: when it was not sent, that is said.
    pub(crate) fn required_concept(
        &self,
        path: &'static str,
        concept: &Option<CodeableConcept<'_>>,
        wanted: Wanted,
    ) -> Value<Concept> {
        self.required_concept_within("", path, concept, wanted)
    }

    /// The same below a repeating element.
    pub(crate) fn required_concept_within(
        &self,
        within: &str,
        path: &'static str,
        concept: &Option<CodeableConcept<'_>>,
        wanted: Wanted,
    ) -> Value<Concept> {
        self.concept_within(within, path, concept, wanted)
            .unwrap_or_else(|| Value::absent(Absent::NotSent, self.core_within(within, path)))
    }

    /// The known ones of a list of concepts.
    pub(crate) fn concepts(
        &self,
        path: &'static str,
        concepts: &List<CodeableConcept<'_>>,
        wanted: Wanted,
    ) -> Vec<Value<Concept>> {
        let known = concepts.iter().filter_map(|c| self.choose(c, wanted));
        known.map(|c| Value::known(c, self.core(path))).collect()
    }

    /// Who or what a reference names: its display, else its target.
    pub(crate) fn named(
        &self,
        path: &'static str,
        reference: &Option<Reference<'_>>,
    ) -> Option<Value<String>> {
        let reference = reference.as_ref()?;
        match (owned(&reference.display), absent_in(&reference.extension)) {
            (Some(display), _) => Some(Value::known(display, self.core(path))),
            (None, Some(reason)) => Some(Value::absent(reason, self.core(path))),
            (None, None) => None,
        }
    }

    /// A period.
    pub(crate) fn period(&self, path: &'static str, period: &Option<Period<'_>>) -> Option<Value<When>> {
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
        path: &'static str,
        value: &Option<Str<'_>>,
        element: &Option<Element<'_>>,
    ) -> Option<Value<When>> {
        let date = self.date(path, value, element)?;
        let when = date.value.map(|start| When { start: Some(start), end: None, text: None });
        Some(Value { value: when, absent: date.absent, source: date.source })
    }

    /// A moment given in words (an age, a range, a description).
    pub(crate) fn in_words(&self, path: &'static str, words: Option<String>) -> Option<Value<When>> {
        words.map(|words| Value::known(When { start: None, end: None, text: Some(words) }, self.core(path)))
    }

    /// The texts of annotations.
    pub(crate) fn annotations(&self, path: &'static str, notes: &List<Annotation<'_>>) -> Vec<Value<String>> {
        let texts = notes.iter().filter_map(|note| owned(&note.text));
        texts.map(|note| Value::known(note, self.core(path))).collect()
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
