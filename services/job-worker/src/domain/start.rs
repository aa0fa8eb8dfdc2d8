//! Starts a run: checked, recorded, and one row with the batch that plans it.

use std::sync::Arc;

use sallyport_model::{BatchId, Code, GrantId, JobId, Micros, RunId, TenantId, scope::ScopeSet};
use sallyport_proto::types::v1::User;
use sallyport_registry::{Entry, Job, JobIdentity};
use sallyport_rpc::code_of;

use crate::{
    error::Error,
    items,
    kinds::kind_of,
    records::{self, Because},
    sealing::Sealed,
    store::{Blockable, NewBatch, NewRun},
    worker::{Worker, user_text},
};

/// What is asked for.
pub(crate) struct Asked {
    pub(crate) tenant: TenantId,
    pub(crate) job: JobId,
    pub(crate) because: Because,
    /// A user's grant, for identity "offline".
    pub(crate) grant: Option<(GrantId, User)>,
    /// The moment of the schedule that it is for.
    pub(crate) scheduled_for: Option<Micros>,
}

/// Starts a run. A refusal is recorded too.
pub(crate) async fn start(worker: &Arc<Worker>, asked: Asked) -> Result<RunId, Error> {
    let (job, entry) = worker.definition(&asked.tenant, &asked.job)?;
    let outcome = checked(worker, &asked, job, &entry).await;
    let refused = match &outcome {
        Err(error @ Error::Refused(_)) => Some(error.code()),
        _ => None,
    };
    if outcome.is_ok() || refused.is_some() {
        records::of_job(worker, (job, &entry), "start", &asked.because, refused).await?;
    }
    let granted = outcome?;
    let id = RunId::new(worker.clock.as_ref());
    let user = match (&asked.grant, granted) {
        (Some((grant, user)), Some(scope)) => {
            let sealer = worker.sealing.sealer(&asked.tenant).await?;
            let sealed = sealer.seal((id.uuid().as_bytes(), "user"), user_text(user).as_bytes());
            Some((*grant, sealed, scope))
        }
        _ => None,
    };
    insert(worker, &asked, (job, &entry), id, user).await
}

/// Why it may not start; for a user's grant, what was granted.
async fn checked(
    worker: &Worker,
    asked: &Asked,
    job: &Job,
    entry: &Entry<'_>,
) -> Result<Option<String>, Error> {
    if let Some(obstacle) = obstacles(worker, job, entry).await?.first() {
        return Err((*obstacle).into());
    }
    match (job.identity, &asked.grant) {
        (JobIdentity::Backend, None) => Ok(None),
        (JobIdentity::Offline, Some((grant, user))) => {
            offline(worker, entry, job, *grant, user).await.map(Some)
        }
        // A service has no user's grant, and a user's job has no other.
        (JobIdentity::Backend | JobIdentity::Offline, _) => Err(Code::JobIdentityRefused.into()),
    }
}

/// Why no run of a job may start now, whoever asks.
pub(crate) async fn obstacles(worker: &Worker, job: &Job, entry: &Entry<'_>) -> Result<Vec<Code>, Error> {
    let mut found = Vec::new();
    if !job.is_on {
        found.push(Code::JobOff);
    }
    if kind_of(job.kind).is_none() {
        found.push(Code::JobKindMissing);
    }
    if entry.endpoint.behaviour.now(worker.now()).is_err() {
        found.push(Code::EndpointOverrideExpired);
    }
    let at = Blockable {
        tenant: entry.tenant.id.as_str(),
        vendor: entry.endpoint.vendor.as_str(),
        endpoint: entry.endpoint.id.as_str(),
        registration: job.registration.as_str(),
    };
    if worker.store.is_blocked(&at).await? {
        found.push(Code::JobBlocked);
    }
    if worker.store.open_runs(&entry.tenant.id, job.id.as_str()).await? > 0 {
        found.push(Code::JobRunOpen);
    }
    Ok(found)
}

/// A user's grant: alive, given to this registration by this user, renewable, and enough for the feature.
async fn offline(
    worker: &Worker,
    entry: &Entry<'_>,
    job: &Job,
    grant: GrantId,
    user: &User,
) -> Result<String, Error> {
    let request = sallyport_proto::vault::v1::CheckGrantRequest {
        tenant: entry.tenant.id.as_str().to_owned(),
        grant_id: sallyport_proto::convert::id_bytes(grant.uuid()),
        user: Some(user.clone()),
    };
    let answer = worker.vault.clone().check_grant(request).await;
    let answer = answer.map_err(|status| Error::Refused(code_of(&status)))?.into_inner();
    let fits = answer.registration == job.registration.as_str()
        && answer.endpoint == entry.endpoint.id.as_str()
        && answer.is_offline;
    if !fits {
        return Err(Code::JobIdentityRefused.into());
    }
    let feature = entry.features().find(|feature| feature.id == job.feature).ok_or(Code::FeatureUnknown)?;
    if !feature.is_on(&ScopeSet::parse(&answer.granted_scope)) {
        return Err(Code::JobScopeMissing.into());
    }
    Ok(answer.granted_scope)
}

async fn insert(
    worker: &Arc<Worker>,
    asked: &Asked,
    (job, entry): (&Job, &Entry<'_>),
    id: RunId,
    user: Option<(GrantId, Sealed, String)>,
) -> Result<RunId, Error> {
    let batch = BatchId::new(worker.clock.as_ref());
    let sealer = worker.sealing.sealer(&asked.tenant).await?;
    let planning = NewBatch {
        id: batch,
        run: id,
        tenant: asked.tenant.as_str().to_owned(),
        seq: Some(0),
        items: sealer.seal((batch.uuid().as_bytes(), "items"), &items::write(&[])),
        item_count: 0,
        attempts: 0,
        due: None,
        checkpoint: None,
    };
    let pin = job.pin();
    let run = NewRun {
        id,
        tenant: &asked.tenant,
        job: job.id.as_str(),
        kind: job.kind.as_str(),
        endpoint: entry.endpoint.id.as_str(),
        vendor: entry.endpoint.vendor.as_str(),
        registration: job.registration.as_str(),
        feature: job.feature.as_str(),
        identity: job.identity.as_str(),
        pin: &pin,
        parallel: job.parallel_batches,
        grant: user.as_ref().map(|(grant, sealed, scope)| (*grant, sealed.clone(), scope.as_str())),
        by: &asked.because.by,
        reason: &asked.because.reason,
        scheduled_for: asked.scheduled_for,
        now: worker.now(),
    };
    if !worker.store.add_run(&run, &planning).await? {
        return Err(Code::JobRunOpen.into());
    }
    worker.metrics.runs.inc(&[job.kind.as_str(), "started"]);
    worker.wake.notify_one();
    Ok(id)
}
