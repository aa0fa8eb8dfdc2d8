//! What jobs propose about a launch's patient: shown under the care gaps' feature, decided on by the person at the screen, and
//! written through the ledger as that person.
//!
//! An approval is bound to the payload byte for byte, to what it is based on and to this session; the proposal is the ledger's
//! key, so that approving again finds what was written. job-worker is told what came of it, and what it was not told is found
//! by the next approval.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use sallyport_care_gaps::Proposed;
use sallyport_fhir::Destination;
use sallyport_model::{
    AccessContext, Code, Patients, RequestId,
    code::Kind as CodeKind,
    scope::{Coverage, Level, Verb},
};
use sallyport_proto::{
    convert,
    gateway::v1 as pb,
    gateway::v1::decide_proposal_request::Decision,
    jobs::v1::{
        self as jobs, DecideRequest, ListProposalsRequest, Proposal, SettleRequest, decide_request,
        proposals_client::ProposalsClient,
    },
};
use sallyport_registry::{Entry, Feature, FeatureKind, Job};
use sallyport_rpc::{Transport, code_of, once_more, with_request_id};
use tonic::{Response, Status};
use uuid::Uuid;

use super::{
    call, care_gaps, context,
    recording::{Draft, Open, Tally},
    session::{Session, sha256},
    write::{self, Written},
};
use crate::{Gateway, error::Refusal};

/// A page waits two seconds; a decision has a person waiting for it.
const LIST_WAIT: Duration = Duration::from_millis(1_500);
const DECIDE_WAIT: Duration = Duration::from_secs(5);

/// A proposal that this launch may see.
struct Shown {
    row: Proposal,
    title: String,
    proposed: Proposed,
}

/// Everything proposed about the session's patient. Recorded when this returns.
pub(crate) async fn list(
    gateway: &Gateway,
    session: &Arc<Session>,
    request_id: RequestId,
) -> Result<pb::ProposalsResponse, Refusal> {
    let mut draft = Draft::new(session, request_id, gateway.clock.now());
    draft.export("proposals", []);
    let (entry, access) = match care_gaps::admit(gateway, session, &mut draft) {
        Ok(admitted) => admitted,
        Err(refusal) => {
            gateway.recorder.refused(draft, &refusal).await?;
            return Err(refusal);
        }
    };
    let (mut open, pending) = gateway.recorder.begin(draft)?;
    let (asked, durable) = tokio::join!(ask(gateway, &access, request_id), call::durable(pending));
    let result = match (asked, durable) {
        (Ok(rows), Ok(())) => gateway
            .sessions
            .check(session)
            .map_err(Refusal::from)
            .and_then(|()| visible(gateway, &entry, &access, rows)),
        (Err(refusal), _) | (_, Err(refusal)) => Err(refusal),
    };
    match result {
        Ok((shown, withheld)) => {
            if let Some(draft) = open.draft() {
                let types: BTreeSet<String> = shown.iter().map(|one| one.row.resource_type.clone()).collect();
                draft.export("proposals", types);
            }
            open.close(Ok(Tally { released: shown.len(), withheld, status: 200, ..Tally::default() }));
            let proposals = shown.into_iter().map(|one| described(session, &entry, one)).collect();
            Ok(pb::ProposalsResponse { proposals, withheld: i32::try_from(withheld).unwrap_or(i32::MAX) })
        }
        Err(refusal) => {
            open.close(Err(&refusal));
            Err(refusal)
        }
    }
}

