//! Hashes of leaves and nodes (RFC 9162 §2.1.1, the same as RFC 6962 §2.1).

use std::fmt;

use aws_lc_rs::digest::{self, Context, SHA256};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// What a leaf's hash starts over, so that no node can pass for a leaf.
const LEAF: u8 = 0;
/// What a node's hash starts over.
const NODE: u8 = 1;

/// The SHA-256 hash of a leaf, of a node or of a whole tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; Hash::LENGTH]);

/// Text that is not the base64 form of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the base64 form of a SHA-256 hash")]
pub struct NotAHash;

impl Hash {
    /// Bytes of a hash.
    pub const LENGTH: usize = 32;

    /// The hash of a leaf's bytes.
    pub fn leaf(bytes: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&[LEAF]);
        context.update(bytes);
        Self::of(&context.finish())
    }

    /// The hash of a node over its two children.
    pub fn node(left: &Self, right: &Self) -> Self {
        let mut bytes = [NODE; 1 + 2 * Self::LENGTH];
        let (_, children) = bytes.split_at_mut(1);
        let (first, second) = children.split_at_mut(Self::LENGTH);
        first.copy_from_slice(&left.0);
        second.copy_from_slice(&right.0);
        Self::of(&digest::digest(&SHA256, &bytes))
    }

    /// The root of a tree without leaves.
    pub fn empty() -> Self {
        Self::of(&digest::digest(&SHA256, b""))
    }

    /// A hash from its bytes.
    pub fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// A hash from a slice; `None` when it has another length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Reads the base64 form, as checkpoints and proofs hold it.
    ///
    /// # Errors
    /// [`NotAHash`].
    pub fn parse(text: &str) -> Result<Self, NotAHash> {
        let bytes = STANDARD.decode(text).map_err(|_alphabet| NotAHash)?;
        Self::from_slice(&bytes).ok_or(NotAHash)
    }

    fn of(digest: &digest::Digest) -> Self {
        let mut bytes = [0; Self::LENGTH];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
