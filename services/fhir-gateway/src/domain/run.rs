//! A job's run as the gateway sees it: the authority that every message of a batch carries, checked against the tenants'
//! files. What is absent refuses; nothing here means "all" unless it says so (invariants 2, 9, 10).

use std::collections::HashSet;

use sallyport_fhir::LogicalId;
use sallyport_model::{
    Actor, Code, EndpointId, FeatureId, GrantId, Micros, PatientId, Patients, Purpose, RegistrationId,
    TenantId, User,
    scope::{Dialect, ScopeSet},
};
use sallyport_proto::{
    convert,
    gateway::v1::{Cohort, RunAuthority, cohort},
    types::v1::actor::Kind,
};
use sallyport_registry::{Entry, Feature, FeatureKind, Registry};
use uuid::Uuid;

use super::token::Token;
use crate::error::{Refusal, ScopeChange};

/// The longest name of a job that fits a record.
const MAX_JOB_NAME: usize = 64;

/// A run with one of its batches. Holds patient data: no `Debug`.
pub(crate) struct Run {
    pub(crate) tenant: TenantId,
    pub(crate) endpoint: EndpointId,
    pub(crate) registration: RegistrationId,
    pub(crate) job: String,
    pub(crate) id: Uuid,
    pub(crate) feature: FeatureId,
    pub(crate) purpose: Purpose,
    pub(crate) grant: GrantId,
    pub(crate) actor: Actor,
    pub(crate) whose: Whose,
    /// The scopes that the job pinned when it started.
    pub(crate) pinned: ScopeSet,
    /// As the vault printed them, for records.
    pub(crate) pinned_scope: String,
    /// When the batch's lease ends.
    pub(crate) expires_at: Micros,
    /// Why, where it is no job but a look at an endpoint (`capability/looking.rs`).
    pub(crate) look: Option<String>,
}

/// Whose data a run is about.
pub(crate) enum Whose {
    /// One patient's, or these patients'.
    Patients(Patients),
    /// Whoever the EHR says is in this Group: for exports alone.
    Group(LogicalId),
    /// Every patient of the endpoint: for exports alone.
    Everyone,
}

fn denied(what: &'static str) -> Refusal {
    Refusal::because(Code::RunDenied, what)
}

impl Run {
    /// Reads an authority and checks that its parts belong together.
    pub(crate) fn read(authority: RunAuthority, registry: &Registry) -> Result<Self, Refusal> {
        let invalid =
            |_field| Refusal::because(Code::RequestInvalid, "a member of the run's authority is missing");
        let missing = || Refusal::because(Code::RequestInvalid, "a member of the run's authority is missing");
        let tenant = convert::tenant(&authority.tenant).map_err(invalid)?;
        let endpoint = convert::endpoint(&authority.endpoint).map_err(invalid)?;
        let registration = convert::registration(&authority.registration).map_err(invalid)?;
        let entry = entry(registry, &tenant, &endpoint, &registration)?;
        if authority.job.is_empty() || authority.job.len() > MAX_JOB_NAME {
            return Err(missing());
        }
        let uuid = |bytes: &[u8]| Uuid::from_slice(bytes).ok().filter(|id| !id.is_nil()).ok_or_else(missing);
        let (id, _batch) = (uuid(&authority.run_id)?, uuid(&authority.batch_id)?);
        let feature_id = convert::feature(&authority.feature).map_err(invalid)?;
        let feature = entry.features().find(|f| f.id == feature_id).ok_or(Code::FeatureUnknown)?;
        let actor = actor(authority.actor.and_then(|a| a.kind).ok_or_else(missing)?, &registration)?;
        fits(feature, &actor, &entry)?;
        let purpose = Purpose::parse(&authority.purpose).ok_or_else(missing)?;
        if purpose != feature.purpose {
            return Err(denied("the purpose is not the feature's"));
        }
        let pinned = ScopeSet::parse(&authority.pinned_scope);
        if pinned.resources().next().is_none() {
            return Err(denied("the run pinned no scope"));
        }
        if !feature.is_on(&pinned) {
            return Err(Code::FeatureOff.into());
        }
        let longest_id = *entry.endpoint.behaviour.known().data.max_id_length;
        let whose = whose(authority.cohort.and_then(|c: Cohort| c.whose).ok_or_else(missing)?, longest_id)?;
        if matches!((&whose, &actor), (Whose::Everyone, Actor::User(_))) {
            return Err(denied("everybody's data is for a service alone, never for a person's grant"));
        }
        Ok(Self {
            grant: convert::grant_id(&authority.grant_id).map_err(invalid)?,
            pinned_scope: authority.pinned_scope,
            expires_at: authority.expires_at,
            job: authority.job,
            feature: feature_id,
            tenant,
            endpoint,
            registration,
            id,
            purpose,
            actor,
            whose,
            pinned,
            look: None,
        })
    }

