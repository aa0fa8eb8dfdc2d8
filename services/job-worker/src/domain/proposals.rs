//! Proposals of one patient: listed, decided on, and settled, for a live launch of that patient. Who may is the gateway's to
//! decide; a decision is recorded here before it counts.

pub(crate) mod finishing;

use std::sync::Arc;

use sallyport_care_gaps::{Edit, Proposed};
use sallyport_model::{Code, EndpointId, LaunchId, PatientId, Secret, TenantId, planted};
use sallyport_proto::{convert, types::v1::User};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    error::Error,
    kinds::PROPOSAL,
    records::{self, Decided},
    sealing::Sealed,
    store::{End, Proposal, State},
    worker::Worker,
};

/// Whose.
pub(crate) struct Whose {
    pub(crate) tenant: TenantId,
    pub(crate) endpoint: EndpointId,
    pub(crate) patient: PatientId,
}

/// A proposal, opened. Holds patient data: no `Debug`.
pub(crate) struct Opened {
    pub(crate) row: Proposal,
    /// [`Proposed`], as JSON.
    pub(crate) json: Secret<Vec<u8>>,
    pub(crate) written: Written,
    pub(crate) reason: String,
    /// With which edits it was approved.
    pub(crate) edits: Vec<Edit>,
    /// SHA-256 of what was approved the last time, in hexadecimal.
    approved: String,
}

/// What the EHR has of it; sealed where it is kept.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) reference: String,
    pub(crate) version: String,
}

/// Who decided what; sealed where it is kept.
#[derive(Serialize, Deserialize)]
struct Decision {
    launch: String,
    issuer: String,
    subject: String,
    /// SHA-256 of what was approved, in hexadecimal; empty for a rejection.
    approved: String,
    base_version: String,
    reason: String,
    /// What the person changed before approving.
    #[serde(default)]
    edits: Vec<Edit>,
}

/// What a person wants.
pub(crate) enum Wish {
    Approve { payload_sha256: Vec<u8>, base_version: String, edits: Vec<Edit> },
    Reject { reason: String },
}

/// Everything about a patient.
pub(crate) async fn list(worker: &Arc<Worker>, whose: &Whose) -> Result<Vec<Opened>, Error> {
    let rows = rows(worker, whose).await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        all.push(open(worker, whose, row).await?);
    }
    Ok(all)
}

/// Decides. An approval that comes again is the one that there is.
pub(crate) async fn decide(
    worker: &Arc<Worker>,
    whose: &Whose,
    id: Uuid,
    (launch, user): (LaunchId, &User),
    wish: Wish,
) -> Result<Opened, Error> {
    let found = one(worker, whose, id).await?;
    let user_of = |approved, base_version, reason, edits| Decision {
        launch: launch.to_string(),
        issuer: user.issuer.clone(),
        subject: user.subject.clone(),
        approved,
        base_version,
        reason,
        edits,
    };
    let (to, what, edited, decision) = match wish {
        Wish::Approve { payload_sha256, base_version, edits } => {
            let proposed: Proposed =
                serde_json::from_slice(found.json.expose()).map_err(|_ours| Code::Internal)?;
            let edited = proposed.edited(&edits).map_err(|_fault| Code::ProposalEditInvalid)?;
            let is_bound =
                sha256(edited.payload.as_bytes()) == payload_sha256 && found.row.base_version == base_version;
            if !is_bound && !planted!("proposal-payload-unbound") {
                return Err(Code::ProposalChanged.into());
            }
            let decision = user_of(hex(&payload_sha256), base_version, String::new(), edits);
            (State::Approved, "approve", edited.fields, decision)
        }
        Wish::Reject { reason } => {
            if !convert::is_reason(&reason) {
                return Err(Code::RequestInvalid.into());
            }
            let decision = user_of(String::new(), String::new(), reason, Vec::new());
            (State::Rejected, "reject", Vec::new(), decision)
        }
    };
    match found.row.state {
        State::Open => {}
        // The ledger's key is the proposal: going on with it finds what the first approval has written.
        State::Approved if to == State::Approved => {
            // What may have been written is gone on with as it was approved, in no other words.
            if found.approved != decision.approved {
                return Err(Code::WritePayloadChanged.into());
            }
            worker.store.touch_approval(id, worker.now()).await?;
            return one(worker, whose, id).await;
        }
        _ => return Err(Code::ProposalDecided.into()),
    }
    let decided = Decided { launch, user, what, proposal: id, edited: &edited };
    let about = (&whose.tenant, &whose.endpoint, &whose.patient);
    records::of_decision(worker, about, &found.row.job, &decided).await?;
    let json = serde_json::to_vec(&decision).map_err(|_never| Code::Internal)?;
    let sealed = seal(worker, &whose.tenant, id, "decision", &json).await?;
    let is_done = worker.store.decide(&found.row, to, &sealed, worker.now()).await?;
    let now = one(worker, whose, id).await?;
    match now.row.state {
        state if is_done || (state == to && to == State::Approved) => Ok(now),
        // It was replaced between the look and the decision.
        State::Open => Err(Code::ProposalChanged.into()),
        _ => Err(Code::ProposalDecided.into()),
    }
}

