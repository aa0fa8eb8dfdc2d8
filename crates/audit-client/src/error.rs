//! What can go wrong between a record and the disk. Every variant means the same to a caller: release nothing.

use std::{io, path::PathBuf};

use sallyport_model::Code;

/// Why a record is not durable. The caller fails closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// The spool has reached its size cap because the queue takes nothing.
    #[error("the audit spool is full, bring the queue or the audit service back")]
    Full,
    /// Writing or syncing failed and no new segment could be committed yet.
    #[error("the audit spool cannot be written, check the disk it is on")]
    Unavailable,
    /// The key that seals the tenant's records could not be wrapped.
    #[error("the audit records cannot be sealed, check the key-encryption key")]
    KeyUnavailable,
    /// The record lacks what every record has; names the field.
    #[error("the audit record is not complete, set its {0}")]
    Incomplete(&'static str),
    /// The record is larger than a frame can be.
    #[error("the audit record is too large, record fewer patients at once")]
    TooLarge,
    /// The spool's writer has ended.
    #[error("the audit spool is closed, the process is ending")]
    Closed,
}

impl AuditError {
    /// The stable code for answers: what could not be recorded is not released.
    pub fn code(self) -> Code {
        Code::AuditUnavailable
    }

    /// A fixed word for metric labels.
    pub fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Unavailable => "unavailable",
            Self::KeyUnavailable => "key_unavailable",
            Self::Incomplete(_) => "incomplete",
            Self::TooLarge => "too_large",
            Self::Closed => "closed",
        }
    }
}

/// Why a spool could not be opened. Nothing starts without it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another client in this one, has it open.
    #[error("the audit spool in {0} is in use, give each process a directory of its own")]
    InUse(PathBuf),
    /// A file operation failed.
    #[error("the audit spool in {directory} cannot be used, check the directory and its disk")]
    Disk {
        /// Where.
        directory: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}
