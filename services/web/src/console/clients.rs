//! Calls in the name of whoever is signed in: the cookie's value rides as secret metadata, and each service asks for itself
//! what it opens.

use std::time::Duration;

use sallyport_model::{Code, RequestId, Secret};
use sallyport_proto::{
    audit::v1::audit_client::AuditClient,
    jobs::v1::jobs_client::JobsClient,
    launch::v1::{
        incidents_client::IncidentsClient, launch_auth_client::LaunchAuthClient,
        operators_client::OperatorsClient,
    },
};
use sallyport_rpc::{Transport, code_of, console, with_request_id};
use tonic::{Request, Response, Status};

use super::ConsolePorts;

/// The largest answer taken: a page of records.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// The clients.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(super) operators: OperatorsClient<Transport>,
    pub(super) launches: LaunchAuthClient<Transport>,
    pub(super) incidents: IncidentsClient<Transport>,
    pub(super) audit: AuditClient<Transport>,
    jobs: Option<JobsClient<Transport>>,
}

impl Clients {
    pub(crate) fn new(ports: ConsolePorts) -> Self {
        Self {
            operators: OperatorsClient::new(ports.launch_auth.clone()),
            launches: LaunchAuthClient::new(ports.launch_auth.clone()),
            incidents: IncidentsClient::new(ports.launch_auth),
            audit: AuditClient::new(ports.audit).max_decoding_message_size(MAX_ANSWER_BYTES),
            jobs: ports.job_worker.map(JobsClient::new),
        }
    }

    /// Jobs, where there are any.
    ///
    /// # Errors
    /// `service.unavailable` where no job-worker is part of the house.
    pub(super) fn jobs(&self) -> Result<JobsClient<Transport>, Code> {
        self.jobs.clone().ok_or(Code::DependencyDown)
    }
}

/// A message in the name of somebody.
pub(super) fn signed<T>(message: T, secret: &Secret<String>, id: RequestId) -> Request<T> {
    let mut request = with_request_id(message, id);
    console::signed_in(&mut request, secret);
    request
}

/// Waits for an answer, not for ever.
///
/// # Errors
/// The service's code; `service.unavailable` when no answer comes in time.
pub(super) async fn answered<T>(
    asking: impl Future<Output = Result<Response<T>, Status>>,
    patience: Duration,
) -> Result<T, Code> {
    match tokio::time::timeout(patience, asking).await {
        Ok(answer) => answer.map(Response::into_inner).map_err(|status| code_of(&status)),
        Err(_elapsed) => Err(Code::DependencyDown),
    }
}
