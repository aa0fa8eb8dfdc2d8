//! The edge: who may ask (the operators alone), and errors as stable codes.

use std::sync::Arc;

use sallyport_model::ServiceName;
use sallyport_proto::audit::v1::{
    CountsRequest, CountsResponse, QueryRequest, QueryResponse,
    audit_server::{Audit, AuditServer},
};
use sallyport_rpc::{AllowList, Served, status};
use tonic::{Request, Response, Status, service::Routes};

use crate::{
    Error,
    domain::{Domain, counts, query},
};

const ALLOW: AllowList = &[
    ("/sallyport.audit.v1.Audit/Query", &[ServiceName::Operator]),
    ("/sallyport.audit.v1.Audit/Counts", &[ServiceName::Operator]),
];

struct Edge {
    domain: Arc<Domain>,
}

/// The service behind its allow-list.
pub(crate) fn served(domain: Arc<Domain>) -> Served {
    Served::new(Routes::new(AuditServer::new(Edge { domain })), ALLOW)
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
}

fn refuse(error: &Error) -> Status {
    let code = error.code();
    if code.kind().http() >= 500 {
        tracing::error!(code = code.as_str(), reason = error.label(), "the audit log could not answer");
    }
    status(code)
}
