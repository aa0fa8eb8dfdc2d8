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
use sallyport_rpc::{
    console::{Asker, asker},
    request_id, status,
};
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
        let asker = asker(&request);
        let scope = request.into_inner().scope.ok_or(convert::InvalidField("scope"))?;
        within(&asker, &scope.tenant)?;
        incident::plan(&self.0, &scope).await.map(Response::new).map_err(status)
    }

    async fn run(&self, request: Request<RunIncidentRequest>) -> Result<Response<Incident>, Status> {
        let (id, asker) = (request_id(&request), asker(&request));
        let message = request.into_inner();
        let operator = asker.named(&message.operator);
        let told = match (message.incident_id.as_slice(), message.scope) {
            ([], Some(scope)) => {
                within(&asker, &scope.tenant)?;
                incident::run(&self.0, incident::Asked { scope, operator, reason: message.reason }, id).await
            }
            (incident, None) => {
                let incident = self.asked_about(&asker, incident).await?;
                incident::resume(&self.0, incident, &operator, id).await
            }
            _ => Err(Code::RequestInvalid),
        };
        told.map(Response::new).map_err(status)
    }

    async fn close(&self, request: Request<CloseIncidentRequest>) -> Result<Response<Incident>, Status> {
        let (id, asker) = (request_id(&request), asker(&request));
        let message = request.into_inner();
        let incident = self.asked_about(&asker, &message.incident_id).await?;
        let jobs: Vec<_> = message.jobs.iter().map(|jobs| (i64::from(jobs.position), jobs.stopped)).collect();
        let told = incident::close(&self.0, incident, &jobs, id).await;
        told.map(Response::new).map_err(status)
    }

    async fn list(
        &self,
        request: Request<ListIncidentsRequest>,
    ) -> Result<Response<ListIncidentsResponse>, Status> {
        let found = self.0.store.incidents().await.map_err(|error| status(unavailable(&error)))?;
        let asker = asker(&request);
        let told = found.iter().filter(|incident| within(&asker, &incident.scope.tenant).is_ok());
        let incidents = told.map(incident::listed).collect();
        Ok(Response::new(ListIncidentsResponse { incidents }))
    }
}

impl Edge {
    /// The id of an incident that the asker may know of.
    async fn asked_about(&self, asker: &Asker, bytes: &[u8]) -> Result<uuid::Uuid, Status> {
        let id = incident_id(bytes)?;
        if let Asker::Console(_) = asker {
            let found = self.0.store.incident(id).await.map_err(|error| status(unavailable(&error)))?;
            let found = found.ok_or_else(|| status(Code::RequestInvalid))?;
            within(asker, &found.scope.tenant)?;
        }
        Ok(id)
    }
}

/// An incident of one tenant is for those who are there for it, one of several for those who are there for all.
fn within(asker: &Asker, tenant: &str) -> Result<(), Status> {
    match tenant {
        "" => asker.may_ask_about_all().map_err(status),
        name => Ok(asker.may_ask_about(&convert::tenant(name)?).map_err(status)?),
    }
}

fn incident_id(bytes: &[u8]) -> Result<uuid::Uuid, convert::InvalidField> {
    uuid::Uuid::from_slice(bytes).map_err(|_length| convert::InvalidField("incident_id"))
}
