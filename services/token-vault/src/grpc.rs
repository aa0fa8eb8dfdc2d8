//! The edge: messages in, use cases, messages out. Who may call what is `ALLOW`, checked before anything here runs.

use std::sync::Arc;

use sallyport_model::{Code, Secret, ServiceName};
use sallyport_proto::{
    convert,
    types::v1::{self as types, selector::By},
    vault::v1::{
        AccessTokenRequest, AccessTokenResponse, CheckGrantRequest, CheckGrantResponse,
        ClientCredentialsRequest, ClientCredentialsResponse, CountGrantsRequest, ExchangeRequest,
        ExchangeResponse, IntrospectRequest, IntrospectResponse, KeyStatusRequest, KeyStatusResponse,
        PublicKeysRequest, PublicKeysResponse, RevokeRequest, RevokeResponse, RotateKeysRequest,
        RotateKeysResponse, Rotation, token_vault_server::TokenVault,
    },
};
use sallyport_rpc::{
    AllowList,
    revocation::{Page, Revocations, tail},
};
use tonic::{Request, Response, Status};
use tracing::Instrument;

use crate::{
    domain::{
        access, check_grant, client_credentials, exchange,
        exchange::{Redeemed, Transaction},
        introspect, public_keys, revoke, rotate,
    },
    error::Error,
    leaks,
    store::{self, Which},
    vault::Vault,
};

/// Who may call what. Access tokens go to fhir-gateway alone.
pub(crate) const ALLOW: AllowList = &[
    ("/sallyport.vault.v1.TokenVault/Exchange", &[ServiceName::LaunchAuth]),
    ("/sallyport.vault.v1.TokenVault/AccessToken", &[ServiceName::FhirGateway]),
    ("/sallyport.vault.v1.TokenVault/ClientCredentials", &[ServiceName::FhirGateway, ServiceName::JobWorker]),
    ("/sallyport.vault.v1.TokenVault/CheckGrant", &[ServiceName::JobWorker]),
    ("/sallyport.vault.v1.TokenVault/Revoke", &[ServiceName::LaunchAuth, ServiceName::Operator]),
    ("/sallyport.vault.v1.TokenVault/CountGrants", &[ServiceName::LaunchAuth, ServiceName::Operator]),
    ("/sallyport.vault.v1.TokenVault/PublicKeys", &[ServiceName::LaunchAuth]),
    ("/sallyport.vault.v1.TokenVault/Introspect", &[ServiceName::Operator]),
    ("/sallyport.vault.v1.TokenVault/RotateKeys", &[ServiceName::Operator]),
    ("/sallyport.vault.v1.TokenVault/KeyStatus", &[ServiceName::Operator]),
    (
        "/sallyport.vault.v1.TokenVault/WatchRevocations",
        &[ServiceName::FhirGateway, ServiceName::JobWorker, ServiceName::Web],
    ),
];

/// The service.
pub(crate) struct Edge(pub(crate) Arc<Vault>);

#[tonic::async_trait]
impl TokenVault for Edge {
    async fn exchange(
        &self,
        request: Request<ExchangeRequest>,
    ) -> Result<Response<ExchangeResponse>, Status> {
        let request_id = sallyport_rpc::request_id(&request);
        let transaction = Transaction { request: request_id, ..transaction(request.into_inner())? };
        let span = tracing::info_span!(
            "token-vault.exchange.redeem",
            tenant.id = transaction.tenant.as_str(),
            endpoint.id = transaction.endpoint.as_str(),
            registration.id = transaction.registration.as_str(),
            launch.id = %transaction.launch,
            outcome = tracing::field::Empty
        );
        let outcome = exchange::exchange(Arc::clone(&self.0), transaction).instrument(span.clone()).await;
        span.record("outcome", outcome.as_ref().map_or_else(|e| e.code().as_str(), |_| "success"));
        Ok(Response::new(redeemed(outcome.map_err(Error::into_status)?)))
    }

