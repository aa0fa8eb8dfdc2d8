//! Why a FHIR request was not authorised, and the answer that says so (RFC 6750 §3).

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::profile::Cause;

/// A refused access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No `Authorization: Bearer` header.
    #[error("an access token is required: send it as Authorization: Bearer")]
    Missing,
    /// The token was never issued here, or by another of the sandbox's EHRs.
    #[error("the access token is not known here: launch the app again")]
    Unknown,
    /// The token's lifetime is over.
    #[error("the access token has expired: refresh it or launch the app again")]
    Expired,
    /// The token, or the grant behind it, was withdrawn.
    #[error("the access token was revoked: launch the app again")]
    Revoked,
}

impl Denied {
    fn challenge(self) -> HeaderValue {
        match self {
            Self::Missing => HeaderValue::from_static("Bearer realm=\"sandbox-ehr\""),
            Self::Unknown | Self::Expired | Self::Revoked => {
                HeaderValue::from_static("Bearer realm=\"sandbox-ehr\", error=\"invalid_token\"")
            }
        }
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let outcome = json!({
            "resourceType": "OperationOutcome",
            "issue": [{"severity": "error", "code": "login", "diagnostics": self.to_string()}],
        });
        let headers = [
            (WWW_AUTHENTICATE, self.challenge()),
            (CONTENT_TYPE, HeaderValue::from_static("application/fhir+json")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        let mut response = (StatusCode::UNAUTHORIZED, headers, outcome.to_string()).into_response();
        response.extensions_mut().insert(Cause::Token);
        response
    }
}
