//! The edge: messages in, use cases, messages out. Who may call what is `ALLOW`, checked before anything here runs.

pub(crate) mod care_gaps;
pub(crate) mod proposals;

use std::sync::Arc;

use sallyport_model::{Code, EndpointId, PatientId, RunId, ServiceName, TenantId, operator::Right};
use sallyport_proto::{
    convert,
    jobs::v1::{
        AllowResponse, ControlRequest, CountProposalsRequest, CountProposalsResponse, DeadLetter,
        DryRunRequest, DryRunResponse, EraseRequest, EraseResponse, GetRunRequest, KillRequest, KillResponse,
        ListDeadLettersRequest, ListDeadLettersResponse, ListJobsRequest, ListJobsResponse, ListRunsRequest,
        ListRunsResponse, ProposalCount, ReconcilePlan, RedriveRequest, RedriveResponse, Run, StartRequest,
        WithdrawProposalsResponse, jobs_server::Jobs,
    },
};
use sallyport_rpc::{
    AllowList,
    console::{Asker, ConsoleList, asker},
    status,
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    domain::{
        control::{self, Wish},
        dry_run, erase,
        kill::{self, Whose},
        letters, reconcile, start, view,
    },
    error::Error,
    records::Because,
    worker::Worker,
};

/// Jobs are for who runs the house, and for the console by [`CONSOLE`]. What scans found is for the gateway.
pub(crate) const ALLOW: AllowList = &[
    ("/sallyport.jobs.v1.Jobs/ListJobs", &[ServiceName::Operator]),
    ("/sallyport.jobs.v1.Jobs/ListRuns", &[ServiceName::Operator]),
    ("/sallyport.jobs.v1.Jobs/GetRun", &[ServiceName::Operator]),
    ("/sallyport.jobs.v1.Jobs/DryRun", &[ServiceName::Operator]),
    ("/sallyport.jobs.v1.Jobs/Start", &[ServiceName::Operator]),
    ("/sallyport.jobs.v1.Jobs/Pause", &[ServiceName::Operator]),
    ("/sallyport.jobs.v1.Jobs/Resume", &[ServiceName::Operator]),
    ("/sallyport.jobs.v1.Jobs/Stop", &[ServiceName::Operator]),
    ("/sallyport.jobs.v1.Jobs/Retry", &[ServiceName::Operator]),
    ("/sallyport.jobs.v1.Jobs/ListDeadLetters", &[ServiceName::Operator]),
    ("/sallyport.jobs.v1.Jobs/Redrive", &[ServiceName::Operator]),
    ("/sallyport.jobs.v1.Jobs/Kill", &[ServiceName::Operator]),
    ("/sallyport.jobs.v1.Jobs/Allow", &[ServiceName::Operator]),
    ("/sallyport.jobs.v1.Jobs/Erase", &[ServiceName::Operator]),
    ("/sallyport.jobs.v1.Jobs/CountProposals", &[ServiceName::Operator]),
    ("/sallyport.jobs.v1.Jobs/ReconcileRun", &[ServiceName::Operator]),
    ("/sallyport.jobs.v1.Jobs/WithdrawProposals", &[ServiceName::Operator]),
    ("/sallyport.jobs.v1.CareGaps/OfPatient", &[ServiceName::FhirGateway]),
    ("/sallyport.keys.v1.DataKeys/Rewrap", &[ServiceName::Operator]),
    ("/sallyport.keys.v1.DataKeys/Status", &[ServiceName::Operator]),
    ("/sallyport.jobs.v1.Proposals/ListOfPatient", &[ServiceName::FhirGateway]),
    ("/sallyport.jobs.v1.Proposals/Decide", &[ServiceName::FhirGateway]),
    ("/sallyport.jobs.v1.Proposals/Settle", &[ServiceName::FhirGateway]),
    ("/sallyport.jobs.v1.Proposals/ListUnfinished", &[ServiceName::FhirGateway]),
    ("/sallyport.jobs.v1.Proposals/Finish", &[ServiceName::FhirGateway]),
];