/// What came of an approval.
pub(crate) async fn settle(
    worker: &Arc<Worker>,
    whose: &Whose,
    id: Uuid,
    (outcome, code): (&str, Option<Code>),
    written: Written,
) -> Result<Opened, Error> {
    let found = one(worker, whose, id).await?;
    // What the EHR has is not open, even where somebody found too early that it has not.
    if found.row.state != State::Approved && outcome != "applied" {
        return Err(Code::ProposalDecided.into());
    }
    let end = end(worker, &whose.tenant, id, (outcome, code), &written).await?;
    worker.store.settle(id, &end, worker.now()).await?;
    one(worker, whose, id).await
}

/// How an approval ends.
async fn end<'a>(
    worker: &Arc<Worker>,
    tenant: &TenantId,
    id: Uuid,
    (outcome, code): (&'a str, Option<Code>),
    written: &Written,
) -> Result<End<'a>, Error> {
    let to = match outcome {
        "applied" | "unknown" => State::Approved,
        // Nothing was written: somebody has to look again.
        "refused" | "conflict" => State::Open,
        _ => return Err(Code::RequestInvalid.into()),
    };
    let json = serde_json::to_vec(written).map_err(|_never| Code::Internal)?;
    let result = match outcome {
        "applied" => Some(seal(worker, tenant, id, "result", &json).await?),
        _ => None,
    };
    Ok(End { to, outcome, code: code.map_or("", Code::as_str), result, touched_at: None })
}

async fn rows(worker: &Arc<Worker>, whose: &Whose) -> Result<Vec<Proposal>, Error> {
    let known = worker.registry.tenant(&whose.tenant).ok_or(Code::RequestInvalid)?;
    if !known.endpoints.iter().any(|endpoint| endpoint.id == whose.endpoint) {
        return Err(Code::RequestInvalid.into());
    }
    let subject = worker
        .sealing
        .subject(&whose.tenant, whose.endpoint.as_str(), whose.patient.expose().as_bytes())
        .await?;
    let place = (whose.tenant.as_str(), whose.endpoint.as_str());
    Ok(worker.store.proposals_about(place, &subject, worker.now()).await?)
}

/// One of this patient's: another's is not there.
async fn one(worker: &Arc<Worker>, whose: &Whose, id: Uuid) -> Result<Opened, Error> {
    let row = rows(worker, whose).await?.into_iter().find(|row| row.id == id);
    open(worker, whose, row.ok_or(Code::ProposalUnknown)?).await
}

async fn open(worker: &Arc<Worker>, whose: &Whose, row: Proposal) -> Result<Opened, Error> {
    let open = async |field: &'static str, sealed: &Sealed| {
        let place = (&row.id.as_bytes()[..], field);
        worker.sealing.open(&whose.tenant, sealed.data_key, place, &sealed.bytes).await
    };
    let json = open(PROPOSAL, &row.sealed).await?;
    let written = match &row.result {
        Some(sealed) => {
            serde_json::from_slice(open("result", sealed).await?.expose()).map_err(|_ours| Code::Internal)?
        }
        None => Written::default(),
    };
    let (reason, edits, approved) = match &row.decision {
        Some(sealed) => {
            let opened = open("decision", sealed).await?;
            let decision: Decision =
                serde_json::from_slice(opened.expose()).map_err(|_ours| Code::Internal)?;
            // Of what is open again somebody decides anew.
            let is_approved = row.state == State::Approved;
            let edits = if is_approved { decision.edits } else { Vec::new() };
            (decision.reason, edits, decision.approved)
        }
        None => <(String, Vec<Edit>, String)>::default(),
    };
    Ok(Opened { row, json, written, reason, edits, approved })
}

async fn seal(
    worker: &Arc<Worker>,
    tenant: &TenantId,
    id: Uuid,
    field: &str,
    json: &[u8],
) -> Result<Sealed, Error> {
    Ok(worker.sealing.sealer(tenant).await?.seal((id.as_bytes(), field), json))
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
