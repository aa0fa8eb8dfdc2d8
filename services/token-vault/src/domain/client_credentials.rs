//! A grant of a registration by itself, for jobs (SMART 2.2 backend-services): what a feature needs, asked for at the token
//! endpoint that the EHR's discovery names. From then on it is a grant like any other; see `refresh` for how its token is
//! had anew.

use std::sync::Arc;

use sallyport_model::{Code, FeatureId, GrantId, LaunchId, Micros, RegistrationId, RequestId, TenantId};
use sallyport_proto::{audit::v1::Kind, convert};
use sallyport_smart::{
    authorize::choose_dialect,
    discovery::{Requirements, Smart, well_known_url},
    token::{Grant, TokenResponse},
};
use tracing::Instrument;

use crate::{
    credentials::{self, Ask},
    domain::{exchange::Fault, revoke},
    error::{Error, code_of_egress},
    records::{About, Whose},
    sealing::{Sealer, Tokens},
    store::{NewGrant, Which},
    upstream,
    vault::{Place, Vault},
};

/// Largest discovery document; real ones have a few KiB.
const DOCUMENT_MAX_BYTES: usize = 256 * 1024;

/// What a job asks for.
pub(crate) struct Request {
    pub(crate) tenant: TenantId,
    pub(crate) registration: RegistrationId,
    pub(crate) feature: FeatureId,
    pub(crate) request: Option<RequestId>,
}

/// What a job learns. No token is among it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) grant: GrantId,
    pub(crate) granted_scope: String,
    pub(crate) access_expires_at: Micros,
}

/// Opens a grant. In a task of its own: what the EHR gave is stored even when the caller has given up, and the sweep of
/// grants that nobody takes ends it.
pub(crate) async fn open(vault: Arc<Vault>, request: Request) -> Result<Opened, Error> {
    let task = async move {
        let mut requested_scope = String::new();
        let outcome = try_open(&vault, &request, &mut requested_scope).await;
        let word = outcome.as_ref().map_or_else(|fault| fault.error.code().as_str(), |_| "success");
        vault.metrics.client_credentials.inc(&[word]);
        record(&vault, &request, requested_scope, &outcome).await?;
        outcome.map_err(|fault| fault.error)
    };
    tokio::spawn(task.in_current_span()).await.unwrap_or(Err(Error::Malformed("a request for a grant")))
}

async fn try_open(vault: &Arc<Vault>, request: &Request, scope: &mut String) -> Result<Opened, Fault> {
    let place = vault.place(&request.tenant, &request.registration)?;
    if !place.entry.registration.backend {
        return Err(Code::BackendNotAllowed.into());
    }
    let feature = place.entry.service_feature(&request.feature).ok_or(Code::FeatureUnknown)?;
    vault.audit.ready()?;
    vault.store.usable()?;
    let sealer = vault.sealing.sealer(&request.tenant).await?;
    let smart = discover(vault, &place).await?;
    let dialect = place.entry.registration.dialect.or(place.profile.scopes.dialect.fixed());
    *scope = place.profile.scopes.as_sent(&feature.scopes().print(choose_dialect(dialect, &smart)));
    let response = ask(vault, &place, &smart, scope).await?;
    store(vault, &place, &smart, (scope, &sealer), response).await
}

/// What the EHR says about its token endpoint. Where it is, was pinned; a document that names another place is refused
/// before anything is sent there.
async fn discover(vault: &Vault, place: &Place<'_>) -> Result<Smart, Fault> {
    let base = place.entry.endpoint.base();
    let url = well_known_url(base).map_err(|_base| Code::LaunchDiscoveryFailed)?;
    let span = tracing::info_span!(
        "token-vault.discovery.fetch",
        tenant.id = place.entry.tenant.id.as_str(),
        endpoint.id = place.entry.endpoint.id.as_str()
    );
    let answer = upstream::get(vault, place, &url, DOCUMENT_MAX_BYTES, "discovery").instrument(span).await;
    let response = answer
        .map_err(|error| Fault { error: Code::LaunchDiscoveryFailed.into(), detail: error.as_str() })?;
    if !response.status.is_success() {
        return Err(Fault { error: Code::LaunchDiscoveryFailed.into(), detail: "status" });
    }
    let needs = Requirements { pkce: false, loopback_http: place.allows_loopback(), authorize: false };
    let smart = Smart::parse(base, &response.body).and_then(|smart| smart.check(needs).map(|()| smart));
    let smart =
        smart.map_err(|_fault| Fault { error: Code::LaunchDiscoveryFailed.into(), detail: "document" })?;
    for url in [&smart.token, &smart.revocation, &smart.introspection].into_iter().flatten() {
        place.token_url(url.as_str())?;
    }
    Ok(smart)
}

