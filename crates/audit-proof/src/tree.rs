//! A tree that grows leaf by leaf. What is complete leaves it as tiles that never change; what it keeps is the right
//! edge alone, so that appending costs O(log n) however long the log is.

use crate::{Hash, NodeId};

/// How many levels of the tree one tile covers.
pub const TILE_HEIGHT: u32 = 5;

/// Hashes in a complete tile.
const WIDTH: u64 = 1 << TILE_HEIGHT;

/// Which tile: its level counts in tiles from the leaves, its index from the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    /// 0 holds hashes of leaves, 1 the roots of complete tiles of level 0, and so on.
    pub level: u32,
    /// From the left.
    pub index: u64,
}

/// A complete tile: the hashes of its lowest row, from the left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Where it is.
    pub id: TileId,
    /// Its hashes, 32 of them.
    pub hashes: Vec<Hash>,
}

impl Tile {
    /// Its hashes one after the other.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
    }

    /// Reads a complete tile.
    ///
    /// # Errors
    /// [`MalformedTree`] when it is not 32 hashes long.
    pub fn from_bytes(id: TileId, bytes: &[u8]) -> Result<Self, MalformedTree> {
        let hashes = hashes(bytes)?;
        if hashes.len() as u64 == WIDTH { Ok(Self { id, hashes }) } else { Err(MalformedTree) }
    }
}

/// Stored bytes that are not the edge of a tree of that size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are not the right edge of a tree of that size")]
pub struct MalformedTree;

/// The right edge of a tree: for every level the hashes of the tile that is not complete yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// A tree without leaves.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The tree whose edge was kept with [`Tree::to_bytes`].
    ///
    /// # Errors
    /// [`MalformedTree`].
    pub fn restore(size: u64, edge: &[u8]) -> Result<Self, MalformedTree> {
        let mut all = hashes(edge)?.into_iter();
        let mut levels = Vec::new();
        let mut rest = size;
        while rest > 0 {
            let count = usize::try_from(rest % WIDTH).map_err(|_small| MalformedTree)?;
            let level: Vec<_> = all.by_ref().take(count).collect();
            if level.len() != count {
                return Err(MalformedTree);
            }
            levels.push(level);
            rest /= WIDTH;
        }
        if all.next().is_some() { Err(MalformedTree) } else { Ok(Self { size, levels }) }
    }

    /// The hashes of its edge, lowest level first; with the size they are the whole tree's state.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.levels.iter().flatten().flat_map(|hash| *hash.as_bytes()).collect()
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash; tiles that became complete are pushed to `completed`.
    pub fn push(&mut self, leaf: Hash, completed: &mut Vec<Tile>) {
        let mut hash = leaf;
        let mut index = self.size;
        self.size += 1;
        for level in 0_u32.. {
            let at = level as usize;
            if self.levels.len() <= at {
                self.levels.push(Vec::new());
            }
            let Some(row) = self.levels.get_mut(at) else { return };
            row.push(hash);
            if (row.len() as u64) < WIDTH {
                return;
            }
            index /= WIDTH;
            let hashes = std::mem::take(row);
            hash = root_of(&hashes);
            completed.push(Tile { id: TileId { level, index }, hashes });
        }
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        let mut ragged = None;
        for level in &self.levels {
            let row: Vec<Hash> = level.iter().copied().chain(ragged).collect();
            ragged = (!row.is_empty()).then(|| root_of(&row));
        }
        ragged.unwrap_or_else(Hash::empty)
    }

    /// The hash of a complete node, if the edge holds what it is made of; otherwise it is in the complete tile
    /// [`NodeId::tile`].
    pub fn node(&self, node: NodeId) -> Option<Hash> {
        let tile = node.tile();
        let complete = self.size.checked_shr(TILE_HEIGHT * (tile.level + 1)).unwrap_or(0);
        if tile.index < complete {
            return None;
        }
        let row = self.levels.get(tile.level as usize)?;
        node.within(row)
    }
}

/// The root over nodes of equal height, of which the last may be ragged (RFC 9162 §2.1.1).
pub(crate) fn root_of(nodes: &[Hash]) -> Hash {
    match nodes {
        [] => Hash::empty(),
        [one] => *one,
        many => {
            // The largest power of two below the count.
            let split = 1_usize << (usize::BITS - 1 - (many.len() - 1).leading_zeros());
            let (left, right) = many.split_at(split);
            Hash::node(&root_of(left), &root_of(right))
        }
    }
}

fn hashes(bytes: &[u8]) -> Result<Vec<Hash>, MalformedTree> {
    let (whole, rest) = bytes.as_chunks::<{ Hash::LENGTH }>();
    if rest.is_empty() {
        Ok(whole.iter().map(|one| Hash::from_bytes(*one)).collect())
    } else {
        Err(MalformedTree)
    }
}
