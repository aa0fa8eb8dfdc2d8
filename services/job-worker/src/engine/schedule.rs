//! Starts runs at their time. The moment of the schedule is unique in the table of runs, so that over many workers and restarts
//! one run starts for it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use sallyport_model::{Code, JobId, Micros, TenantId};
use sallyport_registry::{Job, Stage, Tenant, Zone};

use crate::{
    domain::start::{self, Asked},
    error::Error,
    records::Because,
    worker::Worker,
};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// More starts than these were missed, and only the last ones are looked at.
const MISSED_MAX: usize = 10_000;

/// Starts runs until shutdown.
pub(super) async fn run(worker: Arc<Worker>) {
    let mut shutdown = worker.shutdown.clone();
    let began_at = worker.now();
    // Up to where each job's schedule has been looked at.
    let mut looked: HashMap<(TenantId, JobId), Micros> = HashMap::new();
    loop {
        for tenant in worker.registry.tenants() {
            for job in tenant.jobs.iter().filter(|job| job.schedule.is_some()) {
                let place = (tenant.id.clone(), job.id.clone());
                let from = match looked.get(&place) {
                    Some(from) => *from,
                    // A job that never ran does not make up for the time before it was there.
                    None => match worker.store.last_scheduled(&tenant.id, job.id.as_str()).await {
                        Ok(last) => last.unwrap_or(began_at),
                        Err(_away) => continue,
                    },
                };
                if let Some(reached) = due(&worker, tenant, job, from).await {
                    looked.insert(place, reached);
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = shutdown.wait_for(|over| *over) => return,
        }
    }
}

/// Starts the run of the last moment that has come since `from`. Gives up to where the schedule has been dealt with.
async fn due(worker: &Arc<Worker>, tenant: &Tenant, job: &Job, from: Micros) -> Option<Micros> {
    let moment = last_moment(job, tenant, from, worker.now())?;
    let missed_by = worker.now() - moment;
    let is_late = missed_by > i64::from(worker.config.catch_up_seconds) * 1_000_000;
    if is_late || !job.is_on || job.stage == Stage::Internal {
        worker.metrics.runs.inc(&[job.kind.as_str(), "missed"]);
        tracing::warn!(tenant.id = tenant.id.as_str(), "a scheduled run was left out");
        return Some(moment);
    }
    let asked = Asked {
        tenant: tenant.id.clone(),
        job: job.id.clone(),
        because: Because { by: "schedule".to_owned(), reason: "its time has come".to_owned() },
        grant: None,
        scheduled_for: Some(moment),
    };
    match start::start(worker, asked).await {
        Ok(_run) => Some(moment),
        // The last one is not over, or nothing may start: the next moment will do.
        Err(Error::Refused(Code::JobRunOpen | Code::JobBlocked | Code::JobOff)) => {
            worker.metrics.runs.inc(&[job.kind.as_str(), "missed"]);
            Some(moment)
        }
        Err(error) => {
            tracing::warn!(code = error.code().as_str(), "a scheduled run could not be started yet");
            None
        }
    }
}

fn last_moment(job: &Job, tenant: &Tenant, from: Micros, now: Micros) -> Option<Micros> {
    let (schedule, zone) = (job.schedule.as_ref()?, Zone::parse(&tenant.time_zone)?);
    let moments = std::iter::successors(schedule.after(from, &zone), |last| schedule.after(*last, &zone));
    moments.take(MISSED_MAX).take_while(|moment| *moment <= now).last()
}
