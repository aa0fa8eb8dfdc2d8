//! What the audit service's use cases answer, by what a caller can do about it.

use sallyport_audit_client::{AuditError, UnsealError};
use sallyport_audit_proof::{CheckpointError, NoteError};
use sallyport_keyring::KeyError;
use sallyport_model::Code;

use crate::sealed_form::Damaged;

/// Why a use case failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request lacks what it must name, or is malformed; names the field.
    #[error("the request is not complete, set {0}")]
    Invalid(&'static str),
    /// The database.
    #[error("the audit database refused a statement")]
    Database(#[from] sallyport_db::Error),
    /// The key service, or a key that does not fit.
    #[error("a key of the audit log cannot be used")]
    Key(#[from] KeyError),
    /// A record on its way that cannot be opened now.
    #[error("an audit record cannot be opened now")]
    Unseal(#[from] UnsealError),
    /// A stored record that does not read.
    #[error(transparent)]
    Damaged(#[from] DamagedRecord),
    /// The record is behind the last checkpoint.
    #[error("the record is not covered by a checkpoint yet, ask again in some minutes")]
    NotSignedYet,
    /// The log's tree or a tile of it does not read.
    #[error(transparent)]
    DamagedLog(#[from] DamagedLog),
    /// A checkpoint cannot be made.
    #[error("a checkpoint of the audit log cannot be signed, check its origin and its key")]
    Checkpoint(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The place where checkpoints are published.
    #[error("the place of the audit log's checkpoints cannot be read or written")]
    Published(#[from] std::io::Error),
    /// Another replica was at the same row: the transaction is repeated.
    #[error("another replica changed the same rows")]
    Interrupted,
    /// Reading the log could not be recorded, so nothing is shown.
    #[error("the query could not be recorded")]
    NotRecorded(#[from] AuditError),
}

/// The log's own rows were changed.
#[derive(Debug, thiserror::Error)]
#[error("the audit log's tree does not read, compare the database with its backup")]
pub struct DamagedLog;

impl From<NoteError> for Error {
    fn from(error: NoteError) -> Self {
        Self::Checkpoint(Box::new(error))
    }
}

impl From<CheckpointError> for Error {
    fn from(error: CheckpointError) -> Self {
        Self::Checkpoint(Box::new(error))
    }
}

/// A stored record whose bytes were changed.
#[derive(Debug, thiserror::Error)]
#[error("a stored audit record does not read, compare the database with its backup")]
pub struct DamagedRecord(#[from] Damaged);

impl From<Damaged> for Error {
    fn from(damaged: Damaged) -> Self {
        Self::Damaged(DamagedRecord(damaged))
    }
}

impl Error {
    /// The stable code that leaves.
    pub fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::RequestInvalid,
            Self::NotRecorded(error) => error.code(),
            Self::NotSignedYet => Code::AuditNotSignedYet,
            Self::Database(error) => error.code(),
            Self::Key(KeyError::Unavailable(_) | KeyError::Refused) | Self::Unseal(_) | Self::Interrupted => {
                Code::DependencyDown
            }
            Self::Key(_)
            | Self::Damaged(_)
            | Self::DamagedLog(_)
            | Self::Checkpoint(_)
            | Self::Published(_) => Code::Internal,
        }
    }

    /// Whether the same attempt can succeed later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Database(error) => error.is_unavailable(),
            Self::Key(error) => matches!(error, KeyError::Unavailable(_) | KeyError::Refused),
            Self::Unseal(error) => error.is_transient(),
            Self::NotRecorded(_) | Self::Interrupted | Self::NotSignedYet => true,
            Self::Published(_) => true,
            Self::Invalid(_) | Self::Damaged(_) | Self::DamagedLog(_) | Self::Checkpoint(_) => false,
        }
    }

    /// A fixed word for metric labels.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Database(_) => "database",
            Self::Key(_) | Self::Unseal(_) => "key",
            Self::NotSignedYet => "not_signed_yet",
            Self::Damaged(_) => "damaged",
            Self::DamagedLog(_) => "damaged_log",
            Self::Checkpoint(_) => "checkpoint",
            Self::Published(_) => "published",
            Self::Interrupted => "interrupted",
            Self::NotRecorded(_) => "not_recorded",
        }
    }
}
