//! From a browser's request to its session: handle in the path and cookie must match, and the page must be ours.

use std::sync::Arc;

use axum::http::{Extensions, HeaderMap, Method, header};
use sallyport_model::{Code, LaunchId, RequestId, SystemClock, session};
use sallyport_telemetry::http::Incoming;

use crate::{
    Gateway,
    domain::{browser, call, recording::Draft, session::Session},
    error::Refusal,
};

/// A refusal with the id that its answer and its record carry.
pub(crate) type Refused = (Refusal, RequestId);

/// The id of this request; given by the outermost layer.
pub(crate) fn request_id(extensions: &Extensions) -> RequestId {
    extensions.get::<Incoming>().map_or_else(|| RequestId::new(&SystemClock), |incoming| incoming.0)
}

/// The launch handle: 32 hex digits, as it stands in every address of ours and in no other spelling.
pub(crate) fn handle(text: &str) -> Option<LaunchId> {
    let is_plain = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if is_plain { LaunchId::parse(text).ok() } else { None }
}

/// Opens the session of a request.
pub(crate) async fn open(
    gateway: &Gateway,
    launch: &str,
    method: &Method,
    headers: &HeaderMap,
    request_id: RequestId,
) -> Result<Arc<Session>, Refused> {
    let refused = |refusal: Refusal| (refusal, request_id);
    let launch = handle(launch).ok_or_else(|| refused(Code::NotFound.into()))?;
    let cookies = cookie_header(headers);
    let secret =
        session::find_cookie(&cookies, launch).ok_or_else(|| refused(Code::SessionMissing.into()))?;
    let resolved = match session::launches_in(&cookies).first() {
        Some(first) if sallyport_model::planted!("cookie-of-any-launch") => *first,
        _ => launch,
    };
    let session = match gateway.sessions.open(resolved, &secret).await {
        Ok(session) => session,
        Err(code) => return Err(refused(not_opened(gateway, launch, request_id, code).await)),
    };
    if let Err(code) = browser::check(method, headers, &gateway.config.public_url) {
        return Err(refused(call::refuse(gateway, (&session).into(), request_id, code.into()).await));
    }
    if browser::is_by_person(headers) {
        gateway.activity.note(session.launch, gateway.clock.now(), session.expires_at());
    }
    Ok(session)
}

/// Records that a cookie opened nothing. Bounded: a flood of made-up cookies must not fill the audit log.
pub(crate) async fn not_opened(
    gateway: &Gateway,
    launch: LaunchId,
    request_id: RequestId,
    code: Code,
) -> Refusal {
    let refusal = Refusal::new(code);
    if !gateway.sessions.may_record_failure() {
        return refusal;
    }
    let draft = Draft::without_session(launch, request_id, gateway.clock.now());
    match gateway.recorder.refused(draft, &refusal).await {
        Ok(()) => refusal,
        Err(unavailable) => unavailable,
    }
}

/// Every `Cookie` header as one (HTTP/2 may split it, RFC 9113 §8.2.3).
fn cookie_header(headers: &HeaderMap) -> String {
    let values: Vec<&str> = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).collect();
    values.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_has_one_spelling() {
        assert!(handle("0192f0c1d2e37a4b8c5d6e7f80910a0b").is_some());
        for other in [
            "0192F0C1D2E37A4B8C5D6E7F80910A0B",
            "0192f0c1-d2e3-7a4b-8c5d-6e7f80910a0b",
            "",
            "0192f0c1d2e37a4b8c5d6e7f80910a0%",
        ] {
            assert!(handle(other).is_none(), "{other}");
        }
    }
}
