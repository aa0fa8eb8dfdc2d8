//! What can go wrong, by what a caller can do about it. No variant holds input, a token or a key.

use sallyport_audit_client::AuditError;
use sallyport_data_keys::Error as KeysError;
use sallyport_egress::EgressError;
use sallyport_keyring::KeyError;
use sallyport_model::Code;

/// Why a call was not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A stable refusal.
    #[error("{0}")]
    Refused(Code),
    /// The database.
    #[error("the database did not answer as expected")]
    Database(#[from] sallyport_db::Error),
    /// The keys.
    #[error("a key operation failed")]
    Key(#[from] KeyError),
    /// The table of data keys.
    #[error("a data key cannot be had")]
    Keys(#[source] KeysError),
    /// A data key that its keeper cannot open: it has another key than the one that wrapped it.
    #[error("a data key does not open with the present key-encryption key")]
    KeyLost,
    /// The audit spool.
    #[error("the audit spool did not take a record")]
    Audit(#[from] AuditError),
    /// A row or a file that this service did not write.
    #[error("{0} is not what this service wrote")]
    Malformed(&'static str),
    /// A client secret or key file.
    #[error("a client secret or key file of a registration cannot be read")]
    CredentialFile,
}

impl From<KeysError> for Error {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Database(error) => Self::Database(error),
            KeysError::Key(error) if error.is_about_the_value() => Self::KeyLost,
            KeysError::Key(error) => Self::Key(error),
            damaged @ KeysError::Damaged(_) => Self::Keys(damaged),
        }
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self::Refused(code)
    }
}

impl Error {
    /// The stable code that leaves.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Refused(code) => *code,
            Self::Database(error) => error.code(),
            Self::Key(KeyError::Unavailable(_) | KeyError::Refused) => Code::DependencyDown,
            Self::KeyLost => Code::GrantUnreadable,
            Self::Audit(error) => error.code(),
            Self::Key(_) | Self::Keys(_) | Self::Malformed(_) => Code::Internal,
            Self::CredentialFile => Code::DependencyDown,
        }
    }

    /// The refusal for a client, logged once here when the fault is ours.
    pub(crate) fn into_status(self) -> tonic::Status {
        let code = self.code();
        let kind = match &self {
            Self::Refused(_) => return sallyport_rpc::status(code),
            Self::Database(_) => "database",
            Self::Key(_) | Self::Keys(_) => "key",
            Self::KeyLost => "key_lost",
            Self::Audit(_) => "audit",
            Self::Malformed(_) => "malformed",
            Self::CredentialFile => "credential_file",
        };
        // The driver's text can quote values, so the kind must do.
        tracing::error!(code = code.as_str(), error.kind = kind, "the vault could not answer");
        sallyport_rpc::status(code)
    }
}

/// What a failed call to the EHR's sign-in service means to a caller.
pub(crate) fn code_of_egress(error: EgressError, on_timeout: Code) -> Code {
    match error {
        EgressError::NotPinned | EgressError::AddressRefused => Code::LaunchDiscoveryDrift,
        EgressError::Timeout | EgressError::Interrupted => on_timeout,
        EgressError::Unreachable => Code::UpstreamUnreachable,
        EgressError::Redirect(_) => Code::UpstreamRedirect,
        EgressError::TooLarge | EgressError::Invalid => Code::ExchangeInvalid,
    }
}
