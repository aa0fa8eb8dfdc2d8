//! The edge for `web`: the person's cookie comes as metadata; web's own identity alone opens nothing. And for job-worker,
//! whose every message carries its run's authority (`jobs.rs`).

mod jobs;

use std::sync::Arc;

use sallyport_clinical::Section;
use sallyport_data_keys::Keeper;
use sallyport_fhir::Destination;
use sallyport_model::{Code, RequestId, Secret, ServiceName};
use sallyport_proto::{
    convert,
    gateway::v1::{
        CallRequest, CallResponse, CapabilityRequest, CapabilityResponse, CareGapsRequest, CareGapsResponse,
        ChartRequest, ChartResponse, DecideProposalRequest, DecideProposalResponse, FetchBulkFileRequest,
        FetchBulkFileResponse, LookRequest, LookResponse, ProbeRequest, ProbeResponse, ProposalsRequest,
        ProposalsResponse, SourceRequest, SourceResponse, ViewRequest, ViewResponse, WriteRequest,
        WriteResponse, WritesRequest, WritesResponse,
        fhir_gateway_server::{FhirGateway, FhirGatewayServer},
        writes_response,
    },
};
use sallyport_rpc::{AllowList, SESSION_METADATA, Served, status, status_with_retry_after};
use tonic::{Request, Response, Status, codegen::BoxStream, service::Routes};

use crate::{
    Gateway,
    domain::{
        call,
        capability::{asked, looking},
        care_gaps, chart, context, proposals,
        session::{Session, sha256},
        view, write,
    },
    error::Refusal,
    http::{not_opened, read_source},
    store::Finding,
};

const ALLOW: AllowList = &[
    ("/sallyport.gateway.v1.FhirGateway/View", &[ServiceName::Web, ServiceName::Edge]),
    ("/sallyport.gateway.v1.FhirGateway/Chart", &[ServiceName::Web]),
    ("/sallyport.gateway.v1.FhirGateway/Source", &[ServiceName::Web]),
    ("/sallyport.gateway.v1.FhirGateway/CareGaps", &[ServiceName::Web]),
    ("/sallyport.gateway.v1.FhirGateway/Proposals", &[ServiceName::Web]),
    ("/sallyport.gateway.v1.FhirGateway/DecideProposal", &[ServiceName::Web]),
    ("/sallyport.gateway.v1.FhirGateway/Call", &[ServiceName::JobWorker]),
    ("/sallyport.gateway.v1.FhirGateway/FetchBulkFile", &[ServiceName::JobWorker]),
    ("/sallyport.gateway.v1.FhirGateway/Probe", &[ServiceName::Operator]),
    ("/sallyport.gateway.v1.FhirGateway/Look", &[ServiceName::Operator]),
    ("/sallyport.gateway.v1.FhirGateway/Capability", &[ServiceName::Operator]),
    ("/sallyport.gateway.v1.FhirGateway/Write", &[ServiceName::Web]),
    ("/sallyport.gateway.v1.FhirGateway/Writes", &[ServiceName::Web]),
    ("/sallyport.keys.v1.DataKeys/Rewrap", &[ServiceName::Operator]),
    ("/sallyport.keys.v1.DataKeys/Status", &[ServiceName::Operator]),
];

/// The service behind its allow-list.
pub(crate) fn served(gateway: Arc<Gateway>, keeper: Keeper) -> Served {
    let routes = Routes::new(FhirGatewayServer::new(Edge(gateway)));
    Served::new(routes.add_service(keeper.server()), ALLOW)
}

struct Edge(Arc<Gateway>);

impl Edge {
    fn request_id<T>(&self, request: &Request<T>) -> RequestId {
        sallyport_rpc::request_id(request).unwrap_or_else(|| RequestId::new(self.0.clock.as_ref()))
    }

    /// Opens the session that the metadata's secret belongs to.
    async fn open<T: Sync>(
        &self,
        request: &Request<T>,
        launch: &[u8],
    ) -> Result<(Arc<Session>, RequestId), Status> {
        let request_id = self.request_id(request);
        let launch = convert::launch_id(launch)?;
        let secret = request.metadata().get_bin(SESSION_METADATA).and_then(|value| value.to_bytes().ok());
        let secret = secret.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok()).map(Secret::new);
        let secret = secret.filter(|s| !s.expose().is_empty()).ok_or_else(|| status(Code::SessionMissing))?;
        match self.0.sessions.open(launch, &secret).await {
            Ok(session) => Ok((session, request_id)),
            Err(code) => Err(refused(&not_opened(&self.0, launch, request_id, code).await)),
        }
    }
}

