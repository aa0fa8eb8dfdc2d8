//! Answers: every one `no-store`, `no-referrer` and `nosniff`, pages under a policy that allows nothing but themselves
//! and framed only by registered EHRs.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use maud::Markup;
use sallyport_model::Code;

use super::source::Source;
use crate::{
    domain::{App, random, start::frame_ancestors},
    error::Refusal,
    page::{self, WayOn},
};

const CONTENT_SECURITY_POLICY: HeaderName = header::CONTENT_SECURITY_POLICY;

/// A nonce for one page.
pub(super) fn nonce() -> String {
    let random = random();
    URL_SAFE_NO_PAD.encode(random.split_at(18).0)
}

/// What every answer carries.
pub(super) fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let fixed = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// A page. Without `form-action` a form may be submitted and redirected anywhere: only the page that needs it leaves
/// it out, because the EHR's login may be on another host and browsers apply the rule to redirects too.
pub(super) fn html(
    status: StatusCode,
    content: Markup,
    nonce: &str,
    ancestors: &str,
    may_submit: bool,
) -> Response {
    let script =
        if may_submit { format!(" script-src 'nonce-{nonce}';") } else { " form-action 'none';".to_owned() };
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}';{script} base-uri 'none'; frame-ancestors {ancestors}"
    );
    let mut response =
        (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], content.into_string()).into_response();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    guarded(response)
}

/// JSON.
pub(super) fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    guarded((status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response())
}

/// 303: whatever the method was, the next request is a GET (RFC 9700 §4.12).
pub(super) fn see_other(location: &str, set_cookies: &[String]) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    with_cookies(guarded(response), set_cookies)
}

/// Adds cookies.
pub(super) fn with_cookies(mut response: Response, set_cookies: &[String]) -> Response {
    for cookie in set_cookies {
        if let Ok(cookie) = HeaderValue::from_str(cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    response
}

/// A refusal, as page or as JSON.
pub(super) fn refuse(app: &App, source: &Source, refusal: &Refusal) -> Response {
    let status = status(refusal.code);
    if source.wants_json {
        let reference = source.visit.request_id.to_string();
        return json(status, &error_json(refusal.code, &reference));
    }
    let nonce = nonce();
    let content = page::refusal(refusal.code, &way_on(app, refusal), source.visit.request_id, &nonce);
    let ancestors = frame_ancestors(app, refusal.registration.as_ref());
    html(status, content, &nonce, &ancestors, false)
}

fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.kind().http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The JSON of a refusal: the same words as the page.
pub(super) fn error_json(code: Code, reference: &str) -> serde_json::Value {
    serde_json::json!({
        "code": code.as_str(),
        "message": code.sentence(),
        "next": code.next_step(),
        "reference": reference,
    })
}

/// What the person can do from the page itself. An EHR launch starts in the EHR alone.
pub(super) fn way_on(app: &App, refusal: &Refusal) -> WayOn {
    if let Some(window) = &refusal.new_window {
        return WayOn::NewWindow(window.href.clone());
    }
    let entry = refusal.registration.as_ref().and_then(|id| app.registry.registration(id));
    match entry {
        Some(entry) if entry.registration.standalone => {
            WayOn::Standalone(format!("/launch/{}", entry.registration.id))
        }
        _ => WayOn::FromEhr,
    }
}
