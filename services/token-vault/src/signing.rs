//! Our keys for `private_key_jwt`, one per registration: from the operator's file, or made here and kept sealed.

use std::{collections::HashMap, path::Path, sync::Arc};

use sallyport_model::RegistrationId;
use sallyport_registry::{ClientAuth, KeyAlgorithm};
use sallyport_smart::assertion::{Algorithm, SigningKey};
use tokio::sync::Mutex;

use crate::{
    error::Error,
    store::StoredKey,
    vault::{Place, Vault},
};

/// Keys in memory, loaded on first use.
#[derive(Default)]
pub(crate) struct SigningKeys(Mutex<HashMap<RegistrationId, Arc<SigningKey>>>);

impl SigningKeys {
    /// The registration's key. Made and stored when it has no file and none was made yet.
    pub(crate) async fn key(&self, vault: &Vault, place: &Place<'_>) -> Result<Arc<SigningKey>, Error> {
        let registration = &place.entry.registration;
        let mut keys = self.0.lock().await;
        if let Some(key) = keys.get(&registration.id) {
            return Ok(Arc::clone(key));
        }
        let ClientAuth::PrivateKeyJwt { algorithm, key_file } = &registration.auth else {
            return Err(Error::Malformed("registration.auth"));
        };
        let key = match key_file {
            Some(path) => from_file(*algorithm, path).await?,
            None => stored(vault, place, wire(*algorithm)).await?,
        };
        let key = Arc::new(key);
        keys.insert(registration.id.clone(), Arc::clone(&key));
        Ok(key)
    }
}

/// Reads a key file.
pub(crate) async fn from_file(algorithm: KeyAlgorithm, path: &Path) -> Result<SigningKey, Error> {
    let pem = sallyport_model::Secret::new(
        tokio::fs::read_to_string(path).await.map_err(|_io| Error::CredentialFile)?,
    );
    SigningKey::from_pem(wire(algorithm), pem.expose()).map_err(|_fault| Error::CredentialFile)
}

fn wire(algorithm: KeyAlgorithm) -> Algorithm {
    match algorithm {
        KeyAlgorithm::Es384 => Algorithm::Es384,
        KeyAlgorithm::Rs384 => Algorithm::Rs384,
    }
}

/// The stored key, made if there is none. Two processes that make one at once both end with the one that was stored.
/// One that was made before the registration asked for another algorithm makes room: EHRs read the new one at our
/// JWKS URL.
async fn stored(vault: &Vault, place: &Place<'_>, algorithm: Algorithm) -> Result<SigningKey, Error> {
    let registration = &place.entry.registration.id;
    let row = match vault.store.signing_key(registration).await? {
        Some(row) => row,
        None => make(vault, place, algorithm, None).await?,
    };
    if let Some(key) = open(vault, place, algorithm, &row).await? {
        return Ok(key);
    }
    let row = make(vault, place, algorithm, Some(&row)).await?;
    open(vault, place, algorithm, &row).await?.ok_or(Error::Malformed("signing_keys.sealed"))
}

/// The key of a row; `None` when it is one for another algorithm.
async fn open(
    vault: &Vault,
    place: &Place<'_>,
    algorithm: Algorithm,
    row: &StoredKey,
) -> Result<Option<SigningKey>, Error> {
    let (tenant, registration) = (&place.entry.tenant.id, &place.entry.registration.id);
    if row.tenant != tenant.as_str() {
        return Err(Error::Malformed("signing_keys.tenant"));
    }
    let pkcs8 = vault.sealing.open_signing_key(tenant, registration, row.data_key_id, &row.sealed).await?;
    Ok(SigningKey::from_pkcs8(algorithm, pkcs8.expose()).ok())
}

/// Makes a key and stores it in place of `old`; what is stored then is the key, whoever made it.
async fn make(
    vault: &Vault,
    place: &Place<'_>,
    algorithm: Algorithm,
    old: Option<&StoredKey>,
) -> Result<StoredKey, Error> {
    let (tenant, registration) = (&place.entry.tenant.id, &place.entry.registration.id);
    let (_, pkcs8) =
        SigningKey::generate(algorithm).map_err(|_fault| Error::Malformed("a new signing key"))?;
    let (data_key_id, sealed) = vault.sealing.seal_signing_key(tenant, registration, &pkcs8).await?;
    let key = StoredKey { tenant: tenant.as_str().to_owned(), data_key_id, sealed };
    match old {
        None => vault.store.add_signing_key(registration, &key, vault.now()).await?,
        Some(old) => vault.store.replace_signing_key(registration, old, &key, vault.now()).await?,
    }
    vault.store.signing_key(registration).await?.ok_or(Error::Malformed("signing_keys"))
}
