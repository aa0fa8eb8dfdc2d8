//! Redeeming an authorization code: the answer is verified before anything is stored as usable, and what nobody takes
//! is revoked, so that no authorisation is left lying around.

use std::sync::Arc;

use sallyport_egress::Response;
use sallyport_model::{
    Code, EndpointId, GrantId, LaunchId, Micros, RegistrationId, RequestId, Secret, TenantId,
};
use sallyport_proto::{
    audit::v1::{Kind, Record},
    convert,
    types::v1 as types,
};
use sallyport_smart::{
    identity::{Expected, Identity},
    token::{Grant, Refusal, TokenResponse, refusal},
};
use tokio::sync::oneshot;
use tracing::Instrument;
use url::Url;

use crate::{
    credentials::{self, Ask},
    domain::revoke,
    error::{Error, code_of_egress},
    issuer_keys::Unverified,
    records::{About, Whose},
    sealing::{People, Sealer, Tokens},
    store::{NewGrant, Which},
    upstream,
    vault::{Place, Vault},
};

/// A launch's transaction as it was pinned when it started.
pub(crate) struct Transaction {
    pub(crate) tenant: TenantId,
    pub(crate) endpoint: EndpointId,
    pub(crate) registration: RegistrationId,
    pub(crate) launch: LaunchId,
    pub(crate) code: Secret<String>,
    pub(crate) code_verifier: Secret<String>,
    pub(crate) redirect_uri: String,
    pub(crate) token_endpoint: String,
    pub(crate) issuer: String,
    pub(crate) jwks_uri: String,
    pub(crate) nonce: String,
    pub(crate) requested_scope: String,
    pub(crate) revocation_endpoint: String,
    pub(crate) introspection_endpoint: String,
    pub(crate) request: Option<RequestId>,
}

/// What a launch learns. No token is among it.
#[derive(Debug)]
pub(crate) struct Redeemed {
    pub(crate) grant: GrantId,
    pub(crate) granted_scope: String,
    pub(crate) identity: Option<Identity>,
    pub(crate) context_json: String,
    pub(crate) has_refresh_token: bool,
    pub(crate) access_expires_at: Micros,
}

/// Redeems a code. The work runs in a task of its own: a code that was sent cannot be unsent when the caller gives up,
/// so whatever comes is either taken by the caller or revoked here.
pub(crate) async fn exchange(vault: Arc<Vault>, transaction: Transaction) -> Result<Redeemed, Error> {
    let (answer, answered) = oneshot::channel();
    let (take, taken) = oneshot::channel::<()>();
    let task = async move {
        let outcome = redeem(&vault, &transaction).await;
        let word = outcome.as_ref().map_or_else(|error| error.code().as_str(), |_| "success");
        vault.metrics.exchanges.inc(&[word]);
        let grant = outcome.as_ref().ok().map(|redeemed| redeemed.grant);
        let is_taken = answer.send(outcome).is_ok() && taken.await.is_ok();
        if let Some(grant) = grant.filter(|_| !is_taken) {
            let which = Which::Grant(grant);
            if let Err(error) = revoke::revoke(&vault, &transaction.tenant, &which, "abandoned").await {
                tracing::error!(code = error.code().as_str(), "an abandoned grant waits for the next sweep");
            }
        }
    };
    tokio::spawn(task.in_current_span());
    let outcome = answered.await.map_err(|_task_ended| Error::Malformed("an exchange"))?;
    // The task revokes when this does not arrive; a failed send means that it has ended and there is nothing to take.
    let _acknowledged = take.send(());
    outcome
}

async fn redeem(vault: &Arc<Vault>, transaction: &Transaction) -> Result<Redeemed, Error> {
    let outcome = try_redeem(vault, transaction).await;
    let about = about(transaction, outcome.as_ref().ok().map(|redeemed| redeemed.grant));
    let mut record = match &outcome {
        Ok(redeemed) => success_record(&about, transaction, redeemed),
        Err(fault) => {
            let mut record = about.event(Kind::TokenExchange, Some(fault.error.code()), fault.detail);
            record.requested_scope = transaction.requested_scope.clone();
            record
        }
    };
    record.request_id = transaction.request.map(|id| convert::id_bytes(id.uuid())).unwrap_or_default();
    if let Err(error) = vault.audit.event(record).await {
        if let Ok(redeemed) = &outcome {
            let which = Which::Grant(redeemed.grant);
            revoke::revoke(vault, &transaction.tenant, &which, "not_recorded").await?;
        }
        return Err(error.into());
    }
    outcome.map_err(|fault| fault.error)
}

