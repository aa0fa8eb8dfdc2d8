//! Sealing tokens and keys: a data key per tenant and purpose, wrapped in the database, unwrapped once in five minutes.

pub(crate) mod rotation;

use std::sync::Arc;

use sallyport_data_keys::DataKeys;
use sallyport_keyring::{DataKey, place};
use sallyport_model::{GrantId, RegistrationId, Secret, TenantId};
use uuid::Uuid;

use crate::{error::Error, store::Sealed};

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
    keys: DataKeys,
}

/// What the vault has data keys for.
pub(crate) const PURPOSES: &[&str] = &[GRANTS, USERS];

impl Sealing {
    pub(crate) fn new(keys: DataKeys) -> Self {
        Self { keys }
    }

    /// The key that seals a tenant's grants now.
    pub(crate) async fn sealer(&self, tenant: &TenantId) -> Result<Sealer, Error> {
        let (id, key) = self.current(tenant, GRANTS).await?;
        Ok(Sealer { tenant: tenant.clone(), id, key })
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

    /// The blind index of persons within a tenant.
    pub(crate) async fn people(&self, tenant: &TenantId) -> Result<People, Error> {
        self.current(tenant, USERS).await.map(|(_, key)| People(key))
    }

    async fn current(&self, tenant: &TenantId, purpose: &'static str) -> Result<(Uuid, Arc<DataKey>), Error> {
        Ok(self.keys.current(tenant, purpose).await?)
    }

    async fn by_id(&self, tenant: &TenantId, purpose: &'static str, id: Uuid) -> Result<Arc<DataKey>, Error> {
        Ok(self.keys.by_id(tenant, purpose, id).await?)
    }
}

/// A key to seal with, fetched before there is anything to seal: what a token endpoint gives must not be lost because
/// the key service went away meanwhile.
pub(crate) struct Sealer {
    tenant: TenantId,
    id: Uuid,
    key: Arc<DataKey>,
}

impl Sealer {
    /// Seals a grant's tokens; they name this key.
    pub(crate) fn seal(&self, grant: GrantId, tokens: &Tokens) -> Sealed {
        let seal = |field: Field, token: &Secret<String>| {
            let place = place(&self.tenant, grant.uuid().as_bytes(), field.as_str());
            self.key.seal(&place, token.expose().as_bytes())
        };
        Sealed {
            data_key: self.id,
            access: Some(seal(Field::Access, &tokens.access)),
            refresh: tokens.refresh.as_ref().map(|token| seal(Field::Refresh, token)),
        }
    }
}

/// The blind index of persons within a tenant.
pub(crate) struct People(Arc<DataKey>);

impl People {
    /// A person's index.
    pub(crate) fn index(&self, issuer: &str, subject: &str) -> [u8; 32] {
        self.0.blind_index("user", &[issuer.as_bytes(), subject.as_bytes()])
    }
}
