#![doc = include_str!("../README.md")]

mod checkpoint;
mod export;
mod finding;
mod hash;
mod leaf;
mod note;
mod proof;
mod proof_file;
mod report;
mod spools;
mod tree;
mod verify;
mod witness;

pub use checkpoint::{Checkpoint, CheckpointError, Keys, Opened};
pub use export::{ExportError, Header, Line, MAX_LINE_BYTES, Reader, Writer};
pub use finding::{Fault, Finding};
pub use hash::{Hash, NotAHash};
pub use leaf::{LEAF_VERSION, Leaf, LeafError};
pub use note::{KeyKind, Note, NoteError, Signature, SigningKey, VerifierKey};
pub use proof::{
    NodeId, ProofError, consistency_nodes, fold, inclusion_nodes, verify_consistency, verify_inclusion,
};
pub use proof_file::{ConsistencyProof, InclusionProof, ProofFile, ProofFileError};
pub use report::{SignedReport, is_report, report_text, verify_report};
pub use spools::{Gap, Spools};
pub use tree::{MalformedTree, TILE_HEIGHT, Tile, TileId, Tree};
pub use verify::{Anchor, Policy, Report, Verifier, verify_export};
pub use witness::{WitnessError, witness};