/// Decides on one, and writes what is approved. Recorded when this returns; the write has records of its own.
pub(crate) async fn decide(
    gateway: &Gateway,
    session: &Arc<Session>,
    request_id: RequestId,
    message: pb::DecideProposalRequest,
) -> Result<Proposal, Refusal> {
    let mut draft = Draft::new(session, request_id, gateway.clock.now());
    let what = match &message.decision {
        Some(Decision::Approve(_)) => "proposal-approve",
        Some(Decision::Reject(_)) | None => "proposal-reject",
    };
    draft.export(what, []);
    let admitted = match (Uuid::from_slice(&message.proposal_id), message.decision) {
        (Ok(id), Some(decision)) => {
            draft.remark(&format!("proposal {id}"));
            care_gaps::admit(gateway, session, &mut draft).map(|admitted| (admitted, id, decision))
        }
        _ => Err(Code::RequestInvalid.into()),
    };
    let ((entry, access), id, decision) = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => {
            gateway.recorder.refused(draft, &refusal).await?;
            return Err(refusal);
        }
    };
    let (mut open, pending) = gateway.recorder.begin(draft)?;
    // Durable before anything is decided (invariant 4).
    let deciding = Deciding { gateway, session, entry: &entry, access: &access, request_id, id };
    let result = match call::durable(pending).await {
        Ok(()) => Box::pin(deciding.run(decision, &mut open)).await,
        Err(refusal) => Err(refusal),
    };
    match &result {
        Ok(_) => open.close(Ok(Tally { released: 1, status: 200, ..Tally::default() })),
        Err(refusal) => open.close(Err(refusal)),
    }
    result
}

/// What a decision stands on.
struct Deciding<'a> {
    gateway: &'a Gateway,
    session: &'a Arc<Session>,
    entry: &'a Entry<'a>,
    access: &'a AccessContext,
    request_id: RequestId,
    id: Uuid,
}