/// What the answer will be kept with.
struct Keys {
    sealer: Sealer,
    people: People,
}

/// A failure with a word for the record.
pub(crate) struct Fault {
    pub(crate) error: Error,
    pub(crate) detail: &'static str,
}

impl Fault {
    /// What a token endpoint answered to a first request for a token.
    pub(crate) fn of_token_answer(response: &Response) -> Result<TokenResponse, Self> {
        let status = response.status.as_u16();
        if response.status.is_success() {
            // Some servers refuse with 200 and an error member.
            return TokenResponse::parse(&response.body).map_err(|_fault| {
                match refusal(status, &response.body) {
                    Refusal::Unknown => Self { error: Code::ExchangeInvalid.into(), detail: "response" },
                    known => Self::refused(known),
                }
            });
        }
        Err(Self::refused(refusal(status, &response.body)))
    }

    fn refused(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::InvalidClient | Refusal::UnauthorizedClient => Code::ExchangeClientRefused,
            Refusal::Transient => Code::UpstreamBusy,
            Refusal::InvalidGrant | Refusal::InvalidScope | Refusal::InvalidRequest | Refusal::Unknown => {
                Code::ExchangeRefused
            }
        };
        Self { error: code.into(), detail: refusal.as_str() }
    }
}

impl<E: Into<Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self { error: error.into(), detail: "" }
    }
}

async fn try_redeem(vault: &Arc<Vault>, transaction: &Transaction) -> Result<Redeemed, Fault> {
    let place = vault.place(&transaction.tenant, &transaction.registration)?;
    if place.entry.endpoint.id != transaction.endpoint {
        return Err(Code::LaunchRegistrationUnknown.into());
    }
    let token_url = place.token_url(&transaction.token_endpoint)?;
    for optional in [&transaction.revocation_endpoint, &transaction.introspection_endpoint] {
        if !optional.is_empty() {
            place.token_url(optional)?;
        }
    }
    let jwks_url = match transaction.jwks_uri.as_str() {
        "" => None,
        text => Some(place.jwks_url(text)?),
    };
    vault.audit.ready()?;
    // A code is good for one exchange: what it gives must be storable.
    vault.store.usable()?;
    // Before the code is used up: without a key nothing that comes for it could be kept.
    let keys = Keys {
        sealer: vault.sealing.sealer(&transaction.tenant).await?,
        people: vault.sealing.people(&transaction.tenant).await?,
    };
    let response = ask(vault, &place, transaction, &token_url).await?;
    let verified = verify(vault, &place, transaction, jwks_url.as_ref(), &response).await;
    store(vault, &place, transaction, &keys, response, verified).await
}

async fn ask(
    vault: &Vault,
    place: &Place<'_>,
    transaction: &Transaction,
    url: &Url,
) -> Result<TokenResponse, Fault> {
    let grant = Grant::AuthorizationCode {
        code: &transaction.code,
        redirect_uri: &transaction.redirect_uri,
        code_verifier: &transaction.code_verifier,
    };
    let form =
        credentials::form(vault, place, &transaction.token_endpoint, &transaction.issuer, &Ask::Token(grant))
            .await?;
    let answer = upstream::post(vault, place, url, &form, "exchange").await;
    let response = answer.map_err(|error| Fault {
        error: code_of_egress(error, Code::ExchangeTimeout).into(),
        detail: error.as_str(),
    })?;
    Fault::of_token_answer(&response)
}

