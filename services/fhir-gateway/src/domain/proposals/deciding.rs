//! A person's decision: recorded, kept by job-worker, and what is approved written at once.

use std::sync::Arc;

use sallyport_model::{AccessContext, Code, RequestId, code::Kind as CodeKind};
use sallyport_proto::{
    convert,
    gateway::v1 as pb,
    gateway::v1::decide_proposal_request::Decision,
    jobs::v1::{self as jobs, DecideRequest, Proposal, SettleRequest, decide_request},
};
use sallyport_registry::Entry;
use sallyport_rpc::{once_more, with_request_id};
use uuid::Uuid;

use super::{
    super::{
        call, care_gaps, context,
        recording::{Draft, Open, Tally},
        session::{Session, sha256},
        write::{self, Standing, Written, standing},
    },
    DECIDE_WAIT, Shown, ask, client, destination, edits_of, visible, whose, within, writing,
};
use crate::{Gateway, error::Refusal};

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
            Decision::Approve(approve) => self.approve(approve, &shown, open).await,
        }
    }

    async fn approve(
        &self,
        approve: jobs::Approve,
        shown: &Shown,
        open: &mut Open<'_>,
    ) -> Result<Proposal, Refusal> {
        let base_version = shown.row.base_version.as_str();
        let edited = shown.proposed.edited(&edits_of(&approve.edits));
        let edited = edited.map_err(|_fault| Code::ProposalEditInvalid)?;
        let is_shown = sha256(edited.payload.as_bytes()).as_slice() == approve.payload_sha256.as_slice()
            && approve.base_version == base_version;
        if !is_shown && !sallyport_model::planted!("proposal-payload-unbound") {
            return Err(Code::ProposalChanged.into());
        }
        if let (Some(draft), false) = (open.draft(), edited.fields.is_empty()) {
            draft.remark(&format!("edited: {}", edited.fields.join(", ")));
        }
        let payload = if sallyport_model::planted!("proposal-edit-dropped") {
            shown.proposed.payload.as_str()
        } else {
            edited.payload.as_str()
        };
        let feature = writing(self.entry, self.session, &shown.row.resource_type).ok_or(Code::FeatureOff)?;
        // Before it is decided: what cannot be written in this launch stays open for one in which it can.
        context::build_for_write(self.session, feature, self.entry)?;
        let destination = destination(self.gateway, self.session, shown)?;
        // From before it is decided: whoever comes back later than that sends nothing any more, and the approval is settled
        // without them.
        let over = self.gateway.deadline() + DECIDE_WAIT;
        let before = self.tell(decide_request::Decision::Approve(approve)).await?;
        let request = write::Request {
            session: self.session,
            feature: feature.id.as_str(),
            destination,
            payload,
            base_version: (!base_version.is_empty()).then(|| base_version.to_owned()),
            proposal: Some(self.id),
            request_id: self.request_id,
            deadline: self.gateway.deadline().min(over),
        };
        let written = Box::pin(write::run(self.gateway, request)).await;
        let settled = self.settle(&written).await;
        match (written, settled) {
            (Ok(_), Ok(now)) => Ok(now),
            // It is written, and job-worker could not be told: the ledger tells it in the background.
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

    /// Tells what came of it. Where the write was not made, the ledger says whether an earlier approval made it.
    async fn settle(&self, written: &Result<Written, Refusal>) -> Result<Proposal, Refusal> {
        let (tenant, endpoint, patient) = whose(self.access)?;
        let (outcome, code, there) = match written {
            Ok(there) => ("applied", None, Some(there.clone())),
            Err(refusal) => match (standing(self.gateway, &self.session.tenant, self.id).await, refusal.code)
            {
                (Ok(Standing::There(there)), _) => ("applied", None, Some(there)),
                (Ok(Standing::Nothing(_) | Standing::Nowhere), code @ Code::WriteConflict) => {
                    ("conflict", Some(code), None)
                }
                // The EHR's to refuse, or ours before anything was sent.
                (Ok(Standing::Nothing(_) | Standing::Nowhere), code) if is_refused_by_us(code) => {
                    ("refused", Some(code), None)
                }
                (_, code) => ("unknown", Some(code), None),
            },
        };
        let request = SettleRequest {
            tenant,
            endpoint,
            patient,
            proposal_id: convert::id_bytes(self.id),
            outcome: outcome.to_owned(),
            code: code.map_or("", Code::as_str).to_owned(),
            reference: there.as_ref().map(|there| there.reference.clone()).unwrap_or_default(),
            version: there.map(|there| there.version).unwrap_or_default(),
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
