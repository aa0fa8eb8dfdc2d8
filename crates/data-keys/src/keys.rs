//! The way to a tenant's data keys.

use std::sync::Arc;

use sallyport_db::Pool;
use sallyport_keyring::{DataKey, DataKeyContext, Keyring};
use sallyport_model::{Clock, RecordId, TenantId};
use uuid::Uuid;

use crate::{Error, KeyTable, WrappedKey, WrappedKeys};

/// A service's data keys: wrapped in its database, unwrapped once in five minutes.
#[derive(Clone)]
pub struct DataKeys {
    ring: Arc<Keyring>,
    table: KeyTable,
    purposes: &'static [&'static str],
    clock: Arc<dyn Clock>,
}

impl DataKeys {
    /// The keys in this database, which seal for these purposes.
    pub fn new(
        ring: Arc<Keyring>,
        pool: &Pool,
        purposes: &'static [&'static str],
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { ring, table: KeyTable::new(pool), purposes, clock }
    }

    /// The key ring.
    pub fn ring(&self) -> &Arc<Keyring> {
        &self.ring
    }

    /// What the keys are for.
    pub(crate) fn purposes(&self) -> &'static [&'static str] {
        self.purposes
    }

    /// The table.
    pub fn table(&self) -> &KeyTable {
        &self.table
    }

    /// The key that seals now; made on a tenant's first value. When two processes make one at once, the database decides and
    /// both use the same.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn current(
        &self,
        tenant: &TenantId,
        purpose: &'static str,
    ) -> Result<(Uuid, Arc<DataKey>), Error> {
        let found = match self.table.current(tenant, purpose).await? {
            Some(found) => Some(found),
            None => {
                self.add_generation(tenant, purpose, 1).await?;
                self.table.current(tenant, purpose).await?
            }
        };
        let (id, wrapped) = found.ok_or(Error::Damaged("data_keys"))?;
        Ok((id, self.unwrap(tenant, purpose, id, &wrapped).await?))
    }

    /// The key that sealed a value.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Damaged`] when there is no such key.
    pub async fn by_id(
        &self,
        tenant: &TenantId,
        purpose: &'static str,
        id: Uuid,
    ) -> Result<Arc<DataKey>, Error> {
        let context = DataKeyContext { tenant: tenant.clone(), purpose, key_id: id };
        if let Some(key) = self.ring.at_hand(&context) {
            return Ok(key);
        }
        let wrapped = self.table.by_id(tenant, purpose, id).await?;
        self.unwrap(tenant, purpose, id, &wrapped.ok_or(Error::Damaged("data_keys.key_id"))?).await
    }

    /// Makes and stores the successor of a stored key, unless another process was faster.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn succeed(&self, key: &WrappedKey) -> Result<(), Error> {
        let DataKeyContext { tenant, purpose, .. } = context(key, self.purposes)?;
        self.add_generation(&tenant, purpose, key.generation.saturating_add(1)).await
    }

    async fn add_generation(
        &self,
        tenant: &TenantId,
        purpose: &'static str,
        generation: i64,
    ) -> Result<(), Error> {
        // Any unique id will do; a record id is one, made from the clock.
        let id = RecordId::new(self.clock.as_ref()).uuid();
        let context = DataKeyContext { tenant: tenant.clone(), purpose, key_id: id };
        let (_, wrapped) = self.ring.generate(&context).await?;
        Ok(self.table.add((tenant, purpose), generation, (id, &wrapped), self.clock.now()).await?)
    }

    /// Opens a stored key.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn open(&self, key: &WrappedKey) -> Result<Arc<DataKey>, Error> {
        Ok(self.ring.open(&context(key, self.purposes)?, &key.wrapped).await?)
    }

    /// Has a stored key wrapped by the newest version of the key-encryption key; `false` when another process was faster, or
    /// it does not open.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn rewrap(&self, key: &WrappedKey) -> Result<bool, Error> {
        rewrap(&self.ring, &self.table, self.purposes, key).await
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

/// The same for keys in any form.
pub(crate) async fn rewrap(
    ring: &Keyring,
    keys: &dyn WrappedKeys,
    purposes: &'static [&'static str],
    key: &WrappedKey,
) -> Result<bool, Error> {
    match ring.rewrap(&context(key, purposes)?, &key.wrapped).await {
        Ok(wrapped) => keys.replace_wrapping(key, &wrapped).await,
        Err(error) if error.is_about_the_value() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn context(key: &WrappedKey, purposes: &'static [&'static str]) -> Result<DataKeyContext, Error> {
    let tenant = TenantId::parse(&key.tenant).map_err(|_alphabet| Error::Damaged("tenant"))?;
    let purpose = purposes.iter().find(|purpose| **purpose == key.purpose);
    Ok(DataKeyContext { tenant, purpose: purpose.ok_or(Error::Damaged("purpose"))?, key_id: key.key_id })
}
