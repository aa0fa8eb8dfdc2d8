//! launch-auth and token-vault as the gateway sees them, in memory.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
};

use futures_util::Stream;
use sallyport_model::{Clock, Code, GrantId, LaunchId, ServiceName};
use sallyport_proto::{
    convert,
    jobs::v1 as jobs,
    jobs::v1::care_gaps_server::{CareGaps, CareGapsServer},
    jobs::v1::decide_request::Decision,
    jobs::v1::proposals_server::{Proposals, ProposalsServer},
    launch::v1 as launch,
    launch::v1::launch_auth_server::{LaunchAuth, LaunchAuthServer},
    types::v1::{RevocationEvent, WatchRevocationsRequest, WatchRevocationsResponse, revocation_event::What},
    vault::v1 as vault,
    vault::v1::token_vault_server::{TokenVault, TokenVaultServer},
};
use sallyport_rpc::{
    AllowList, Served, Transport,
    revocation::{Page, tail},
    status,
};
use tonic::{Request, Response, Status, service::Routes};

type Revocations = Pin<Box<dyn Stream<Item = Result<WatchRevocationsResponse, Status>> + Send>>;

const GATEWAY: &[ServiceName] = &[ServiceName::FhirGateway];
const LAUNCH: AllowList = &[
    ("/sallyport.launch.v1.LaunchAuth/Resolve", GATEWAY),
    ("/sallyport.launch.v1.LaunchAuth/ReportActivity", GATEWAY),
    ("/sallyport.launch.v1.LaunchAuth/WatchRevocations", GATEWAY),
];
const VAULT: AllowList = &[
    ("/sallyport.vault.v1.TokenVault/AccessToken", GATEWAY),
    ("/sallyport.vault.v1.TokenVault/ClientCredentials", GATEWAY),
    ("/sallyport.vault.v1.TokenVault/WatchRevocations", GATEWAY),
];

/// Where a grant is good and to whom it was given, as the vault says.
#[derive(Clone, Default)]
pub(crate) struct GrantOf {
    pub(crate) endpoint: String,
    pub(crate) registration: String,
    pub(crate) is_service: bool,
}

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

    async fn pass(&self, place: &'static str) {
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

/// Both owners, sharing one list of revocations.
#[derive(Clone)]
pub(crate) struct Owners {
    clock: Arc<dyn Clock>,
    /// Sessions by handle, with the secret that opens each.
    pub(crate) sessions: Arc<Mutex<HashMap<LaunchId, (String, launch::ResolveResponse)>>>,
    pub(crate) activity: Arc<Mutex<Vec<launch::report_activity_request::Activity>>>,
    pub(crate) resolves: Arc<AtomicUsize>,
    pub(crate) token_calls: Arc<AtomicUsize>,
    /// What job-worker has kept.
    pub(crate) scans: Scans,
    /// The scope that the vault says the last token response had.
    pub(crate) token_scope: Arc<Mutex<String>>,
    /// The vault refuses with this code.
    pub(crate) vault_refuses: Arc<Mutex<Option<Code>>>,
    /// For whom the vault says that a grant is.
    pub(crate) grant_of: Arc<Mutex<GrantOf>>,
    /// Grants that services opened.
    pub(crate) opened: Arc<Mutex<Vec<Vec<u8>>>>,
    revoked: Arc<Mutex<Vec<What>>>,
    is_silent: Arc<AtomicBool>,
    version: Arc<AtomicI64>,
}

impl Owners {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            scans: Scans { clock: Some(Arc::clone(&clock)), ..Scans::default() },
            clock,
            sessions: Arc::default(),
            activity: Arc::default(),
            resolves: Arc::default(),
            token_calls: Arc::default(),
            token_scope: Arc::default(),
            vault_refuses: Arc::default(),
            grant_of: Arc::default(),
            opened: Arc::default(),
            revoked: Arc::default(),
            is_silent: Arc::default(),
            version: Arc::new(AtomicI64::new(1)),
        }
    }

    pub(crate) fn launch_auth(&self) -> Transport {
        Transport::local(
            Served::new(Routes::new(LaunchAuthServer::new(self.clone())), LAUNCH),
            ServiceName::FhirGateway,
        )
    }

    pub(crate) fn token_vault(&self) -> Transport {
        Transport::local(
            Served::new(Routes::new(TokenVaultServer::new(self.clone())), VAULT),
            ServiceName::FhirGateway,
        )
    }

    pub(crate) fn revoke(&self, launch: LaunchId) {
        self.revoked.lock().unwrap().push(What::Launch(convert::id_bytes(launch.uuid())));
    }

    pub(crate) fn revoke_grant(&self, grant: &[u8]) {
        self.revoked.lock().unwrap().push(What::Grant(grant.to_vec()));
    }

    /// The owners can no longer read their tables.
    pub(crate) fn go_silent(&self) {
        self.is_silent.store(true, Ordering::SeqCst);
    }

    pub(crate) fn token(&self) -> String {
        format!("canary-access-token-{}", self.version.load(Ordering::SeqCst))
    }

    fn watch(&self, after: i64) -> Revocations {
        let (revoked, is_silent) = (Arc::clone(&self.revoked), Arc::clone(&self.is_silent));
        tail(after, Arc::clone(&self.clock), move |after| {
            let page = (!is_silent.load(Ordering::SeqCst)).then(|| {
                let rows = revoked.lock().unwrap();
                let number = |n: usize| i64::try_from(n).unwrap() + 1;
                let events = rows.iter().enumerate().filter(|(n, _)| number(*n) > after);
                let event = |(n, what): (usize, &What)| RevocationEvent {
                    sequence: number(n),
                    what: Some(what.clone()),
                };
                Page { events: events.map(event).collect(), head: i64::try_from(rows.len()).unwrap() }
            });
            async move { page }
        })
    }
}

