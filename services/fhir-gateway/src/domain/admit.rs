//! The check on the way in: a parsed interaction against scopes, feature, patient and policy. What passes is what is sent.

mod patient;

use std::sync::Arc;

use sallyport_egress::Url;
use sallyport_fhir::{
    Interaction, Param, ResourceType, Search, Target,
    params::{Ownership, TypeRule},
};
use sallyport_model::{
    AccessContext, Actor, Code, Micros, Patients, PolicyDecision,
    scope::{Coverage, Level, ScopeSet, Verb},
};
use sallyport_registry::Policy;
use sallyport_vendors::{
    Profile,
    search::{Planned, Refused, Why},
};

use super::{
    capability::rights::Rights,
    pager::Trail,
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
    /// A page of a searchset.
    Searchset {
        /// What is known of the search before it.
        trail: Trail,
        /// What a `self` link says below our own base.
        own_query: String,
    },
    /// A CapabilityStatement.
    Capabilities,
    /// A word about an export (FHIR Bulk Data Access).
    Export(Control),
}

/// What is done to an export.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Control {
    /// It is asked for; by POST with this body where there is one.
    KickOff(Option<String>),
    /// Its status, or a part of its manifest.
    Status,
    /// It is cancelled, or its files are released.
    Delete,
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
    /// How the EHR's product behaves today.
    pub(crate) profile: Arc<Profile>,
    /// Names of parameters that the EHR requires and the caller did not give.
    pub(crate) added: Vec<&'static str>,
}

impl Admitted {
    /// The type that is searched, if this is a search.
    pub(crate) fn searched(&self) -> Option<ResourceType> {
        self.resource_type.filter(|_| matches!(self.expected, Expected::Searchset { .. }))
    }

    /// Whether it goes on with a search that the EHR may have forgotten.
    pub(crate) fn is_later_page(&self) -> bool {
        matches!(&self.expected, Expected::Searchset { trail, .. } if trail.number > 1)
    }

    /// The type and what is done with it; `None` for the server's own description.
    pub(crate) fn asked(&self) -> Option<(ResourceType, Verb)> {
        self.resource_type.map(|resource_type| (resource_type, self.verb()))
    }

    /// What the scopes must permit.
    pub(crate) fn verb(&self) -> Verb {
        match self.expected {
            Expected::Searchset { .. } => Verb::Search,
            Expected::Resource { .. } | Expected::Capabilities | Expected::Export(_) => Verb::Read,
        }
    }
}

/// What the check needs to know.
pub(crate) struct Gate<'a> {
    pub(crate) access: &'a AccessContext,
    pub(crate) policy: &'a Policy,
    pub(crate) place: &'a Place,
    pub(crate) profile: &'a Arc<Profile>,
    /// What the endpoint offers by its statement and its answers.
    pub(crate) rights: &'a Rights,
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
                let bound = self.bound_to_patient(search)?;
                let Planned { search, added, narrowed, .. } = self.planned(&bound)?;
                let trail = Trail::start(!narrowed.is_empty(), counts_only(&search));
                let search = Interaction::Search(search);
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
                let expected = Expected::Searchset { trail, own_query };
                let admitted =
                    self.admitted(&search, search.resource_type(), expected, constraints, decision)?;
                Ok(Admitted { added, ..admitted })
            }
            Interaction::Page { handle } => {
                let page = self.pages.open(self.access.authority, handle, self.now)?;
                let (constraints, decision) = self.common(page.resource_type, Verb::Search)?;
                self.patient_in_context(page.resource_type)?;
                self.page(&page, handle, constraints, decision)
            }
        }
    }

    /// The references that admitting the interaction takes and that this process has not seen: another may have.
    pub(crate) fn unseen(&self, interaction: &Interaction) -> Vec<(ResourceType, String)> {
        let is_shared =
            |t: ResourceType| TypeRule::of(t).is_some_and(|rule| rule.ownership == Ownership::Shared);
        let (resource_type, ids) = match interaction {
            Interaction::Read { resource_type, id } | Interaction::VRead { resource_type, id, .. } => {
                (*resource_type, id.expose())
            }
            Interaction::Search(search) => {
                let ids = search.params.iter().find(|p| p.name == "_id" && p.modifier.is_none());
                (search.resource_type, ids.map_or("", |ids| ids.value.as_str()))
            }
            Interaction::Capabilities | Interaction::Page { .. } => return Vec::new(),
        };
        if !is_shared(resource_type) {
            return Vec::new();
        }
        let unseen = |id: &&str| !id.is_empty() && !self.seen.has(resource_type, id);
        ids.split(',').filter(unseen).map(|id| (resource_type, id.to_owned())).collect()
    }

    /// Scopes, feature and policy: the same for every interaction on a type.
    fn common(
        &self,
        resource_type: ResourceType,
        verb: Verb,
    ) -> Result<(Vec<AnyOf>, PolicyDecision), Refusal> {
        let constraints = covered(self.access, &self.access.granted, resource_type, verb)?;
        let binding = *self.profile.search.statement_binds;
        if !self.rights.offers(resource_type, verb, binding) {
            let what = "this EHR does not offer that, by its own statement or by its answers";
            return Err(Refusal::because(Code::InteractionDenied, what));
        }
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

    /// The search as this EHR's product understands it.
    fn planned(&self, bound: &Search) -> Result<Planned, Refusal> {
        if sallyport_model::planted!("required-parameter-left-out") {
            let search = bound.clone();
            return Ok(Planned { search, added: Vec::new(), narrowed: Vec::new(), left_out: Vec::new() });
        }
        let mut planned = self.profile.search.plan(bound)?;
        let binding = *self.profile.search.statement_binds;
        let is_taken = |param: &Param| self.rights.takes(bound.resource_type, param.name, binding);
        if let Some(undeclared) = planned.search.params.iter().find(|param| !is_taken(param)) {
            return Err(Refused::from(Why::Undeclared(undeclared.name)).into());
        }
        // Where the way on from a posted search leads nowhere, rows would be lost.
        planned.search.by_post &= !*self.profile.paging.next_of_post_broken;
        Ok(planned)
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
            url: paging::url(&self.place.fhir_base, &page.below_base)?,
            form: None,
            resource_type: Some(page.resource_type),
            expected: Expected::Searchset { trail: page.trail.clone(), own_query: format!("_page/{handle}") },
            constraints,
            decision,
            profile: Arc::clone(self.profile),
            added: Vec::new(),
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
        Ok(Admitted {
            url,
            form: target.form,
            resource_type,
            expected,
            constraints,
            decision,
            profile: Arc::clone(self.profile),
            added: Vec::new(),
        })
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
    let levels: &[Level] = match &access.actor {
        // Nobody signed in, so only what was granted to the system itself counts (SMART 2.2, backend-services).
        Actor::Service(_) => &[Level::System],
        Actor::User(_) if has_patient => &[Level::Patient, Level::User],
        Actor::User(_) => &[Level::User],
    };
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

/// Whether a search asks how many there are and for none of them.
fn counts_only(search: &Search) -> bool {
    let asks = |name: &str, value: &str| search.params.iter().any(|p| p.name == name && p.value == value);
    asks("_summary", "count") || asks("_count", "0")
}

#[cfg(test)]
mod tests;
