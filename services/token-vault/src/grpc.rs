//! The edge: messages in, use cases, messages out. Who may call what is `ALLOW`, checked before anything here runs.

use std::sync::Arc;

use sallyport_model::{Code, Secret, ServiceName};
use sallyport_proto::{
    convert,
    types::v1::{self as types, selector::By},
    vault::v1::{
        AccessTokenRequest, AccessTokenResponse, ExchangeRequest, ExchangeResponse, IntrospectRequest,
        IntrospectResponse, PublicKeysRequest, PublicKeysResponse, RevokeRequest, RevokeResponse,
        token_vault_server::TokenVault,
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
        access, exchange,
        exchange::{Redeemed, Transaction},
        introspect, public_keys, revoke,
    },
    error::Error,
    leaks,
    store::Which,
    vault::Vault,
};

/// Who may call what. Access tokens go to fhir-gateway alone.
pub(crate) const ALLOW: AllowList = &[
    ("/sallyport.vault.v1.TokenVault/Exchange", &[ServiceName::LaunchAuth]),
    ("/sallyport.vault.v1.TokenVault/AccessToken", &[ServiceName::FhirGateway]),
    ("/sallyport.vault.v1.TokenVault/Revoke", &[ServiceName::LaunchAuth, ServiceName::Operator]),
    ("/sallyport.vault.v1.TokenVault/PublicKeys", &[ServiceName::LaunchAuth]),
    ("/sallyport.vault.v1.TokenVault/Introspect", &[ServiceName::Operator]),
    (
        "/sallyport.vault.v1.TokenVault/WatchRevocations",
        &[ServiceName::FhirGateway, ServiceName::JobWorker, ServiceName::Web],
    ),
];

/// The longest reason for a revocation, in characters.
const REASON_MAX: usize = 200;

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

    async fn revoke(&self, request: Request<RevokeRequest>) -> Result<Response<RevokeResponse>, Status> {
        let request = request.into_inner();
        let tenant = convert::tenant(&request.tenant)?;
        let which = self.which(&tenant, request.selector).await?;
        let is_reason = (1..=REASON_MAX).contains(&request.reason.chars().count())
            && !request.reason.chars().any(char::is_control);
        if !is_reason {
            return Err(convert::InvalidField("reason").into());
        }
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
                let index = self.0.sealing.user_index(tenant, &user.issuer, &user.subject).await;
                Ok(Which::User(index.map_err(Error::into_status)?))
            }
            Some(By::Tenant(name)) if name == tenant.as_str() => Ok(Which::Tenant),
            Some(By::Endpoint(name)) => Ok(Which::Endpoint(convert::endpoint(&name)?)),
            Some(By::User(_) | By::Tenant(_)) | None => Err(sallyport_rpc::status(Code::RequestInvalid)),
        }
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
