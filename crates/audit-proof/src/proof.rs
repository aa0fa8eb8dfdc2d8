//! Proofs that a leaf is in a tree and that one tree is the beginning of another (RFC 9162 §2.1.3 and §2.1.4).
//!
//! Making one names the complete nodes it is folded from, so that whoever keeps the tiles fetches them at once;
//! checking one needs nothing but the proof.

use crate::{
    Hash,
    tree::{TILE_HEIGHT, TileId, root_of},
};

/// A complete node: it covers the leaves from `index << height` up to `(index + 1) << height`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId {
    /// 0 for a leaf.
    pub height: u32,
    /// From the left.
    pub index: u64,
}

impl NodeId {
    /// The tile that holds what it is made of.
    pub fn tile(self) -> TileId {
        let inside = self.height % TILE_HEIGHT;
        TileId { level: self.height / TILE_HEIGHT, index: self.index >> (TILE_HEIGHT - inside) }
    }

    /// Its hash, folded from the row of [`NodeId::tile`]; `None` when the row is too short.
    pub fn within(self, row: &[Hash]) -> Option<Hash> {
        let count = 1_usize << (self.height % TILE_HEIGHT);
        let first =
            usize::try_from(self.index % (1 << (TILE_HEIGHT - self.height % TILE_HEIGHT))).ok()? * count;
        row.get(first..first + count).map(root_of)
    }
}

/// Why a proof shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The places do not fit each other: a leaf behind the end, or an older tree that is larger.
    #[error("the proof is about a place that the tree does not have")]
    Place,
    /// Too few or too many hashes.
    #[error("the proof has not the length that its tree sizes require")]
    Length,
    /// It leads to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// A stretch of leaves, from the first up to the one after the last.
type Stretch = (u64, u64);

/// For each hash of the proof that leaf `index` is in the tree of `size` leaves, the complete nodes that [`fold`] makes
/// it from. `None` when there is no such leaf.
pub fn inclusion_nodes(index: u64, size: u64) -> Option<Vec<Vec<NodeId>>> {
    if index >= size {
        return None;
    }
    let (mut first, mut end) = (0, size);
    let mut stretches: Vec<Stretch> = Vec::new();
    while end - first > 1 {
        let middle = first + split(end - first);
        if index < middle {
            stretches.push((middle, end));
            end = middle;
        } else {
            stretches.push((first, middle));
            first = middle;
        }
    }
    Some(stretches.into_iter().rev().map(nodes).collect())
}

/// The same for the proof that the tree of `old` leaves is the beginning of the one of `new`. `None` when it cannot be.
pub fn consistency_nodes(old: u64, new: u64) -> Option<Vec<Vec<NodeId>>> {
    if old > new {
        return None;
    }
    if old == 0 || old == new {
        return Some(Vec::new());
    }
    let (mut first, mut end) = (0, new);
    let mut is_known = true;
    let mut stretches: Vec<Stretch> = Vec::new();
    while old != end {
        let middle = first + split(end - first);
        if old <= middle {
            stretches.push((middle, end));
            end = middle;
        } else {
            stretches.push((first, middle));
            first = middle;
            is_known = false;
        }
    }
    // Where the old tree is a whole node on the left edge its hash is the root that the reader has.
    if !is_known {
        stretches.push((first, end));
    }
    Some(stretches.into_iter().rev().map(nodes).collect())
}

/// One hash from complete nodes in the order that the functions above give; `None` without any.
pub fn fold(nodes: &[Hash]) -> Option<Hash> {
    let (last, before) = nodes.split_last()?;
    Some(before.iter().rev().fold(*last, |right, left| Hash::node(left, &right)))
}

/// Checks that the leaf with that hash is leaf `index` of the tree of `size` leaves with that root (RFC 9162 §2.1.3.2).
///
/// # Errors
/// [`ProofError`].
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Place);
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for other in path {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            hash = Hash::node(other, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = Hash::node(&hash, other);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that the tree of `old` leaves is the beginning of the tree of `new` leaves (RFC 9162 §2.1.4.2). The empty
/// tree is the beginning of every tree.
///
/// # Errors
/// [`ProofError`].
pub fn verify_consistency(
    (old, old_root): (u64, &Hash),
    (new, new_root): (u64, &Hash),
    path: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Place);
    }
    if old == 0 || old == new {
        let (expected, found) = if old == 0 { (Hash::empty(), *old_root) } else { (*old_root, *new_root) };
        return match (path, expected == found) {
            ([], true) => Ok(()),
            ([], false) => Err(ProofError::Root),
            _ => Err(ProofError::Length),
        };
    }
    let mut rest = path.iter();
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    let start = if old.is_power_of_two() { *old_root } else { *rest.next().ok_or(ProofError::Length)? };
    let (mut older, mut newer) = (start, start);
    for other in rest {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            older = Hash::node(other, &older);
            newer = Hash::node(other, &newer);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            newer = Hash::node(&newer, other);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if older == *old_root && newer == *new_root { Ok(()) } else { Err(ProofError::Root) }
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

/// The complete nodes of a stretch that starts where a node of its size may start, largest first.
fn nodes((mut first, end): Stretch) -> Vec<NodeId> {
    let mut nodes = Vec::new();
    while first < end {
        let height = (end - first).ilog2().min(first.trailing_zeros());
        nodes.push(NodeId { height, index: first >> height });
        first += 1 << height;
    }
    nodes
}
