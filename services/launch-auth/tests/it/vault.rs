//! A token-vault that answers as it is told and remembers what it was asked.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use sallyport_model::{Code, ServiceName};
use sallyport_proto::{
    types::v1::{GrantFigures, User, WatchRevocationsRequest, WatchRevocationsResponse, selector::By},
    vault::v1::{
        AccessTokenRequest, AccessTokenResponse, CheckGrantRequest, CheckGrantResponse,
        ClientCredentialsRequest, ClientCredentialsResponse, CountGrantsRequest, ExchangeRequest,
        ExchangeResponse, IntrospectRequest, IntrospectResponse, KeyStatusRequest, KeyStatusResponse,
        PublicKeysRequest, PublicKeysResponse, RevokeRequest, RevokeResponse, RotateKeysRequest,
        RotateKeysResponse,
        token_vault_server::{TokenVault, TokenVaultServer},
    },
};
use sallyport_rpc::{AllowList, Served, Transport, status};
use tokio::sync::Semaphore;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

const ALLOW: AllowList = &[
    ("/sallyport.vault.v1.TokenVault/Exchange", &[ServiceName::LaunchAuth]),
    ("/sallyport.vault.v1.TokenVault/Revoke", &[ServiceName::LaunchAuth]),
    ("/sallyport.vault.v1.TokenVault/CountGrants", &[ServiceName::LaunchAuth]),
    ("/sallyport.vault.v1.TokenVault/PublicKeys", &[ServiceName::LaunchAuth]),
];

#[derive(Clone)]
pub(crate) enum Answer {
    Grant { scope: String, context: String },
    Refuse(Code),
}

pub(crate) struct Vault {
    pub(crate) exchanges: Mutex<Vec<ExchangeRequest>>,
    pub(crate) revokes: Mutex<Vec<RevokeRequest>>,
    pub(crate) answer: Mutex<Answer>,
    /// Closed while the token endpoint is to be slow.
    pub(crate) gate: Semaphore,
    pub(crate) is_down: AtomicBool,
    /// What is said of grants that were revoked.
    pub(crate) figures: Mutex<GrantFigures>,
}

impl Vault {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            exchanges: Mutex::default(),
            revokes: Mutex::default(),
            answer: Mutex::new(Answer::Grant {
                scope: "openid fhirUser patient/Patient.rs patient/Condition.rs".to_owned(),
                context: r#"{"patient":"patient-canary-1","encounter":"enc-1","need_patient_banner":"false","fhirContext":["ImagingStudy/9"]}"#.to_owned(),
            }),
            gate: Semaphore::new(1_000),
            is_down: AtomicBool::new(false),
            figures: Mutex::new(GrantFigures { revoked: 1, confirmed: 1, ..GrantFigures::default() }),
        })
    }

    pub(crate) fn transport(self: &Arc<Self>) -> Transport {
        let routes = tonic::service::Routes::new(TokenVaultServer::new(Fake(Arc::clone(self))));
        Transport::local(Served::new(routes, ALLOW), ServiceName::LaunchAuth)
    }

    pub(crate) fn grants(&self, scope: &str, context: &str) {
        *self.answer.lock().unwrap() = Answer::Grant { scope: scope.to_owned(), context: context.to_owned() };
    }

    pub(crate) fn refuses(&self, code: Code) {
        *self.answer.lock().unwrap() = Answer::Refuse(code);
    }

    pub(crate) fn exchange_count(&self) -> usize {
        self.exchanges.lock().unwrap().len()
    }

    /// The grants that were revoked one by one.
    pub(crate) fn revoked_grants(&self) -> Vec<Vec<u8>> {
        let revokes = self.revokes.lock().unwrap();
        let by = revokes.iter().filter_map(|r| r.selector.clone()?.by);
        by.filter_map(|by| if let By::Grant(id) = by { Some(id) } else { None }).collect()
    }

    /// The launches whose grants were revoked.
    pub(crate) fn revoked_launches(&self) -> Vec<Vec<u8>> {
        let revokes = self.revokes.lock().unwrap();
        let by = revokes.iter().filter_map(|r| r.selector.clone()?.by);
        by.filter_map(|by| if let By::Launch(id) = by { Some(id) } else { None }).collect()
    }
}

