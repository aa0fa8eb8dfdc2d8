//! `crawl`: reads patient by patient what the feature may see, where bulk export is missing or worse.
//!
//! Of each patient: the Patient resource, a search for each type of the patient's compartment that the feature and the grant
//! cover, and what those refer to (Medication, Practitioner …) where that is granted too. Where the endpoint's profile says that
//! `_lastUpdated` selects and stands on every resource, only changes are read between two full readings; what an EHR has deleted
//! since shows with the next full one, and a run tells how old its oldest full reading is.

mod merge;
mod options;
mod reading;

use std::collections::BTreeSet;

use sallyport_clinical::FhirVersion;
use sallyport_fhir::{
    ResourceType,
    params::{Ownership, TypeRule},
};
use sallyport_model::{
    Code,
    scope::{Level, ScopeSet, Verb},
};
use sallyport_registry::{Cohort, Endpoint, Feature, Job};

use self::{options::Options, reading::Reading};
use super::{Done, Fault, Foreseen, Item, Kind, Plan, cohort};
use crate::{batch::Batch, gateway::Gateway, run::Run};

/// The kind.
pub(crate) struct Crawl;

#[async_trait::async_trait]
impl Kind for Crawl {
    fn check(&self, job: &Job, feature: &Feature, endpoint: &Endpoint) -> Result<(), String> {
        let options = Options::read(job)?;
        let known = types(&feature.scopes(), level(job), version(endpoint));
        if known.owned.is_empty() && !known.has_patient {
            return Err(format!("crawls with feature {}, which reads no type of a patient's", feature.id));
        }
        if let Some(unknown) = options.types.iter().find(|name| !known.knows(name)) {
            return Err(format!(
                "has options.types with \"{unknown}\", which feature {} does not read",
                feature.id
            ));
        }
        match job.cohort {
            Cohort::Patients(_) | Cohort::File(_) => Ok(()),
            Cohort::Group(_) | Cohort::Everyone => Err(
                "crawls patient by patient and has to know them: give patients or patients_file; a group is for kind \
                 \"bulk-export\""
                    .to_owned(),
            ),
        }
    }

    async fn foresee(&self, run: &Run) -> Result<Foreseen, Fault> {
        let options =
            Options::read(&run.job).map_err(|_checked_at_load| Fault::Item(Code::RequestInvalid))?;
        let patients = i64::try_from(cohort::patients(&run.job).await?.len()).unwrap_or(i64::MAX);
        let types = options.chosen(types(&granted(run), level(&run.job), version(&run.endpoint)));
        let calls = i64::try_from(types.owned.len()).unwrap_or(i64::MAX) + i64::from(types.has_patient);
        Ok(Foreseen { items: patients, calls: patients.saturating_mul(calls) })
    }

    async fn plan(&self, run: &Run, _gateway: &Gateway) -> Result<Plan, Fault> {
        let patients = cohort::patients(&run.job).await?;
        Ok(Plan { items: patients.iter().map(Item::patient).collect() })
    }

    async fn item(&self, batch: &mut Batch, item: &Item) -> Result<Done, Fault> {
        let patient = item.as_patient().ok_or(Fault::Item(Code::ContextInvalid))?;
        let options =
            Options::read(&batch.run().job).map_err(|_checked| Fault::Item(Code::RequestInvalid))?;
        let run = batch.run();
        let types = options.chosen(types(&granted(run), level(&run.job), version(&run.endpoint)));
        let mut reading = Reading::of(batch, &patient, &options).await?;
        if types.has_patient {
            reading.patient(batch).await?;
        }
        for resource_type in &types.owned {
            batch.go_on()?;
            reading.search(batch, *resource_type).await?;
        }
        if options.hydrate {
            reading.hydrate(batch, &types.shared).await?;
        }
        Ok(reading.write(batch).await?.into())
    }
}

/// What both the feature and the grant cover. A pinned scope that the feature does not name is of no use: the gateway would
/// refuse it.
fn granted(run: &Run) -> ScopeSet {
    ScopeSet::parse(&run.pinned_scope)
}

fn level(job: &Job) -> Level {
    match job.identity {
        sallyport_registry::JobIdentity::Backend => Level::System,
        sallyport_registry::JobIdentity::Offline => Level::Patient,
    }
}

/// Types by whose data they are.
#[derive(Debug, Default, PartialEq, Eq)]
struct Types {
    has_patient: bool,
    owned: BTreeSet<ResourceType>,
    shared: BTreeSet<ResourceType>,
}

impl Types {
    fn knows(&self, name: &str) -> bool {
        ResourceType::parse(name).is_some_and(|t| {
            self.owned.contains(&t)
                || self.shared.contains(&t)
                || (t == ResourceType::Patient && self.has_patient)
        })
    }
}

/// R4 where nothing else is configured, whose names all later versions share.
fn version(endpoint: &Endpoint) -> FhirVersion {
    endpoint.configured_version.unwrap_or_default()
}

/// The types that the scopes cover at that level, by the names that they have in that version.
fn types(scopes: &ScopeSet, level: Level, version: FhirVersion) -> Types {
    let mut types = Types::default();
    let covers =
        |name: &str, verb| scopes.coverage(&[level], name, verb) != sallyport_model::scope::Coverage::None;
    for rule in TypeRule::all().iter().filter(|rule| version.has_type(rule.resource_type.as_str())) {
        let name = rule.resource_type.as_str();
        match rule.ownership {
            Ownership::Patient => types.has_patient = covers(name, Verb::Read),
            Ownership::Owned(_) if covers(name, Verb::Search) => {
                types.owned.insert(rule.resource_type);
            }
            Ownership::Shared if covers(name, Verb::Read) => {
                types.shared.insert(rule.resource_type);
            }
            Ownership::Owned(_) | Ownership::Shared | Ownership::Attached(_) => {}
        }
    }
    types
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_granted_at_the_run_s_own_level_is_read() {
        let scopes = ScopeSet::parse(
            "system/Patient.rs system/Observation.rs system/Condition.r system/Medication.r patient/Encounter.rs",
        );
        let found = types(&scopes, Level::System, FhirVersion::R4);
        assert!(found.has_patient);
        assert_eq!(found.owned.into_iter().collect::<Vec<_>>(), [ResourceType::Observation]);
        assert_eq!(found.shared.into_iter().collect::<Vec<_>>(), [ResourceType::Medication]);
    }

    #[test]
    fn a_type_is_asked_for_by_the_name_of_the_version() {
        let scopes = ScopeSet::parse("system/MedicationRequest.rs");
        let owned = |version| types(&scopes, Level::System, version).owned.into_iter().collect::<Vec<_>>();
        assert_eq!(owned(FhirVersion::R4), [ResourceType::MedicationRequest]);
        assert_eq!(owned(FhirVersion::Dstu2), [ResourceType::MedicationOrder]);
    }

    #[test]
    fn an_empty_grant_reads_nothing() {
        assert_eq!(types(&ScopeSet::default(), Level::System, FhirVersion::R4), Types::default());
    }
}
