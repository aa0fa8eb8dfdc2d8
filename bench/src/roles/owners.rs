//! launch-auth and token-vault beside the gateway, in memory: a warm read asks neither, and nothing of what is measured
//! is theirs. What one warm read would ask them is counted by the gateway itself and checked by the driver.

use std::{collections::HashMap, pin::Pin, sync::Arc};

use futures_util::Stream;
use sallyport_model::{Clock, Code, ServiceName, SystemClock};
use sallyport_proto::{
    convert,
    launch::v1 as launch,
    launch::v1::launch_auth_server::{LaunchAuth, LaunchAuthServer},
    types::v1::{User, WatchRevocationsRequest, WatchRevocationsResponse},
    vault::v1 as vault,
    vault::v1::token_vault_server::{TokenVault, TokenVaultServer},
};
use sallyport_rpc::{
    AllowList, Served,
    revocation::{Page, tail},
    status,
};
use tonic::{Request, Response, Status, service::Routes};

use crate::sessions::{Launch, PATIENT, SCOPES};

type Revocations = Pin<Box<dyn Stream<Item = Result<WatchRevocationsResponse, Status>> + Send>>;

const GATEWAY: &[ServiceName] = &[ServiceName::FhirGateway];
const LAUNCH: AllowList = &[
    ("/sallyport.launch.v1.LaunchAuth/Resolve", GATEWAY),
    ("/sallyport.launch.v1.LaunchAuth/ReportActivity", GATEWAY),
    ("/sallyport.launch.v1.LaunchAuth/WatchRevocations", GATEWAY),
];
const VAULT: AllowList = &[
    ("/sallyport.vault.v1.TokenVault/AccessToken", GATEWAY),
    ("/sallyport.vault.v1.TokenVault/WatchRevocations", GATEWAY),
];

/// Longer than any run.
const LIFE: i64 = 8 * 3_600 * 1_000_000;

/// Both owners, ready to be given to a composition.
pub(crate) fn served() -> HashMap<ServiceName, Served> {
    let launch = Served::new(Routes::new(LaunchAuthServer::new(Owners)), LAUNCH);
    let vault = Served::new(Routes::new(TokenVaultServer::new(Owners)), VAULT);
    HashMap::from([(ServiceName::LaunchAuth, launch), (ServiceName::TokenVault, vault)])
}

struct Owners;

/// Nobody is ever revoked, and that is known at all times.
fn nothing_revoked(after: i64) -> Revocations {
    tail(after, Arc::new(SystemClock), |_| async { Some(Page { events: Vec::new(), head: 0 }) })
}

fn not_here<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented(""))
}

#[tonic::async_trait]
impl LaunchAuth for Owners {
    async fn resolve(
        &self,
        request: Request<launch::ResolveRequest>,
    ) -> Result<Response<launch::ResolveResponse>, Status> {
        let request = request.into_inner();
        let id = convert::launch_id(&request.launch_id)?;
        let known = Launch::number_of(id).and_then(Launch::numbered);
        let known = known.filter(|l| l.id == id && *l.secret.expose() == request.session_secret);
        let launch = known.ok_or_else(|| status(Code::SessionMissing))?;
        let now = SystemClock.now();
        Ok(Response::new(launch::ResolveResponse {
            launch_id: convert::id_bytes(launch.id.uuid()),
            tenant: "bench".to_owned(),
            endpoint: "main".to_owned(),
            registration: "bench".to_owned(),
            app: "chart".to_owned(),
            // One grant per launch; any id does.
            grant_id: convert::id_bytes(launch.id.uuid()),
            user: Some(User {
                issuer: "https://ehr.example".to_owned(),
                subject: "u-1".to_owned(),
                fhir_user: "Practitioner/me".to_owned(),
            }),
            user_display: "Dr. Synthetic".to_owned(),
            patient: PATIENT.to_owned(),
            granted_scope: SCOPES.to_owned(),
            idle_expires_at: now + LIFE,
            absolute_expires_at: now + LIFE,
            renewable: true,
            is_ehr_launch: true,
            launch_traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
            ..launch::ResolveResponse::default()
        }))
    }

    async fn report_activity(
        &self,
        _: Request<launch::ReportActivityRequest>,
    ) -> Result<Response<launch::ReportActivityResponse>, Status> {
        Ok(Response::new(launch::ReportActivityResponse {}))
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
        Ok(Response::new(nothing_revoked(request.into_inner().after)))
    }
}

#[tonic::async_trait]
impl TokenVault for Owners {
    async fn access_token(
        &self,
        _: Request<vault::AccessTokenRequest>,
    ) -> Result<Response<vault::AccessTokenResponse>, Status> {
        Ok(Response::new(vault::AccessTokenResponse {
            // As long as a signed token of an EHR often is.
            access_token: "synthetic-token-".repeat(60),
            expires_at: SystemClock.now() + LIFE,
            granted_scope: SCOPES.to_owned(),
            version: 1,
            ..vault::AccessTokenResponse::default()
        }))
    }

    async fn exchange(
        &self,
        _: Request<vault::ExchangeRequest>,
    ) -> Result<Response<vault::ExchangeResponse>, Status> {
        not_here()
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

    async fn count_grants(
        &self,
        _: Request<vault::CountGrantsRequest>,
    ) -> Result<Response<sallyport_proto::types::v1::GrantFigures>, Status> {
        not_here()
    }

    async fn check_grant(
        &self,
        _: Request<vault::CheckGrantRequest>,
    ) -> Result<Response<vault::CheckGrantResponse>, Status> {
        not_here()
    }

    async fn client_credentials(
        &self,
        _: Request<vault::ClientCredentialsRequest>,
    ) -> Result<Response<vault::ClientCredentialsResponse>, Status> {
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
        Ok(Response::new(nothing_revoked(request.into_inner().after)))
    }
}
