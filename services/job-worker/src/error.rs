//! What can go wrong in a use case, by what a caller can do about it.

use sallyport_audit_client::AuditError;
use sallyport_model::Code;

use crate::halt::Halt;

/// Why a use case was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A stable refusal.
    #[error("{0}")]
    Refused(Code),
    /// The database.
    #[error("the database did not answer as expected")]
    Database(#[from] sallyport_db::Error),
    /// The audit spool.
    #[error("the audit spool did not take a record")]
    Audit(#[from] AuditError),
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self::Refused(code)
    }
}

impl From<Halt> for Error {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Failed(code) | Halt::Authority { code, .. } => Self::Refused(code),
            Halt::Stale | Halt::Asked | Halt::Later { .. } | Halt::Item { .. } => {
                Self::Refused(Code::RunStateRefused)
            }
        }
    }
}

impl Error {
    /// The stable code that leaves.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Refused(code) => *code,
            Self::Database(error) => error.code(),
            Self::Audit(error) => error.code(),
        }
    }

    /// The refusal for a client, logged once here when the fault is ours.
    pub(crate) fn into_status(self) -> tonic::Status {
        let code = self.code();
        let kind = match &self {
            Self::Refused(_) => return sallyport_rpc::status(code),
            Self::Database(_) => "database",
            Self::Audit(_) => "audit",
        };
        tracing::error!(code = code.as_str(), error.kind = kind, "the job worker could not answer");
        sallyport_rpc::status(code)
    }
}
