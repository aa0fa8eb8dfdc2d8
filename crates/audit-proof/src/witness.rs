//! What a witness does: it signs a checkpoint only if the log goes on from the one that it signed before.

use crate::{CheckpointError, Hash, Keys, Note, ProofError, SigningKey, VerifierKey, verify_consistency};

/// Why a witness does not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    /// The checkpoint is not signed by the log, or no checkpoint.
    #[error("the log's checkpoint is not believed: {0}")]
    Checkpoint(#[source] CheckpointError),
    /// What the witness kept is not its own, or altered.
    #[error("the witness's own last checkpoint is not believed: {0}")]
    Own(#[source] CheckpointError),
    /// The checkpoint is older than what the witness signed before.
    #[error("the log is shorter ({found} records) than what was witnessed before ({known} records)")]
    Shorter {
        /// Signed before.
        known: u64,
        /// Offered now.
        found: u64,
    },
    /// What the witness signed before is not the beginning of it.
    #[error("the log is not the continuation of what was witnessed before: {0}")]
    Changed(#[source] ProofError),
}

/// Checks a log's checkpoint against the one signed before, and signs it. `path` is the consistency proof between
/// them; `at` is the time in seconds since the epoch.
///
/// The caller keeps the note durably before it shows it to anybody: what is forgotten could be contradicted.
///
/// # Errors
/// [`WitnessError`]: then nothing may be signed, and somebody has to look.
pub fn witness(
    log: &VerifierKey,
    key: &SigningKey,
    before: Option<&[u8]>,
    note: &[u8],
    path: &[Hash],
    at: u64,
) -> Result<(u64, Note), WitnessError> {
    let keys = Keys { log: log.clone(), witnesses: Vec::new() };
    let opened = keys.open(note).map_err(WitnessError::Checkpoint)?;
    let (now, mut note) = (opened.checkpoint, opened.note);
    if let Some(before) = before {
        let own = Keys { witnesses: vec![key.verifier().clone()], ..keys };
        let known = own.open(before).map_err(WitnessError::Own)?.checkpoint;
        if now.size < known.size {
            return Err(WitnessError::Shorter { known: known.size, found: now.size });
        }
        verify_consistency((known.size, &known.root), (now.size, &now.root), path)
            .map_err(WitnessError::Changed)?;
    }
    key.sign(&mut note, at);
    Ok((now.size, note))
}
