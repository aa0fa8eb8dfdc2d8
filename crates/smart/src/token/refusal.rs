//! What a token endpoint's refusal means for the caller, whatever shape it has (RFC 6749 §5.2, SEC-16).

/// What to do about a refusal. The server's words are not kept: they are input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The code or refresh token is not, or no longer, good: the authorisation is over.
    InvalidGrant,
    /// Our credentials were not accepted: a configuration fault, not to be repeated (JWT-07).
    InvalidClient,
    /// This client may not do this.
    UnauthorizedClient,
    /// The scope was not accepted.
    InvalidScope,
    /// The request was not understood, or its grant type is not supported.
    InvalidRequest,
    /// Busy or broken for the moment: try later.
    Transient,
    /// Refused without a reason that is known.
    Unknown,
}

impl Refusal {
    /// A word for metrics and audit details.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidClient => "invalid_client",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidRequest => "invalid_request",
            Self::Transient => "transient",
            Self::Unknown => "unknown",
        }
    }
}

/// Reads a refusal. A server in trouble (5xx, 429) is transient whatever its body says, because proxies in front of it
/// answer too; otherwise the `error` member decides, and without one the status.
pub fn refusal(status: u16, body: &[u8]) -> Refusal {
    if status >= 500 || matches!(status, 408 | 425 | 429) {
        return Refusal::Transient;
    }
    match error_member(body).as_deref() {
        Some("invalid_grant") => Refusal::InvalidGrant,
        Some("invalid_client") => Refusal::InvalidClient,
        Some("unauthorized_client" | "access_denied") => Refusal::UnauthorizedClient,
        Some("invalid_scope" | "invalid_target") => Refusal::InvalidScope,
        Some("invalid_request" | "unsupported_grant_type") => Refusal::InvalidRequest,
        Some("temporarily_unavailable" | "server_error" | "slow_down") => Refusal::Transient,
        Some(_) => Refusal::Unknown,
        // RFC 6749 §5.2: 401 is for failed client authentication.
        None if status == 401 => Refusal::InvalidClient,
        None => Refusal::Unknown,
    }
}

fn error_member(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Body {
        error: String,
    }
    let body = serde_json::from_slice::<Body>(body).ok()?;
    Some(body.error.trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_member_decides_whether_the_status_is_400_or_401() {
        for status in [400, 401, 403] {
            for (error, expected) in [
                ("invalid_grant", Refusal::InvalidGrant),
                ("invalid_client", Refusal::InvalidClient),
                ("unauthorized_client", Refusal::UnauthorizedClient),
                ("invalid_scope", Refusal::InvalidScope),
                ("invalid_request", Refusal::InvalidRequest),
                ("unsupported_grant_type", Refusal::InvalidRequest),
                ("temporarily_unavailable", Refusal::Transient),
                ("use_dpop_nonce", Refusal::Unknown),
            ] {
                let body = format!(r#"{{"error":"{error}","error_description":"x","more":[1]}}"#);
                assert_eq!(refusal(status, body.as_bytes()), expected, "{status} {error}");
            }
        }
    }

    #[test]
    fn a_server_in_trouble_is_transient_whatever_it_says() {
        for status in [500, 502, 503, 504, 429, 408] {
            assert_eq!(refusal(status, br#"{"error":"invalid_grant"}"#), Refusal::Transient, "{status}");
            assert_eq!(refusal(status, b"<html>Bad gateway</html>"), Refusal::Transient, "{status}");
        }
    }

    #[test]
    fn bodies_of_any_shape_are_understood_by_their_status() {
        for body in [&b""[..], b"<html>", b"null", b"[]", br#"{"error":{"code":1}}"#, b"\xff\xfe", b"{"] {
            assert_eq!(refusal(401, body), Refusal::InvalidClient);
            assert_eq!(refusal(400, body), Refusal::Unknown);
        }
    }
}
