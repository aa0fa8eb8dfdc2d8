//! The edge for what scans have found about a patient.

use std::sync::Arc;

use sallyport_model::{EndpointId, PatientId};
use sallyport_proto::{
    convert,
    jobs::v1::{
        CareGapsOfPatientRequest, CareGapsOfPatientResponse, FoundByScan, care_gaps_server::CareGaps,
    },
};
use tonic::{Request, Response, Status};

use crate::{domain::care_gaps, error::Error, worker::Worker};

/// The service.
pub(crate) struct Edge(pub(crate) Arc<Worker>);

#[tonic::async_trait]
impl CareGaps for Edge {
    async fn of_patient(
        &self,
        request: Request<CareGapsOfPatientRequest>,
    ) -> Result<Response<CareGapsOfPatientResponse>, Status> {
        let request = request.into_inner();
        let tenant = convert::tenant(&request.tenant)?;
        let endpoint =
            EndpointId::parse(&request.endpoint).map_err(|_shape| convert::InvalidField("endpoint"))?;
        let patient =
            PatientId::parse(&request.patient).map_err(|_shape| convert::InvalidField("patient"))?;
        let found = care_gaps::of_patient(&self.0, &tenant, &endpoint, &patient).await;
        let found = found.map_err(Error::into_status)?.into_iter().map(|one| FoundByScan {
            job: one.job,
            run_id: convert::id_bytes(one.run.uuid()),
            judged_at: one.judged_at,
            json: one.json.expose().clone().into(),
        });
        Ok(Response::new(CareGapsOfPatientResponse { found: found.collect() }))
    }
}
