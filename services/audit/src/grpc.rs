//! The edge: who may ask (the operators alone), and errors as stable codes.

use std::sync::Arc;

use sallyport_data_keys::Keeper;
use sallyport_model::{ServiceName, operator::Right};
use sallyport_proto::{
    audit::v1::{
        ActivityRequest, ActivityResponse, CheckpointRequest, CheckpointResponse, CountsRequest,
        CountsResponse, DisclosuresRequest, DisclosuresResponse, LeavesRequest, LeavesResponse,
        ListReviewsRequest, ListReviewsResponse, LogStatusRequest, LogStatusResponse, ProveRecordRequest,
        ProveRecordResponse, QueryRequest, QueryResponse, Review, SaveReviewRequest, SignReportRequest,
        SignReportResponse, UnmaskRequest, UnmaskResponse,
        audit_server::{Audit, AuditServer},
    },
    convert,
};
use sallyport_rpc::{
    AllowList, Served,
    console::{Asker, ConsoleList, Sessions, asker},
    status,
};
use tonic::{Request, Response, Status, service::Routes};

use crate::{
    Error,
    domain::{Domain, PURPOSE, activity, console, counts, disclosures, prove, query, report, reviews},
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
    // Nobody without a session at the console.
    ("/sallyport.audit.v1.Audit/Unmask", &[]),
    ("/sallyport.audit.v1.Audit/SaveReview", &[]),
    ("/sallyport.audit.v1.Audit/Activity", &[ServiceName::Operator]),
    ("/sallyport.audit.v1.Audit/ListReviews", &[ServiceName::Operator]),
    ("/sallyport.keys.v1.DataKeys/Rewrap", &[ServiceName::Operator]),
    ("/sallyport.keys.v1.DataKeys/Status", &[ServiceName::Operator]),
];

/// What somebody at the console may call, and which right it takes.
const CONSOLE: ConsoleList = &[
    ("/sallyport.audit.v1.Audit/Query", &[Right::ReadAudit]),
    ("/sallyport.audit.v1.Audit/LogStatus", &[Right::See]),
    ("/sallyport.audit.v1.Audit/Activity", &[Right::See]),
    ("/sallyport.audit.v1.Audit/Checkpoint", &[Right::ReadAudit]),
    ("/sallyport.audit.v1.Audit/ProveRecord", &[Right::ReadAudit]),
    ("/sallyport.audit.v1.Audit/Disclosures", &[Right::Unmask]),
    ("/sallyport.audit.v1.Audit/Unmask", &[Right::Unmask]),
    ("/sallyport.audit.v1.Audit/SaveReview", &[Right::Review]),
    ("/sallyport.audit.v1.Audit/ListReviews", &[Right::ReadAudit]),
    ("/sallyport.audit.v1.Audit/SignReport", &[Right::Respond]),
];

struct Edge {
    domain: Arc<Domain>,
}

/// The service behind its allow-list.
pub(crate) fn served(domain: Arc<Domain>, sessions: Sessions) -> Served {
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
    Served::new(routes.add_service(keeper.server()), ALLOW).at_console(CONSOLE, sessions)
}

/// Asks as who is there asks: for their tenant, under their name.
macro_rules! asked {
    ($request:ident) => {{
        let asker = asker(&$request);
        let mut message = $request.into_inner();
        within(&asker, &message.tenant)?;
        message.operator = asker.named(&message.operator);
        (asker, message)
    }};
}

#[tonic::async_trait]
impl Audit for Edge {
    async fn query(&self, request: Request<QueryRequest>) -> Result<Response<QueryResponse>, Status> {
        let (asker, message) = asked!(request);
        let answer = match asker.is_masked() {
            true => console::query(&self.domain, &message).await,
            false => query::query(&self.domain, &message).await,
        };
        told(answer)
    }

    async fn counts(&self, request: Request<CountsRequest>) -> Result<Response<CountsResponse>, Status> {
        told(counts::counts(&self.domain, request.get_ref()).await)
    }

    async fn log_status(
        &self,
        request: Request<LogStatusRequest>,
    ) -> Result<Response<LogStatusResponse>, Status> {
        within(&asker(&request), &request.get_ref().tenant)?;
        told(prove::status(&self.domain, request.get_ref()).await)
    }

    async fn leaves(&self, request: Request<LeavesRequest>) -> Result<Response<LeavesResponse>, Status> {
        told(prove::leaves(&self.domain, request.get_ref()).await)
    }

    async fn checkpoint(
        &self,
        request: Request<CheckpointRequest>,
    ) -> Result<Response<CheckpointResponse>, Status> {
        within(&asker(&request), &request.get_ref().tenant)?;
        told(prove::checkpoint(&self.domain, request.get_ref()).await)
    }

    async fn prove_record(
        &self,
        request: Request<ProveRecordRequest>,
    ) -> Result<Response<ProveRecordResponse>, Status> {
        let (_asker, message) = asked!(request);
        told(prove::record(&self.domain, &message).await)
    }

    async fn disclosures(
        &self,
        request: Request<DisclosuresRequest>,
    ) -> Result<Response<DisclosuresResponse>, Status> {
        let (_asker, message) = asked!(request);
        told(disclosures::disclosures(&self.domain, &message).await)
    }

    async fn sign_report(
        &self,
        request: Request<SignReportRequest>,
    ) -> Result<Response<SignReportResponse>, Status> {
        let asker = asker(&request);
        let mut message = request.into_inner();
        message.operator = asker.named(&message.operator);
        told(report::sign(&self.domain, &message).await)
    }

    async fn unmask(&self, request: Request<UnmaskRequest>) -> Result<Response<UnmaskResponse>, Status> {
        let asker = asker(&request);
        within(&asker, &request.get_ref().tenant)?;
        told(console::unmask(&self.domain, request.get_ref(), &asker.named("")).await)
    }

    async fn activity(
        &self,
        request: Request<ActivityRequest>,
    ) -> Result<Response<ActivityResponse>, Status> {
        within(&asker(&request), &request.get_ref().tenant)?;
        told(activity::activity(&self.domain, request.get_ref()).await)
    }

    async fn save_review(&self, request: Request<SaveReviewRequest>) -> Result<Response<Review>, Status> {
        let asker = asker(&request);
        within(&asker, &request.get_ref().tenant)?;
        told(reviews::save(&self.domain, request.get_ref(), &asker.named("")).await)
    }

    async fn list_reviews(
        &self,
        request: Request<ListReviewsRequest>,
    ) -> Result<Response<ListReviewsResponse>, Status> {
        within(&asker(&request), &request.get_ref().tenant)?;
        told(reviews::list(&self.domain, request.get_ref()).await)
    }
}

/// What is about no tenant alone is for those who are there for all.
fn within(asker: &Asker, tenant: &str) -> Result<(), Status> {
    match tenant {
        "" => asker.may_ask_about_all().map_err(status),
        name => asker.may_ask_about(&convert::tenant(name)?).map_err(status),
    }
}

fn told<T>(answer: Result<T, Error>) -> Result<Response<T>, Status> {
    answer.map(Response::new).map_err(|error| refuse(&error))
}

fn refuse(error: &Error) -> Status {
    let code = error.code();
    if code.kind().http() >= 500 {
        tracing::error!(code = code.as_str(), reason = error.label(), "the audit log could not answer");
    }
    status(code)
}