impl Deciding<'_> {
    async fn run(&self, decision: Decision, open: &mut Open<'_>) -> Result<Proposal, Refusal> {
        let rows = ask(self.gateway, self.access, self.request_id).await?;
        self.gateway.sessions.check(self.session)?;
        let (shown, _) = visible(self.gateway, self.entry, self.access, rows)?;
        let is_it = |one: &Shown| one.row.proposal_id == convert::id_bytes(self.id);
        let shown = shown.into_iter().find(is_it).ok_or(Code::ProposalUnknown)?;
        if let Some(draft) = open.draft() {
            draft.add_types([shown.row.resource_type.clone()]);
        }
        match decision {
            Decision::Reject(reject) => self.tell(decide_request::Decision::Reject(reject)).await,
            Decision::Approve(approve) => self.approve(approve, &shown).await,
        }
    }

    async fn approve(&self, approve: jobs::Approve, shown: &Shown) -> Result<Proposal, Refusal> {
        let (payload, base_version) = (shown.proposed.payload.as_str(), shown.row.base_version.as_str());
        let is_shown = sha256(payload.as_bytes()).as_slice() == approve.payload_sha256.as_slice()
            && approve.base_version == base_version;
        if !is_shown && !sallyport_model::planted!("proposal-payload-unbound") {
            return Err(Code::ProposalChanged.into());
        }
        let feature = writing(self.entry, self.session, &shown.row.resource_type).ok_or(Code::FeatureOff)?;
        // Before it is decided: what cannot be written in this launch stays open for one in which it can.
        context::build_for_write(self.session, feature, self.entry)?;
        let destination = destination(self.gateway, self.session, shown)?;
        let before = self.tell(decide_request::Decision::Approve(approve)).await?;
        let request = write::Request {
            session: self.session,
            feature: feature.id.as_str(),
            destination,
            payload,
            base_version: (!base_version.is_empty()).then(|| base_version.to_owned()),
            proposal: Some(self.id),
            request_id: self.request_id,
            deadline: self.gateway.deadline(),
        };
        let written = Box::pin(write::run(self.gateway, request)).await;
        let settled = self.settle(&written, &before).await;
        match (written, settled) {
            (Ok(_), Ok(now)) => Ok(now),
            // It is written, and job-worker could not be told: the next approval finds it and tells.
            (Ok(written), Err(_away)) => {
                tracing::warn!("an approved proposal was written and job-worker could not be told");
                let (reference, version) = (written.reference, written.version);
                Ok(Proposal { outcome: "applied".to_owned(), reference, version, ..before })
            }
            (Err(refusal), _) => Err(refusal),
        }
    }

    /// The decision, to whoever keeps it.
    async fn tell(&self, decision: decide_request::Decision) -> Result<Proposal, Refusal> {
        let is_approval = matches!(decision, decide_request::Decision::Approve(_));
        let (tenant, endpoint, patient) = whose(self.access)?;
        let request = DecideRequest {
            tenant,
            endpoint,
            patient,
            proposal_id: convert::id_bytes(self.id),
            launch_id: convert::id_bytes(self.session.launch.uuid()),
            user: Some((&self.session.user).into()),
            decision: Some(decision),
        };
        let jobs = client(self.gateway)?;
        let call = || {
            let (mut jobs, request) = (jobs.clone(), with_request_id(request.clone(), self.request_id));
            async move { jobs.decide(request).await }
        };
        // The same approval again is the one that there is; a rejection whose answer was lost is told as it is.
        if is_approval {
            within(DECIDE_WAIT, once_more(call)).await
        } else {
            within(DECIDE_WAIT, call()).await
        }
    }

    async fn settle(
        &self,
        written: &Result<Written, Refusal>,
        before: &Proposal,
    ) -> Result<Proposal, Refusal> {
        let (tenant, endpoint, patient) = whose(self.access)?;
        let was_unknown = before.outcome == "unknown";
        let (outcome, code) = match written {
            Ok(_) => ("applied", None),
            Err(refusal) if refusal.code == Code::WriteConflict => ("conflict", Some(refusal.code)),
            Err(refusal) if refusal.code == Code::WriteRefused => ("refused", Some(refusal.code)),
            // Ours to refuse, before anything was sent this time; an earlier time may have been otherwise.
            Err(refusal) if is_refused_by_us(refusal.code) && !was_unknown => ("refused", Some(refusal.code)),
            Err(refusal) => ("unknown", Some(refusal.code)),
        };
        let there = written.as_ref().ok();
        let request = SettleRequest {
            tenant,
            endpoint,
            patient,
            proposal_id: convert::id_bytes(self.id),
            outcome: outcome.to_owned(),
            code: code.map_or("", Code::as_str).to_owned(),
            reference: there.map(|there| there.reference.clone()).unwrap_or_default(),
            version: there.map(|there| there.version.clone()).unwrap_or_default(),
        };
        let jobs = client(self.gateway)?;
        let call = once_more(|| {
            let (mut jobs, request) = (jobs.clone(), with_request_id(request.clone(), self.request_id));
            async move { jobs.settle(request).await }
        });
        within(DECIDE_WAIT, call).await
    }
}

fn is_refused_by_us(code: Code) -> bool {
    matches!(code.kind(), CodeKind::Denied | CodeKind::Invalid | CodeKind::TooLarge)
}

async fn ask(
    gateway: &Gateway,
    access: &AccessContext,
    request_id: RequestId,
) -> Result<Vec<Proposal>, Refusal> {
    let (tenant, endpoint, patient) = whose(access)?;
    let request = ListProposalsRequest { tenant, endpoint, patient };
    let jobs = client(gateway)?;
    let call = once_more(|| {
        let (mut jobs, request) = (jobs.clone(), with_request_id(request.clone(), request_id));
        async move { jobs.list_of_patient(request).await }
    });
    Ok(within(LIST_WAIT, call).await?.proposals)
}

fn whose(access: &AccessContext) -> Result<(String, String, String), Refusal> {
    let Patients::One(patient) = &access.patients else { return Err(Code::PatientDenied.into()) };
    let (tenant, endpoint) = (access.tenant.as_str().to_owned(), access.endpoint.as_str().to_owned());
    Ok((tenant, endpoint, patient.expose().to_owned()))
}

fn client(gateway: &Gateway) -> Result<ProposalsClient<Transport>, Refusal> {
    gateway.metrics.hop("job-worker");
    Ok(ProposalsClient::new(gateway.job_worker.clone().ok_or(Code::DependencyDown)?))
}

