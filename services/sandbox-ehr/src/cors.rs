//! Cross-origin access for apps that run in the browser: SMART 2.2 "CORS support" wants discovery,
//! metadata, token and FHIR endpoints readable from their origins. Any origin is allowed, credentials are
//! not: a bearer token is the only thing that opens anything here.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{HeaderValue, Method, StatusCode};

use crate::request_log::Kind;

const ALLOWED_HEADERS: &str = "authorization, content-type, accept, prefer, if-match, if-none-match, if-none-exist, \
                               x-request-id, traceparent, x-sandbox-fault";
const EXPOSED_HEADERS: &str =
    "location, content-location, etag, last-modified, retry-after, www-authenticate";

/// Whether browser apps may call this path. The authorize pages are navigated to, never fetched.
fn is_open(path: &str) -> bool {
    let leaves =
        ["/token", "/revoke", "/introspect", "/jwks", "/register", "/.well-known/openid-configuration"];
    match Kind::of(path) {
        Kind::Fhir | Kind::Discovery => true,
        Kind::Oauth => leaves.iter().any(|leaf| path.ends_with(leaf)),
        Kind::Portal | Kind::Admin => false,
    }
}

/// Middleware: answers preflights and marks answers to other origins as readable.
pub(crate) async fn answer(request: Request, next: Next) -> Response {
    let is_cross_origin = request.headers().contains_key(ORIGIN) && is_open(request.uri().path());
    if !is_cross_origin {
        return next.run(request).await;
    }
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight {
        let allowed = [
            (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE"),
            (ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
            (ACCESS_CONTROL_MAX_AGE, "600"),
        ];
        (StatusCode::NO_CONTENT, allowed).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_browser_apps_fetch_is_open_to_other_origins() {
        assert!(is_open("/strict/general/fhir/Patient/1"));
        assert!(is_open("/strict/general/fhir/.well-known/smart-configuration"));
        assert!(is_open("/strict/general/oauth/token"));
        assert!(!is_open("/strict/general/oauth/authorize"));
        assert!(!is_open("/strict/general/oauth/consent"));
        assert!(!is_open("/_admin/requests"));
        assert!(!is_open("/"));
    }
}