    async fn access_token(
        &self,
        request: Request<AccessTokenRequest>,
    ) -> Result<Response<AccessTokenResponse>, Status> {
        let request = request.into_inner();
        let tenant = convert::tenant(&request.tenant)?;
        let grant = convert::grant_id(&request.grant_id)?;
        let rejected = match request.rejected_sha256.as_slice() {
            [] => None,
            bytes => Some(
                <[u8; 32]>::try_from(bytes).map_err(|_length| convert::InvalidField("rejected_sha256"))?,
            ),
        };
        let span = tracing::info_span!(
            "token-vault.access.get",
            tenant.id = tenant.as_str(),
            grant.id = %grant,
            outcome = tracing::field::Empty,
            reason = tracing::field::Empty
        );
        let outcome = access::token(&self.0, &tenant, grant, rejected).instrument(span.clone()).await;
        let word = outcome.as_ref().map_or_else(|e| e.code().as_str(), |_| "success");
        span.record("outcome", word);
        self.0.metrics.access_tokens.inc(&[word]);
        match outcome {
            Ok(access) => Ok(Response::new(AccessTokenResponse {
                access_token: access.token.expose().clone(),
                expires_at: access.expires_at,
                granted_scope: access.granted_scope,
                version: access.version,
                endpoint: access.endpoint.as_str().to_owned(),
                registration: access.registration.as_str().to_owned(),
                is_service: access.is_service,
            })),
            Err(error) => {
                let status = error.into_status();
                let token = match sallyport_model::planted!("token-in-error") {
                    true => access::peek(&self.0, &tenant, grant).await,
                    false => None,
                };
                Err(leaks::on_refusal(status, token.as_ref()))
            }
        }
    }

    async fn client_credentials(
        &self,
        request: Request<ClientCredentialsRequest>,
    ) -> Result<Response<ClientCredentialsResponse>, Status> {
        let request_id = sallyport_rpc::request_id(&request);
        let request = request.into_inner();
        let asked = client_credentials::Request {
            tenant: convert::tenant(&request.tenant)?,
            registration: convert::registration(&request.registration)?,
            feature: convert::feature(&request.feature)?,
            request: request_id,
        };
        let span = tracing::info_span!(
            "token-vault.client_credentials.ask",
            tenant.id = asked.tenant.as_str(),
            registration.id = asked.registration.as_str(),
            outcome = tracing::field::Empty
        );
        let outcome = client_credentials::open(Arc::clone(&self.0), asked).instrument(span.clone()).await;
        span.record("outcome", outcome.as_ref().map_or_else(|e| e.code().as_str(), |_| "success"));
        let opened = outcome.map_err(Error::into_status)?;
        Ok(Response::new(ClientCredentialsResponse {
            grant_id: convert::id_bytes(opened.grant.uuid()),
            granted_scope: opened.granted_scope,
            access_expires_at: opened.access_expires_at,
        }))
    }

    async fn check_grant(
        &self,
        request: Request<CheckGrantRequest>,
    ) -> Result<Response<CheckGrantResponse>, Status> {
        let request = request.into_inner();
        let tenant = convert::tenant(&request.tenant)?;
        let grant = convert::grant_id(&request.grant_id)?;
        let user = request.user.filter(|user| !user.issuer.is_empty() && !user.subject.is_empty());
        let user = user.ok_or(convert::InvalidField("user"))?;
        let who = (user.issuer.as_str(), user.subject.as_str());
        let checked = check_grant::check(&self.0, &tenant, grant, who).await.map_err(Error::into_status)?;
        Ok(Response::new(CheckGrantResponse {
            endpoint: checked.endpoint.as_str().to_owned(),
            registration: checked.registration.as_str().to_owned(),
            granted_scope: checked.granted_scope,
            is_offline: checked.is_offline,
        }))
    }

    async fn revoke(&self, request: Request<RevokeRequest>) -> Result<Response<RevokeResponse>, Status> {
        let request = request.into_inner();
        let tenant = convert::tenant(&request.tenant)?;
        let which = self.which(&tenant, request.selector).await?;
        check_reason(&request.reason)?;
        let span = tracing::info_span!(
            "token-vault.revoke.run",
            tenant.id = tenant.as_str(),
            count = tracing::field::Empty
        );
        let outcome =
            revoke::revoke(&self.0, &tenant, &which, &request.reason).instrument(span.clone()).await;
        let outcome = outcome.map_err(Error::into_status)?;
        span.record("count", outcome.grants);
        Ok(Response::new(RevokeResponse {
            grants: outcome.grants,
            revoked_upstream: outcome.revoked_upstream,
            last_expires_at: outcome.last_expires_at,
        }))
    }

