//! How a tenant's log grows: leaves are appended under the lock of its head, in the transaction that stores the
//! records.

use sallyport_audit_proof::{Hash, Tile, Tree};
use sallyport_db::Tx;

use crate::{
    Error,
    error::DamagedLog,
    store::{Row, Store, leaf_of},
};

/// A log that is being appended to. It holds the head's lock until the transaction ends.
pub(super) struct Growth {
    pub(super) tree: Tree,
    completed: Vec<Tile>,
}

impl Growth {
    /// Locks the tenant's head.
    pub(super) async fn begin(tx: &mut Tx, tenant: &str) -> Result<Self, Error> {
        let (size, edge) = Store::lock_head(tx, tenant).await?;
        Ok(Self { tree: restore(size, &edge)?, completed: Vec::new() })
    }

    /// Gives rows their places and appends their leaves.
    pub(super) fn append(&mut self, rows: &mut [Row<'_>], now: i64) {
        for row in rows {
            let index = self.tree.size();
            row.log_index = i64::try_from(index).ok();
            self.push(&leaf_of(row, index, now));
        }
    }

    /// Appends one leaf.
    pub(super) fn push(&mut self, leaf: &[u8]) {
        self.tree.push(Hash::leaf(leaf), &mut self.completed);
    }

    /// Keeps what the log became.
    pub(super) async fn end(self, tx: &mut Tx, tenant: &str) -> Result<(), Error> {
        Ok(Store::save_head(tx, tenant, &self.tree, &self.completed).await?)
    }
}

/// A tree from a stored head.
pub(super) fn restore(size: i64, edge: &[u8]) -> Result<Tree, Error> {
    let size = u64::try_from(size).map_err(|_negative| DamagedLog)?;
    Ok(Tree::restore(size, edge).map_err(|_malformed| DamagedLog)?)
}