async fn within<T>(
    wait: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Refusal> {
    match tokio::time::timeout(wait, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(code_of(&status).into()),
        Err(_elapsed) => Err(Code::DependencyDown.into()),
    }
}

/// What of it this launch may see, and how many it may not: by patient, purpose and the types that each rests on, as for the
/// care gaps themselves.
fn visible(
    gateway: &Gateway,
    entry: &Entry<'_>,
    access: &AccessContext,
    rows: Vec<Proposal>,
) -> Result<(Vec<Shown>, usize), Refusal> {
    let jobs: Vec<&Job> = care_gaps::scans(&gateway.registry, entry, access).collect();
    let (mut shown, mut withheld) = (Vec::new(), 0);
    for row in rows {
        let Some(job) = jobs.iter().find(|job| job.id.as_str() == row.job) else { continue };
        let proposed: Proposed =
            serde_json::from_slice(&row.json).map_err(|_not_ours| Refusal::new(Code::Internal))?;
        care_gaps::of_the_patient(&proposed.patient, access)?;
        if !care_gaps::may_see(&proposed.assessment, entry, access) {
            withheld += 1;
            continue;
        }
        shown.push(Shown { row, title: job.title.clone(), proposed });
    }
    Ok((shown, withheld))
}

/// The feature that would write it: one that can in this launch, else the first.
fn writing<'r>(entry: &Entry<'r>, session: &Session, resource_type: &str) -> Option<&'r Feature> {
    let levels = [Level::Patient, Level::User];
    let writes = |feature: &&'r Feature| {
        feature.kind == FeatureKind::InteractiveWrite
            && feature.scopes().coverage(&levels, resource_type, Verb::Create) != Coverage::None
    };
    let (tenant, app) = (entry.tenant, entry.app);
    let of_app =
        || app.features.iter().filter_map(|id| tenant.features.iter().find(|f| f.id == *id)).filter(writes);
    of_app().find(|feature| feature.is_on(&session.granted)).or_else(|| of_app().next())
}

/// Where it goes: a new resource, or an update of the one that the payload names where it is based on a version.
fn destination(gateway: &Gateway, session: &Session, shown: &Shown) -> Result<Destination, Refusal> {
    let place = gateway.places.of(&session.tenant, &session.endpoint).ok_or(Code::Internal)?;
    let resource_type = &shown.row.resource_type;
    let is_update = !shown.row.base_version.is_empty();
    let path = if is_update {
        let payload: serde_json::Value =
            serde_json::from_str(&shown.proposed.payload).map_err(|_shape| Code::WritePayloadInvalid)?;
        let id = payload.get("id").and_then(|id| id.as_str()).ok_or(Code::WritePayloadInvalid)?.to_owned();
        format!("/{resource_type}/{id}")
    } else {
        format!("/{resource_type}")
    };
    let parsed = Destination::parse(is_update, &path, None, place.max_id_length)?;
    parsed.ok_or_else(|| Code::InteractionDenied.into())
}

fn described(session: &Session, entry: &Entry<'_>, one: Shown) -> pb::ProposalShown {
    let feature = writing(entry, session, &one.row.resource_type);
    let (may_write, code) = match feature.map(|feature| context::build_for_write(session, feature, entry)) {
        Some(Ok(_)) => (true, ""),
        Some(Err(refusal)) => (false, refusal.code.as_str()),
        None => (false, Code::FeatureUnknown.as_str()),
    };
    pb::ProposalShown {
        payload_sha256: sha256(one.proposed.payload.as_bytes()).to_vec(),
        proposal: Some(one.row),
        title: one.title,
        feature: feature.map(|feature| feature.id.as_str().to_owned()).unwrap_or_default(),
        feature_title: feature.map(|feature| feature.title.clone()).unwrap_or_default(),
        may_write,
        code: code.to_owned(),
    }
}
