//! The frame of every page the EHR shows: head, style sheet, security headers. Pages may be framed by the
//! EHR itself and by registered apps, because authorize pages appear inside the app's frame.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};
use maud::{DOCTYPE, Markup, html};

use crate::state::AppState;

/// Where the style sheet is served.
pub(crate) const STYLE_PATH: &str = "/assets/ehr.css";
const STYLE: &str = include_str!("portal/ehr.css");

/// The style sheet.
pub(crate) async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "no-cache")], STYLE).into_response()
}

/// A whole page.
pub(crate) fn page(state: &AppState, status: StatusCode, title: &str, body: &Markup) -> Response {
    respond(state, status, title, body, None)
}

/// A page that submits its only form by a script with this nonce, for answers by `form_post`.
pub(crate) fn submitting_page(state: &AppState, title: &str, body: &Markup, nonce: &str) -> Response {
    respond(state, StatusCode::OK, title, body, Some(nonce))
}

fn respond(
    state: &AppState,
    status: StatusCode,
    title: &str,
    body: &Markup,
    nonce: Option<&str>,
) -> Response {
    let text = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · " (state.config().app_name) }
                link rel="stylesheet" href=(STYLE_PATH);
                link rel="icon" href="data:,";
            }
            body { (body) }
        }
    };
    let script = nonce.map_or_else(|| "'none'".to_owned(), |nonce| format!("'nonce-{nonce}'"));
    let ancestors = state.clients().origins().join(" ");
    // No form-action: the answer to a form of these pages goes on to the app by redirects.
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src data:; script-src {script}; frame-src http: https:; \
         base-uri 'none'; frame-ancestors 'self' {ancestors}"
    );
    let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, policy),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, text.into_string()).into_response()
}

/// A small page in the middle of the screen: sign-in, choice, consent, errors.
pub(crate) fn dialog(state: &AppState, status: StatusCode, title: &str, content: &Markup) -> Response {
    let body = html! {
        main.dialog {
            p.brand { span.mark aria-hidden="true" { "✚" } (state.config().app_name) }
            h1 { (title) }
            (content)
        }
    };
    page(state, status, title, &body)
}

/// An error that stays with the EHR: it is shown, and nothing is sent to the app.
pub(crate) fn refusal(state: &AppState, title: &str, what: &str, what_to_do: &str) -> Response {
    let content = html! {
        p.notice role="alert" { span aria-hidden="true" { "⚠ " } (what) }
        p { (what_to_do) }
    };
    dialog(state, StatusCode::BAD_REQUEST, title, &content)
}
