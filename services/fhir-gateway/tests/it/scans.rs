//! job-worker as the gateway sees it, in memory.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use sallyport_model::{Clock, Code, ServiceName};
use sallyport_proto::{
    jobs::v1 as jobs,
    jobs::v1::care_gaps_server::{CareGaps, CareGapsServer},
    jobs::v1::decide_request::Decision,
    jobs::v1::proposals_server::{Proposals, ProposalsServer},
};
use sallyport_rpc::{AllowList, Served, Transport, status};
use tonic::{Request, Response, Status, service::Routes};

const GATEWAY: &[ServiceName] = &[ServiceName::FhirGateway];
const JOBS: AllowList = &[
    ("/sallyport.jobs.v1.CareGaps/OfPatient", GATEWAY),
    ("/sallyport.jobs.v1.Proposals/ListOfPatient", GATEWAY),
    ("/sallyport.jobs.v1.Proposals/Decide", GATEWAY),
    ("/sallyport.jobs.v1.Proposals/Settle", GATEWAY),
    ("/sallyport.jobs.v1.Proposals/ListUnfinished", GATEWAY),
    ("/sallyport.jobs.v1.Proposals/Finish", GATEWAY),
];

/// Where a call stands still for ever, as when its caller is killed there.
#[derive(Clone, Default)]
pub(crate) struct Stop {
    at: Arc<Mutex<&'static str>>,
    is_reached: Arc<AtomicBool>,
}

impl Stop {
    /// The next call that comes there stands still.
    pub(crate) fn at(&self, place: &'static str) {
        *self.at.lock().unwrap() = place;
        self.is_reached.store(false, Ordering::SeqCst);
    }

    pub(crate) fn is_reached(&self) -> bool {
        self.is_reached.load(Ordering::SeqCst)
    }

    pub(crate) async fn pass(&self, place: &'static str) {
        let is_here = {
            let mut at = self.at.lock().unwrap();
            let is_here = *at == place;
            if is_here {
                *at = "";
            }
            is_here
        };
        if is_here {
            self.is_reached.store(true, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
    }
}

/// job-worker as the gateway sees it: what scans have found, by patient.
#[derive(Clone, Default)]
pub(crate) struct Scans {
    pub(crate) found: Arc<Mutex<HashMap<String, Vec<jobs::FoundByScan>>>>,
    pub(crate) asked: Arc<Mutex<Vec<jobs::CareGapsOfPatientRequest>>>,
    /// What jobs propose, by patient.
    pub(crate) proposed: Arc<Mutex<HashMap<String, Vec<jobs::Proposal>>>>,
    /// Decisions, in words.
    pub(crate) decided: Arc<Mutex<Vec<String>>>,
    /// Outcomes with what the EHR has.
    pub(crate) settled: Arc<Mutex<Vec<(String, String)>>>,
    /// It is not there: the code that its transport would give.
    pub(crate) is_away: Arc<AtomicBool>,
    /// It takes the question and never answers.
    pub(crate) is_mute: Arc<AtomicBool>,
    /// Where its callers die.
    pub(crate) stop: Stop,
    /// When each proposal was last touched, by its clock.
    touched: Arc<Mutex<HashMap<Vec<u8>, i64>>>,
    clock: Option<Arc<dyn Clock>>,
}

impl Scans {
    pub(crate) fn by(clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), ..Self::default() }
    }

    fn now(&self) -> i64 {
        self.clock.as_ref().map_or(0, |clock| clock.now())
    }

    pub(crate) fn transport(&self) -> Transport {
        let routes = Routes::new(CareGapsServer::new(self.clone()));
        let routes = routes.add_service(ProposalsServer::new(self.clone()));
        Transport::local(Served::new(routes, JOBS), ServiceName::FhirGateway)
    }
}

#[tonic::async_trait]
impl CareGaps for Scans {
    async fn of_patient(
        &self,
        request: Request<jobs::CareGapsOfPatientRequest>,
    ) -> Result<Response<jobs::CareGapsOfPatientResponse>, Status> {
        let request = request.into_inner();
        let found = self.found.lock().unwrap().get(&request.patient).cloned().unwrap_or_default();
        self.asked.lock().unwrap().push(request);
        if self.is_mute.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        match self.is_away.load(Ordering::SeqCst) {
            true => Err(Status::unavailable("connection refused")),
            false => Ok(Response::new(jobs::CareGapsOfPatientResponse { found })),
        }
    }
}

