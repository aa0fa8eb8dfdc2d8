//! launch-auth and token-vault as a worker sees them.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
};

use futures_util::Stream;
use sallyport_model::{Code, GrantId, ServiceName, SystemClock};
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

type Revocations = Pin<Box<dyn Stream<Item = Result<WatchRevocationsResponse, Status>> + Send>>;

const WORKER: &[ServiceName] = &[ServiceName::JobWorker];
const LAUNCH: AllowList = &[("/sallyport.launch.v1.LaunchAuth/WatchRevocations", WORKER)];
const VAULT: AllowList = &[
    ("/sallyport.vault.v1.TokenVault/ClientCredentials", WORKER),
    ("/sallyport.vault.v1.TokenVault/CheckGrant", WORKER),
    ("/sallyport.vault.v1.TokenVault/WatchRevocations", WORKER),
];

/// Everything that the features of the tests ask for.
pub(crate) const SCOPES: &str = "system/Condition.rs system/Medication.rs system/MedicationRequest.rs \
    system/Observation.rs system/Patient.rs";

/// Both owners.
#[derive(Clone)]
pub(crate) struct Owners {
    /// What a grant gets.
    pub(crate) granted: Arc<Mutex<String>>,
    /// Grants that were opened.
    pub(crate) opened: Arc<Mutex<Vec<GrantId>>>,
    /// The vault refuses with this code.
    pub(crate) refuses: Arc<Mutex<Option<Code>>>,
    /// A user's grant as the vault knows it.
    pub(crate) checked: Arc<Mutex<Option<vault::CheckGrantResponse>>>,
    revoked: Arc<Mutex<Vec<GrantId>>>,
}

impl Owners {
    pub(crate) fn new() -> Self {
        Self {
            granted: Arc::new(Mutex::new(SCOPES.to_owned())),
            opened: Arc::default(),
            refuses: Arc::default(),
            checked: Arc::default(),
            revoked: Arc::default(),
        }
    }

    pub(crate) fn launch_auth(&self) -> Transport {
        let server = LaunchAuthServer::new(self.clone());
        Transport::local(Served::new(Routes::new(server), LAUNCH), ServiceName::JobWorker)
    }

    pub(crate) fn token_vault(&self) -> Transport {
        let server = TokenVaultServer::new(self.clone());
        Transport::local(Served::new(Routes::new(server), VAULT), ServiceName::JobWorker)
    }

    pub(crate) fn revoke(&self, grant: GrantId) {
        self.revoked.lock().unwrap().push(grant);
    }

    fn grants(&self, after: i64) -> Revocations {
        let revoked = Arc::clone(&self.revoked);
        tail(after, Arc::new(SystemClock), move |after| {
            let rows = revoked.lock().unwrap();
            let number = |n: usize| i64::try_from(n).unwrap() + 1;
            let event = |(n, id): (usize, &GrantId)| RevocationEvent {
                sequence: number(n),
                what: Some(What::Grant(convert::id_bytes(id.uuid()))),
            };
            let events = rows.iter().enumerate().filter(|(n, _)| number(*n) > after).map(event).collect();
            let page = Page { events, head: i64::try_from(rows.len()).unwrap() };
            async move { Some(page) }
        })
    }
}

fn not_here<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented(""))
}

#[tonic::async_trait]
impl LaunchAuth for Owners {
    async fn resolve(
        &self,
        _: Request<launch::ResolveRequest>,
    ) -> Result<Response<launch::ResolveResponse>, Status> {
        not_here()
    }

    async fn report_activity(
        &self,
        _: Request<launch::ReportActivityRequest>,
    ) -> Result<Response<launch::ReportActivityResponse>, Status> {
        not_here()
    }

    async fn revoke(
        &self,
        _: Request<launch::RevokeRequest>,
    ) -> Result<Response<launch::RevokeResponse>, Status> {
        not_here()
    }

    async fn list_sessions(
        &self,
        _: Request<launch::ListSessionsRequest>,
    ) -> Result<Response<launch::ListSessionsResponse>, Status> {
        not_here()
    }

    type WatchRevocationsStream = Revocations;

    async fn watch_revocations(
        &self,
        request: Request<WatchRevocationsRequest>,
    ) -> Result<Response<Revocations>, Status> {
        let nothing = |_after| async { Some(Page { events: Vec::new(), head: 0 }) };
        Ok(Response::new(tail(request.into_inner().after, Arc::new(SystemClock), nothing)))
    }
}

#[tonic::async_trait]
impl TokenVault for Owners {
    async fn exchange(
        &self,
        _: Request<vault::ExchangeRequest>,
    ) -> Result<Response<vault::ExchangeResponse>, Status> {
        not_here()
    }

    async fn access_token(
        &self,
        _: Request<vault::AccessTokenRequest>,
    ) -> Result<Response<vault::AccessTokenResponse>, Status> {
        not_here()
    }

    async fn client_credentials(
        &self,
        _: Request<vault::ClientCredentialsRequest>,
    ) -> Result<Response<vault::ClientCredentialsResponse>, Status> {
        if let Some(code) = *self.refuses.lock().unwrap() {
            return Err(status(code));
        }
        let grant = GrantId::new(&SystemClock);
        self.opened.lock().unwrap().push(grant);
        Ok(Response::new(vault::ClientCredentialsResponse {
            grant_id: convert::id_bytes(grant.uuid()),
            granted_scope: self.granted.lock().unwrap().clone(),
            access_expires_at: 0,
        }))
    }

    async fn count_grants(
        &self,
        _: Request<vault::CountGrantsRequest>,
    ) -> Result<Response<sallyport_proto::types::v1::GrantFigures>, Status> {
        Err(status(Code::CallerDenied))
    }

    async fn check_grant(
        &self,
        _: Request<vault::CheckGrantRequest>,
    ) -> Result<Response<vault::CheckGrantResponse>, Status> {
        let checked = self.checked.lock().unwrap().clone();
        checked.map(Response::new).ok_or_else(|| status(Code::GrantUnknown))
    }

    async fn revoke(
        &self,
        _: Request<vault::RevokeRequest>,
    ) -> Result<Response<vault::RevokeResponse>, Status> {
        not_here()
    }

    async fn public_keys(
        &self,
        _: Request<vault::PublicKeysRequest>,
    ) -> Result<Response<vault::PublicKeysResponse>, Status> {
        not_here()
    }

    async fn introspect(
        &self,
        _: Request<vault::IntrospectRequest>,
    ) -> Result<Response<vault::IntrospectResponse>, Status> {
        not_here()
    }

    async fn rotate_keys(
        &self,
        _: Request<vault::RotateKeysRequest>,
    ) -> Result<Response<vault::RotateKeysResponse>, Status> {
        not_here()
    }

    async fn key_status(
        &self,
        _: Request<vault::KeyStatusRequest>,
    ) -> Result<Response<vault::KeyStatusResponse>, Status> {
        not_here()
    }

    type WatchRevocationsStream = Revocations;

    async fn watch_revocations(
        &self,
        request: Request<WatchRevocationsRequest>,
    ) -> Result<Response<Revocations>, Status> {
        Ok(Response::new(self.grants(request.into_inner().after)))
    }
}