async fn verify(
    vault: &Vault,
    place: &Place<'_>,
    transaction: &Transaction,
    jwks_url: Option<&Url>,
    response: &TokenResponse,
) -> Result<Option<Identity>, Fault> {
    let (Some(id_token), Some(jwks_url)) = (&response.id_token, jwks_url) else { return Ok(None) };
    if transaction.issuer.is_empty() {
        return Ok(None);
    }
    let expected = Expected {
        issuer: &transaction.issuer,
        issuer_suffixes: &place.profile.tokens.issuer_suffixes,
        client_id: &place.entry.registration.client_id,
        nonce: Some(transaction.nonce.as_str()).filter(|nonce| !nonce.is_empty()),
        nonce_required: *place.profile.oauth.nonce_required,
        access_token: &response.access_token,
        now: vault.clock.now_seconds(),
    };
    match vault.issuer_keys.verify(vault, place, jwks_url, id_token, &expected).await {
        Ok(identity) => Ok(Some(identity)),
        Err(Unverified::Fault(fault)) => {
            Err(Fault { error: Code::IdentityInvalid.into(), detail: fault.as_str() })
        }
        Err(Unverified::Unavailable(error)) => Err(Fault { error, detail: "keys_unavailable" }),
    }
}

/// Stores the grant: usable when the person was verified, otherwise only so that it can be revoked at the EHR.
async fn store(
    vault: &Arc<Vault>,
    place: &Place<'_>,
    transaction: &Transaction,
    keys: &Keys,
    response: TokenResponse,
    verified: Result<Option<Identity>, Fault>,
) -> Result<Redeemed, Fault> {
    let now = vault.now();
    let id = GrantId::new(vault.clock.as_ref());
    let access_expires_at = place.access_expires_at(&response, now);
    let granted_scope = place.profile.scopes.as_granted(response.granted(&transaction.requested_scope));
    let TokenResponse { access_token, refresh_token, context_json, .. } = response;
    let has_refresh_token = refresh_token.is_some();
    let tokens = Tokens { access: access_token, refresh: refresh_token };
    let sealed = keys.sealer.seal(id, &tokens);
    let user_index = match &verified {
        Ok(Some(who)) => Some(keys.people.index(&who.issuer, &who.subject)),
        _ => None,
    };
    let grant = NewGrant {
        id,
        tenant: transaction.tenant.clone(),
        endpoint: transaction.endpoint.clone(),
        registration: transaction.registration.clone(),
        launch: transaction.launch,
        user_index,
        sealed,
        access_expires_at,
        granted_scope: granted_scope.clone(),
        token_endpoint: transaction.token_endpoint.clone(),
        issuer: transaction.issuer.clone(),
        revocation_endpoint: transaction.revocation_endpoint.clone(),
        introspection_endpoint: transaction.introspection_endpoint.clone(),
        service_scope: None,
        now,
    };
    let refuse = verified.is_err().then_some("identity_not_verified");
    let is_usable = vault.store.insert_grant(&grant, refuse).await.map_err(Error::from)?;
    if !is_usable {
        revoke::at_the_ehr_soon(vault, &transaction.tenant, id);
    }
    let identity = verified?;
    if !is_usable {
        return Err(Fault { error: Code::GrantRevoked.into(), detail: "launch_revoked" });
    }
    Ok(Redeemed { grant: id, granted_scope, identity, context_json, has_refresh_token, access_expires_at })
}

fn about(transaction: &Transaction, grant: Option<GrantId>) -> About<'_> {
    About {
        tenant: &transaction.tenant,
        endpoint: &transaction.endpoint,
        registration: &transaction.registration,
        whose: Whose::Launch(transaction.launch),
        grant,
    }
}

fn success_record(about: &About<'_>, transaction: &Transaction, redeemed: &Redeemed) -> Record {
    let mut record = about.event(Kind::TokenExchange, None, "");
    record.requested_scope = transaction.requested_scope.clone();
    record.granted_scope = redeemed.granted_scope.clone();
    if let Some(who) = &redeemed.identity {
        let user = types::User {
            issuer: who.issuer.clone(),
            subject: who.subject.clone(),
            fhir_user: who.fhir_user.clone().unwrap_or_default(),
        };
        record.actor = Some(types::Actor { kind: Some(types::actor::Kind::User(user)) });
    }
    let context: Option<serde_json::Value> = serde_json::from_str(&redeemed.context_json).ok();
    let patient = context.as_ref().and_then(|context| context.get("patient")?.as_str());
    record.patients = patient.filter(|p| !p.is_empty()).map(str::to_owned).into_iter().collect();
    record
}
