//! The log as a tree that proofs are made from: its edge, and tiles as they are asked for.

use std::collections::{HashMap, HashSet};

use sallyport_audit_proof::{Hash, NodeId, Tile, TileId, Tree, consistency_nodes, fold, inclusion_nodes};

use super::{Domain, growth::restore};
use crate::{Error, error::DamagedLog};

/// A tenant's log as it is now.
pub(crate) struct Grown {
    tenant: String,
    tree: Tree,
}

impl Grown {
    /// Reads the head; an empty log where there is none.
    pub(crate) async fn load(domain: &Domain, tenant: &str) -> Result<Self, Error> {
        let tree = match domain.store.head(tenant).await? {
            Some((size, edge)) => restore(size, &edge)?,
            None => Tree::empty(),
        };
        Ok(Self { tenant: tenant.to_owned(), tree })
    }

    pub(crate) fn size(&self) -> u64 {
        self.tree.size()
    }

    pub(crate) fn root(&self) -> Hash {
        self.tree.root()
    }

    /// The proof that record `index` is in the tree of `size`.
    pub(crate) async fn inclusion(&self, domain: &Domain, index: u64, size: u64) -> Result<Vec<Hash>, Error> {
        let nodes = inclusion_nodes(index, size).filter(|_| size <= self.size()).ok_or(DamagedLog)?;
        self.hashes(domain, &nodes).await
    }

    /// The proof that the tree of `old` is the beginning of the tree of `new`; `None` when there is no such tree here.
    pub(crate) async fn consistency(
        &self,
        domain: &Domain,
        old: u64,
        new: u64,
    ) -> Result<Option<Vec<Hash>>, Error> {
        match consistency_nodes(old, new).filter(|_| new <= self.size()) {
            Some(nodes) => self.hashes(domain, &nodes).await.map(Some),
            None => Ok(None),
        }
    }

    async fn hashes(&self, domain: &Domain, nodes: &[Vec<NodeId>]) -> Result<Vec<Hash>, Error> {
        let wanted: HashSet<TileId> = nodes
            .iter()
            .flatten()
            .filter(|node| self.tree.node(**node).is_none())
            .map(|node| node.tile())
            .collect();
        let wanted: Vec<_> = wanted.into_iter().collect();
        let mut tiles = HashMap::new();
        for (id, bytes) in domain.store.tiles(&self.tenant, &wanted).await? {
            tiles.insert(id, Tile::from_bytes(id, &bytes).map_err(|_malformed| DamagedLog)?);
        }
        let hash = |node: &NodeId| {
            let kept = || node.within(&tiles.get(&node.tile())?.hashes);
            self.tree.node(*node).or_else(kept)
        };
        let one = |nodes: &Vec<NodeId>| {
            let hashes: Option<Vec<Hash>> = nodes.iter().map(hash).collect();
            fold(&hashes?)
        };
        Ok(nodes.iter().map(one).collect::<Option<Vec<_>>>().ok_or(DamagedLog)?)
    }
}