#[tonic::async_trait]
impl FhirGateway for Edge {
    async fn view(&self, request: Request<ViewRequest>) -> Result<Response<ViewResponse>, Status> {
        let (session, _) = self.open(&request, &request.get_ref().launch_id).await?;
        let entry = context::entry(&self.0.registry, &session).map_err(|refusal| refused(&refusal))?;
        Ok(Response::new(view::view(&session, &entry)))
    }

    async fn chart(&self, request: Request<ChartRequest>) -> Result<Response<ChartResponse>, Status> {
        let (session, request_id) = self.open(&request, &request.get_ref().launch_id).await?;
        let ChartRequest { section, by_person, .. } = request.into_inner();
        let section: Section = section.parse().map_err(|_unknown| status(Code::NotFound))?;
        if by_person {
            self.0.activity.note(session.launch, self.0.clock.now(), session.expires_at());
        }
        let read = Box::pin(chart::section(&self.0, &session, section, None, request_id)).await;
        let section = read.map_err(|refusal| refused(&refusal))?;
        let json = serde_json::to_vec(&section).map_err(|_never| status(Code::Internal))?;
        Ok(Response::new(ChartResponse { json: json.into() }))
    }

    async fn source(&self, request: Request<SourceRequest>) -> Result<Response<SourceResponse>, Status> {
        let (session, request_id) = self.open(&request, &request.get_ref().launch_id).await?;
        let reference = request.into_inner().reference;
        let read = Box::pin(read_source(&self.0, &session, &reference, None, request_id)).await;
        let released = read.map_err(|refusal| refused(&refusal))?;
        Ok(Response::new(SourceResponse { json: released.body.to_vec(), read_at: released.read_at }))
    }

    async fn care_gaps(
        &self,
        request: Request<CareGapsRequest>,
    ) -> Result<Response<CareGapsResponse>, Status> {
        let (session, request_id) = self.open(&request, &request.get_ref().launch_id).await?;
        if request.get_ref().by_person {
            self.0.activity.note(session.launch, self.0.clock.now(), session.expires_at());
        }
        let found = Box::pin(care_gaps::of_patient(&self.0, &session, request_id)).await;
        let found = found.map_err(|refusal| refused(&refusal))?;
        Ok(Response::new(care_gaps::told(found)))
    }

    async fn proposals(
        &self,
        request: Request<ProposalsRequest>,
    ) -> Result<Response<ProposalsResponse>, Status> {
        let (session, request_id) = self.open(&request, &request.get_ref().launch_id).await?;
        if request.get_ref().by_person {
            self.0.activity.note(session.launch, self.0.clock.now(), session.expires_at());
        }
        let listed = Box::pin(proposals::list(&self.0, &session, request_id)).await;
        listed.map(Response::new).map_err(|refusal| refused(&refusal))
    }

    async fn decide_proposal(
        &self,
        request: Request<DecideProposalRequest>,
    ) -> Result<Response<DecideProposalResponse>, Status> {
        let (session, request_id) = self.open(&request, &request.get_ref().launch_id).await?;
        self.0.activity.note(session.launch, self.0.clock.now(), session.expires_at());
        let decided = Box::pin(proposals::decide(&self.0, &session, request_id, request.into_inner())).await;
        let proposal = decided.map_err(|refusal| refused(&refusal))?;
        Ok(Response::new(DecideProposalResponse { proposal: Some(proposal) }))
    }

    async fn call(&self, request: Request<CallRequest>) -> Result<Response<CallResponse>, Status> {
        let request_id = self.request_id(&request);
        Box::pin(jobs::call(&self.0, request.into_inner(), request_id)).await.map(Response::new)
    }

    type FetchBulkFileStream = BoxStream<FetchBulkFileResponse>;

    async fn fetch_bulk_file(
        &self,
        request: Request<FetchBulkFileRequest>,
    ) -> Result<Response<Self::FetchBulkFileStream>, Status> {
        let request_id = self.request_id(&request);
        let stream = jobs::fetch(&self.0, request.into_inner(), request_id).await?;
        Ok(Response::new(Box::pin(stream)))
    }

