//! Why a call to an EHR gave no answer. No variant carries a URL, a header or a body.

/// Why a call failed. What matters to a caller with something to lose is [`EgressError::outcome_is_unknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// The URL is not under any pinned origin and path. Nothing was sent.
    #[error("the address is not one that was registered; nothing was sent")]
    NotPinned,
    /// The host's address is private, link-local or this machine's, or plain http was asked for beyond this machine.
    /// Nothing was sent.
    #[error("the host's network address is not allowed; nothing was sent")]
    AddressRefused,
    /// The deadline passed after the request was, or may have been, sent.
    #[error("the server did not answer in time")]
    Timeout,
    /// No connection: the name does not resolve, nobody listens, or TLS failed. Nothing was sent.
    #[error("the server could not be reached; nothing was sent")]
    Unreachable,
    /// The connection broke after the request was, or may have been, sent.
    #[error("the connection broke before the answer was complete")]
    Interrupted,
    /// The answer is larger than allowed, or unpacks to more than a hundred times its size.
    #[error("the answer is larger than allowed")]
    TooLarge,
    /// The server answered with a redirect of that status, which is never followed.
    #[error("the server answered with a redirect ({0}), which is never followed")]
    Redirect(u16),
    /// The request cannot be sent as given, or the answer is not proper HTTP.
    #[error("the request or the answer is not valid HTTP")]
    Invalid,
}

impl EgressError {
    /// Whether the server may have acted on the request although no usable answer came. Whoever sent something that
    /// works once (a rotating refresh token, a write) must not send it again.
    pub fn outcome_is_unknown(self) -> bool {
        match self {
            Self::Timeout | Self::Interrupted | Self::TooLarge | Self::Invalid => true,
            Self::NotPinned | Self::AddressRefused | Self::Unreachable | Self::Redirect(_) => false,
        }
    }

    /// A word for metrics and the span's `error.kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotPinned => "not_pinned",
            Self::AddressRefused => "address_refused",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Interrupted => "interrupted",
            Self::TooLarge => "too_large",
            Self::Redirect(_) => "redirect",
            Self::Invalid => "invalid",
        }
    }
}
