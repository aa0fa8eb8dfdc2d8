//! Removes what crawls and exports have kept, of a tenant or of one patient, with a report of how much.

use std::sync::Arc;

use sallyport_model::{Code, EndpointId, PatientId, TenantId};

use crate::{
    error::Error,
    kinds::bulk_export::forgetting,
    records::{self, Because},
    worker::Worker,
};

/// Erases. Without a patient everything of the tenant goes; a patient is named together with the endpoint whose id it is.
pub(crate) async fn erase(
    worker: &Arc<Worker>,
    tenant: &TenantId,
    patient: Option<(EndpointId, PatientId)>,
    because: &Because,
) -> Result<u64, Error> {
    let known = worker.registry.tenant(tenant).ok_or(Code::RequestInvalid)?;
    records::of_tenant(worker, tenant.as_str(), "erase", because).await?;
    let store = &worker.store;
    let folder = &worker.config.exports_folder;
    let endpoint = patient.as_ref().map(|(endpoint, _)| endpoint.as_str().to_owned());
    let subjects = match patient {
        None => None,
        Some((endpoint, patient)) => {
            if !known.endpoints.iter().any(|e| e.id == endpoint) {
                return Err(Code::RequestInvalid.into());
            }
            let bytes = patient.expose().as_bytes();
            Some(vec![worker.sealing.subject(tenant, endpoint.as_str(), bytes).await?])
        }
    };
    let exports = forgetting::erase(store, folder, tenant.as_str(), endpoint.as_deref()).await?;
    let subject = subjects.as_ref().and_then(|subjects| subjects.first());
    let proposals = store.erase_proposals(tenant.as_str(), subject).await?;
    Ok(store.erase_results(tenant.as_str(), subjects.as_deref()).await? + exports + proposals)
}
