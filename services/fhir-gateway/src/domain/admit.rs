//! The check on the way in: a parsed interaction against scopes, feature, patient and policy. What passes is what is sent.

use sallyport_egress::Url;
use sallyport_fhir::{
    Base, Interaction, Param, Reference, ResourceType, Search, Target,
    params::{Ownership, TypeRule},
};
use sallyport_model::{
    AccessContext, Code, LaunchId, Micros, Patients, PolicyDecision,
    scope::{Coverage, Level, ScopeSet, Verb},
};
use sallyport_registry::Policy;

use super::{
    paging::{self, Page, Pages},
    place::Place,
    seen::SeenByLaunch,
};
use crate::error::Refusal;

/// The constraints of one scope set of which a returned resource must satisfy at least one (`?category=…`).
pub(crate) type AnyOf = Vec<Vec<(String, String)>>;

/// What shape of answer is expected, and for what.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    /// One resource of this id.
    Resource {
        /// The logical id asked for.
        id: String,
    },
    /// A searchset; its number counts from 1.
    Searchset {
        /// Which page of the search.
        page: u32,
        /// What a `self` link says below our own base.
        own_query: String,
    },
    /// A CapabilityStatement.
    Capabilities,
}

/// A call that may be made.
pub(crate) struct Admitted {
    pub(crate) url: Url,
    /// The form of a POST `_search`.
    pub(crate) form: Option<String>,
    /// `None` for the server's own description.
    pub(crate) resource_type: Option<ResourceType>,
    pub(crate) expected: Expected,
    /// Each set must be satisfied; empty when scopes were unconstrained.
    pub(crate) constraints: Vec<AnyOf>,
    pub(crate) decision: PolicyDecision,
}

impl Admitted {
    /// What the scopes must permit.
    pub(crate) fn verb(&self) -> Verb {
        match self.expected {
            Expected::Searchset { .. } => Verb::Search,
            Expected::Resource { .. } | Expected::Capabilities => Verb::Read,
        }
    }
}

/// What the check needs to know.
pub(crate) struct Gate<'a> {
    pub(crate) access: &'a AccessContext,
    pub(crate) launch: LaunchId,
    pub(crate) policy: &'a Policy,
    pub(crate) place: &'a Place,
    pub(crate) seen: &'a SeenByLaunch,
    pub(crate) pages: &'a Pages,
    pub(crate) now: Micros,
}

