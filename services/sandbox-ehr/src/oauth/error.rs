//! Errors of the back-channel endpoints (token, introspection, revocation): RFC 6749 §5.2.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::params::Repeated;
use crate::digest::handle;
use crate::grants::NotIssued;
use crate::profile::{OauthErrors, Profile};

/// A refusal with its code and a sentence that reflects nothing of the request.
#[derive(Debug)]
pub(crate) struct OauthError {
    status: StatusCode,
    code: &'static str,
    description: String,
    challenges_basic: bool,
}

impl OauthError {
    fn new(status: StatusCode, code: &'static str, description: impl Into<String>) -> Self {
        Self { status, code, description: description.into(), challenges_basic: false }
    }

    pub(crate) fn invalid_request(description: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    pub(crate) fn invalid_client(description: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", description)
    }

    /// RFC 6749 §5.2: a client that tried HTTP Basic is answered with a challenge for it.
    pub(crate) fn with_basic_challenge(mut self) -> Self {
        self.challenges_basic = true;
        self
    }

    pub(crate) fn invalid_scope(description: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_scope", description)
    }

    pub(crate) fn unsupported_grant_type() -> Self {
        let description = "grant_type must be one of those in smart-configuration";
        Self::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", description)
    }

    pub(crate) fn unauthorized_client(description: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "unauthorized_client", description)
    }

    pub(crate) fn not_issued(reason: NotIssued, profile: &Profile) -> Self {
        if reason == NotIssued::Scope {
            return Self::new(StatusCode::BAD_REQUEST, "invalid_scope", reason.to_string());
        }
        let status = StatusCode::from_u16(profile.invalid_grant_status).unwrap_or(StatusCode::BAD_REQUEST);
        Self::new(status, "invalid_grant", reason.to_string())
    }

    /// The code.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }
}

impl From<Repeated> for OauthError {
    fn from(_: Repeated) -> Self {
        Self::invalid_request("a parameter was sent more than once")
    }
}

/// A JSON answer that no cache may keep (RFC 6749 §5.1).
pub(crate) fn no_store_json(status: StatusCode, body: &Value) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (PRAGMA, HeaderValue::from_static("no-cache")),
    ];
    (status, headers, body.to_string()).into_response()
}

/// Marks an answer of ours as the refusal with this code, so that it can be dressed as a product does it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OauthRefusal(pub(crate) &'static str);

/// The same refusal in the shape of a product.
pub(crate) fn shaped(style: OauthErrors, refusal: OauthRefusal) -> Option<Value> {
    let OauthRefusal(code) = refusal;
    match style {
        OauthErrors::Described => None,
        OauthErrors::NullDescription => Some(json!({"error": code, "error_description": null})),
        OauthErrors::UriOnly(root) => Some(json!({"error": code, "error_uri": error_uri(root, code)})),
        OauthErrors::ResourceDetail => Some(json!({"resource": "oauth/token", "detail": "Bad Request"})),
    }
}

/// The address at which a product's support finds this very error.
pub(crate) fn error_uri(root: &str, code: &str) -> String {
    format!("{root}/urn:sandbox:error:{code}/instances/{}", handle())
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        tracing::debug!(code = self.code(), "token endpoint refused a request");
        let body = json!({"error": self.code, "error_description": self.description});
        let mut response = no_store_json(self.status, &body);
        response.extensions_mut().insert(OauthRefusal(self.code));
        if self.challenges_basic {
            let challenge = HeaderValue::from_static("Basic realm=\"sandbox-ehr\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
