//! The way to an EHR: fhir-gateway's methods for runs, each call on the run's own authority. What the gateway says about time
//! becomes a closed window; what it says about scopes ends the run.

mod outcome;

pub(crate) use outcome::is_for_good;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use sallyport_model::{Actor, Clock, Code, Micros, PatientId, planted};
use sallyport_proto::{
    convert,
    gateway::v1::{
        CallRequest, CallResponse, Cohort, Everyone, FetchBulkFileRequest, FetchBulkFileResponse,
        PatientList, RunAuthority, call_request::Interaction, call_response::Outcome, cohort::Whose as Wire,
        fhir_gateway_client::FhirGatewayClient,
    },
};
use sallyport_rpc::{Transport, code_of, revocation::Watch};
use tonic::Streaming;

use crate::{
    batch::{Hold, go_on},
    halt::{Halt, Wait},
    kinds::Fault,
    pace::Pace,
    run::Run,
    store::Store,
};

/// A wait up to this is sat out under the lease; a longer one gives the batch back.
const SIT_OUT: Duration = Duration::from_secs(2);

/// Longest time for one call through the gateway.
const CALL_LIMIT: Duration = Duration::from_secs(60);

/// Largest answer, in bytes: a page of a search, or a frame of a file.
const ANSWER_MAX: usize = 64 * 1024 * 1024;

