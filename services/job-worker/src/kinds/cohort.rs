//! Whom a run is for: fixed when it is planned, within what the stage allows. Nobody is an error, never everybody.

use std::collections::HashSet;

use sallyport_model::{Code, PatientId};
use sallyport_registry::{Cohort, Job};

use super::Fault;

/// The patients that a definition names, each once, in its order.
///
/// # Errors
/// `job.cohort_empty` when it names nobody; `job.cohort_unreadable` when its file cannot be read or holds what is no id.
pub(crate) async fn patients(job: &Job) -> Result<Vec<PatientId>, Fault> {
    let mut ids = match &job.cohort {
        Cohort::Patients(ids) => ids.clone(),
        Cohort::File(path) => {
            let text = tokio::fs::read_to_string(path)
                .await
                .map_err(|_gone| Fault::Item(Code::JobCohortUnreadable))?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines
                .map(PatientId::parse)
                .collect::<Result<_, _>>()
                .map_err(|_shape| Fault::Item(Code::JobCohortUnreadable))?
        }
        Cohort::Group(_) | Cohort::Everyone => return Err(Fault::Item(Code::JobCohortEmpty)),
    };
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    if let Some(limit) = job.stage_limit() {
        ids.truncate(limit);
    }
    if ids.is_empty() { Err(Fault::Item(Code::JobCohortEmpty)) } else { Ok(ids) }
}