impl Scans {
    fn change(
        &self,
        (patient, id): (&str, &[u8]),
        change: impl FnOnce(&mut jobs::Proposal),
    ) -> Result<Response<jobs::Proposal>, Status> {
        let mut all = self.proposed.lock().unwrap();
        let found = all.get_mut(patient).and_then(|all| all.iter_mut().find(|one| one.proposal_id == id));
        let found = found.ok_or_else(|| status(Code::ProposalUnknown))?;
        change(found);
        Ok(Response::new(found.clone()))
    }
}

#[tonic::async_trait]
impl Proposals for Scans {
    async fn list_of_patient(
        &self,
        request: Request<jobs::ListProposalsRequest>,
    ) -> Result<Response<jobs::ListProposalsResponse>, Status> {
        let all = self.proposed.lock().unwrap();
        let proposals = all.get(&request.into_inner().patient).cloned().unwrap_or_default();
        Ok(Response::new(jobs::ListProposalsResponse { proposals }))
    }

    async fn decide(
        &self,
        request: Request<jobs::DecideRequest>,
    ) -> Result<Response<jobs::Proposal>, Status> {
        self.stop.pass("decide-before").await;
        let request = request.into_inner();
        let (word, state) = match request.decision.unwrap() {
            Decision::Approve(_) => ("approve".to_owned(), "approved"),
            Decision::Reject(reject) => (format!("reject {}", reject.reason), "rejected"),
        };
        self.decided.lock().unwrap().push(word);
        self.touched.lock().unwrap().insert(request.proposal_id.clone(), self.now());
        let decided = self.change((&request.patient, &request.proposal_id), |one| {
            if one.state == "open" {
                (one.outcome, one.code) = (String::new(), String::new());
                one.decided_at = self.now();
            }
            state.clone_into(&mut one.state);
        });
        self.stop.pass("decide-after").await;
        decided
    }

    async fn settle(
        &self,
        request: Request<jobs::SettleRequest>,
    ) -> Result<Response<jobs::Proposal>, Status> {
        self.stop.pass("settle-before").await;
        let request = request.into_inner();
        self.settled.lock().unwrap().push((request.outcome.clone(), request.reference.clone()));
        let settled = self.change((&request.patient, &request.proposal_id), |one| {
            ended(one, (&request.outcome, &request.code, &request.reference));
        });
        self.stop.pass("settle-after").await;
        settled
    }

    async fn list_unfinished(
        &self,
        request: Request<jobs::ListUnfinishedRequest>,
    ) -> Result<Response<jobs::ListUnfinishedResponse>, Status> {
        let request = request.into_inner();
        let before = self.now() - request.untouched_for_ms * 1_000;
        let (all, touched) = (self.proposed.lock().unwrap(), self.touched.lock().unwrap());
        let mut found: Vec<jobs::Unfinished> = all
            .values()
            .flatten()
            .filter(|one| one.state == "approved" && one.outcome != "applied")
            .filter(|one| one.proposal_id > request.after)
            .map(|one| jobs::Unfinished {
                proposal_id: one.proposal_id.clone(),
                tenant: "general".to_owned(),
                endpoint: "main".to_owned(),
                outcome: one.outcome.clone(),
                code: one.code.clone(),
                decided_at: one.decided_at,
                touched_at: touched.get(&one.proposal_id).copied().unwrap_or_default(),
            })
            .filter(|one| one.touched_at <= before)
            .collect();
        found.sort_by(|a, b| a.proposal_id.cmp(&b.proposal_id));
        Ok(Response::new(jobs::ListUnfinishedResponse { proposals: found }))
    }

    async fn finish(
        &self,
        request: Request<jobs::FinishRequest>,
    ) -> Result<Response<jobs::FinishResponse>, Status> {
        let request = request.into_inner();
        let is_untouched =
            self.touched.lock().unwrap().get(&request.proposal_id) == Some(&request.touched_at);
        let mut all = self.proposed.lock().unwrap();
        let found = all.values_mut().flatten().find(|one| one.proposal_id == request.proposal_id);
        let found = found.filter(|one| is_untouched && one.state == "approved" && one.outcome != "applied");
        let is_finished = found.is_some();
        if let Some(one) = found {
            ended(one, (&request.outcome, &request.code, &request.reference));
        }
        Ok(Response::new(jobs::FinishResponse { is_finished }))
    }
}

fn ended(one: &mut jobs::Proposal, (outcome, code, reference): (&str, &str, &str)) {
    if matches!(outcome, "refused" | "conflict") {
        "open".clone_into(&mut one.state);
    }
    outcome.clone_into(&mut one.outcome);
    code.clone_into(&mut one.code);
    reference.clone_into(&mut one.reference);
}
