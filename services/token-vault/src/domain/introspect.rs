//! Asking the EHR what it thinks of a token (RFC 7662), for operators.

use sallyport_model::{Code, GrantId, Micros, TenantId};
use sallyport_smart::token::bearer_hint_form;
use sallyport_vendors::oauth::Introspection;
use serde::Deserialize;

use crate::{
    credentials::{self, Ask},
    error::{Error, code_of_egress},
    sealing::Field,
    upstream,
    vault::Vault,
};

/// What kind of token is asked about.
const HINT: &str = "access_token";

/// What the EHR said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Introspected {
    pub(crate) is_active: bool,
    pub(crate) scope: String,
    pub(crate) expires_at: Micros,
}

#[derive(Deserialize)]
struct Wire {
    active: bool,
    #[serde(default)]
    scope: String,
    exp: Option<i64>,
}

/// Introspects a grant's access token.
pub(crate) async fn introspect(vault: &Vault, tenant: &TenantId, id: GrantId) -> Result<Introspected, Error> {
    let grant = vault.store.grant(tenant, id).await?.ok_or(Code::GrantUnknown)?;
    if grant.introspection_endpoint.is_empty() {
        return Err(Code::IntrospectionNotOffered.into());
    }
    let sealed = grant.sealed.access.as_ref().ok_or(Code::GrantDead)?;
    let place = vault.place(tenant, &grant.registration)?;
    let url = place.token_url(&grant.introspection_endpoint)?;
    let token = vault.sealing.open(tenant, id, grant.sealed.data_key, Field::Access, sealed).await?;
    let ask = Ask::About(&token, HINT);
    let form = match *place.profile.oauth.introspection {
        Introspection::ByClient => {
            credentials::form(vault, &place, &grant.token_endpoint, &grant.issuer, &ask).await?
        }
        Introspection::ByAccessToken => bearer_hint_form(&token, HINT),
        Introspection::None => return Err(Code::IntrospectionNotOffered.into()),
    };
    let response = upstream::post(vault, &place, &url, &form, "introspect")
        .await
        .map_err(|error| code_of_egress(error, Code::UpstreamTimeout))?;
    match response.status.as_u16() {
        200 => {}
        401 | 403 => return Err(Code::ExchangeClientRefused.into()),
        _ => return Err(Code::UpstreamError.into()),
    }
    let wire: Wire = serde_json::from_slice(&response.body).map_err(|_syntax| Code::UpstreamInvalid)?;
    Ok(Introspected {
        is_active: wire.active,
        scope: place.profile.scopes.as_granted(&wire.scope),
        expires_at: wire.exp.unwrap_or(0).saturating_mul(1_000_000),
    })
}