/// What somebody at the console may call, and which right it takes.
pub(crate) const CONSOLE: ConsoleList = &[
    ("/sallyport.jobs.v1.Jobs/ListJobs", &[Right::See]),
    ("/sallyport.jobs.v1.Jobs/ListRuns", &[Right::See]),
    ("/sallyport.jobs.v1.Jobs/GetRun", &[Right::See]),
    ("/sallyport.jobs.v1.Jobs/DryRun", &[Right::See]),
    ("/sallyport.jobs.v1.Jobs/ListDeadLetters", &[Right::See]),
    ("/sallyport.jobs.v1.Jobs/CountProposals", &[Right::See]),
    ("/sallyport.jobs.v1.Jobs/Start", &[Right::Operate]),
    ("/sallyport.jobs.v1.Jobs/Pause", &[Right::Operate]),
    ("/sallyport.jobs.v1.Jobs/Resume", &[Right::Operate]),
    ("/sallyport.jobs.v1.Jobs/Stop", &[Right::Operate]),
    ("/sallyport.jobs.v1.Jobs/Retry", &[Right::Operate]),
    ("/sallyport.jobs.v1.Jobs/Redrive", &[Right::Operate]),
    ("/sallyport.jobs.v1.Jobs/WithdrawProposals", &[Right::Operate]),
    ("/sallyport.jobs.v1.Jobs/Kill", &[Right::Operate, Right::Respond]),
    ("/sallyport.jobs.v1.Jobs/Allow", &[Right::Operate, Right::Respond]),
];

/// Runs told at once.
const RUNS_MAX: i32 = 1_000;