    /// The patients whose data may be read and searched: none where the cohort is only for exports.
    pub(crate) fn patients(&self) -> Patients {
        match &self.whose {
            Whose::Patients(patients) => patients.clone(),
            Whose::Group(_) | Whose::Everyone => Patients::None,
        }
    }

    /// Whether a token is this run's, with exactly the scopes that it pinned.
    pub(crate) fn admits(&self, token: &Token) -> Result<(), Refusal> {
        let whose = &token.whose;
        if whose.endpoint != self.endpoint.as_str() || whose.registration != self.registration.as_str() {
            return Err(denied("the grant is of another endpoint or registration"));
        }
        match &self.actor {
            Actor::Service(_) if !whose.is_service => {
                return Err(denied("a person's grant cannot be used as a service's"));
            }
            Actor::User(_) if whose.is_service => {
                return Err(denied("a service's grant cannot be used as a person's"));
            }
            // A session's grant ends with the session: it is never used unattended.
            Actor::User(_) if !token.granted.has_word("offline_access") => {
                return Err(denied("the person's grant is not one for use without them (offline_access)"));
            }
            Actor::Service(_) | Actor::User(_) => {}
        }
        if sallyport_model::planted!("run-scope-unchecked") {
            return Ok(());
        }
        let change = change(&self.pinned, &token.granted);
        if change.is_none() {
            return Ok(());
        }
        Err(Refusal { scope_change: change.map(Box::new), ..Refusal::new(Code::JobScopeChanged) })
    }
}

/// The registration with everything it hangs on, if it is that tenant's at that endpoint.
pub(crate) fn entry<'r>(
    registry: &'r Registry,
    tenant: &TenantId,
    endpoint: &EndpointId,
    registration: &RegistrationId,
) -> Result<Entry<'r>, Refusal> {
    let entry = registry.registration(registration);
    let entry = entry.filter(|entry| entry.tenant.id == *tenant && entry.endpoint.id == *endpoint);
    entry.ok_or_else(|| denied("the registration is not one of that tenant's at that endpoint"))
}

fn actor(kind: Kind, registration: &RegistrationId) -> Result<Actor, Refusal> {
    match kind {
        Kind::Service(name) if name == registration.as_str() => Ok(Actor::Service(registration.clone())),
        Kind::Service(_) => Err(denied("a service acts as its own registration")),
        Kind::User(user) => User::try_from(user).map(Actor::User).map_err(|_field| denied("nobody is named")),
        Kind::Anonymous(_) => Err(denied("nobody is named")),
    }
}

fn fits(feature: &Feature, actor: &Actor, entry: &Entry<'_>) -> Result<(), Refusal> {
    match (feature.kind, actor) {
        (FeatureKind::Service, Actor::Service(_)) if entry.registration.backend => Ok(()),
        (FeatureKind::Service, Actor::Service(_)) => Err(Code::BackendNotAllowed.into()),
        (FeatureKind::Offline, Actor::User(_)) => Ok(()),
        _ => Err(denied("the feature is not for jobs on this kind of grant")),
    }
}