    async fn count_grants(
        &self,
        request: Request<CountGrantsRequest>,
    ) -> Result<Response<types::GrantFigures>, Status> {
        let request = request.into_inner();
        let tenant = convert::tenant(&request.tenant)?;
        let which = self.which(&tenant, request.selector).await?;
        let figures = self.0.store.figures(&tenant, &which, request.since).await;
        let (figures, ids) = figures.map_err(|error| Error::from(error).into_status())?;
        let number = |count: i64| i32::try_from(count).unwrap_or(i32::MAX);
        Ok(Response::new(types::GrantFigures {
            alive: number(figures.alive),
            alive_of_services: number(figures.alive_of_services),
            alive_offered: number(figures.alive_offered),
            revoked: number(figures.revoked),
            revoked_of_services: number(figures.revoked_of_services),
            confirmed: number(figures.confirmed),
            pending: number(figures.pending),
            failed: number(figures.failed),
            not_offered: number(figures.not_offered),
            without_token: number(figures.without_token),
            last_expires_at: figures.last_expires_at,
            of_persons: ids.into_iter().map(convert::id_bytes).collect(),
        }))
    }

    async fn public_keys(
        &self,
        _request: Request<PublicKeysRequest>,
    ) -> Result<Response<PublicKeysResponse>, Status> {
        let jwks_json = public_keys::public_keys(&self.0).await.map_err(Error::into_status)?;
        Ok(Response::new(PublicKeysResponse { jwks_json }))
    }

    async fn introspect(
        &self,
        request: Request<IntrospectRequest>,
    ) -> Result<Response<IntrospectResponse>, Status> {
        let request = request.into_inner();
        let tenant = convert::tenant(&request.tenant)?;
        let grant = convert::grant_id(&request.grant_id)?;
        let span = tracing::info_span!(
            "token-vault.introspect.ask",
            tenant.id = tenant.as_str(),
            grant.id = %grant
        );
        let answer = introspect::introspect(&self.0, &tenant, grant).instrument(span).await;
        let answer = answer.map_err(Error::into_status)?;
        Ok(Response::new(IntrospectResponse {
            active: answer.is_active,
            scope: answer.scope,
            expires_at: answer.expires_at,
        }))
    }

    async fn rotate_keys(
        &self,
        request: Request<RotateKeysRequest>,
    ) -> Result<Response<RotateKeysResponse>, Status> {
        let request = request.into_inner();
        check_reason(&request.reason)?;
        let wanted = store::Wanted {
            rotates_kek: request.key_encryption_key,
            renews_data_keys: request.data_keys,
            replaces_lost: request.replace_lost,
        };
        let span = tracing::info_span!("token-vault.rotate.start");
        let started = rotate::start(&self.0, wanted, &request.reason).instrument(span).await;
        let started = started.map_err(Error::into_status)?;
        Ok(Response::new(RotateKeysResponse { rotation: Some(rotation(&started)) }))
    }

    async fn key_status(
        &self,
        _request: Request<KeyStatusRequest>,
    ) -> Result<Response<KeyStatusResponse>, Status> {
        let status = rotate::status(&self.0).await.map_err(Error::into_status)?;
        Ok(Response::new(KeyStatusResponse {
            kek_version: status.kek_version.unwrap_or(0),
            data_keys: status.data_keys,
            outdated_wrappings: status.outdated_wrappings,
            oldest_version: status.oldest_version.unwrap_or(0),
            outdated_data_keys: status.outdated_data_keys,
            outdated_rows: status.outdated_rows,
            rotation: status.last.as_ref().map(rotation),
        }))
    }

    type WatchRevocationsStream = Revocations;

