//! A proof as a file of its own: everything that somebody needs to check one record, or the growth of the log between
//! two checkpoints, without the log.

use serde::{Deserialize, Serialize};

use crate::{CheckpointError, Hash, Keys, ProofError, verify_consistency, verify_inclusion};

/// That one record is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InclusionProof {
    /// The record: the exact text that is hashed.
    pub record: String,
    /// Its place.
    pub index: u64,
    /// Hashes from the leaf to the root, base64.
    pub path: Vec<String>,
    /// The checkpoint it is proven against, as a note.
    pub checkpoint: String,
}

/// That one checkpoint is the beginning of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyProof {
    /// The older checkpoint, as a note.
    pub from: String,
    /// The hashes, base64.
    pub path: Vec<String>,
    /// The newer checkpoint, as a note.
    pub checkpoint: String,
}

/// Either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofFile {
    /// That a record is in the log.
    Inclusion(InclusionProof),
    /// That the log grew and did not change.
    Consistency(ConsistencyProof),
}

/// Why a proof file shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofFileError {
    /// It is no proof file.
    #[error("not a proof")]
    Malformed,
    /// A checkpoint in it is not believed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The hashes do not lead there.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// No tree has longer proofs.
const MAX_PATH: usize = 130;

impl ProofFile {
    /// Its text.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("strings and numbers are always JSON");
        text.push('\n');
        text
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`ProofFileError::Malformed`].
    pub fn parse(text: &[u8]) -> Result<Self, ProofFileError> {
        serde_json::from_slice(text).map_err(|_shape| ProofFileError::Malformed)
    }

    /// Checks it, in one sentence.
    ///
    /// # Errors
    /// [`ProofFileError`].
    pub fn verify(&self, keys: &Keys) -> Result<String, ProofFileError> {
        match self {
            Self::Inclusion(proof) => {
                let at = keys.open(proof.checkpoint.as_bytes())?.checkpoint;
                let leaf = Hash::leaf(proof.record.as_bytes());
                verify_inclusion(&leaf, proof.index, at.size, &hashes(&proof.path)?, &at.root)?;
                Ok(format!("record {} is in {}, signed over {} records", proof.index, at.origin, at.size))
            }
            Self::Consistency(proof) => {
                // Whoever holds the older one trusted it when it was made; witnesses may have been added since.
                let log = Keys { witnesses: Vec::new(), ..keys.clone() };
                let old = log.open(proof.from.as_bytes())?.checkpoint;
                let new = keys.open(proof.checkpoint.as_bytes())?.checkpoint;
                verify_consistency((old.size, &old.root), (new.size, &new.root), &hashes(&proof.path)?)?;
                Ok(format!("{}: the first {} of {} records are unchanged", new.origin, old.size, new.size))
            }
        }
    }
}

fn hashes(path: &[String]) -> Result<Vec<Hash>, ProofFileError> {
    if path.len() > MAX_PATH {
        return Err(ProofFileError::Malformed);
    }
    path.iter().map(|text| Hash::parse(text).map_err(|_no_hash| ProofFileError::Malformed)).collect()
}
