//! The edge for `web`: the person's cookie comes as metadata; web's own identity alone opens nothing.

use std::sync::Arc;

use sallyport_clinical::Section;
use sallyport_model::{Code, RequestId, Secret, ServiceName};
use sallyport_proto::{
    convert,
    gateway::v1::{
        ChartRequest, ChartResponse, SourceRequest, SourceResponse, ViewRequest, ViewResponse,
        fhir_gateway_server::{FhirGateway, FhirGatewayServer},
    },
};
use sallyport_rpc::{AllowList, SESSION_METADATA, Served, status, status_with_retry_after};
use tonic::{Request, Response, Status, service::Routes};

use crate::{
    Gateway,
    domain::{chart, context, session::Session, view},
    error::Refusal,
    http::{not_opened, read_source},
};

const ALLOW: AllowList = &[
    ("/sallyport.gateway.v1.FhirGateway/View", &[ServiceName::Web]),
    ("/sallyport.gateway.v1.FhirGateway/Chart", &[ServiceName::Web]),
    ("/sallyport.gateway.v1.FhirGateway/Source", &[ServiceName::Web]),
];

/// The service behind its allow-list.
pub(crate) fn served(gateway: Arc<Gateway>) -> Served {
    Served::new(Routes::new(FhirGatewayServer::new(Edge(gateway))), ALLOW)
}

struct Edge(Arc<Gateway>);

impl Edge {
    /// Opens the session that the metadata's secret belongs to.
    async fn open<T: Sync>(
        &self,
        request: &Request<T>,
        launch: &[u8],
    ) -> Result<(Arc<Session>, RequestId), Status> {
        let request_id =
            sallyport_rpc::request_id(request).unwrap_or_else(|| RequestId::new(self.0.clock.as_ref()));
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
}

fn refused(refusal: &Refusal) -> Status {
    match refusal.retry_after {
        Some(seconds) => status_with_retry_after(refusal.code, seconds),
        None => status(refusal.code),
    }
}
