//! Whether a user's grant can carry a run of a job. No token is among what is told.

use sallyport_model::{Code, EndpointId, GrantId, RegistrationId, TenantId, scope::ScopeSet};

use crate::{error::Error, store::State, vault::Vault};

/// What a job learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) endpoint: EndpointId,
    pub(crate) registration: RegistrationId,
    pub(crate) granted_scope: String,
    /// It outlives the person's session.
    pub(crate) is_offline: bool,
}

/// Checks. Another user's grant is answered like one that does not exist.
pub(crate) async fn check(
    vault: &Vault,
    tenant: &TenantId,
    id: GrantId,
    (issuer, subject): (&str, &str),
) -> Result<Checked, Error> {
    let people = vault.sealing.people(tenant).await?;
    let index = people.index(issuer, subject);
    if !vault.store.is_of_user(tenant, id, &index).await? {
        return Err(Code::GrantUnknown.into());
    }
    let grant = vault.store.grant(tenant, id).await?.ok_or(Code::GrantUnknown)?;
    let place = vault.place(tenant, &grant.registration)?;
    match grant.state {
        State::Active | State::Refreshing => {}
        State::Uncertain => return Err(Code::GrantUncertain.into()),
        State::Dead => return Err(Code::GrantDead.into()),
        State::Revoked => return Err(Code::GrantRevoked.into()),
    }
    let is_offline =
        grant.sealed.refresh.is_some() && ScopeSet::parse(&grant.granted_scope).has_word("offline_access");
    Ok(Checked {
        endpoint: place.entry.endpoint.id.clone(),
        registration: grant.registration,
        granted_scope: grant.granted_scope,
        is_offline,
    })
}
