//! Sealing tokens and keys: a data key per tenant and purpose, wrapped in the database, unwrapped once per process.

use std::sync::Arc;

use sallyport_keyring::{DataKey, DataKeyContext, Keyring};
use sallyport_model::{Clock, GrantId, RegistrationId, Secret, TenantId};
use uuid::Uuid;

use crate::{
    error::Error,
    store::{Sealed, Store},
};

/// Seals tokens and signing keys.
const GRANTS: &str = "grants";

/// Keys the blind index of persons; never replaced, or revocation by user would miss older grants.
const USERS: &str = "users";

/// Which field of a row a sealed value belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Access,
    Refresh,
}

impl Field {
    fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access_token",
            Self::Refresh => "refresh_token",
        }
    }
}

/// Tokens in the open, for a moment.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) access: Secret<String>,
    pub(crate) refresh: Option<Secret<String>>,
}

/// The vault's keys.
pub(crate) struct Sealing {
    ring: Keyring,
    store: Store,
    clock: Arc<dyn Clock>,
}

impl Sealing {
    pub(crate) fn new(ring: Keyring, store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { ring, store, clock }
    }

    /// Seals a grant's tokens; gives the id of the data key too.
    pub(crate) async fn seal(
        &self,
        tenant: &TenantId,
        grant: GrantId,
        tokens: &Tokens,
    ) -> Result<(Uuid, Sealed), Error> {
        let (id, key) = self.current(tenant, GRANTS).await?;
        Ok((id, seal_with(&key, tenant, grant, tokens)))
    }

    /// Seals with the data key that the grant's row names.
    pub(crate) async fn seal_again(
        &self,
        tenant: &TenantId,
        grant: GrantId,
        data_key: Uuid,
        tokens: &Tokens,
    ) -> Result<Sealed, Error> {
        let key = self.by_id(tenant, GRANTS, data_key).await?;
        Ok(seal_with(&key, tenant, grant, tokens))
    }

    /// Opens one field of a grant.
    pub(crate) async fn open(
        &self,
        tenant: &TenantId,
        grant: GrantId,
        data_key: Uuid,
        field: Field,
        sealed: &[u8],
    ) -> Result<Secret<String>, Error> {
        let key = self.by_id(tenant, GRANTS, data_key).await?;
        let bytes = key.open(&place(tenant, grant.uuid().as_bytes(), field.as_str()), sealed)?;
        let text = String::from_utf8(bytes.expose().clone()).map_err(|_bytes| Error::Malformed("a token"))?;
        Ok(Secret::new(text))
    }

    /// Seals a registration's signing key.
    pub(crate) async fn seal_signing_key(
        &self,
        tenant: &TenantId,
        registration: &RegistrationId,
        pkcs8: &Secret<Vec<u8>>,
    ) -> Result<(Uuid, Vec<u8>), Error> {
        let (id, key) = self.current(tenant, GRANTS).await?;
        let place = place(tenant, registration.as_str().as_bytes(), "signing_key");
        Ok((id, key.seal(&place, pkcs8.expose())))
    }

    /// Opens a registration's signing key.
    pub(crate) async fn open_signing_key(
        &self,
        tenant: &TenantId,
        registration: &RegistrationId,
        data_key: Uuid,
        sealed: &[u8],
    ) -> Result<Secret<Vec<u8>>, Error> {
        let key = self.by_id(tenant, GRANTS, data_key).await?;
        Ok(key.open(&place(tenant, registration.as_str().as_bytes(), "signing_key"), sealed)?)
    }

    /// The blind index of a person within a tenant.
    pub(crate) async fn user_index(
        &self,
        tenant: &TenantId,
        issuer: &str,
        subject: &str,
    ) -> Result<[u8; 32], Error> {
        let (_, key) = self.current(tenant, USERS).await?;
        Ok(key.blind_index("user", &[issuer.as_bytes(), subject.as_bytes()]))
    }

    /// The key that seals now; made on a tenant's first grant. When two processes make one at once, the database
    /// decides and both use the same.
    async fn current(&self, tenant: &TenantId, purpose: &'static str) -> Result<(Uuid, Arc<DataKey>), Error> {
        if let Some((id, wrapped)) = self.store.current_data_key(tenant, purpose).await? {
            return Ok((id, self.unwrap(tenant, purpose, id, &wrapped).await?));
        }
        // Any unique id will do; a record id is one, made from the clock.
        let id = sallyport_model::RecordId::new(self.clock.as_ref()).uuid();
        let context = DataKeyContext { tenant: tenant.clone(), purpose, key_id: id };
        let (_, wrapped) = self.ring.generate(&context).await?;
        self.store.add_first_data_key(tenant, purpose, (id, &wrapped), self.clock.now()).await?;
        let (id, wrapped) =
            self.store.current_data_key(tenant, purpose).await?.ok_or(Error::Malformed("data_keys"))?;
        Ok((id, self.unwrap(tenant, purpose, id, &wrapped).await?))
    }

    async fn by_id(&self, tenant: &TenantId, purpose: &'static str, id: Uuid) -> Result<Arc<DataKey>, Error> {
        let wrapped = self.store.data_key(tenant, purpose, id).await?;
        self.unwrap(tenant, purpose, id, &wrapped.ok_or(Error::Malformed("grants.data_key_id"))?).await
    }

    async fn unwrap(
        &self,
        tenant: &TenantId,
        purpose: &'static str,
        key_id: Uuid,
        wrapped: &[u8],
    ) -> Result<Arc<DataKey>, Error> {
        let context = DataKeyContext { tenant: tenant.clone(), purpose, key_id };
        Ok(self.ring.open(&context, wrapped).await?)
    }
}

fn seal_with(key: &DataKey, tenant: &TenantId, grant: GrantId, tokens: &Tokens) -> Sealed {
    let seal = |field: Field, token: &Secret<String>| {
        key.seal(&place(tenant, grant.uuid().as_bytes(), field.as_str()), token.expose().as_bytes())
    };
    Sealed {
        access: Some(seal(Field::Access, &tokens.access)),
        refresh: tokens.refresh.as_ref().map(|token| seal(Field::Refresh, token)),
    }
}

/// The associated data: tenant ‖ row ‖ field, length-prefixed, so that no two places read the same.
fn place(tenant: &TenantId, row: &[u8], field: &str) -> Vec<u8> {
    let mut aad = Vec::new();
    for part in [tenant.as_str().as_bytes(), row, field.as_bytes()] {
        aad.extend_from_slice(&(part.len() as u64).to_be_bytes());
        aad.extend_from_slice(part);
    }
    aad
}