/// The service.
pub(crate) struct Edge(pub(crate) Arc<Worker>);

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Jobs for Edge {
    async fn list_jobs(&self, request: Request<ListJobsRequest>) -> Answer<ListJobsResponse> {
        let asker = asker(&request);
        let tenant = optional_tenant(&request.into_inner().tenant)?;
        within(&asker, tenant.as_ref())?;
        let jobs = view::jobs(&self.0, tenant.as_ref()).await.map_err(Error::into_status)?;
        Ok(Response::new(ListJobsResponse { jobs }))
    }

    async fn list_runs(&self, request: Request<ListRunsRequest>) -> Answer<ListRunsResponse> {
        let asker = asker(&request);
        let request = request.into_inner();
        within(&asker, optional_tenant(&request.tenant)?.as_ref())?;
        if !(1..=RUNS_MAX).contains(&request.limit) {
            return Err(convert::InvalidField("limit").into());
        }
        let limit = i64::from(request.limit);
        let runs = view::runs(&self.0, &request.tenant, &request.job, limit).await;
        Ok(Response::new(ListRunsResponse { runs: runs.map_err(Error::into_status)? }))
    }

    async fn get_run(&self, request: Request<GetRunRequest>) -> Answer<Run> {
        let asker = asker(&request);
        let run = self.asked_about(&asker, &request.into_inner().run_id).await?;
        self.told(run).await
    }

    async fn dry_run(&self, request: Request<DryRunRequest>) -> Answer<DryRunResponse> {
        let asker = asker(&request);
        let request = request.into_inner();
        let (tenant, job) = (convert::tenant(&request.tenant)?, convert::job(&request.job)?);
        within(&asker, Some(&tenant))?;
        let found = dry_run::dry_run(&self.0, &tenant, &job).await.map_err(Error::into_status)?;
        Ok(Response::new(DryRunResponse {
            duration_seconds: found.duration_seconds(),
            items: found.items,
            batches: found.batches,
            calls: found.calls,
            calls_per_minute: found.pace.map_or(0.0, |(pace, _)| pace),
            paced_by: found.pace.map_or("nothing", |(_, by)| by).to_owned(),
            earliest_start_at: found.earliest_start_at,
            required_scope: found.required_scope,
            optional_scope: found.optional_scope,
            obstacles: found.obstacles.into_iter().map(str::to_owned).collect(),
        }))
    }

    async fn start(&self, request: Request<StartRequest>) -> Answer<Run> {
        let asker = asker(&request);
        let request = request.into_inner();
        let grant = match (request.grant_id.as_slice(), request.user) {
            ([], None) => None,
            (id, Some(user)) if !user.issuer.is_empty() && !user.subject.is_empty() => {
                Some((convert::grant_id(id)?, user))
            }
            _ => return Err(convert::InvalidField("grant_id").into()),
        };
        let tenant = convert::tenant(&request.tenant)?;
        within(&asker, Some(&tenant))?;
        let asked = start::Asked {
            tenant,
            job: convert::job(&request.job)?,
            because: because(&asker, &request.by, request.reason)?,
            grant,
            scheduled_for: None,
        };
        let span = tracing::info_span!("job-worker.run.start", tenant.id = asked.tenant.as_str());
        let started = tracing::Instrument::instrument(start::start(&self.0, asked), span).await;
        self.told(started.map_err(Error::into_status)?).await
    }

    async fn pause(&self, request: Request<ControlRequest>) -> Answer<Run> {
        self.control(request, Wish::Pause).await
    }

    async fn resume(&self, request: Request<ControlRequest>) -> Answer<Run> {
        self.control(request, Wish::Resume).await
    }

    async fn stop(&self, request: Request<ControlRequest>) -> Answer<Run> {
        self.control(request, Wish::Stop).await
    }

    async fn retry(&self, request: Request<ControlRequest>) -> Answer<Run> {
        self.control(request, Wish::Retry).await
    }

    async fn list_dead_letters(
        &self,
        request: Request<ListDeadLettersRequest>,
    ) -> Answer<ListDeadLettersResponse> {
        let asker = asker(&request);
        let request = request.into_inner();
        let run = match request.run_id.as_slice() {
            [] => None,
            id => Some(self.asked_about(&asker, id).await?),
        };
        if run.is_none() || !request.tenant.is_empty() {
            within(&asker, optional_tenant(&request.tenant)?.as_ref())?;
        }
        let letters = self.0.store.letters(&request.tenant, run).await;
        let letters = letters.map_err(|error| Error::from(error).into_status())?;
        let told = letters.into_iter().map(|letter| DeadLetter {
            letter_id: convert::id_bytes(letter.letter_id),
            run_id: convert::id_bytes(letter.run_id),
            tenant: letter.tenant,
            code: letter.code,
            attempts: letter.attempts,
            created_at: letter.created_at,
        });
        Ok(Response::new(ListDeadLettersResponse { letters: told.collect() }))
    }

    async fn redrive(&self, request: Request<RedriveRequest>) -> Answer<RedriveResponse> {
        let asker = asker(&request);
        let request = request.into_inner();
        let letter = match request.letter_id.as_slice() {
            [] => None,
            id => Some(Uuid::from_slice(id).map_err(|_length| convert::InvalidField("letter_id"))?),
        };
        let run = self.asked_about(&asker, &request.run_id).await?;
        let because = because(&asker, &request.by, request.reason)?;
        let redriven = letters::redrive(&self.0, run, letter, &because).await.map_err(Error::into_status)?;
        Ok(Response::new(RedriveResponse { redriven }))
    }

    async fn kill(&self, request: Request<KillRequest>) -> Answer<KillResponse> {
        let asker = asker(&request);
        let request = request.into_inner();
        let (since, is_dry) = (request.since, request.dry_run);
        let (whose, because) = self.whose(&asker, request)?;
        let stopped = match is_dry {
            true => kill::would(&self.0, &whose).await,
            false => kill::kill(&self.0, &whose, &because, since).await,
        };
        let stopped = stopped.map_err(Error::into_status)?;
        Ok(Response::new(KillResponse { stopped: stopped.now, stopped_since: stopped.since }))
    }

    async fn allow(&self, request: Request<KillRequest>) -> Answer<AllowResponse> {
        let asker = asker(&request);
        let (whose, because) = self.whose(&asker, request.into_inner())?;
        let was_blocked = kill::allow(&self.0, &whose, &because).await.map_err(Error::into_status)?;
        Ok(Response::new(AllowResponse { was_blocked }))
    }

    async fn erase(&self, request: Request<EraseRequest>) -> Answer<EraseResponse> {
        let asker = asker(&request);
        let request = request.into_inner();
        let tenant = convert::tenant(&request.tenant)?;
        let patient = match (request.endpoint.as_str(), request.patient.as_str()) {
            ("", "") => None,
            (endpoint, patient) => Some((
                EndpointId::parse(endpoint).map_err(|_shape| convert::InvalidField("endpoint"))?,
                PatientId::parse(patient).map_err(|_shape| convert::InvalidField("patient"))?,
            )),
        };
        let because = because(&asker, &request.by, request.reason)?;
        let erased = erase::erase(&self.0, &tenant, patient, &because).await.map_err(Error::into_status)?;
        Ok(Response::new(EraseResponse { results: i64::try_from(erased).unwrap_or(i64::MAX) }))
    }

    async fn count_proposals(
        &self,
        request: Request<CountProposalsRequest>,
    ) -> Answer<CountProposalsResponse> {
        let asker = asker(&request);
        let tenant = optional_tenant(&request.into_inner().tenant)?;
        within(&asker, tenant.as_ref())?;
        let tenant = tenant.as_ref().map_or("", TenantId::as_str);
        let counts = self.0.store.proposal_counts(tenant, self.0.now()).await;
        let counts = counts.map_err(|error| Error::from(error).into_status())?.into_iter();
        let told = counts.map(|one| ProposalCount {
            tenant: one.tenant,
            job: one.job,
            rule: one.rule,
            state: one.state,
            outcome: one.outcome,
            count: one.number,
            code: one.code,
        });
        Ok(Response::new(CountProposalsResponse { counts: told.collect() }))
    }

    async fn reconcile_run(&self, request: Request<ControlRequest>) -> Answer<ReconcilePlan> {
        let asker = asker(&request);
        let request = request.into_inner();
        let run = convert::run_id(&request.run_id)?;
        let because = because(&asker, &request.by, request.reason)?;
        reconcile::plan(&self.0, run, &because).await.map(Response::new).map_err(Error::into_status)
    }

    async fn withdraw_proposals(
        &self,
        request: Request<ControlRequest>,
    ) -> Answer<WithdrawProposalsResponse> {
        let asker = asker(&request);
        let request = request.into_inner();
        let run = self.asked_about(&asker, &request.run_id).await?;
        let because = because(&asker, &request.by, request.reason)?;
        let withdrawn = reconcile::withdraw(&self.0, run, &because).await.map_err(Error::into_status)?;
        Ok(Response::new(WithdrawProposalsResponse { withdrawn }))
    }
}

