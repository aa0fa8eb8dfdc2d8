//! The edge: who may ask (the operators alone), and errors as stable codes.

use std::sync::Arc;

use sallyport_data_keys::Keeper;
use sallyport_model::ServiceName;
use sallyport_proto::audit::v1::{
    CheckpointRequest, CheckpointResponse, CountsRequest, CountsResponse, DisclosuresRequest,
    DisclosuresResponse, LeavesRequest, LeavesResponse, LogStatusRequest, LogStatusResponse,
    ProveRecordRequest, ProveRecordResponse, QueryRequest, QueryResponse, SignReportRequest,
    SignReportResponse,
    audit_server::{Audit, AuditServer},
};
use sallyport_rpc::{AllowList, Served, status};
use tonic::{Request, Response, Status, service::Routes};

use crate::{
    Error,
    domain::{Domain, PURPOSE, counts, disclosures, prove, query, report},
};

const ALLOW: AllowList = &[
    ("/sallyport.audit.v1.Audit/Query", &[ServiceName::Operator]),
    ("/sallyport.audit.v1.Audit/Counts", &[ServiceName::Operator]),
    ("/sallyport.audit.v1.Audit/LogStatus", &[ServiceName::Operator]),
    ("/sallyport.audit.v1.Audit/Leaves", &[ServiceName::Operator]),
    ("/sallyport.audit.v1.Audit/Checkpoint", &[ServiceName::Operator]),
    ("/sallyport.audit.v1.Audit/ProveRecord", &[ServiceName::Operator]),
    ("/sallyport.audit.v1.Audit/Disclosures", &[ServiceName::Operator]),
    ("/sallyport.audit.v1.Audit/SignReport", &[ServiceName::Operator]),
    ("/sallyport.keys.v1.DataKeys/Rewrap", &[ServiceName::Operator]),
    ("/sallyport.keys.v1.DataKeys/Status", &[ServiceName::Operator]),
];

struct Edge {
    domain: Arc<Domain>,
}

/// The service behind its allow-list.
pub(crate) fn served(domain: Arc<Domain>) -> Served {
    // The tenants' keys key the blind indexes too: they are wrapped anew and stay what they are, and the records' bytes
    // never change.
    let keeper = Keeper::new(
        ServiceName::Audit,
        Arc::clone(&domain.ring),
        Arc::new(domain.store.clone()),
        &[PURPOSE],
        domain.audit.clone(),
    );
    let routes = Routes::new(AuditServer::new(Edge { domain }));
    Served::new(routes.add_service(keeper.server()), ALLOW)
}

#[tonic::async_trait]
impl Audit for Edge {
    async fn query(&self, request: Request<QueryRequest>) -> Result<Response<QueryResponse>, Status> {
        let answer = query::query(&self.domain, request.get_ref()).await;
        answer.map(Response::new).map_err(|error| refuse(&error))
    }

    async fn counts(&self, request: Request<CountsRequest>) -> Result<Response<CountsResponse>, Status> {
        let answer = counts::counts(&self.domain, request.get_ref()).await;
        answer.map(Response::new).map_err(|error| refuse(&error))
    }

    async fn log_status(
        &self,
        request: Request<LogStatusRequest>,
    ) -> Result<Response<LogStatusResponse>, Status> {
        let answer = prove::status(&self.domain, request.get_ref()).await;
        answer.map(Response::new).map_err(|error| refuse(&error))
    }

    async fn leaves(&self, request: Request<LeavesRequest>) -> Result<Response<LeavesResponse>, Status> {
        let answer = prove::leaves(&self.domain, request.get_ref()).await;
        answer.map(Response::new).map_err(|error| refuse(&error))
    }

    async fn checkpoint(
        &self,
        request: Request<CheckpointRequest>,
    ) -> Result<Response<CheckpointResponse>, Status> {
        let answer = prove::checkpoint(&self.domain, request.get_ref()).await;
        answer.map(Response::new).map_err(|error| refuse(&error))
    }

    async fn prove_record(
        &self,
        request: Request<ProveRecordRequest>,
    ) -> Result<Response<ProveRecordResponse>, Status> {
        let answer = prove::record(&self.domain, request.get_ref()).await;
        answer.map(Response::new).map_err(|error| refuse(&error))
    }

    async fn disclosures(
        &self,
        request: Request<DisclosuresRequest>,
    ) -> Result<Response<DisclosuresResponse>, Status> {
        let answer = disclosures::disclosures(&self.domain, request.get_ref()).await;
        answer.map(Response::new).map_err(|error| refuse(&error))
    }

    async fn sign_report(
        &self,
        request: Request<SignReportRequest>,
    ) -> Result<Response<SignReportResponse>, Status> {
        let answer = report::sign(&self.domain, request.get_ref()).await;
        answer.map(Response::new).map_err(|error| refuse(&error))
    }
}

fn refuse(error: &Error) -> Status {
    let code = error.code();
    if code.kind().http() >= 500 {
        tracing::error!(code = code.as_str(), reason = error.label(), "the audit log could not answer");
    }
    status(code)
}