/// Whose data a call is about: never more than the run's cohort.
#[derive(Clone, Copy)]
pub(crate) enum Whose<'a> {
    /// One patient's.
    Patient(&'a PatientId),
    /// These patients', for an export.
    Patients(&'a [PatientId]),
    /// A group's, for an export.
    Group(&'a str),
    /// Everybody's, for an export.
    Everyone,
}

/// Calls on a run's authority, within its lease, limits and hours.
#[derive(Clone)]
pub(crate) struct Gateway {
    pub(crate) client: FhirGatewayClient<Transport>,
    pub(crate) run: Arc<Run>,
    pub(crate) batch: uuid::Uuid,
    pub(crate) hold: Arc<Hold>,
    pub(crate) revoked: Watch,
    pub(crate) pace: Pace,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) calls: Arc<AtomicI64>,
}

/// A client of the gateway's methods for runs.
pub(crate) fn client(transport: Transport) -> FhirGatewayClient<Transport> {
    FhirGatewayClient::new(transport).max_decoding_message_size(ANSWER_MAX)
}

impl Gateway {
    /// Makes one call. Waits that are short are sat out; of longer ones the endpoint's closed window is kept for everybody.
    ///
    /// # Errors
    /// [`Fault`], to be passed on by `?`.
    pub(crate) async fn call(&self, whose: Whose<'_>, interaction: Interaction) -> Result<Outcome, Fault> {
        loop {
            self.ready().await?;
            let mut request = tonic::Request::new(CallRequest {
                authority: Some(self.authority(whose)?),
                interaction: Some(interaction.clone()),
            });
            request.set_timeout(CALL_LIMIT);
            self.calls.fetch_add(1, Ordering::Relaxed);
            let answered = self.client.clone().call(request).await;
            let answer: CallResponse =
                answered.map_err(|status| outcome::fault(code_of(&status), self))?.into_inner();
            match answer.outcome {
                Some(Outcome::Wait(wait)) => self.wait(&wait).await?,
                Some(Outcome::ScopeChanged(changed)) => return Err(outcome::changed(&changed).into()),
                Some(other) => return Ok(other),
                None => return Err(Fault::Item(Code::Internal)),
            }
        }
    }

    /// Opens the stream of an export's file. `Wait` and `ScopeChanged` come as its first item: see [`Gateway::wait`].
    ///
    /// # Errors
    /// [`Fault`], to be passed on by `?`.
    pub(crate) async fn fetch(
        &self,
        whose: Whose<'_>,
        file: &str,
        offset: i64,
        etag: &str,
    ) -> Result<Streaming<FetchBulkFileResponse>, Fault> {
        self.ready().await?;
        let request = FetchBulkFileRequest {
            authority: Some(self.authority(whose)?),
            file: file.to_owned(),
            offset,
            etag: etag.to_owned(),
        };
        self.calls.fetch_add(1, Ordering::Relaxed);
        let stream = self.client.clone().fetch_bulk_file(request).await;
        Ok(stream.map_err(|status| outcome::fault(code_of(&status), self))?.into_inner())
    }

    /// What a status that ends a stream means.
    pub(crate) fn fault(&self, status: &tonic::Status) -> Fault {
        outcome::fault(code_of(status), self)
    }

    /// What a change of scopes means.
    pub(crate) fn changed(&self, changed: &sallyport_proto::gateway::v1::ScopeChanged) -> Fault {
        outcome::changed(changed).into()
    }

    /// Keeps to what the gateway said about time: sits a short wait out, closes the endpoint for a long one.
    ///
    /// # Errors
    /// [`Halt::Later`] for a long wait.
    pub(crate) async fn wait(&self, wait: &sallyport_proto::gateway::v1::Wait) -> Result<(), Halt> {
        let why = outcome::why(wait.reason());
        let now = self.clock.now();
        let left = Duration::from_micros(u64::try_from(wait.not_before - now).unwrap_or(0));
        // A planted defect: what the EHR said about when to come back is not kept to.
        let left = if planted!("job-retry-after-ignored") { Duration::ZERO } else { left };
        if left <= SIT_OUT {
            // At least a moment: an answer that says "now" must not become a tight loop.
            tokio::time::sleep(left.max(Duration::from_millis(20))).await;
            return Ok(());
        }
        if outcome::is_the_endpoints(wait.reason()) {
            self.hold.close(wait.not_before, why);
            let place = (self.run.tenant.as_str(), self.run.endpoint_id().as_str());
            self.store.hold(place, wait.not_before, why).await?;
        }
        Err(Halt::Later { not_before: wait.not_before, why })
    }

    /// Whether a call may be made now: the lease, the run, the grant, the hours, the endpoint, the run's own pace.
    async fn ready(&self) -> Result<(), Halt> {
        loop {
            go_on(&self.run, &self.hold, &self.revoked, self.clock.now())?;
            let Some(left) = self.pace.turn(&self.run).await else { return Ok(()) };
            if left > SIT_OUT {
                let not_before = self.clock.now() + i64::try_from(left.as_micros()).unwrap_or(i64::MAX / 2);
                return Err(Halt::Later { not_before, why: Wait::Limit });
            }
            tokio::time::sleep(left).await;
        }
    }

    /// The run's authority for one call.
    fn authority(&self, whose: Whose<'_>) -> Result<RunAuthority, Halt> {
        let run = &self.run;
        let grant = run.grant.ok_or(Halt::Authority { code: Code::GrantUnknown, scope: String::new() })?;
        let actor = match &run.user {
            Some(user) => Actor::User(user.clone()),
            None => Actor::Service(run.job.registration.clone()),
        };
        let whose = match whose {
            Whose::Patient(patient) => Wire::Patient(patient.expose().to_owned()),
            Whose::Patients(patients) => Wire::Patients(PatientList {
                ids: patients.iter().map(|patient| patient.expose().to_owned()).collect(),
            }),
            Whose::Group(group) => Wire::Group(group.to_owned()),
            Whose::Everyone => Wire::Everyone(Everyone {}),
        };
        Ok(RunAuthority {
            tenant: run.tenant.as_str().to_owned(),
            endpoint: run.endpoint_id().as_str().to_owned(),
            registration: run.job.registration.as_str().to_owned(),
            job: run.job_id.as_str().to_owned(),
            run_id: convert::id_bytes(run.id.uuid()),
            batch_id: convert::id_bytes(self.batch),
            feature: run.job.feature.as_str().to_owned(),
            purpose: run.job.purpose.as_str().to_owned(),
            grant_id: convert::id_bytes(grant.uuid()),
            actor: Some((&actor).into()),
            cohort: Some(Cohort { whose: Some(whose) }),
            pinned_scope: run.pinned_scope.clone(),
            expires_at: self.hold.expires_at(),
        })
    }

    /// Calls made since this was last asked.
    pub(crate) fn calls_made(&self) -> i64 {
        self.calls.swap(0, Ordering::Relaxed)
    }

    /// The time.
    pub(crate) fn now(&self) -> Micros {
        self.clock.now()
    }
}
