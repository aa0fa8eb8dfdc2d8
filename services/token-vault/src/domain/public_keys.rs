//! The public side of every registration's signing key, as one JWK Set (JWT-05).

use sallyport_registry::ClientAuth;
use sallyport_smart::assertion::jwks;

use crate::{error::Error, vault::Vault};

/// The JWK Set. A registration whose key was not made yet gets it now, so that it can be registered at the EHR.
pub(crate) async fn public_keys(vault: &Vault) -> Result<String, Error> {
    let mut keys = Vec::new();
    for entry in vault.registry.entries() {
        if matches!(entry.registration.auth, ClientAuth::PrivateKeyJwt { .. }) {
            let place = vault.known_place(&entry.tenant.id, &entry.registration.id)?;
            keys.push(vault.signing.key(vault, &place).await?);
        }
    }
    Ok(jwks(keys.iter().map(|key| key.public())))
}
