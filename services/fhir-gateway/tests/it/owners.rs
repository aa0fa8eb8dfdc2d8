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

use crate::scans::Scans;

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
            scans: Scans::by(Arc::clone(&clock)),
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

    async fn count_grants(
        &self,
        _: Request<vault::CountGrantsRequest>,
    ) -> Result<Response<sallyport_proto::types::v1::GrantFigures>, Status> {
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
