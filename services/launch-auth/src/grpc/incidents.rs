//! Incidents at the edge: for operators alone.

use std::sync::Arc;

use sallyport_model::Code;
use sallyport_proto::{
    convert,
    launch::v1::{
        CloseIncidentRequest, Incident, ListIncidentsRequest, ListIncidentsResponse, PlanIncidentRequest,
        RunIncidentRequest, incidents_server::Incidents,
    },
};
use sallyport_rpc::{request_id, status};
use tonic::{Request, Response, Status};

use crate::{
    domain::{App, incident},
    error::unavailable,
};

/// The edge of incidents.
pub(crate) struct Edge(pub(crate) Arc<App>);

#[tonic::async_trait]
impl Incidents for Edge {
    async fn plan(&self, request: Request<PlanIncidentRequest>) -> Result<Response<Incident>, Status> {
        let scope = request.into_inner().scope.ok_or(convert::InvalidField("scope"))?;
        incident::plan(&self.0, &scope).await.map(Response::new).map_err(status)
    }

    async fn run(&self, request: Request<RunIncidentRequest>) -> Result<Response<Incident>, Status> {
        let id = request_id(&request);
        let message = request.into_inner();
        let told = match (message.incident_id.as_slice(), message.scope) {
            ([], Some(scope)) => {
                let asked = incident::Asked { scope, operator: message.operator, reason: message.reason };
                incident::run(&self.0, asked, id).await
            }
            (incident, None) => {
                incident::resume(&self.0, incident_id(incident)?, &message.operator, id).await
            }
            _ => Err(Code::RequestInvalid),
        };
        told.map(Response::new).map_err(status)
    }

    async fn close(&self, request: Request<CloseIncidentRequest>) -> Result<Response<Incident>, Status> {
        let id = request_id(&request);
        let message = request.into_inner();
        let jobs: Vec<_> = message.jobs.iter().map(|jobs| (i64::from(jobs.position), jobs.stopped)).collect();
        let told = incident::close(&self.0, incident_id(&message.incident_id)?, &jobs, id).await;
        told.map(Response::new).map_err(status)
    }

    async fn list(
        &self,
        _request: Request<ListIncidentsRequest>,
    ) -> Result<Response<ListIncidentsResponse>, Status> {
        let found = self.0.store.incidents().await.map_err(|error| status(unavailable(&error)))?;
        let incidents = found.iter().map(incident::listed).collect();
        Ok(Response::new(ListIncidentsResponse { incidents }))
    }
}

fn incident_id(bytes: &[u8]) -> Result<uuid::Uuid, convert::InvalidField> {
    uuid::Uuid::from_slice(bytes).map_err(|_length| convert::InvalidField("incident_id"))
}