    async fn probe(&self, request: Request<ProbeRequest>) -> Result<Response<ProbeResponse>, Status> {
        let request_id = self.request_id(&request);
        let told = asked::probe(&self.0, &request.into_inner(), request_id).await;
        told.map(Response::new).map_err(|refusal| refused(&refusal))
    }

    async fn look(&self, request: Request<LookRequest>) -> Result<Response<LookResponse>, Status> {
        let request_id = self.request_id(&request);
        let told = Box::pin(looking::asked(&self.0, request.get_ref(), request_id)).await;
        told.map(Response::new).map_err(|refusal| refused(&refusal))
    }

    async fn capability(
        &self,
        request: Request<CapabilityRequest>,
    ) -> Result<Response<CapabilityResponse>, Status> {
        let told = asked::capability(&self.0, &request.into_inner()).await;
        told.map(Response::new).map_err(|refusal| refused(&refusal))
    }

    async fn write(&self, request: Request<WriteRequest>) -> Result<Response<WriteResponse>, Status> {
        let (session, request_id) = self.open(&request, &request.get_ref().launch_id).await?;
        let message = request.into_inner();
        self.0.activity.note(session.launch, self.0.clock.now(), session.expires_at());
        let written = match self.write_request(&session, &message, request_id) {
            Ok(wanted) => Box::pin(write::run(&self.0, wanted)).await,
            Err(refusal) => Err(call::refuse(&self.0, (&session).into(), request_id, refusal).await),
        };
        let written = written.map_err(|refusal| refused(&refusal))?;
        Ok(Response::new(WriteResponse {
            write_id: convert::id_bytes(written.write_id),
            reference: written.reference,
            version: written.version,
            repeated: written.is_repeated,
        }))
    }

    async fn writes(&self, request: Request<WritesRequest>) -> Result<Response<WritesResponse>, Status> {
        let (session, _) = self.open(&request, &request.get_ref().launch_id).await?;
        let listed = write::list(&self.0, &session).await.map_err(|refusal| refused(&refusal))?;
        let described = listed.into_iter().map(|(write, there)| writes_response::Write {
            write_id: convert::id_bytes(write.id),
            state: write.state.as_str().to_owned(),
            finding: write.finding.map_or("", Finding::as_str).to_owned(),
            operation: write.operation,
            resource_type: write.resource_type,
            reference: there.map(|there| there.reference).unwrap_or_default(),
            code: write.code.map_or("", Code::as_str).to_owned(),
            created_at: write.created_at,
            proposal_id: write.proposal.map(convert::id_bytes).unwrap_or_default(),
        });
        Ok(Response::new(WritesResponse { writes: described.collect() }))
    }
}

impl Edge {
    /// What is to be written, if it is what was approved.
    fn write_request<'a>(
        &self,
        session: &'a Arc<Session>,
        message: &'a WriteRequest,
        request_id: RequestId,
    ) -> Result<write::Request<'a>, Refusal> {
        if sha256(&message.payload).as_slice() != message.approved_sha256.as_slice() {
            return Err(Code::WritePayloadChanged.into());
        }
        let payload = std::str::from_utf8(&message.payload)
            .map_err(|_bytes| Refusal::because(Code::WritePayloadInvalid, "the body is not UTF-8"))?;
        let place = self.0.places.of(&session.tenant, &session.endpoint).ok_or(Code::Internal)?;
        let path = match message.id.as_str() {
            "" => format!("/{}", message.resource_type),
            id => format!("/{}/{id}", message.resource_type),
        };
        let destination = Destination::parse(!message.id.is_empty(), &path, None, place.max_id_length)?;
        let proposal = match message.proposal_id.as_slice() {
            [] => None,
            bytes => Some(uuid::Uuid::from_slice(bytes).map_err(|_length| Code::RequestInvalid)?),
        };
        Ok(write::Request {
            session,
            feature: &message.feature,
            destination: destination.ok_or(Code::InteractionDenied)?,
            payload,
            base_version: (!message.base_version.is_empty()).then(|| message.base_version.clone()),
            proposal,
            request_id,
            deadline: self.0.deadline(),
        })
    }
}

fn refused(refusal: &Refusal) -> Status {
    match refusal.retry_after {
        Some(seconds) => status_with_retry_after(refusal.code, seconds),
        None => status(refusal.code),
    }
}
