//! What a run would do. No call to the EHR, no token, nothing kept.

use std::sync::Arc;

use sallyport_model::{JobId, Micros, RunId, TenantId, scope::Dialect};
use sallyport_registry::{Entry, Job, Zone};
use sallyport_vendors::limits::{Counts, WindowKind};

use super::start;
use crate::{
    error::Error,
    kinds::{self, Fault},
    run::Run,
    worker::Worker,
};

/// What was found.
pub(crate) struct Found {
    pub(crate) items: i64,
    pub(crate) batches: i64,
    pub(crate) calls: i64,
    /// Calls per minute that are allowed, and what sets them; nothing where nothing does.
    pub(crate) pace: Option<(f64, &'static str)>,
    pub(crate) earliest_start_at: Micros,
    pub(crate) required_scope: String,
    pub(crate) optional_scope: String,
    pub(crate) obstacles: Vec<&'static str>,
}

impl Found {
    /// Working time at the pace.
    pub(crate) fn duration_seconds(&self) -> i64 {
        let Some((per_minute, _)) = self.pace else { return 0 };
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "an estimate; calls are far below 2^52"
        )]
        let seconds = (self.calls as f64 * 60.0 / per_minute).ceil() as i64;
        seconds
    }
}

/// Plans a run as if everything the feature asks for were granted.
pub(crate) async fn dry_run(worker: &Arc<Worker>, tenant: &TenantId, job: &JobId) -> Result<Found, Error> {
    let (job, entry) = worker.definition(tenant, job)?;
    let feature = entry
        .features()
        .find(|feature| feature.id == job.feature)
        .ok_or(sallyport_model::Code::FeatureUnknown)?;
    let zone = Zone::parse(&entry.tenant.time_zone).ok_or(sallyport_model::Code::Internal)?;
    let kind = kinds::kind_of(job.kind).ok_or(sallyport_model::Code::JobKindMissing)?;
    let run = Run {
        id: RunId::new(worker.clock.as_ref()),
        tenant: tenant.clone(),
        job_id: job.id.clone(),
        job: job.clone(),
        endpoint: entry.endpoint.clone(),
        zone: zone.clone(),
        proposal_days: entry.tenant.proposal_days,
        grant: None,
        user: None,
        pinned_scope: feature.scopes().print(Dialect::V2),
    };
    let mut obstacles: Vec<&'static str> =
        start::obstacles(worker, job, &entry).await?.iter().map(|code| code.as_str()).collect();
    let (items, calls) = match kind.foresee(&run).await {
        Ok(seen) => (seen.items, seen.calls),
        Err(Fault::Item(code)) => {
            obstacles.push(code.as_str());
            (0, 0)
        }
        Err(Fault::Halt(halt)) => return Err(halt.into()),
    };
    let now = worker.now();
    Ok(Found {
        items,
        batches: items.div_euclid(i64::from(job.batch_size))
            + i64::from(items.rem_euclid(i64::from(job.batch_size)) > 0),
        calls,
        pace: pace(job, &entry),
        earliest_start_at: job.hours.check(now, &zone).err().map_or(now, |closed| closed.until),
        required_scope: feature.required.print(Dialect::V2),
        optional_scope: feature.optional.print(Dialect::V2),
        obstacles,
    })
}

/// The slowest of what sets a pace.
fn pace(job: &Job, entry: &Entry<'_>) -> Option<(f64, &'static str)> {
    let own = job.calls_per_minute.map(|calls| (f64::from(calls), "calls_per_minute of the job"));
    let windows = entry.endpoint.behaviour.known().limits.windows.value();
    let endpoint = windows
        .iter()
        .filter(|window| window.kind != WindowKind::Concurrent && window.seconds > 0)
        .filter(|window| matches!(window.counts, Counts::Fhir | Counts::FhirAndAuth))
        .filter_map(|window| Some(f64::from(window.calls?) * 60.0 / f64::from(window.seconds)))
        .min_by(f64::total_cmp)
        .map(|calls| (calls, "the endpoint's limit"));
    match (own, endpoint) {
        (Some(own), Some(endpoint)) => Some(if own.0 <= endpoint.0 { own } else { endpoint }),
        (own, endpoint) => own.or(endpoint),
    }
}