impl Gate<'_> {
    /// Checks an interaction and builds what will be sent.
    pub(crate) fn admit(&self, interaction: &Interaction) -> Result<Admitted, Refusal> {
        match interaction {
            Interaction::Capabilities => self.capabilities(interaction),
            Interaction::Read { resource_type, id } | Interaction::VRead { resource_type, id, .. } => {
                let (constraints, decision) = self.common(*resource_type, Verb::Read)?;
                self.readable(*resource_type, id.expose())?;
                let expected = Expected::Resource { id: id.expose().to_owned() };
                self.admitted(interaction, Some(*resource_type), expected, constraints, decision)
            }
            Interaction::Search(search) => {
                let (constraints, decision) = self.common(search.resource_type, Verb::Search)?;
                let search = Interaction::Search(self.bound_to_patient(search)?);
                let own = Target::of(&search).unwrap_or(Target {
                    path: String::new(),
                    query: String::new(),
                    form: None,
                });
                let own_query = format!(
                    "{}?{}",
                    search.resource_type().map_or("", ResourceType::as_str),
                    own.form.unwrap_or(own.query)
                );
                let expected = Expected::Searchset { page: 1, own_query };
                self.admitted(&search, search.resource_type(), expected, constraints, decision)
            }
            Interaction::Page { handle } => {
                let page = self.pages.open(self.launch, handle, self.now)?;
                let (constraints, decision) = self.common(page.resource_type, Verb::Search)?;
                self.patient_in_context(page.resource_type)?;
                self.page(&page, handle, constraints, decision)
            }
        }
    }

    /// Scopes, feature and policy: the same for every interaction on a type.
    fn common(
        &self,
        resource_type: ResourceType,
        verb: Verb,
    ) -> Result<(Vec<AnyOf>, PolicyDecision), Refusal> {
        let constraints = covered(self.access, &self.access.granted, resource_type, verb)?;
        let decision = self.policy.decide(self.access.purpose, resource_type.as_str(), &[]);
        match decision {
            PolicyDecision::Permit(_) => Ok((constraints, decision)),
            PolicyDecision::Deny(_) => Err(Code::PolicyDenied.into()),
        }
    }

    /// What belongs to a patient needs a patient in context; what belongs to nobody, a reference seen before.
    fn readable(&self, resource_type: ResourceType, id: &str) -> Result<(), Refusal> {
        let rule = TypeRule::of(resource_type).ok_or(Code::TypeDenied)?;
        match rule.ownership {
            Ownership::Patient => {
                self.patient_in_context(resource_type)?;
                let is_ours = self.access.patients.covers(id) || is_any_patient(self.access);
                if is_ours || sallyport_model::planted!("foreign-patient-in") {
                    Ok(())
                } else {
                    Err(Code::PatientDenied.into())
                }
            }
            Ownership::Owned(_) | Ownership::Attached(_) => self.patient_in_context(resource_type),
            Ownership::Shared if self.seen.has(resource_type, id) => Ok(()),
            Ownership::Shared => {
                Err(Refusal::because(Code::PatientDenied, "no resource read in this launch refers to it"))
            }
        }
    }

    fn patient_in_context(&self, resource_type: ResourceType) -> Result<(), Refusal> {
        let is_shared = TypeRule::of(resource_type).is_some_and(|rule| rule.ownership == Ownership::Shared);
        match &self.access.patients {
            Patients::One(_) => Ok(()),
            Patients::Cohort(many) if !many.is_empty() => Ok(()),
            _ if is_shared || is_any_patient(self.access) => Ok(()),
            Patients::Cohort(_) | Patients::None => {
                Err(Refusal::because(Code::PatientDenied, "this launch has no patient in context"))
            }
        }
    }

    /// The search with its patient: every parameter that names one must name ours, and one is added where none does.
    fn bound_to_patient(&self, search: &Search) -> Result<Search, Refusal> {
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

    /// A cohort's searches name one patient of it each: none is added, because there is no one to add.
    fn within_cohort(&self, rule: &TypeRule, search: &Search) -> Result<Search, Refusal> {
        let refused =
            Refusal::because(Code::PatientDenied, "a parameter must name one patient of the cohort");
        let mut named = search.params.iter().filter(|p| rule.names_patient(p.name)).peekable();
        named.peek().ok_or(refused)?;
        let is_covered = |value: &str| {
            named_patient(value, &self.place.base).is_some_and(|id| self.access.patients.covers(id))
        };
        if named.all(|param| is_covered(&param.value)) { Ok(search.clone()) } else { Err(refused) }
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

    fn capabilities(&self, interaction: &Interaction) -> Result<Admitted, Refusal> {
        let decision = PolicyDecision::Permit("no-patient-data".to_owned());
        self.admitted(interaction, None, Expected::Capabilities, Vec::new(), decision)
    }

    fn page(
        &self,
        page: &Page,
        handle: &str,
        constraints: Vec<AnyOf>,
        decision: PolicyDecision,
    ) -> Result<Admitted, Refusal> {
        Ok(Admitted {
            url: paging::url(&self.place.fhir_base, page)?,
            form: None,
            resource_type: Some(page.resource_type),
            expected: Expected::Searchset { page: page.number, own_query: format!("_page/{handle}") },
            constraints,
            decision,
        })
    }

    fn admitted(
        &self,
        interaction: &Interaction,
        resource_type: Option<ResourceType>,
        expected: Expected,
        constraints: Vec<AnyOf>,
        decision: PolicyDecision,
    ) -> Result<Admitted, Refusal> {
        let target = Target::of(interaction).ok_or(Code::InteractionDenied)?;
        let url = Url::parse(&target.url(&self.place.fhir_base)).map_err(|_base| Code::Internal)?;
        Ok(Admitted { url, form: target.form, resource_type, expected, constraints, decision })
    }
}

/// The planted defect in which a launch without a patient stands for every patient. Constant `false` in a release.
pub(crate) fn is_any_patient(access: &AccessContext) -> bool {
    access.patients == Patients::None && sallyport_model::planted!("context-missing-patient-is-any")
}

/// Whether granted ∩ feature scopes cover the call; the constraints under which they do.
pub(crate) fn covered(
    access: &AccessContext,
    granted: &ScopeSet,
    resource_type: ResourceType,
    verb: Verb,
) -> Result<Vec<AnyOf>, Refusal> {
    if sallyport_model::planted!("scope-unchecked") {
        return Ok(Vec::new());
    }
    // A patient-level scope means the patient in context; without one it gives nothing.
    let has_patient = access.patients != Patients::None || is_any_patient(access);
    let levels: &[Level] = if has_patient { &[Level::Patient, Level::User] } else { &[Level::User] };
    let is_everything = granted.is_empty() && sallyport_model::planted!("empty-scope-is-all");
    let mut constraints = Vec::new();
    for (set, is_everything) in [(granted, is_everything), (&access.feature_scopes, false)] {
        match set.coverage(levels, resource_type.as_str(), verb) {
            Coverage::Full => {}
            Coverage::Constrained(scopes) => {
                constraints.push(scopes.iter().map(|s| s.constraint.clone()).collect());
            }
            Coverage::None if is_everything => {}
            Coverage::None => return Err(Code::ScopeDenied.into()),
        }
    }
    Ok(constraints)
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

#[cfg(test)]
mod tests;
