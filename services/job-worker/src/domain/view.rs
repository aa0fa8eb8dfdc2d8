//! Jobs and runs as messages.

use std::sync::Arc;

use sallyport_model::{Micros, RunId, TenantId};
use sallyport_proto::{
    convert,
    jobs::v1::{Job as WireJob, Progress, Run as WireRun},
};
use sallyport_registry::{Job, Tenant, Zone};

use crate::{
    error::Error,
    store::{Blockable, RunRow},
    worker::Worker,
};

/// A run with its progress.
pub(crate) async fn run(worker: &Worker, id: RunId) -> Result<WireRun, Error> {
    let row = worker.store.run(id).await?.ok_or(sallyport_model::Code::RunUnknown)?;
    of_row(worker, row).await
}

/// The newest runs.
pub(crate) async fn runs(
    worker: &Worker,
    tenant: &str,
    job: &str,
    limit: i64,
) -> Result<Vec<WireRun>, Error> {
    let mut runs = Vec::new();
    for row in worker.store.runs(tenant, job, limit).await? {
        runs.push(of_row(worker, row).await?);
    }
    Ok(runs)
}

/// The jobs of a tenant, or of all.
pub(crate) async fn jobs(worker: &Arc<Worker>, tenant: Option<&TenantId>) -> Result<Vec<WireJob>, Error> {
    let mut jobs = Vec::new();
    for owner in worker.registry.tenants().iter().filter(|t| tenant.is_none_or(|id| *id == t.id)) {
        for job in &owner.jobs {
            jobs.push(of_job(worker, owner, job).await?);
        }
    }
    Ok(jobs)
}

async fn of_job(worker: &Arc<Worker>, owner: &Tenant, job: &Job) -> Result<WireJob, Error> {
    let registration = owner.registrations.iter().find(|r| r.id == job.registration);
    let endpoint = registration.and_then(|r| owner.endpoints.iter().find(|e| e.id == r.endpoint));
    let at = Blockable {
        tenant: owner.id.as_str(),
        vendor: endpoint.map_or("", |e| e.vendor.as_str()),
        endpoint: endpoint.map_or("", |e| e.id.as_str()),
        registration: job.registration.as_str(),
    };
    let zone = Zone::parse(&owner.time_zone);
    let next =
        job.schedule.as_ref().zip(zone).and_then(|(schedule, zone)| schedule.after(worker.now(), &zone));
    Ok(WireJob {
        tenant: owner.id.as_str().to_owned(),
        id: job.id.as_str().to_owned(),
        title: job.title.clone(),
        kind: job.kind.as_str().to_owned(),
        feature: job.feature.as_str().to_owned(),
        registration: job.registration.as_str().to_owned(),
        endpoint: endpoint.map_or("", |e| e.id.as_str()).to_owned(),
        purpose: job.purpose.as_str().to_owned(),
        identity: job.identity.as_str().to_owned(),
        is_on: job.is_on,
        stage: job.stage.as_str().to_owned(),
        schedule: job.schedule.as_ref().map_or("", |schedule| schedule.as_str()).to_owned(),
        time_zone: owner.time_zone.clone(),
        next_start_at: next.unwrap_or(0),
        is_blocked: worker.store.is_blocked(&at).await?,
        last_run: runs(worker, owner.id.as_str(), job.id.as_str(), 1).await?.pop(),
    })
}

async fn of_row(worker: &Worker, row: RunRow) -> Result<WireRun, Error> {
    let id = RunId::from_uuid(row.run_id);
    let progress = progress(worker, id, &row).await?;
    Ok(WireRun {
        run_id: convert::id_bytes(row.run_id),
        tenant: row.tenant,
        job: row.job,
        kind: row.kind,
        endpoint: row.endpoint,
        vendor: row.vendor,
        state: row.state,
        code: row.code,
        scope: row.scope,
        started_by: row.started_by,
        reason: row.reason,
        created_at: row.created_at,
        ended_at: row.ended_at.unwrap_or(0),
        progress: Some(progress),
        pinned_scope: row.pinned_scope,
    })
}

async fn progress(worker: &Worker, id: RunId, row: &RunRow) -> Result<Progress, Error> {
    let now = worker.now();
    let found = worker.store.progress(id).await?;
    let kept = worker.store.results_of(id).await?;
    let is_running = row.state == "running";
    let (waits_until, waits_for) = match is_running {
        true => worker.store.waiting(id, now).await?.unwrap_or_default(),
        false => (0, String::new()),
    };
    let items_per_minute = rate(found.items_done, found.busy_us, row.parallel);
    let left = found.items - found.items_done;
    Ok(Progress {
        is_planned: row.is_planned != 0,
        batches: found.batches,
        batches_done: found.batches_done,
        batches_in_hand: found.batches_leased,
        items: found.items,
        items_done: found.items_done,
        quarantined: worker.store.quarantined(id).await?,
        calls: row.calls,
        items_per_minute,
        expected_end_at: match is_running && row.is_planned != 0 {
            true => expected_end(left, items_per_minute, now.max(waits_until)),
            false => 0,
        },
        waits_until,
        waits_for,
        results: kept.rows,
        resources: kept.resources,
        subjects: kept.subjects,
        oldest_full_read_at: kept.oldest_full_read,
        rewritten: kept.doubled,
    })
}

/// Items per minute while all places of the run are taken.
#[expect(clippy::cast_precision_loss, reason = "an estimate; counts and times are far below 2^52")]
fn rate(done: i64, busy_us: i64, parallel: i64) -> f64 {
    if done <= 0 || busy_us <= 0 {
        return 0.0;
    }
    done as f64 * parallel as f64 * 60_000_000.0 / busy_us as f64
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "an estimate; counts and times are far below 2^52"
)]
fn expected_end(left: i64, items_per_minute: f64, from: Micros) -> Micros {
    if items_per_minute <= 0.0 {
        return 0;
    }
    from + (left as f64 * 60_000_000.0 / items_per_minute) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_told_from_the_time_that_items_took_and_the_places_there_are() {
        // 10 items in 20 s of work, two at a time: 60 a minute.
        let rate = rate(10, 20_000_000, 2);
        assert!((rate - 60.0).abs() < 1e-9);
        assert_eq!(expected_end(30, rate, 1_000_000), 31_000_000);
        assert_eq!(expected_end(30, 0.0, 1), 0);
    }
}