/// The grant of a launch: its id backwards.
pub(crate) fn grant_of(launch: &[u8]) -> Vec<u8> {
    launch.iter().rev().copied().collect()
}

struct Fake(Arc<Vault>);

#[tonic::async_trait]
impl TokenVault for Fake {
    type WatchRevocationsStream =
        Pin<Box<dyn Stream<Item = Result<WatchRevocationsResponse, Status>> + Send>>;

    async fn exchange(
        &self,
        request: Request<ExchangeRequest>,
    ) -> Result<Response<ExchangeResponse>, Status> {
        let message = request.into_inner();
        self.0.exchanges.lock().unwrap().push(message.clone());
        let _open = self.0.gate.acquire().await.unwrap();
        let answer = self.0.answer.lock().unwrap().clone();
        match answer {
            Answer::Refuse(code) => Err(status(code)),
            Answer::Grant { scope, context } => Ok(Response::new(ExchangeResponse {
                grant_id: grant_of(&message.launch_id),
                granted_scope: scope,
                user: Some(User {
                    issuer: message.issuer,
                    subject: "user-1".to_owned(),
                    fhir_user: "Practitioner/p1".to_owned(),
                }),
                user_display: "Dr. Canary Display".to_owned(),
                context_json: context,
                has_refresh_token: true,
                access_expires_at: 1_700_000_300_000_000,
            })),
        }
    }

    async fn access_token(
        &self,
        _: Request<AccessTokenRequest>,
    ) -> Result<Response<AccessTokenResponse>, Status> {
        Err(status(Code::CallerDenied))
    }

    async fn revoke(&self, request: Request<RevokeRequest>) -> Result<Response<RevokeResponse>, Status> {
        if self.0.is_down.load(Ordering::SeqCst) {
            return Err(Status::unavailable("down"));
        }
        self.0.revokes.lock().unwrap().push(request.into_inner());
        Ok(Response::new(RevokeResponse { grants: 1, revoked_upstream: 1, last_expires_at: 0 }))
    }

    async fn public_keys(
        &self,
        _: Request<PublicKeysRequest>,
    ) -> Result<Response<PublicKeysResponse>, Status> {
        if self.0.is_down.load(Ordering::SeqCst) {
            return Err(Status::unavailable("down"));
        }
        Ok(Response::new(PublicKeysResponse {
            jwks_json: r#"{"keys":[{"kty":"EC","kid":"k1"}]}"#.to_owned(),
        }))
    }

    async fn client_credentials(
        &self,
        _: Request<ClientCredentialsRequest>,
    ) -> Result<Response<ClientCredentialsResponse>, Status> {
        Err(status(Code::CallerDenied))
    }

    async fn count_grants(
        &self,
        request: Request<CountGrantsRequest>,
    ) -> Result<Response<GrantFigures>, Status> {
        if self.0.is_down.load(Ordering::SeqCst) {
            return Err(Status::unavailable("down"));
        }
        let message = request.into_inner();
        let revokes = self.0.revokes.lock().unwrap();
        let is_revoked = revokes.iter().any(|r| r.tenant == message.tenant && r.selector == message.selector);
        let figures = if is_revoked {
            self.0.figures.lock().unwrap().clone()
        } else {
            GrantFigures { alive: 1, alive_offered: 1, ..GrantFigures::default() }
        };
        Ok(Response::new(figures))
    }

    async fn check_grant(
        &self,
        _: Request<CheckGrantRequest>,
    ) -> Result<Response<CheckGrantResponse>, Status> {
        Err(status(Code::CallerDenied))
    }

    async fn introspect(
        &self,
        _: Request<IntrospectRequest>,
    ) -> Result<Response<IntrospectResponse>, Status> {
        Err(status(Code::CallerDenied))
    }

    async fn rotate_keys(
        &self,
        _: Request<RotateKeysRequest>,
    ) -> Result<Response<RotateKeysResponse>, Status> {
        Err(status(Code::CallerDenied))
    }

    async fn key_status(&self, _: Request<KeyStatusRequest>) -> Result<Response<KeyStatusResponse>, Status> {
        Err(status(Code::CallerDenied))
    }

    async fn watch_revocations(
        &self,
        _: Request<WatchRevocationsRequest>,
    ) -> Result<Response<Self::WatchRevocationsStream>, Status> {
        Err(status(Code::CallerDenied))
    }
}
