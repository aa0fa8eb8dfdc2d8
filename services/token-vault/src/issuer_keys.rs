//! The issuers' keys, fetched from the pinned address, kept for a while, and fetched again for an unknown key at most
//! once a minute (OIDC-05).

use std::{collections::HashMap, sync::Arc};

use sallyport_model::{Code, Micros, Secret};
use sallyport_smart::identity::{self, Expected, Identity, IdentityFault, KeySet};
use tokio::sync::Mutex;
use tracing::Instrument;
use url::Url;

use crate::{
    error::{Error, code_of_egress},
    upstream,
    vault::{Place, Vault},
};

struct Held {
    keys: Arc<KeySet>,
    fetched_at: Micros,
}

/// Key sets by address. One fetch at a time per address.
#[derive(Default)]
pub(crate) struct IssuerKeys(std::sync::Mutex<HashMap<Url, Arc<Mutex<Option<Held>>>>>);

/// Why a person could not be verified.
pub(crate) enum Unverified {
    /// The id_token has a fault.
    Fault(IdentityFault),
    /// The keys could not be had.
    Unavailable(Error),
}

impl IssuerKeys {
    /// Verifies an id_token with the keys at `url`.
    pub(crate) async fn verify(
        &self,
        vault: &Vault,
        place: &Place<'_>,
        url: &Url,
        id_token: &Secret<String>,
        expected: &Expected<'_>,
    ) -> Result<Identity, Unverified> {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            Arc::clone(slots.entry(url.clone()).or_default())
        };
        let mut held = slot.lock().await;
        let ttl = seconds(vault.config.jwks_ttl_seconds);
        if held.as_ref().is_none_or(|h| vault.now() - h.fetched_at >= ttl) {
            *held = Some(fetch(vault, place, url).await?);
        }
        let Some(current) = held.as_ref() else { return Err(Unverified::Fault(IdentityFault::Keys)) };
        let fault = match identity::verify(id_token, &current.keys, expected) {
            Ok(identity) => return Ok(identity),
            Err(fault) => fault,
        };
        let is_old = vault.now() - current.fetched_at >= seconds(vault.config.jwks_refetch_seconds);
        if fault != IdentityFault::UnknownKey || !is_old {
            return Err(Unverified::Fault(fault));
        }
        let fresh = held.insert(fetch(vault, place, url).await?);
        identity::verify(id_token, &fresh.keys, expected).map_err(Unverified::Fault)
    }
}

async fn fetch(vault: &Vault, place: &Place<'_>, url: &Url) -> Result<Held, Unverified> {
    let span = tracing::info_span!("token-vault.keys.fetch", tenant.id = place.entry.tenant.id.as_str());
    let answer = upstream::get(vault, place, url, identity::MAX_JWKS_BYTES, "jwks").instrument(span).await;
    let response = answer
        .map_err(|error| Unverified::Unavailable(code_of_egress(error, Code::ExchangeTimeout).into()))?;
    if !response.status.is_success() {
        return Err(Unverified::Unavailable(Code::UpstreamError.into()));
    }
    let keys = KeySet::parse(&response.body).map_err(Unverified::Fault)?;
    Ok(Held { keys: Arc::new(keys), fetched_at: vault.now() })
}

fn seconds(seconds: u32) -> Micros {
    i64::from(seconds) * 1_000_000
}
