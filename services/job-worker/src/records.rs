//! Audit events of jobs: who did what to which run, and why. No patient is in them; each call has its own record at the gateway.

use sallyport_audit_client::{AuditClient, AuditError};
use sallyport_model::{Code, EndpointId, LaunchId, PatientId, TenantId};
use sallyport_proto::{
    audit::v1::{Kind, Outcome, Record},
    convert,
    types::v1::{Actor, User, actor},
};
use sallyport_registry::{Entry, Job};
use uuid::Uuid;

use crate::{
    error::Error,
    run::Run,
    store::{RunRow, Unfinished},
    worker::Worker,
};

/// Who does something, and why.
#[derive(Debug, Clone)]
pub(crate) struct Because {
    pub(crate) by: String,
    pub(crate) reason: String,
}

impl Because {
    /// Both are needed.
    ///
    /// # Errors
    /// `request.invalid` when one is empty, too long or holds control characters.
    pub(crate) fn of(by: String, reason: String) -> Result<Self, Code> {
        if convert::is_reason(&by) && convert::is_reason(&reason) {
            Ok(Self { by, reason })
        } else {
            Err(Code::RequestInvalid)
        }
    }

    fn detail(&self) -> String {
        format!("{}: {}", self.by, self.reason)
    }
}

/// An event about a run.
pub(crate) async fn of_run(
    worker: &Worker,
    run: &Run,
    what: &str,
    because: &Because,
    code: Option<Code>,
) -> Result<(), Error> {
    let mut record = about(&run.job, run.tenant.as_str(), run.endpoint_id().as_str(), what, because, code);
    record.run_id = convert::id_bytes(run.id.uuid());
    record.grant_id = run.grant.map(|grant| convert::id_bytes(grant.uuid())).unwrap_or_default();
    record.granted_scope = run.pinned_scope.clone();
    Ok(worker.audit.event(record).await?)
}

/// An event about a job that has no run, or not yet.
pub(crate) async fn of_job(
    worker: &Worker,
    (job, entry): (&Job, &Entry<'_>),
    what: &str,
    because: &Because,
    code: Option<Code>,
) -> Result<(), Error> {
    let place = (entry.tenant.id.as_str(), entry.endpoint.id.as_str());
    Ok(worker.audit.event(about(job, place.0, place.1, what, because, code)).await?)
}

/// An event about a proposal of a run: what would be written about whom, by its id alone.
pub(crate) async fn of_proposal(
    audit: &AuditClient,
    run: &Run,
    patient: &PatientId,
    what: &str,
    proposal: Uuid,
) -> Result<(), AuditError> {
    let because = Because { by: "proposal".to_owned(), reason: proposal.to_string() };
    let place = (run.tenant.as_str(), run.endpoint_id().as_str());
    let mut record = about(&run.job, place.0, place.1, what, &because, None);
    record.run_id = convert::id_bytes(run.id.uuid());
    record.patients = vec![patient.expose().to_owned()];
    audit.event(record).await
}

/// A person's decision on a proposal.
pub(crate) struct Decided<'a> {
    pub(crate) launch: LaunchId,
    pub(crate) user: &'a User,
    /// `approve` or `reject`
    pub(crate) what: &'a str,
    pub(crate) proposal: Uuid,
    /// Which fields were edited before: names, never what they say.
    pub(crate) edited: &'a [String],
}

/// An event about a decision: who, in which launch, about whom, on what.
pub(crate) async fn of_decision(
    worker: &Worker,
    (tenant, endpoint, patient): (&TenantId, &EndpointId, &PatientId),
    job: &str,
    decided: &Decided<'_>,
) -> Result<(), Error> {
    let edited = match decided.edited {
        [] => String::new(),
        fields => format!("; edited: {}", fields.join(", ")),
    };
    let record = Record {
        kind: Kind::Job.into(),
        tenant: tenant.as_str().to_owned(),
        endpoint: endpoint.as_str().to_owned(),
        actor: Some(Actor { kind: Some(actor::Kind::User(decided.user.clone())) }),
        patients: vec![patient.expose().to_owned()],
        launch_id: convert::id_bytes(decided.launch.uuid()),
        job: job.to_owned(),
        interaction: decided.what.to_owned(),
        outcome: Outcome::Success.into(),
        detail: format!("proposal: {}{edited}", decided.proposal),
        ..Record::default()
    };
    Ok(worker.audit.event(record).await?)
}

/// An event about an approval that was settled in the background: by what the ledger of writes says, for nobody in particular.
/// Whose record it is stands in the records of the approval.
pub(crate) async fn of_finish(
    worker: &Worker,
    tenant: &TenantId,
    found: &Unfinished,
    (outcome, code): (&str, &str),
) -> Result<(), Error> {
    let record = Record {
        kind: Kind::Job.into(),
        tenant: tenant.as_str().to_owned(),
        endpoint: found.endpoint.clone(),
        actor: Some(convert::anonymous()),
        job: found.job.clone(),
        interaction: "proposal-settle".to_owned(),
        outcome: Outcome::Success.into(),
        code: code.to_owned(),
        detail: format!("proposal: {}: {outcome}", found.id),
        ..Record::default()
    };
    Ok(worker.audit.event(record).await?)
}

/// An event about taking a run's effects back: of the run as it is kept, whatever became of its definition.
pub(crate) async fn of_reconcile(
    worker: &Worker,
    row: &RunRow,
    what: &str,
    because: &Because,
    proposal: Option<Uuid>,
) -> Result<(), Error> {
    let about = proposal.map(|id| format!("; proposal: {id}")).unwrap_or_default();
    let record = Record {
        kind: Kind::Job.into(),
        tenant: row.tenant.clone(),
        endpoint: row.endpoint.clone(),
        actor: Some(convert::anonymous()),
        job: row.job.clone(),
        run_id: convert::id_bytes(row.run_id),
        interaction: what.to_owned(),
        outcome: Outcome::Success.into(),
        detail: format!("{}{about}", because.detail()),
        ..Record::default()
    };
    Ok(worker.audit.event(record).await?)
}

/// An event about a tenant or, in the reserved tenant, a vendor.
pub(crate) async fn of_tenant(
    worker: &Worker,
    tenant: &str,
    what: &str,
    because: &Because,
) -> Result<(), Error> {
    Ok(worker
        .audit
        .event(Record {
            kind: Kind::Job.into(),
            tenant: tenant.to_owned(),
            actor: Some(convert::anonymous()),
            outcome: Outcome::Success.into(),
            interaction: what.to_owned(),
            detail: because.detail(),
            ..Record::default()
        })
        .await?)
}

fn about(
    job: &Job,
    tenant: &str,
    endpoint: &str,
    what: &str,
    because: &Because,
    code: Option<Code>,
) -> Record {
    let service = actor::Kind::Service(job.registration.as_str().to_owned());
    Record {
        kind: Kind::Job.into(),
        tenant: tenant.to_owned(),
        endpoint: endpoint.to_owned(),
        registration: job.registration.as_str().to_owned(),
        actor: Some(Actor { kind: Some(service) }),
        purpose: job.purpose.as_str().to_owned(),
        feature: job.feature.as_str().to_owned(),
        job: job.id.as_str().to_owned(),
        interaction: what.to_owned(),
        outcome: if code.is_some() { Outcome::Refused } else { Outcome::Success }.into(),
        code: code.map(|code| code.as_str().to_owned()).unwrap_or_default(),
        detail: because.detail(),
        ..Record::default()
    }
}
