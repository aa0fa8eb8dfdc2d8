//! What care-gap scans have found about a launch's patient: kept by job-worker, opened for this session alone.
//!
//! No EHR is called, and it is checked like a call all the same: feature, scopes and policy on the way in; patient, purpose
//! and every type of record cited on the way out. The intent is durable before anything is released.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use sallyport_care_gaps::{Assessment, Findings};
use sallyport_fhir::ResourceType;
use sallyport_model::{AccessContext, Code, Patients, PolicyDecision, RequestId, scope::Verb};
use sallyport_proto::jobs::v1::{CareGapsOfPatientRequest, FoundByScan, care_gaps_client::CareGapsClient};
use sallyport_registry::{Entry, Job, JobKind, Registry};
use sallyport_rpc::{Transport, code_of, once_more, with_request_id};

use super::{
    admit::covered,
    call, context,
    recording::{Draft, Open, Tally},
    session::Session,
};
use crate::{Gateway, error::Refusal};

/// As features and records name it.
const SECTION: &str = "care-gaps";

/// A page waits two seconds for what it shows; job-worker gets less, so that the page learns why there is nothing.
const WAIT: Duration = Duration::from_millis(1_500);

/// What one job's scan has found. Holds patient data: no `Debug`.
pub(crate) struct Found {
    pub(crate) job: String,
    pub(crate) title: String,
    pub(crate) run: Vec<u8>,
    pub(crate) judged_at: i64,
    /// [`Findings`], as JSON.
    pub(crate) json: Vec<u8>,
    /// Measures left out because they rest on records that this launch may not see.
    pub(crate) withheld: usize,
}

/// The answer.
pub(crate) struct CareGaps {
    /// A scan is set up here.
    pub(crate) is_set_up: bool,
    /// The newest first.
    pub(crate) found: Vec<Found>,
}

/// Asks job-worker about the session's patient. Whatever comes out is recorded when this returns.
pub(crate) async fn of_patient(
    gateway: &Gateway,
    session: &Arc<Session>,
    request_id: RequestId,
) -> Result<CareGaps, Refusal> {
    let mut draft = Draft::new(session, request_id, gateway.clock.now());
    draft.export(SECTION, []);
    let admitted = admit(gateway, session, &mut draft);
    let (entry, access) = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => {
            gateway.recorder.refused(draft, &refusal).await?;
            return Err(refusal);
        }
    };
    let (mut open, pending) = gateway.recorder.begin(draft)?;
    let (asked, durable) = tokio::join!(ask(gateway, &access, request_id), call::durable(pending));
    let result = match (asked, durable) {
        (Ok(found), Ok(())) => release(gateway, session, &entry, &access, found, &mut open),
        (Err(refusal), _) | (_, Err(refusal)) => Err(refusal),
    };
    match &result {
        Ok((_, tally)) => open.close(Ok(*tally)),
        Err(refusal) => open.close(Err(refusal)),
    }
    result.map(|(answer, _)| answer)
}

pub(super) fn admit<'r>(
    gateway: &'r Gateway,
    session: &Session,
    draft: &mut Draft,
) -> Result<(Entry<'r>, AccessContext), Refusal> {
    let entry = context::entry(&gateway.registry, session)?;
    let feature = context::feature_for_section(&entry, session, None, SECTION)?;
    let access = context::build(session, feature)?;
    draft.access(&access);
    if !matches!(access.patients, Patients::One(_)) {
        return Err(Refusal::because(Code::PatientDenied, "this launch has no patient in context"));
    }
    let decision = entry.tenant.policy.decide(access.purpose, ResourceType::Patient.as_str(), &[]);
    draft.decision(&decision);
    match decision {
        PolicyDecision::Permit(_) => Ok((entry, access)),
        PolicyDecision::Deny(_) => Err(Code::PolicyDenied.into()),
    }
}

async fn ask(
    gateway: &Gateway,
    access: &AccessContext,
    request_id: RequestId,
) -> Result<Vec<FoundByScan>, Refusal> {
    let Patients::One(patient) = &access.patients else { return Err(Code::PatientDenied.into()) };
    let jobs = gateway.job_worker.clone().ok_or(Code::DependencyDown)?;
    let request = CareGapsOfPatientRequest {
        tenant: access.tenant.as_str().to_owned(),
        endpoint: access.endpoint.as_str().to_owned(),
        patient: patient.expose().to_owned(),
    };
    gateway.metrics.hop("job-worker");
    let answer = once_more(|| {
        let (jobs, request) = (jobs.clone(), with_request_id(request.clone(), request_id));
        async move { CareGapsClient::<Transport>::new(jobs).of_patient(request).await }
    });
    match tokio::time::timeout(WAIT, answer).await {
        Ok(Ok(answer)) => Ok(answer.into_inner().found),
        Ok(Err(status)) => Err(code_of(&status).into()),
        Err(_elapsed) => Err(Code::DependencyDown.into()),
    }
}