    async fn watch_revocations(
        &self,
        request: Request<types::WatchRevocationsRequest>,
    ) -> Result<Response<Self::WatchRevocationsStream>, Status> {
        let store = self.0.store.clone();
        let fetch = move |after| {
            let store = store.clone();
            async move {
                let (events, head) = store.revocations_after(after).await.ok()?;
                Some(Page { events, head })
            }
        };
        Ok(Response::new(tail(request.into_inner().after, Arc::clone(&self.0.clock), fetch)))
    }
}

impl Edge {
    /// What a selector names, within the tenant given beside it. One that names nothing is refused.
    async fn which(
        &self,
        tenant: &sallyport_model::TenantId,
        selector: Option<types::Selector>,
    ) -> Result<Which, Status> {
        match selector.and_then(|selector| selector.by) {
            Some(By::Launch(id)) => Ok(Which::Launch(convert::launch_id(&id)?)),
            Some(By::Grant(id)) => Ok(Which::Grant(convert::grant_id(&id)?)),
            Some(By::User(user)) if !user.issuer.is_empty() && !user.subject.is_empty() => {
                let people = self.0.sealing.people(tenant).await.map_err(Error::into_status)?;
                Ok(Which::User(people.index(&user.issuer, &user.subject)))
            }
            Some(By::Tenant(name)) if name == tenant.as_str() => Ok(Which::Tenant),
            Some(By::Endpoint(name)) => Ok(Which::Endpoint(convert::endpoint(&name)?)),
            Some(By::Registration(name)) => Ok(Which::Registration(convert::registration(&name)?)),
            Some(By::User(_) | By::Tenant(_)) | None => Err(sallyport_rpc::status(Code::RequestInvalid)),
        }
    }
}

fn check_reason(reason: &str) -> Result<(), Status> {
    if convert::is_reason(reason) { Ok(()) } else { Err(convert::InvalidField("reason").into()) }
}

fn rotation(rotation: &store::Rotation) -> Rotation {
    Rotation {
        number: rotation.number,
        started_at: rotation.started_at,
        rewrapped: rotation.rewrapped,
        resealed: rotation.resealed,
        unreadable: rotation.unreadable,
        closed_at: rotation.closed_at.unwrap_or(0),
    }
}

fn transaction(request: ExchangeRequest) -> Result<Transaction, Status> {
    let required = |text: &str, name: &'static str| match text.is_empty() {
        true => Err(convert::InvalidField(name)),
        false => Ok(()),
    };
    required(&request.code, "code")?;
    required(&request.code_verifier, "code_verifier")?;
    required(&request.redirect_uri, "redirect_uri")?;
    required(&request.token_endpoint, "token_endpoint")?;
    Ok(Transaction {
        tenant: convert::tenant(&request.tenant)?,
        endpoint: convert::endpoint(&request.endpoint)?,
        registration: convert::registration(&request.registration)?,
        launch: convert::launch_id(&request.launch_id)?,
        code: Secret::new(request.code),
        code_verifier: Secret::new(request.code_verifier),
        redirect_uri: request.redirect_uri,
        token_endpoint: request.token_endpoint,
        issuer: request.issuer,
        jwks_uri: request.jwks_uri,
        nonce: request.nonce,
        requested_scope: request.requested_scope,
        revocation_endpoint: request.revocation_endpoint,
        introspection_endpoint: request.introspection_endpoint,
        request: None,
    })
}

fn redeemed(redeemed: Redeemed) -> ExchangeResponse {
    let user_display = redeemed.identity.as_ref().and_then(|who| who.display.clone());
    let user = redeemed.identity.map(|who| types::User {
        issuer: who.issuer,
        subject: who.subject,
        fhir_user: who.fhir_user.unwrap_or_default(),
    });
    ExchangeResponse {
        grant_id: convert::id_bytes(redeemed.grant.uuid()),
        granted_scope: redeemed.granted_scope,
        user,
        user_display: user_display.unwrap_or_default(),
        context_json: redeemed.context_json,
        has_refresh_token: redeemed.has_refresh_token,
        access_expires_at: redeemed.access_expires_at,
    }
}