#[tonic::async_trait]
impl LaunchAuth for Owners {
    async fn resolve(
        &self,
        request: Request<launch::ResolveRequest>,
    ) -> Result<Response<launch::ResolveResponse>, Status> {
        self.resolves.fetch_add(1, Ordering::SeqCst);
        let request = request.into_inner();
        let id = convert::launch_id(&request.launch_id)?;
        let sessions = self.sessions.lock().unwrap();
        match sessions.get(&id) {
            Some((secret, session)) if *secret == request.session_secret => {
                Ok(Response::new(session.clone()))
            }
            _ => Err(status(Code::SessionMissing)),
        }
    }

    async fn report_activity(
        &self,
        request: Request<launch::ReportActivityRequest>,
    ) -> Result<Response<launch::ReportActivityResponse>, Status> {
        self.activity.lock().unwrap().extend(request.into_inner().activities);
        Ok(Response::new(launch::ReportActivityResponse {}))
    }

    async fn revoke(
        &self,
        _: Request<launch::RevokeRequest>,
    ) -> Result<Response<launch::RevokeResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_sessions(
        &self,
        _: Request<launch::ListSessionsRequest>,
    ) -> Result<Response<launch::ListSessionsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    type WatchRevocationsStream = Revocations;

    async fn watch_revocations(
        &self,
        request: Request<WatchRevocationsRequest>,
    ) -> Result<Response<Revocations>, Status> {
        Ok(Response::new(self.watch(request.into_inner().after)))
    }
}

#[tonic::async_trait]
impl TokenVault for Owners {
    async fn access_token(
        &self,
        request: Request<vault::AccessTokenRequest>,
    ) -> Result<Response<vault::AccessTokenResponse>, Status> {
        self.token_calls.fetch_add(1, Ordering::SeqCst);
        self.scans.stop.pass("token").await;
        if let Some(code) = *self.vault_refuses.lock().unwrap() {
            return Err(status(code));
        }
        if !request.into_inner().rejected_sha256.is_empty() {
            self.version.fetch_add(1, Ordering::SeqCst);
        }
        let grant = self.grant_of.lock().unwrap().clone();
        Ok(Response::new(vault::AccessTokenResponse {
            access_token: self.token(),
            expires_at: self.clock.now() + 300_000_000,
            granted_scope: self.token_scope.lock().unwrap().clone(),
            version: self.version.load(Ordering::SeqCst),
            endpoint: grant.endpoint,
            registration: grant.registration,
            is_service: grant.is_service,
        }))
    }

    async fn exchange(
        &self,
        _: Request<vault::ExchangeRequest>,
    ) -> Result<Response<vault::ExchangeResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn revoke(
        &self,
        _: Request<vault::RevokeRequest>,
    ) -> Result<Response<vault::RevokeResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn public_keys(
        &self,
        _: Request<vault::PublicKeysRequest>,
    ) -> Result<Response<vault::PublicKeysResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn introspect(
        &self,
        _: Request<vault::IntrospectRequest>,
    ) -> Result<Response<vault::IntrospectResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn check_grant(
        &self,
        _: Request<vault::CheckGrantRequest>,
    ) -> Result<Response<vault::CheckGrantResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn client_credentials(
        &self,
        request: Request<vault::ClientCredentialsRequest>,
    ) -> Result<Response<vault::ClientCredentialsResponse>, Status> {
        if let Some(code) = *self.vault_refuses.lock().unwrap() {
            return Err(status(code));
        }
        let asked = request.into_inner();
        *self.grant_of.lock().unwrap() =
            GrantOf { endpoint: "looked".into(), registration: asked.registration, is_service: true };
        let grant_id = convert::id_bytes(GrantId::new(self.clock.as_ref()).uuid());
        self.opened.lock().unwrap().push(grant_id.clone());
        Ok(Response::new(vault::ClientCredentialsResponse {
            grant_id,
            granted_scope: self.token_scope.lock().unwrap().clone(),
            access_expires_at: self.clock.now() + 300_000_000,
        }))
    }

    async fn rotate_keys(
        &self,
        _: Request<vault::RotateKeysRequest>,
    ) -> Result<Response<vault::RotateKeysResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn key_status(
        &self,
        _: Request<vault::KeyStatusRequest>,
    ) -> Result<Response<vault::KeyStatusResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    type WatchRevocationsStream = Revocations;

    async fn watch_revocations(
        &self,
        request: Request<WatchRevocationsRequest>,
    ) -> Result<Response<Revocations>, Status> {
        Ok(Response::new(self.watch(request.into_inner().after)))
    }
}
