//! The answer at the callback: a code or an error, with the state and perhaps the issuer. Repeated parameters are
//! refused (RFC 6749 §3.1), and no text of it is ever shown.

use sallyport_model::Secret;
use url::form_urlencoded;

/// Longest state and code that are looked at; ours is 43 characters, codes of real EHRs go up to about 4 KiB.
const STATE_MAX: usize = 512;
const CODE_MAX: usize = 8_192;
const ISSUER_MAX: usize = 4_096;

/// A well-formed answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// `state` as returned.
    pub state: Secret<String>,
    /// `iss` (RFC 9207), decoded.
    pub issuer: Option<String>,
    /// Code or error.
    pub answer: Answer,
}

/// What the EHR decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An authorization code, used once and promptly.
    Code(Secret<String>),
    /// An error (RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6).
    Error(Refusal),
}

/// The errors that a person or an operator can act on differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The person or a policy declined.
    AccessDenied,
    /// `invalid_scope`.
    InvalidScope,
    /// `invalid_request`.
    InvalidRequest,
    /// `unauthorized_client`.
    UnauthorizedClient,
    /// `unsupported_response_type`.
    UnsupportedResponseType,
    /// `server_error`.
    ServerError,
    /// `temporarily_unavailable`.
    TemporarilyUnavailable,
    /// `login_required`, `interaction_required`, `consent_required`, `account_selection_required`.
    InteractionRequired,
    /// Any other word.
    Other,
}

impl Refusal {
    fn parse(word: &str) -> Self {
        match word {
            "access_denied" => Self::AccessDenied,
            "invalid_scope" => Self::InvalidScope,
            "invalid_request" => Self::InvalidRequest,
            "unauthorized_client" => Self::UnauthorizedClient,
            "unsupported_response_type" => Self::UnsupportedResponseType,
            "server_error" => Self::ServerError,
            "temporarily_unavailable" => Self::TemporarilyUnavailable,
            "login_required" | "interaction_required" | "consent_required" | "account_selection_required" => {
                Self::InteractionRequired
            }
            _ => Self::Other,
        }
    }

    /// A word of ours for records and metrics: never the EHR's own text.
    pub fn label(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidRequest => "invalid_request",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::InteractionRequired => "interaction_required",
            Self::Other => "other",
        }
    }
}

/// Why an answer is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponseFault {
    /// A parameter that decides came twice.
    #[error("a parameter is repeated")]
    Repeated,
    /// No state: nothing says which launch it belongs to.
    #[error("state is missing")]
    StateMissing,
    /// Neither code nor error, or both.
    #[error("code or error must be there, not both")]
    NoAnswer,
    /// A parameter is longer than any EHR sends.
    #[error("a parameter is too long")]
    TooLong,
}

impl Response {
    /// Reads the query (GET) or the form (POST, `response_mode=form_post`).
    ///
    /// # Errors
    /// A [`ResponseFault`]; unknown parameters are ignored (RFC 6749 §4.1.2).
    pub fn parse(encoded: &[u8]) -> Result<Self, ResponseFault> {
        let (mut state, mut issuer, mut code, mut error) = (None, None, None, None);
        for (name, value) in form_urlencoded::parse(encoded) {
            let (slot, max) = match name.as_ref() {
                "state" => (&mut state, STATE_MAX),
                "iss" => (&mut issuer, ISSUER_MAX),
                "code" => (&mut code, CODE_MAX),
                "error" => (&mut error, STATE_MAX),
                _ => continue,
            };
            if value.len() > max {
                return Err(ResponseFault::TooLong);
            }
            if slot.replace(value.into_owned()).is_some() {
                return Err(ResponseFault::Repeated);
            }
        }
        let state = state.filter(|s| !s.is_empty()).map(Secret::new).ok_or(ResponseFault::StateMissing)?;
        let answer = match (code.filter(|c| !c.is_empty()), error) {
            (Some(code), None) => Answer::Code(Secret::new(code)),
            (None, Some(error)) => Answer::Error(Refusal::parse(&error)),
            (Some(_), Some(_)) | (None, None) => return Err(ResponseFault::NoAnswer),
        };
        Ok(Self { state, issuer, answer })
    }
}

/// The answer did not come from the server that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer's issuer is not the one that was asked")]
pub struct IssuerMismatch;

/// RFC 9207 §2.4: a simple string comparison with the issuer stored in the transaction; missing although announced is
/// a mismatch, and so is an issuer where none is known to compare with.
///
/// # Errors
/// [`IssuerMismatch`].
pub fn check_issuer(
    received: Option<&str>,
    expected: Option<&str>,
    announced: bool,
) -> Result<(), IssuerMismatch> {
    match (received, expected) {
        (Some(received), Some(expected)) if received == expected => Ok(()),
        (None, _) if !announced => Ok(()),
        _ => Err(IssuerMismatch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_with_its_state_and_issuer_is_read() {
        let response =
            Response::parse(b"code=c%2B1&state=abc&iss=https%3A%2F%2Fehr.example&session_state=x").unwrap();
        assert_eq!(response.state, Secret::new("abc".to_owned()));
        assert_eq!(response.issuer.as_deref(), Some("https://ehr.example"));
        assert_eq!(response.answer, Answer::Code(Secret::new("c+1".to_owned())));
    }

    #[test]
    fn errors_become_words_of_ours() {
        let denied =
            Response::parse(b"error=access_denied&error_description=%3Cscript%3E&state=abc").unwrap();
        assert_eq!(denied.answer, Answer::Error(Refusal::AccessDenied));
        let odd = Response::parse(b"error=%3Cscript%3E&state=abc").unwrap();
        assert_eq!(odd.answer, Answer::Error(Refusal::Other));
        assert_eq!(Refusal::Other.label(), "other");
    }

    #[test]
    fn malformed_answers_are_refused_with_their_reason() {
        for (query, fault) in [
            ("code=a&code=b&state=s", ResponseFault::Repeated),
            ("code=a&state=s&state=s", ResponseFault::Repeated),
            ("code=a&state=s&iss=a&iss=b", ResponseFault::Repeated),
            ("code=a", ResponseFault::StateMissing),
            ("code=a&state=", ResponseFault::StateMissing),
            ("state=s", ResponseFault::NoAnswer),
            ("state=s&code=", ResponseFault::NoAnswer),
            ("state=s&code=a&error=access_denied", ResponseFault::NoAnswer),
            ("", ResponseFault::StateMissing),
        ] {
            assert_eq!(Response::parse(query.as_bytes()), Err(fault), "{query}");
        }
        let long = format!("code={}&state=s", "a".repeat(CODE_MAX + 1));
        assert_eq!(Response::parse(long.as_bytes()), Err(ResponseFault::TooLong));
    }

    #[test]
    fn the_issuer_is_compared_as_a_string() {
        let ours = Some("https://ehr.example");
        assert_eq!(check_issuer(ours, ours, true), Ok(()));
        assert_eq!(check_issuer(None, ours, false), Ok(()));
        assert_eq!(check_issuer(None, None, false), Ok(()));
        for (received, expected, announced) in [
            (None, ours, true),
            (Some("https://ehr.example/"), ours, false),
            (Some("https://other.example"), ours, false),
            (Some("https://ehr.example"), None, false),
            (None, None, true),
        ] {
            assert_eq!(check_issuer(received, expected, announced), Err(IssuerMismatch), "{received:?}");
        }
    }
}
