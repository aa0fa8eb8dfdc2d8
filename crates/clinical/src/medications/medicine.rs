//! Which medicine: named in the resource, contained in it, read in a second round, or only labelled.

use std::{collections::HashMap, sync::Arc};

use crate::{
    concept::{Concept, Wanted},
    parse::{
        Reading, Source,
        datatypes::{CodeableConcept, Reference, resource, target},
        primitives::{List, text},
        references::local_reference,
    },
    record::Record,
    value::{Absent, Value},
};

resource! {
    /// `Medication`, also when contained.
    Named { code: Option<CodeableConcept<'a>> }
}

/// The Medications of the second round.
pub(super) struct Known<'c> {
    named: HashMap<Arc<str>, Value<Concept>>,
    fhir_base: &'c str,
}

/// What a resource says about its medicine, with the paths of where it says so.
pub(super) struct Said<'s, 'a> {
    pub(super) concept: &'s Option<CodeableConcept<'a>>,
    pub(super) reference: &'s Option<Reference<'a>>,
    pub(super) contained: &'s List<Named<'a>>,
    pub(super) paths: &'static Paths,
}

/// The paths of what says which medicine.
pub(super) struct Paths {
    pub(super) concept: &'static str,
    pub(super) contained: &'static str,
    pub(super) reference: &'static str,
    pub(super) display: &'static str,
    pub(super) none: &'static str,
}

impl<'c> Known<'c> {
    pub(super) fn read(reading: &Reading<'c>) -> Self {
        let found = reading.each("Medication", |source, _, medicine: &Named<'_>| {
            let what = source.concept("Medication.code", &medicine.code, Wanted::Medication)?;
            Some((source.reference(), what))
        });
        Self { named: found.into_iter().flatten().collect(), fhir_base: reading.context.fhir_base }
    }

    /// The name: the resource's own concept, a contained Medication, the Medication read in the second round, else the
    /// reference's display, which is marked as such.
    pub(super) fn medicine(
        &self,
        source: &Source,
        said: &Said<'_, '_>,
        record: &mut Record,
    ) -> Value<Concept> {
        if let Some(own) = source.concept(said.paths.concept, said.concept, Wanted::Medication) {
            return own;
        }
        let target = target(said.reference);
        let contained_id = target.and_then(|t| t.strip_prefix('#'));
        let contained = said.contained.iter().find(|c| contained_id.is_some() && text(&c.id) == contained_id);
        if let Some(found) =
            contained.and_then(|c| source.concept(said.paths.contained, &c.code, Wanted::Medication))
        {
            return found;
        }
        let local = target.and_then(|t| local_reference(t, self.fhir_base));
        if let Some(found) = local.and_then(|(kind, id)| self.named.get(format!("{kind}/{id}").as_str())) {
            record.notes.push(
                "The order names its medicine by reference; the name was read from that record.".to_owned(),
            );
            return found.clone();
        }
        let display = source.named(said.paths.reference, said.reference);
        match display.and_then(|d| d.value) {
            Some(name) => {
                record.notes.push(
                    "The name is the order's own label; the medicine's record was not read.".to_owned(),
                );
                Value::known(Concept::from_name(name), source.core(said.paths.display))
            }
            None => Value::absent(Absent::NotSent, source.core(said.paths.none)),
        }
    }
}
