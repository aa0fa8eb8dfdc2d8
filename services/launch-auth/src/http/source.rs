//! What is read from a request whichever route it came by. Headers from outside are believed only where that is said.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    body::Bytes,
    extract::{
        ConnectInfo, FromRequestParts, Path,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, HeaderName, StatusCode, header, request::Parts},
};
use sallyport_model::{Code, RequestId};
use sallyport_rpc::forwarded;
use sallyport_telemetry::http::{Incoming, REQUEST_ID_HEADER};

use crate::domain::{App, Cookies, Visit};

/// A request as the handlers see it.
pub(super) struct Source {
    pub(super) visit: Visit,
    /// Where it came from, for the rate limit.
    pub(super) ip: Option<IpAddr>,
    /// The answer should be JSON.
    pub(super) wants_json: bool,
}

impl FromRequestParts<Arc<App>> for Source {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let headers = &parts.headers;
        let given = parts.extensions.get::<Incoming>().map(|incoming| incoming.0);
        let from_header = || RequestId::parse(text(headers, &REQUEST_ID_HEADER)?).ok();
        let request_id = given.or_else(from_header).unwrap_or_else(|| RequestId::new(app.clock.as_ref()));
        let dest = text(headers, &HeaderName::from_static("sec-fetch-dest")).unwrap_or_default();
        // A browser may split the Cookie header over HTTP/2.
        let cookies: Vec<&str> =
            headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).collect();
        let accept = text(headers, &header::ACCEPT).unwrap_or_default();
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        Ok(Self {
            visit: Visit {
                request_id,
                is_framed: matches!(dest, "iframe" | "frame"),
                cookies: Cookies(cookies.join("; ")),
            },
            ip: peer.map(|peer| forwarded::source(peer, headers, &app.config.trusted_proxies)),
            wants_json: accept.contains("application/json") && !accept.contains("text/html"),
        })
    }
}

/// A path segment; what cannot be decoded is nothing that exists.
pub(super) fn segment(path: Result<Path<String>, PathRejection>) -> String {
    path.map(|Path(text)| text).unwrap_or_default()
}

/// A form within the limit.
///
/// # Errors
/// `request.too_large`, or `request.invalid` when the body broke off.
pub(super) fn form(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Code> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Code::BodyTooLarge,
        _ => Code::RequestInvalid,
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
