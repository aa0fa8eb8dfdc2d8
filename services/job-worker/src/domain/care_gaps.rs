//! What scans have found about one patient, for a live launch of that patient. Who may see it is the gateway's to decide, and
//! it is the gateway that records it.

use std::sync::Arc;

use sallyport_model::{Code, EndpointId, Micros, PatientId, RunId, Secret, TenantId};

use crate::{error::Error, kinds::KEPT_AS, worker::Worker};

/// What one job has found. Holds patient data: no `Debug`.
pub(crate) struct Found {
    /// The job's id.
    pub(crate) job: String,
    /// The run that judged.
    pub(crate) run: RunId,
    /// When it judged.
    pub(crate) judged_at: Micros,
    /// The judgements, as JSON.
    pub(crate) json: Secret<Vec<u8>>,
}

/// What is kept about a patient at an endpoint and has not outlived its time, the newest first.
pub(crate) async fn of_patient(
    worker: &Arc<Worker>,
    tenant: &TenantId,
    endpoint: &EndpointId,
    patient: &PatientId,
) -> Result<Vec<Found>, Error> {
    let known = worker.registry.tenant(tenant).ok_or(Code::RequestInvalid)?;
    if !known.endpoints.iter().any(|e| e.id == *endpoint) {
        return Err(Code::RequestInvalid.into());
    }
    let subject = worker.sealing.subject(tenant, endpoint.as_str(), patient.expose().as_bytes()).await?;
    let kept = worker.store.kept_about(tenant.as_str(), &subject, KEPT_AS, worker.now()).await?;
    let mut found = Vec::with_capacity(kept.len());
    for one in kept {
        let json = worker.sealing.open(tenant, one.data_key_id, (&subject, KEPT_AS), &one.sealed).await?;
        found.push(Found { job: one.job, run: RunId::from_uuid(one.run_id), judged_at: one.read_at, json });
    }
    Ok(found)
}
