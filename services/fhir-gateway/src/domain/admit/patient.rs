//! A search and its patient: ours is named, or none at all.

use sallyport_fhir::{
    Base, Param, Reference, ResourceType, Search,
    params::{Ownership, TypeRule},
};
use sallyport_model::{Code, Patients};

use super::Gate;
use crate::error::Refusal;

impl Gate<'_> {
    /// The search with its patient: every parameter that names one must name ours, and one is added where none does.
    pub(super) fn bound_to_patient(&self, search: &Search) -> Result<Search, Refusal> {
        let rule = TypeRule::of(search.resource_type).ok_or(Code::TypeDenied)?;
        if rule.ownership == Ownership::Shared {
            return self.by_seen_ids(search);
        }
        self.patient_in_context(search.resource_type)?;
        let patient = match &self.access.patients {
            Patients::One(patient) => patient,
            // Reached only where a planted bug let it pass: no patient in context then means no filter.
            Patients::None => return Ok(search.clone()),
            Patients::Cohort(_) => return self.within_cohort(rule, search),
        };
        let mut bound = search.clone();
        let mut is_named = false;
        for param in bound.params.iter_mut().filter(|p| rule.names_patient(p.name)) {
            is_named = true;
            if sallyport_model::planted!("foreign-patient-in") {
                continue;
            }
            if named_patient(&param.value, &self.place.base) != Some(patient.expose()) {
                return Err(Refusal::because(Code::PatientDenied, "a parameter names another patient"));
            }
            param.value = spelled(param.name, patient.expose());
        }
        if !is_named {
            let name = rule.patient_params.first().copied().ok_or(Code::TypeDenied)?;
            let value = spelled(name, patient.expose());
            bound.params.insert(0, Param { name, modifier: None, value });
        }
        Ok(bound)
    }

    /// The patients that a search names, for its record.
    pub(crate) fn named<'s>(&'s self, search: &'s Search) -> impl Iterator<Item = String> + 's {
        let rule = TypeRule::of(search.resource_type);
        let named = search.params.iter().filter(move |p| rule.is_some_and(|r| r.names_patient(p.name)));
        named.filter_map(|p| named_patient(&p.value, &self.place.base).map(str::to_owned))
    }

    /// A cohort's searches name one patient of it each: none is added, because there is no one to add.
    fn within_cohort(&self, rule: &TypeRule, search: &Search) -> Result<Search, Refusal> {
        let refused =
            || Refusal::because(Code::PatientDenied, "a parameter must name one patient of the cohort");
        let mut named = search.params.iter().filter(|p| rule.names_patient(p.name)).peekable();
        named.peek().ok_or_else(refused)?;
        let is_covered = |value: &str| {
            named_patient(value, &self.place.base).is_some_and(|id| self.access.patients.covers(id))
        };
        if named.all(|param| is_covered(&param.value)) { Ok(search.clone()) } else { Err(refused()) }
    }

    /// Types that are nobody's can be searched only for ids that this launch has seen.
    fn by_seen_ids(&self, search: &Search) -> Result<Search, Refusal> {
        let ids = search.params.iter().find(|p| p.name == "_id" && p.modifier.is_none());
        let ids = ids.ok_or(Refusal::because(
            Code::PatientDenied,
            "types outside a patient's record are searched by _id only",
        ))?;
        if ids.value.split(',').all(|id| self.seen.has(search.resource_type, id)) {
            Ok(search.clone())
        } else {
            Err(Refusal::because(Code::PatientDenied, "no resource read in this launch refers to it"))
        }
    }
}

/// The patient that a parameter's value names, in any of the spellings FHIR allows.
fn named_patient<'v>(value: &'v str, base: &Base) -> Option<&'v str> {
    if !value.contains('/') {
        return (!value.contains(',')).then_some(value);
    }
    match Reference::parse(value, base) {
        Reference::Local { resource_type: ResourceType::Patient, id } => Some(id),
        _ => None,
    }
}

/// The spelling that servers agree on: a bare id where the type is clear, `Patient/id` where several types could be meant.
fn spelled(name: &str, patient: &str) -> String {
    match name {
        "_id" | "patient" => patient.to_owned(),
        _ => format!("Patient/{patient}"),
    }
}
