//! `care-gap-scan`: judges each patient of the cohort by the measures (docs/CARE-GAPS.md), reading only what they look at.
//!
//! What is kept of a patient is the judgements with their evidence, sealed, under the job's lifetime; a later run replaces
//! them. What was not granted or could not be read makes a measure "cannot tell", never a gap.

mod options;
mod proposing;
mod reading;

use sallyport_care_gaps::{Assessment, Findings, Judging, Kind as Entry, Need, RuleSet, Zone, plan};
use sallyport_model::{
    Code, Micros,
    scope::{Coverage, Level, ScopeSet, Verb},
};
use sallyport_registry::{Cohort, Endpoint, Feature, Job, JobIdentity};

use self::{options::Options, proposing::Proposes, reading::Reading};
use super::{Done, Fault, Foreseen, Item, Kind, Plan, cohort};
use crate::{batch::Batch, gateway::Gateway, run::Run, store};

pub(crate) use proposing::PROPOSAL;

/// Under which name judgements are kept among a run's results.
pub(crate) const KEPT_AS: &str = "care-gaps";

const DAY: Micros = 86_400 * 1_000_000;

/// The kind.
pub(crate) struct CareGapScan;

#[async_trait::async_trait]
impl Kind for CareGapScan {
    fn check(&self, job: &Job, feature: &Feature, endpoint: &Endpoint) -> Result<(), String> {
        if endpoint.configured_version.is_none() {
            return Err(format!(
                "scans for care gaps at endpoint {}, which needs its fhir_version: records are judged by it",
                endpoint.id
            ));
        }
        let rules = Options::read(job)?.rules()?;
        if rules.measures.is_empty() {
            return Err("scans for care gaps with every measure off".to_owned());
        }
        // Which day it is makes no difference to which types are read.
        let today = sallyport_care_gaps::Day::FIRST.plus_months(24_000);
        let scopes = feature.scopes();
        let unread = plan(&rules, today).into_iter().find(|need| !covers(&scopes, level(job), need.kind));
        if let Some(need) = unread {
            return Err(format!(
                "scans for care gaps with feature {}, which does not read {}: its measures look at that",
                feature.id,
                need.kind.resource_type()
            ));
        }
        match job.cohort {
            Cohort::Patients(_) | Cohort::File(_) => Ok(()),
            Cohort::Group(_) | Cohort::Everyone => {
                Err("scans patient by patient and has to know them: give patients or patients_file"
                    .to_owned())
            }
        }
    }

    async fn foresee(&self, run: &Run) -> Result<Foreseen, Fault> {
        let rules = rules(run)?;
        let patients = i64::try_from(cohort::patients(&run.job).await?.len()).unwrap_or(i64::MAX);
        let scopes = ScopeSet::parse(&run.pinned_scope);
        let read = |need: &Need| covers(&scopes, level(&run.job), need.kind);
        // As many as on any day: searches have as many pages as they have.
        let needs = plan(&rules, sallyport_care_gaps::Day::FIRST.plus_months(24_000));
        let calls = i64::try_from(needs.iter().filter(|need| read(need)).count()).unwrap_or(i64::MAX);
        Ok(Foreseen { items: patients, calls: patients.saturating_mul(calls) })
    }

    async fn plan(&self, run: &Run, _gateway: &Gateway) -> Result<Plan, Fault> {
        let patients = cohort::patients(&run.job).await?;
        Ok(Plan { items: patients.iter().map(Item::patient).collect() })
    }

    async fn item(&self, batch: &mut Batch, item: &Item) -> Result<Done, Fault> {
        let patient = item.as_patient().ok_or(Fault::Item(Code::ContextInvalid))?;
        let options = options(batch.run())?;
        let (rules, now) = (rules(batch.run())?, batch.now());
        let zone = batch.run().zone.clone();
        let ahead = |micros: Micros| zone.minutes_ahead(micros);
        let on = sallyport_care_gaps::Day::at(now, ahead(now));
        let scopes = ScopeSet::parse(&batch.run().pinned_scope);
        let mut reading = Reading::default();
        for need in plan(&rules, on) {
            batch.go_on()?;
            if covers(&scopes, level(&batch.run().job), need.kind) {
                reading.read(batch, &patient, &need).await?;
            } else {
                reading.not_granted(need.kind);
            }
        }
        let record = reading.record(batch.run(), &patient);
        let found = rules.judge(&record, &Judging { on, zone: Zone::Of(&ahead) });
        keep(batch, &patient, now, found, options.proposes).await
    }
}

/// The judgements, in a transaction that the engine commits together with the checkpoint.
async fn keep(
    batch: &Batch,
    patient: &sallyport_model::PatientId,
    now: Micros,
    assessments: Vec<Assessment>,
    proposes: Option<Proposes>,
) -> Result<Done, Fault> {
    let findings = Findings { judged_at: now, patient: patient.expose().to_owned(), assessments };
    let json = serde_json::to_vec(&findings).map_err(|_shape| Fault::Item(Code::Internal))?;
    let subject = batch.subject(patient).await?;
    let run = batch.run();
    let kept = store::Kept {
        tenant: run.tenant.as_str(),
        job: run.job_id.as_str(),
        subject,
        resource_type: KEPT_AS,
        run: run.id,
        sealed: batch.seal((&subject, KEPT_AS), &json),
        resources: i64::try_from(findings.assessments.len()).unwrap_or(i64::MAX),
        read_at: now,
        full_read_at: now,
        watermark: "",
        partial: "",
        expires_at: now + i64::from(run.job.keep_days) * DAY,
    };
    let mut effects = batch.begin().await?;
    store::keep(effects.tx(), &kept).await.map_err(crate::halt::Halt::from)?;
    if let Some(proposes) = proposes {
        let whose = (patient, subject);
        proposing::propose(batch, &mut effects, proposes, whose, now, &findings.assessments).await?;
    }
    Ok(effects.into())
}

fn options(run: &Run) -> Result<Options, Fault> {
    Options::read(&run.job).map_err(|_checked_at_load| Fault::Item(Code::RequestInvalid))
}

fn rules(run: &Run) -> Result<RuleSet, Fault> {
    let read = Options::read(&run.job).and_then(|options| options.rules());
    read.map_err(|_checked_at_load| Fault::Item(Code::RequestInvalid))
}

fn level(job: &Job) -> Level {
    match job.identity {
        JobIdentity::Backend => Level::System,
        JobIdentity::Offline => Level::Patient,
    }
}

/// Whether the scopes allow what a need asks: a Patient is read, everything else is searched.
fn covers(scopes: &ScopeSet, level: Level, kind: Entry) -> bool {
    let verb = if kind == Entry::Patient { Verb::Read } else { Verb::Search };
    scopes.coverage(&[level], kind.resource_type(), verb) != Coverage::None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patient_is_read_and_the_rest_is_searched() {
        let scopes = ScopeSet::parse("system/Patient.r system/Observation.s system/Condition.r");
        let covered = |kind| covers(&scopes, Level::System, kind);
        assert!(covered(Entry::Patient) && covered(Entry::Observation));
        assert!(!covered(Entry::Condition) && !covered(Entry::Procedure));
        assert!(!covers(&scopes, Level::Patient, Entry::Observation), "another level's scope is none");
    }
}
