//! The tenants' keys under another version of the key-encryption key. They are wrapped anew and stay what they are: they
//! key the blind indexes, and the records' bytes never change.

use sallyport_keyring::DataKeyContext;
use sallyport_model::TenantId;
use sallyport_proto::{
    audit::v1::{KeyStatusResponse, Kind, Outcome, Record, RotateKeysRequest, RotateKeysResponse},
    convert,
};

use super::{Domain, PURPOSE};
use crate::{Error, store::TenantKey};

/// How many keys one call wraps anew at most.
const LIMIT_MAX: i32 = 500;

/// The longest reason, in characters.
const REASON_MAX: usize = 200;

/// Wraps the next outdated keys. A key that does not open counts as outdated for ever; its keeper has lost it.
pub(crate) async fn rotate(
    domain: &Domain,
    request: &RotateKeysRequest,
) -> Result<RotateKeysResponse, Error> {
    let limit = usize::try_from(request.limit).ok().filter(|_| (1..=LIMIT_MAX).contains(&request.limit));
    let limit = limit.ok_or(Error::Invalid("limit"))?;
    let reason = &request.reason;
    if !(1..=REASON_MAX).contains(&reason.chars().count()) || reason.chars().any(char::is_control) {
        return Err(Error::Invalid("reason"));
    }
    domain
        .audit
        .event(Record {
            kind: Kind::Operator.into(),
            outcome: Outcome::Success.into(),
            tenant: TenantId::system().as_str().to_owned(),
            actor: Some(convert::anonymous()),
            detail: reason.clone(),
            ..Record::default()
        })
        .await?;
    let current = domain.ring.keeper().current_version().await?;
    let keys = domain.store.tenant_keys().await?;
    let is_outdated = |key: &&TenantKey| !is_wrapped_by(domain, key, current);
    let outdated: Vec<&TenantKey> = keys.iter().filter(is_outdated).collect();
    let mut rewrapped = 0;
    for key in outdated.iter().take(limit) {
        let tenant =
            TenantId::parse(&key.tenant).map_err(|_alphabet| Error::Invalid("tenant_keys.tenant"))?;
        let context = DataKeyContext { tenant, purpose: PURPOSE, key_id: key.key_id };
        match domain.ring.rewrap(&context, &key.wrapped).await {
            Ok(wrapped) => rewrapped += i32::from(domain.store.replace_wrapping(key, &wrapped).await?),
            Err(error) if error.is_about_the_value() => {
                tracing::error!(reason = "key", "a tenant's audit key does not open and stays as it is");
            }
            Err(error) => return Err(error.into()),
        }
    }
    let outdated = i32::try_from(outdated.len()).unwrap_or(i32::MAX);
    Ok(RotateKeysResponse { rewrapped, outdated: outdated - rewrapped })
}

/// How the keys stand.
pub(crate) async fn status(domain: &Domain) -> Result<KeyStatusResponse, Error> {
    let keeper = domain.ring.keeper();
    let current = keeper.current_version().await.unwrap_or(0);
    let keys = domain.store.tenant_keys().await?;
    let outdated = keys.iter().filter(|key| !is_wrapped_by(domain, key, current)).count();
    let oldest = keys.iter().filter_map(|key| keeper.version_of(&key.wrapped).ok()).min();
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    Ok(KeyStatusResponse {
        kek_version: current,
        keys: count(keys.len()),
        outdated: count(outdated),
        oldest_version: oldest.unwrap_or(0),
    })
}

fn is_wrapped_by(domain: &Domain, key: &TenantKey, version: u64) -> bool {
    domain.ring.keeper().version_of(&key.wrapped).is_ok_and(|wrapped_by| wrapped_by == version)
}