impl Edge {
    async fn told(&self, run: RunId) -> Answer<Run> {
        view::run(&self.0, run).await.map(Response::new).map_err(Error::into_status)
    }

    async fn control(&self, request: Request<ControlRequest>, wish: Wish) -> Answer<Run> {
        let asker = asker(&request);
        let request = request.into_inner();
        let run = self.asked_about(&asker, &request.run_id).await?;
        let because = because(&asker, &request.by, request.reason)?;
        control::control(&self.0, run, wish, &because).await.map_err(Error::into_status)?;
        self.told(run).await
    }

    fn whose(&self, asker: &Asker, request: KillRequest) -> Result<(Whose, Because), Status> {
        within(asker, optional_tenant(&request.tenant)?.as_ref())?;
        let whose = Whose::of(&self.0, &request).map_err(status)?;
        Ok((whose, because(asker, &request.by, request.reason)?))
    }

    /// The id of a run that the asker may know of.
    async fn asked_about(&self, asker: &Asker, bytes: &[u8]) -> Result<RunId, Status> {
        let id = convert::run_id(bytes)?;
        if let Asker::Console(_) = asker {
            let run = view::run(&self.0, id).await.map_err(Error::into_status)?;
            within(asker, Some(&convert::tenant(&run.tenant)?))?;
        }
        Ok(id)
    }
}

/// What is about no tenant alone is for those who are there for all.
fn within(asker: &Asker, tenant: Option<&TenantId>) -> Result<(), Status> {
    match tenant {
        Some(tenant) => asker.may_ask_about(tenant).map_err(status),
        None => asker.may_ask_about_all().map_err(status),
    }
}

fn because(asker: &Asker, by: &str, reason: String) -> Result<Because, Status> {
    Because::of(asker.named(by), reason).map_err(|_empty: Code| convert::InvalidField("by or reason").into())
}

fn optional_tenant(text: &str) -> Result<Option<TenantId>, Status> {
    match text {
        "" => Ok(None),
        name => Ok(Some(convert::tenant(name)?)),
    }
}