fn release(
    gateway: &Gateway,
    session: &Session,
    entry: &Entry<'_>,
    access: &AccessContext,
    found: Vec<FoundByScan>,
    open: &mut Open<'_>,
) -> Result<(CareGaps, Tally), Refusal> {
    // The session may have ended while job-worker was being waited for.
    gateway.sessions.check(session)?;
    let jobs: Vec<&Job> = scans(&gateway.registry, entry, access).collect();
    let mut answer = CareGaps { is_set_up: !jobs.is_empty(), found: Vec::new() };
    let (mut tally, mut types) = (Tally { status: 200, ..Tally::default() }, BTreeSet::new());
    for one in found {
        // What a job found that is not there any more, or that reads for another purpose, is not for this launch.
        let Some(job) = jobs.iter().find(|job| job.id.as_str() == one.job) else { continue };
        let mut findings: Findings =
            serde_json::from_slice(&one.json).map_err(|_not_ours| Refusal::new(Code::Internal))?;
        of_the_patient(&findings.patient, access)?;
        let all = findings.assessments.len();
        findings.assessments.retain(|assessment| may_see(assessment, entry, access));
        types.extend(findings.assessments.iter().flat_map(types_of).map(str::to_owned));
        let json = serde_json::to_vec(&findings).map_err(|_never| Refusal::new(Code::Internal))?;
        let withheld = all - findings.assessments.len();
        tally.released += findings.assessments.len();
        tally.withheld += withheld;
        tally.bytes += json.len();
        answer.found.push(Found {
            job: one.job,
            title: job.title.clone(),
            run: one.run_id,
            judged_at: findings.judged_at,
            json,
            withheld,
        });
    }
    if let Some(draft) = open.draft() {
        draft.export(SECTION, types);
    }
    Ok((answer, tally))
}

/// The scans whose findings may be shown at this endpoint: on, and for the purpose for which they are asked about. The
/// policy decided on every record that they read, with its labels, for that same purpose.
pub(super) fn scans<'r>(
    registry: &'r Registry,
    entry: &Entry<'r>,
    access: &AccessContext,
) -> impl Iterator<Item = &'r Job> {
    let (endpoint, purpose) = (access.endpoint.clone(), access.purpose);
    entry.tenant.jobs.iter().filter(move |job| {
        let is_here = registry.registration(&job.registration).is_some_and(|e| e.endpoint.id == endpoint);
        job.kind == JobKind::CareGapScan && job.purpose == purpose && job.is_on && is_here
    })
}

/// Job-worker finds by a blind index, and what is sealed says whom it is about: both have to agree with the launch.
pub(super) fn of_the_patient(judged: &str, access: &AccessContext) -> Result<(), Refusal> {
    let is_ours = matches!(&access.patients, Patients::One(patient) if patient.expose() == judged);
    if is_ours || sallyport_model::planted!("care-gaps-of-any-patient") {
        return Ok(());
    }
    tracing::error!(
        code = Code::Internal.as_str(),
        "what a scan found about another patient was withheld whole"
    );
    Err(Code::Internal.into())
}

/// Whether this launch may read every type of record that an answer rests on. A scope with conditions cannot be held against
/// what is cited, so it is not enough.
pub(super) fn may_see(assessment: &Assessment, entry: &Entry<'_>, access: &AccessContext) -> bool {
    types_of(assessment).all(|name| {
        let Some(resource_type) = ResourceType::parse(name) else { return false };
        let is_covered =
            covered(access, &access.granted, resource_type, Verb::Read).is_ok_and(|under| under.is_empty());
        let decision = entry.tenant.policy.decide(access.purpose, name, &[]);
        is_covered && matches!(decision, PolicyDecision::Permit(_))
    })
}

fn types_of(assessment: &Assessment) -> impl Iterator<Item = &str> {
    assessment.evidence.iter().map(|evidence| evidence.source.reference.split('/').next().unwrap_or_default())
}

/// As the contract says it.
pub(crate) fn told(answer: CareGaps) -> sallyport_proto::gateway::v1::CareGapsResponse {
    use sallyport_proto::gateway::v1 as pb;
    let found = answer.found.into_iter().map(|one| pb::CareGapsFound {
        job: one.job,
        title: one.title,
        run_id: one.run,
        judged_at: one.judged_at,
        json: one.json.into(),
        withheld: i32::try_from(one.withheld).unwrap_or(i32::MAX),
    });
    pb::CareGapsResponse { is_set_up: answer.is_set_up, found: found.collect() }
}
