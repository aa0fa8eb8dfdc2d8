//! The edge for what jobs propose about a patient.

use std::sync::Arc;

use sallyport_care_gaps::Edit;
use sallyport_model::{Code, EndpointId, PatientId};
use sallyport_proto::{
    convert,
    jobs::v1::{
        DecideRequest, Edit as WireEdit, FinishRequest, FinishResponse, ListProposalsRequest,
        ListProposalsResponse, ListUnfinishedRequest, ListUnfinishedResponse, Proposal, SettleRequest,
        Unfinished, decide_request::Decision, proposals_server::Proposals,
    },
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    domain::proposals::{self, Opened, Whose, Wish, Written, finishing},
    error::Error,
    worker::Worker,
};

/// The service.
pub(crate) struct Edge(pub(crate) Arc<Worker>);

#[tonic::async_trait]
impl Proposals for Edge {
    async fn list_of_patient(
        &self,
        request: Request<ListProposalsRequest>,
    ) -> Result<Response<ListProposalsResponse>, Status> {
        let request = request.into_inner();
        let whose = whose(&request.tenant, &request.endpoint, &request.patient)?;
        let all = proposals::list(&self.0, &whose).await.map_err(Error::into_status)?;
        Ok(Response::new(ListProposalsResponse { proposals: all.into_iter().map(told).collect() }))
    }

    async fn decide(&self, request: Request<DecideRequest>) -> Result<Response<Proposal>, Status> {
        let request = request.into_inner();
        let whose = whose(&request.tenant, &request.endpoint, &request.patient)?;
        let (id, launch) = (id(&request.proposal_id)?, convert::launch_id(&request.launch_id)?);
        let user = request.user.ok_or(convert::InvalidField("user"))?;
        let wish = match request.decision.ok_or(convert::InvalidField("decision"))? {
            Decision::Approve(approve) => {
                let (payload_sha256, base_version) = (approve.payload_sha256, approve.base_version);
                let edits = approve.edits.into_iter();
                let edits = edits.map(|edit| Edit { field: edit.field, text: edit.text }).collect();
                Wish::Approve { payload_sha256, base_version, edits }
            }
            Decision::Reject(reject) => Wish::Reject { reason: reject.reason },
        };
        let decided = proposals::decide(&self.0, &whose, id, (launch, &user), wish).await;
        decided.map(|one| Response::new(told(one))).map_err(Error::into_status)
    }

    async fn settle(&self, request: Request<SettleRequest>) -> Result<Response<Proposal>, Status> {
        let request = request.into_inner();
        let whose = whose(&request.tenant, &request.endpoint, &request.patient)?;
        let written = Written { reference: request.reference, version: request.version };
        let outcome = (request.outcome.as_str(), code(&request.code)?);
        let settled = proposals::settle(&self.0, &whose, id(&request.proposal_id)?, outcome, written).await;
        settled.map(|one| Response::new(told(one))).map_err(Error::into_status)
    }

    async fn list_unfinished(
        &self,
        request: Request<ListUnfinishedRequest>,
    ) -> Result<Response<ListUnfinishedResponse>, Status> {
        let request = request.into_inner();
        let after = if request.after.is_empty() { Uuid::nil() } else { id(&request.after)? };
        let found = finishing::list(&self.0, request.untouched_for_ms, after).await;
        let proposals = found.map_err(Error::into_status)?.into_iter().map(|one| Unfinished {
            proposal_id: convert::id_bytes(one.id),
            tenant: one.tenant,
            endpoint: one.endpoint,
            outcome: one.outcome,
            code: one.code,
            decided_at: one.decided_at,
            touched_at: one.touched_at,
        });
        Ok(Response::new(ListUnfinishedResponse { proposals: proposals.collect() }))
    }

    async fn finish(&self, request: Request<FinishRequest>) -> Result<Response<FinishResponse>, Status> {
        let request = request.into_inner();
        let tenant = convert::tenant(&request.tenant)?;
        let which = (id(&request.proposal_id)?, request.touched_at);
        let outcome = (request.outcome.as_str(), code(&request.code)?);
        let written = Written { reference: request.reference, version: request.version };
        let finished = finishing::finish(&self.0, &tenant, which, outcome, written).await;
        let is_finished = finished.map_err(Error::into_status)?;
        Ok(Response::new(FinishResponse { is_finished }))
    }
}

fn code(text: &str) -> Result<Option<Code>, Status> {
    match text {
        "" => Ok(None),
        text => Ok(Some(Code::parse(text).ok_or(convert::InvalidField("code"))?)),
    }
}

fn whose(tenant: &str, endpoint: &str, patient: &str) -> Result<Whose, Status> {
    Ok(Whose {
        tenant: convert::tenant(tenant)?,
        endpoint: EndpointId::parse(endpoint).map_err(|_shape| convert::InvalidField("endpoint"))?,
        patient: PatientId::parse(patient).map_err(|_shape| convert::InvalidField("patient"))?,
    })
}

fn id(bytes: &[u8]) -> Result<Uuid, Status> {
    Uuid::from_slice(bytes).map_err(|_length| convert::InvalidField("proposal_id").into())
}

fn told(one: Opened) -> Proposal {
    let Opened { row, json, written, reason, edits, .. } = one;
    Proposal {
        proposal_id: convert::id_bytes(row.id),
        job: row.job,
        run_id: convert::id_bytes(row.run.uuid()),
        rule: row.rule,
        resource_type: row.resource_type,
        base_version: row.base_version,
        state: row.state.as_str().to_owned(),
        outcome: row.outcome,
        code: row.code,
        created_at: row.created_at,
        expires_at: row.expires_at,
        decided_at: row.decided_at,
        json: json.expose().clone(),
        reference: written.reference,
        version: written.version,
        reason,
        edits: edits.into_iter().map(|edit| WireEdit { field: edit.field, text: edit.text }).collect(),
    }
}
