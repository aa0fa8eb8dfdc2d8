//! What a rotation of keys does with them: wrap anew, make a successor, seal under it.

use std::sync::Arc;

use sallyport_data_keys::WrappedKey;
use sallyport_keyring::{DataKey, KeyEncryptionKey, place};
use sallyport_model::{GrantId, RegistrationId, TenantId};

use super::{Field, GRANTS, Sealing};
use crate::{
    error::Error,
    store::{SealedKeyRow, SealedRow},
};

/// A data key and its successor, both open.
pub(crate) struct Succession {
    tenant: TenantId,
    old: Arc<DataKey>,
    new: Arc<DataKey>,
}

impl Sealing {
    /// The keeper of the key-encryption key.
    pub(crate) fn keeper(&self) -> &dyn KeyEncryptionKey {
        self.keys.ring().keeper()
    }

    /// Forgets keys that would have to be proven again.
    pub(crate) fn forget_stale(&self) {
        self.keys.ring().forget_stale();
    }

    /// The stored keys.
    pub(crate) async fn stored(&self) -> Result<Vec<WrappedKey>, Error> {
        Ok(self.keys.table().all().await?)
    }

    /// Whether the keeper can still open this key. Being away is an error, saying no is an answer.
    pub(crate) async fn opens(&self, key: &WrappedKey) -> Result<bool, Error> {
        match self.keys.open(key).await.map_err(Error::from) {
            Ok(_key) => Ok(true),
            Err(Error::KeyLost) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Has a data key wrapped by the newest version; `false` when another process was faster, or it cannot be opened.
    pub(crate) async fn rewrap(&self, key: &WrappedKey) -> Result<bool, Error> {
        Ok(self.keys.rewrap(key).await?)
    }

    /// Makes the successor of a data key.
    pub(crate) async fn succeed(&self, key: &WrappedKey) -> Result<(), Error> {
        Ok(self.keys.succeed(key).await?)
    }

    /// Opens a key and its successor.
    pub(crate) async fn succession(&self, old: &WrappedKey, new: &WrappedKey) -> Result<Succession, Error> {
        Ok(Succession {
            tenant: tenant(old)?,
            old: self.keys.open(old).await?,
            new: self.keys.open(new).await?,
        })
    }
}

impl Succession {
    /// A grant's tokens under the successor.
    pub(crate) fn grant(&self, row: &SealedRow) -> Result<SealedRow, Error> {
        let grant = GrantId::from_uuid(row.grant_id);
        let again = |field: Field, sealed: Option<&Vec<u8>>| {
            let place = place(&self.tenant, grant.uuid().as_bytes(), field.as_str());
            sealed.map(|sealed| self.again(&place, sealed)).transpose()
        };
        Ok(SealedRow {
            grant_id: row.grant_id,
            access_sealed: again(Field::Access, row.access_sealed.as_ref())?,
            refresh_sealed: again(Field::Refresh, row.refresh_sealed.as_ref())?,
        })
    }

    /// A registration's signing key under the successor.
    pub(crate) fn signing_key(&self, row: &SealedKeyRow) -> Result<Vec<u8>, Error> {
        let registration = RegistrationId::parse(&row.registration)
            .map_err(|_alphabet| Error::Malformed("signing_keys.registration"))?;
        self.again(&place(&self.tenant, registration.as_str().as_bytes(), "signing_key"), &row.sealed)
    }

    fn again(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.new.seal(place, self.old.open(place, sealed)?.expose()))
    }
}

/// Whether a key seals grants and signing keys. The other purpose keys the index of persons: it is wrapped anew and
/// never succeeded while it opens.
pub(crate) fn seals_rows(key: &WrappedKey) -> bool {
    key.purpose == GRANTS
}

fn tenant(key: &WrappedKey) -> Result<TenantId, Error> {
    TenantId::parse(&key.tenant).map_err(|_alphabet| Error::Malformed("data_keys.tenant"))
}