fn whose(cohort: cohort::Whose, longest_id: usize) -> Result<Whose, Refusal> {
    let patient = |id: String| {
        let id = LogicalId::parse(&id, longest_id).and_then(|id| PatientId::parse(id.expose()).ok());
        id.ok_or_else(|| denied("the cohort names a patient by what is no id"))
    };
    Ok(match cohort {
        cohort::Whose::Patient(id) => Whose::Patients(Patients::One(patient(id)?)),
        cohort::Whose::Patients(list) if list.ids.is_empty() => return Err(denied("the cohort is empty")),
        cohort::Whose::Patients(list) => {
            let ids: HashSet<String> = list.ids.into_iter().collect();
            let ids = ids.into_iter().map(patient).collect::<Result<Vec<_>, _>>()?;
            Whose::Patients(Patients::Cohort(ids))
        }
        cohort::Whose::Group(id) => Whose::Group(
            LogicalId::parse(&id, longest_id)
                .ok_or_else(|| denied("the cohort names a group by what is no id"))?,
        ),
        cohort::Whose::Everyone(_) => Whose::Everyone,
    })
}

/// What differs between the scopes that were pinned and those that are granted; `None` when nothing does. Words that are
/// no resource scopes (`openid`, `offline_access` …) give access to no data and are left aside.
fn change(pinned: &ScopeSet, granted: &ScopeSet) -> Option<ScopeChange> {
    let beyond = |these: &ScopeSet, those: &ScopeSet| -> Vec<String> {
        let beyond = these.resources().filter(|scope| !those.covers(scope));
        beyond.map(|scope| scope.print(Dialect::V2)).collect()
    };
    let change = ScopeChange { lost: beyond(pinned, granted), added: beyond(granted, pinned) };
    (!change.lost.is_empty() || !change.added.is_empty()).then_some(change)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_that_say_the_same_in_other_words_have_not_changed() {
        let set = ScopeSet::parse;
        assert!(
            change(&set("system/Patient.rs"), &set("system/Patient.r system/Patient.s openid")).is_none()
        );
        assert!(change(&set("patient/Patient.read"), &set("patient/Patient.rs")).is_none());
        let change = change(
            &set("system/Patient.rs system/Condition.rs"),
            &set("system/Patient.rs system/Observation.rs"),
        );
        let change = change.unwrap();
        assert_eq!(
            (change.lost, change.added),
            (vec!["system/Condition.rs".to_owned()], vec!["system/Observation.rs".to_owned()])
        );
    }

    #[test]
    fn a_narrower_scope_is_lost_even_where_its_words_are_longer() {
        let set = ScopeSet::parse;
        let change =
            change(&set("system/Observation.rs"), &set("system/Observation.rs?category=laboratory")).unwrap();
        assert_eq!(change.lost, ["system/Observation.rs"]);
        assert!(change.added.is_empty());
    }

    #[test]
    fn an_empty_cohort_is_nobody_and_is_refused() {
        use sallyport_proto::gateway::v1::PatientList;
        let list = |ids: &[&str]| {
            cohort::Whose::Patients(PatientList { ids: ids.iter().map(|s| (*s).to_owned()).collect() })
        };
        assert!(whose(list(&[]), 64).is_err() && whose(list(&["a", ""]), 64).is_err());
        assert!(
            matches!(whose(list(&["a", "a"]), 64), Ok(Whose::Patients(Patients::Cohort(ids))) if ids.len() == 1)
        );
        for bad in ["", "../x", "a b", "_history"] {
            assert!(whose(cohort::Whose::Patient(bad.to_owned()), 64).is_err(), "{bad}");
            assert!(whose(cohort::Whose::Group(bad.to_owned()), 64).is_err(), "{bad}");
        }
    }
}
