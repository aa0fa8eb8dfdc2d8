//! Checkpoints (C2SP tlog-checkpoint): what a log looked like at one size, signed by the log and its witnesses.

use crate::{Hash, KeyKind, Note, NoteError, SigningKey, VerifierKey};

/// What a log looked like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many leaves it had.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Why a checkpoint is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a note, or not signed as it must be.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text is not origin, size and root.
    #[error("the note is no checkpoint: origin, size and root are expected")]
    Malformed,
    /// It speaks of another log.
    #[error("the checkpoint is of another log")]
    Origin,
    /// A witness's signature is asked for and missing.
    #[error("the checkpoint lacks the signature of a witness that is asked for")]
    Witness,
}

impl Checkpoint {
    /// Reads the text of a note.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let text = text.strip_suffix('\n').ok_or(CheckpointError::Malformed)?;
        let lines: Vec<&str> = text.split('\n').collect();
        let [origin, size, root, extensions @ ..] = lines.as_slice() else {
            return Err(CheckpointError::Malformed);
        };
        let parsed: u64 = size.parse().map_err(|_no_number| CheckpointError::Malformed)?;
        // One way to write a number: no sign, no leading zero.
        if origin.is_empty() || parsed.to_string() != *size || extensions.iter().any(|line| line.is_empty()) {
            return Err(CheckpointError::Malformed);
        }
        let root = Hash::parse(root).map_err(|_no_hash| CheckpointError::Malformed)?;
        Ok(Self { origin: (*origin).to_owned(), size: parsed, root })
    }

    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// The note, signed by the log.
    ///
    /// # Errors
    /// [`CheckpointError`] for an origin that a note cannot carry, or a key of another log.
    pub fn sign(&self, key: &SigningKey) -> Result<Note, CheckpointError> {
        if key.verifier().name() != self.origin || key.verifier().kind() != KeyKind::Log {
            return Err(CheckpointError::Origin);
        }
        let mut note = Note::unsigned(self.text())?;
        key.sign(&mut note, 0);
        Ok(note)
    }
}

/// Whose signatures a checkpoint must carry.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The log's; its name is the origin.
    pub log: VerifierKey,
    /// Each of these witnesses must have signed.
    pub witnesses: Vec<VerifierKey>,
}

/// A checkpoint whose signatures were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The note that carries it.
    pub note: Note,
    /// When the last of the witnesses asked for signed it, in seconds since the epoch; 0 without witnesses.
    pub witnessed_at: u64,
}

impl Keys {
    /// Reads a checkpoint and checks its signatures: the log's and that of each witness.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn open(&self, bytes: &[u8]) -> Result<Opened, CheckpointError> {
        let note = Note::parse(bytes)?;
        note.signed_by(&self.log)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        if checkpoint.origin != self.log.name() {
            return Err(CheckpointError::Origin);
        }
        let mut witnessed_at = 0;
        for witness in &self.witnesses {
            let at = note.signed_by(witness).map_err(|error| match error {
                NoteError::NotSigned => CheckpointError::Witness,
                other => CheckpointError::Note(other),
            })?;
            witnessed_at = witnessed_at.max(at);
        }
        Ok(Opened { checkpoint, note, witnessed_at })
    }
}