async fn ask(vault: &Vault, place: &Place<'_>, smart: &Smart, scope: &str) -> Result<TokenResponse, Fault> {
    let url = smart.token.as_ref().ok_or(Code::LaunchDiscoveryFailed)?;
    let issuer = smart.issuer.as_deref().unwrap_or_default();
    let ask = Ask::Token(Grant::ClientCredentials { scope });
    let form = credentials::form(vault, place, url.as_str(), issuer, &ask).await?;
    let answer = upstream::post(vault, place, url, &form, "client_credentials").await;
    let response = answer.map_err(|error| Fault {
        error: code_of_egress(error, Code::ExchangeTimeout).into(),
        detail: error.as_str(),
    })?;
    Fault::of_token_answer(&response)
}

async fn store(
    vault: &Arc<Vault>,
    place: &Place<'_>,
    smart: &Smart,
    (scope, sealer): (&str, &Sealer),
    response: TokenResponse,
) -> Result<Opened, Fault> {
    let entry = place.entry;
    let now = vault.now();
    let id = GrantId::new(vault.clock.as_ref());
    let access_expires_at = place.access_expires_at(&response, now);
    let granted_scope = place.profile.scopes.as_granted(response.granted(scope));
    // A service has no use for a refresh token (RFC 6749 §4.4.3).
    let tokens = Tokens { access: response.access_token, refresh: None };
    let text = |url: &Option<url::Url>| url.as_ref().map(url::Url::to_string).unwrap_or_default();
    let grant = NewGrant {
        id,
        tenant: entry.tenant.id.clone(),
        endpoint: entry.endpoint.id.clone(),
        registration: entry.registration.id.clone(),
        // No launch is behind it; its own id stands for none.
        launch: LaunchId::from_uuid(id.uuid()),
        user_index: None,
        sealed: sealer.seal(id, &tokens),
        access_expires_at,
        granted_scope: granted_scope.clone(),
        token_endpoint: text(&smart.token),
        issuer: smart.issuer.clone().unwrap_or_default(),
        revocation_endpoint: text(&smart.revocation),
        introspection_endpoint: text(&smart.introspection),
        service_scope: Some(scope.to_owned()),
        now,
    };
    vault.store.insert_grant(&grant, None).await.map_err(Error::from)?;
    Ok(Opened { grant: id, granted_scope, access_expires_at })
}

/// A grant that cannot be recorded is no grant.
async fn record(
    vault: &Arc<Vault>,
    request: &Request,
    requested_scope: String,
    outcome: &Result<Opened, Fault>,
) -> Result<(), Error> {
    let Ok(place) = vault.place(&request.tenant, &request.registration) else { return Ok(()) };
    let opened = outcome.as_ref().ok();
    let about = About {
        tenant: &request.tenant,
        endpoint: &place.entry.endpoint.id,
        registration: &request.registration,
        whose: Whose::Service,
        grant: opened.map(|opened| opened.grant),
    };
    let (code, detail) = match outcome {
        Ok(_) => (None, ""),
        Err(fault) => (Some(fault.error.code()), fault.detail),
    };
    let mut record = about.event(Kind::ClientCredentials, code, detail);
    record.feature = request.feature.as_str().to_owned();
    record.requested_scope = requested_scope;
    record.granted_scope = opened.map(|opened| opened.granted_scope.clone()).unwrap_or_default();
    record.request_id = request.request.map(|id| convert::id_bytes(id.uuid())).unwrap_or_default();
    if let Err(error) = vault.audit.event(record).await {
        if let Some(opened) = opened {
            revoke::revoke(vault, &request.tenant, &Which::Grant(opened.grant), "not_recorded").await?;
        }
        return Err(error.into());
    }
    Ok(())
}
